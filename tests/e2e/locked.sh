#!/usr/bin/env bash
# What must not be mixed up: two jobs in one run folder, another dataset, another model; each is refused by name, or on demand accepted.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
options=(--model mlp --batch 48 --lanes 8 --epochs 100000 --checkpoint-every 20 --hidden 32)
train=("$lockstep" train --run "$work/run" --quiet --threads 1)

start run 2 1
wait_for_step run 20
mapfile -t pids < <(workers_of "$job")
expect_code 2 "in use: process ${pids[0]} on host $(hostname -s)" second.log "${train[@]}" --data "$E2E_DATA" "${options[@]}"
pass "a second job: $(head -n 1 "$work/second.log")"
kill -KILL "${pids[@]}" "$job" 2>/dev/null
finish || true
[[ -s $work/run/lease.json ]] || fail "the killed job left no lease"

steps=$(($(newest_checkpoint "$work/run") + 30))
expect_code 0 "takes the run folder over from process ${pids[0]} " third.log "${train[@]}" --data "$E2E_DATA" "${options[@]}" --steps "$steps"
[[ ! -e $work/run/lease.json ]] || fail "the lease was not given back"
pass "after kill -9: $(grep -m 1 'takes the run folder' "$work/third.log")"

# Another model and another dataset.
steps=$((steps + 30))
expect_code 2 "parameter 'layers.1.weight' is \[10, 32\] in the checkpoint, but \[10, 16\]" model.log \
  "${train[@]}" --data "$E2E_DATA" "${options[@]:0:8}" --hidden 16 --steps "$steps"
mkdir "$work/data"
cp -a "$E2E_DATA/test" "$work/data/train"
other=("$lockstep" train --run "$work/run" --threads 1 --data "$work/data" "${options[@]}")
expect_code 3 'accept-changed-data' data.log "${other[@]}" --steps "$steps"
pass "other data: $(grep -m 1 "the dataset is not" "$work/data.log")"
expect_code 0 'has changed since the checkpoint' accepted.log "${other[@]}" --steps "$steps" --accept-changed-data
expect_code 0 'goes on from step [0-9]+' again.log "${other[@]}" --steps $((steps + 30))
pass "accepted: $(grep -m 1 'has changed' "$work/accepted.log")"

rm -r "$work/run/checkpoints"
expect_code 0 'result of a finished run, but no checkpoint' anew.log "${other[@]}" --steps 30

# A dataset that changes while it is read.
rm -rf "$work/run"
mapfile -t mpi < <(mpi_line 2)
timeout -k 5 100 "${mpi[@]}" "${train[@]}" --data "$work/data" "${options[@]}" </dev/null >"$work/run.log" 2>&1 &
job=$!
wait_for_step run 20
shard=$(printf '%s\n' "$work"/data/train/shard-*.h5 | tail -n 1)
cp "$shard" "$work/copy" && mv "$work/copy" "$shard"
rc=0
finish || rc=$?
((rc == 3)) || fail "exit code $rc instead of 3 after the dataset was changed" "$work/run.log"
grep -q "$(basename "$shard") was changed while the run was reading it" "$work/run.log" || fail "no word about $shard" "$work/run.log"
pass "$(grep -m 1 'was changed' "$work/run.log")"
