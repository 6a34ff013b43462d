#!/usr/bin/env bash
# Training straight from HDF5 files made elsewhere: the same model on any number of workers and threads, through a stop in the middle, and
# as from the dataset that import hdf5 makes of them; weights of samples; what h5py writes, where it is there.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
# Our own shards are HDF5 files like any other.
E2E_TEST="$E2E_DATA/test/shard-*.h5"
shards=$E2E_DATA/train
E2E_DATA="$shards/shard-*.h5"
common=(--model mlp --hidden 32 --batch 48 --lanes 6 --order chunk --limit 1501 --epochs 2 --seed 7)
fields=(--input /features --target /labels)
options=("${common[@]}" "${fields[@]}" --test "$E2E_TEST")

train one 1 1
for job in "2 1" "3 2" "5 1 --exchange messages"; do
  read -r -a how <<<"$job"
  train "p${how[0]}" "${how[@]}"
  same_run one "p${how[0]}"
done
train cut 2 1 --steps 20
[[ $(epochs_of cut) == 0 ]] || fail "20 steps are an epoch already"
train cut 3 1
same_run one cut

expect_code 0 'test accuracy' evaluate.log "$lockstep" evaluate --run "$work/one" --data "$E2E_TEST"
[[ $(grep 'test accuracy' "$work/evaluate.log") == $(grep 'test accuracy' "$work/one.log") ]] || fail "evaluate gives other figures than train" "$work/evaluate.log"

expect_code 0 '2000 training and 500 test rows' import.log \
  "$lockstep" import hdf5 --data "$E2E_DATA" --test "$E2E_TEST" "${fields[@]}" --out "$work/imported"
ours=$E2E_DATA E2E_DATA=$work/imported
options=("${common[@]}")
train imported 2 1
same_run one imported
E2E_DATA=$ours

# Classes as weights: those of class 0 count for nothing.
options=("${common[@]}" "${fields[@]}" --weight /labels)
train weighted 1 2
train weighted3 3 1
same_run weighted weighted3
[[ $(hash_of weighted) != "$(hash_of one)" ]] || fail "weights of samples changed nothing"

# The number of a class as a number to predict.
options=("${common[@]}" --input /features --target /labels:real --validation-fraction 0.1 --checkpoint-every 7)
train number 1 1
grep -q ',validation_mae,validation_rmse,validation_r2,' "$work/number/metrics.csv" || fail "a regression has other figures" "$work/number/metrics.csv"
train number2 3 1 --steps 20
train number2 2 2 --exchange messages
same_run number number2

expect_code 0 'features is /features: u8 \[2000, 1, 28, 28\]' inspect.log "$lockstep" inspect "$E2E_DATA" "${fields[@]}"
expect_code 0 'features is /features: u8 \[2000, 1, 28, 28\]' inspect.log env -C "$shards" "$(realpath "$lockstep")" inspect 'shard-*.h5' "${fields[@]}"
expect_code 0 '/labels +i32' inspect.log "$lockstep" inspect "$shards/shard-00000.h5"
expect_code 2 'Say what to read of it' usage.log "$lockstep" train --data "$shards/shard-00000.h5" --run "$work/none"
expect_code 3 'there is no such file' usage.log "$lockstep" train --data "$work/*.h5" "${fields[@]}" --run "$work/none"
expect_code 3 'holds no dataset /images; there are /features, /labels' usage.log \
  "$lockstep" train --data "$E2E_DATA" --input /images --target /labels --run "$work/none"

python=${LOCKSTEP_PYTHON:-python3}
if "$python" -c 'import h5py' 2>/dev/null; then
  "$python" "$(dirname "$0")/elsewhere_files.py" "$shards" "$work" >"$work/h5py.log" 2>&1 || fail "h5py could not write the files" "$work/h5py.log"
  while read -r name file input target; do
    E2E_DATA=$work/$file
    options=("${common[@]}" --input "$input" --target "$target")
    train "$name" 2 1
    [[ $(hash_of "$name") == "$(hash_of one)" ]] || fail "$file gives another model" "$work/$name.log"
    echo "  the same model from $file as $input and $target"
  done <"$work/variants"
  expect_code 3 'is packed with lzf' usage.log "$lockstep" train --data "$work/lzf.h5" "${fields[@]}" --run "$work/none"
  # The command that the message names makes a file that can be read.
  sed -n "s/.*Convert it where h5py is: python3/\"\$python\"/p" "$work/usage.log" >"$work/convert.sh"
  python=$python bash "$work/convert.sh" || fail "the command for lzf failed" "$work/convert.sh"
  E2E_DATA=$work/lzf.unpacked.h5
  options=("${common[@]}" "${fields[@]}")
  train unpacked 2 1
  [[ $(hash_of unpacked) == "$(hash_of one)" ]] || fail "lzf.unpacked.h5 gives another model" "$work/unpacked.log"
else
  echo "no h5py: what it writes is left out"
fi
pass "one model"
