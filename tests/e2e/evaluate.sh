#!/usr/bin/env bash
# `evaluate` needs the checkpoint alone, and gives the figures that `train` printed.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
options=(--model cnn --batch-norm --batch 48 --lanes 8 --limit 1501 --epochs 2 --seed 2)
train trained 2 1
want=$(grep -E '^test accuracy ' "$work/trained.log") || fail "train printed no test accuracy" "$work/trained.log"
mkdir -p "$work/alone"
cp -a "$work/trained/checkpoints" "$work/alone/"
expect_code 0 '^test accuracy ' evaluate.log "$lockstep" evaluate --run "$work/alone" --data "$E2E_DATA"
got=$(grep -E '^test accuracy ' "$work/evaluate.log")
[[ $got == "$want" ]] || fail "train: $want; evaluate: $got"
accuracy=$(awk '{ print $3 }' <<<"$got")
awk -v a="$accuracy" 'BEGIN { exit !(a > 0.5 && a < 1) }' || fail "an accuracy of $accuracy after two epochs"
pass "$got"
