#!/usr/bin/env bash
# Fine-tuning: weights of another run, some frozen, some afresh. The same model on one worker and on three, and gone on with after an end in the
# middle of an epoch; frozen weights keep every bit, the others do not.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
options=(--model cnn --batch-norm --batch 48 --lanes 6 --limit 241 --epochs 1 --seed 6)
train before 2 1
options+=(--init "$work/before/model.safetensors" --afresh 'dense2.*' --freeze 'conv*,norm?.*')
train one 1 1
train three 3 1
same_run one three
train part 2 1 --steps 3
train part 3 1
cmp "$work/one/model.safetensors" "$work/part/model.safetensors" || fail "gone on with, it is another model"
expect_code 0 'accuracy' evaluate.log "$lockstep" evaluate --run "$work/one" --data "$E2E_DATA"

# tensor RUN NAME: its bytes, by the offsets in the file's header.
tensor() {
  local file=$work/$1/model.safetensors length range
  length=$(od -An -t u8 -N 8 "$file" | tr -d ' ')
  range=$(head -c $((8 + length)) "$file" | grep -ao "\"$2\":{[^}]*" | grep -Eo '[0-9]+,[0-9]+\]' | tail -n 1)
  range=${range%]}
  tail -c +$((9 + length + ${range%,*})) "$file" | head -c $((${range#*,} - ${range%,*}))
}
for name in conv1.weight conv2.bias norm1.weight norm3.running_var; do
  cmp <(tensor before "$name") <(tensor one "$name") || fail "$name was frozen, but changed"
done
for name in dense1.weight dense2.weight; do
  ! cmp -s <(tensor before "$name") <(tensor one "$name") || fail "$name was not trained"
done
expect_code 2 "afresh nothing.*: no tensor of the model or of" misspelt.log \
  "$lockstep" train --data "$E2E_DATA" --run "$work/misspelt" --model cnn --batch-norm --init "$work/before/model.safetensors" --afresh 'nothing.*'
expect_code 4 'dense1.weight is \[128, 9216\] in the file, but \[64, 784\]|missing in the file: layers.0.weight' wrong.log \
  "$lockstep" train --data "$E2E_DATA" --run "$work/wrong" --model mlp --init "$work/before/model.safetensors"
expect_code 4 'missing.safetensors' missing.log \
  "$lockstep" train --data "$E2E_DATA" --run "$work/wrong" --model mlp --init "$work/missing.safetensors"
expect_code 2 "fits 'conf" freeze.log "$lockstep" train --data "$E2E_DATA" --run "$work/wrong" --model cnn --freeze 'conf*'
pass "$(hash_of one)"
