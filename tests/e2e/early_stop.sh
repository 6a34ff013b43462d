#!/usr/bin/env bash
# Early stopping stops at the same epoch, with the same model, on one worker and on three.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
options=(--model mlp --hidden 64 --batch 48 --lanes 8 --epochs 60 --seed 4 --lr 0.1 --validation-fraction 0.2 --patience 3)
train one 1 1
train three 3 1
epochs=$(epochs_of one)
((epochs > 3 && epochs < 60)) || fail "$epochs epochs: it did not stop early" "$work/one.log"
same_run one three
pass "stopped after $epochs epochs"
