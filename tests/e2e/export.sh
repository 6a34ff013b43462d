#!/usr/bin/env bash
# A run's model as safetensors, with what the data were like, and as ONNX; training starts from the first as from the run's own file.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
options=(--model cnn --batch-norm --batch 48 --lanes 6 --limit 241 --epochs 1 --seed 6)
train run 2 1
expect_code 0 'parameter hash' safetensors.log "$lockstep" export --run "$work/run" --to "$work/exported.safetensors"

# header_of FILE, data_of FILE: the two parts of a safetensors file.
length_of() { od -An -t u8 -N 8 "$1" | tr -d ' '; }
header_of() { head -c $((8 + $(length_of "$1"))) "$1" | tail -c +9; }
data_of() { tail -c +$((9 + $(length_of "$1"))) "$1"; }
header=$(header_of "$work/exported.safetensors")
for part in '"format":"pt"' '"classes":"\[\\"T-shirt' '"mean":"{\\"features\\":\[[0-9]' '"std":"{\\"features\\":\[[0-9]' '"lockstep_model":"{' '"dense1.weight":{"dtype":"F32","shape":\[128,9216\]'; do
  grep -q -- "$part" <<<"$header" || fail "no $part in the header: ${header:0:2000}"
done
cmp <(data_of "$work/run/model.safetensors") <(data_of "$work/exported.safetensors") || fail "other parameters were exported"

expect_code 0 'parameter hash' onnx.log "$lockstep" export --run "$work/run" --to "$work/exported.onnx"
(($(stat -c %s "$work/exported.onnx") > 4 * 1199882)) || fail "the ONNX file is too small" "$work/onnx.log"

options+=(--init "$work/run/model.safetensors")
train own 1 1
options[-1]=$work/exported.safetensors
train exported 1 1
same_run own exported

expect_code 2 '.safetensors or .onnx' suffix.log "$lockstep" export --run "$work/run" --to "$work/exported.h5"
expect_code 4 'holds no checkpoint' empty.log "$lockstep" export --run "$work/nothing" --to "$work/exported.onnx"
pass "exported"
