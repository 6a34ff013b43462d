#!/usr/bin/env bash
# A built-in model written to a file and trained from it is the same run, on one worker and on three; a mistake in the file is named.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
model=(--model cnn --batch-norm --dropout 0.1)
common=(--batch 48 --lanes 6 --limit 241 --epochs 1 --seed 5)
expect_code 0 'parameters' plan.log "$lockstep" plan "${model[@]}" --write-model "$work/cnn.json"
options=("${model[@]}" "${common[@]}")
train built-in 1 1
options=(--model "$work/cnn.json" "${common[@]}")
train file 3 1
same_run built-in file
expect_code 0 'parameters' again.log "$lockstep" plan --model "$work/cnn.json"

sed "s/\[128,9216\]/[128,9217]/" "$work/cnn.json" >"$work/wrong.json"
expect_code 2 "wrong.json: node '.*' \(matmul\) of .*\[2, 9216\] and 'dense1.weight' f32 \[128, 9217\]" wrong.log \
  "$lockstep" plan --model "$work/wrong.json"
expect_code 2 'missing.json' missing.log "$lockstep" plan --model "$work/missing.json"
pass "$(hash_of file)"
