#!/usr/bin/env bash
# A loss that is not a number ends the job with exit code 6 and the name of an op, on one worker and on two, by shared memory and by messages, and the last good checkpoint stays.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
common=("$lockstep" train --data "$E2E_DATA" --model mlp --hidden "64,32" --batch 48 --lanes 8 --threads 1 --quiet --checkpoint-every 1 --activation elu --lr 1e6 --epochs 3)
expect_code 6 'no longer a finite number' one.log "${common[@]}" --run "$work/one"
mapfile -t mpi < <(mpi_line 2)
expect_code 6 'no longer a finite number' two.log "${mpi[@]}" "${common[@]}" --run "$work/two"
expect_code 6 'no longer a finite number' messages.log "${mpi[@]}" "${common[@]}" --run "$work/messages" --exchange messages
for run in one two messages; do
  grep -Eq 'op |linear|relu|matmul|loss|entropy' "$work/$run.log" || fail "no op is named" "$work/$run.log"
  [[ ! -e $work/$run/model.safetensors ]] || fail "$run left a model"
  compgen -G "$work/$run/checkpoints/*.h5" >/dev/null || fail "$run kept no checkpoint" "$work/$run.log"
  # What was kept must be good: it can be read and evaluated.
  expect_code 0 'accuracy' evaluate.log "$lockstep" evaluate --run "$work/$run" --data "$E2E_DATA"
  pass "$(grep -Em 1 'no longer a finite number' "$work/$run.log")"
done

# Batch norm and ReLU make a loss that is a number of parameters that are none.
expect_code 6 'step 3[12]: the update made [a-z0-9._]+ infinite or NaN' normed.log "$lockstep" train --data "$E2E_DATA" --run "$work/normed" --model mlp \
  --hidden 32 --batch-norm --batch 64 --lanes 1 --epochs 15 --lr 300 --quiet
pass "$(grep 'infinite or NaN' "$work/normed.log")"
