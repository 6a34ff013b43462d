#!/usr/bin/env bash
# What a run tells while it trains: steps.jsonl and hashes.jsonl are the same for any number of workers and threads and through a kill -9;
# TensorBoard's own reader reads the events, without one twice; trace.json has its tracks; `compare` names what differs.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
options=(--model cnn --batch-norm --batch 48 --lanes 8 --limit 1001 --epochs 2 --seed 3 --validation-fraction 0.1 --clip 0.5 --schedule cosine --checkpoint-every 5
  --steps-every 4 --hash-every 5 --tensorboard)
train whole 1 1

# told_by RUN: steps.jsonl without the times.
told_by() { sed -E 's/,"([a-z_]*seconds|time)":[^,}]*//g' "$work/$1/steps.jsonl"; }
# same_log A B: both runs tell the same steps and the same hashes.
same_log() {
  same_run "$1" "$2"
  cmp <(told_by "$1") <(told_by "$2") || fail "steps.jsonl of $1 and $2 differ" "$work/$2/steps.jsonl"
  cmp "$work/$1/hashes.jsonl" "$work/$2/hashes.jsonl" || fail "hashes.jsonl of $1 and $2 differ"
}
# 901 samples are 19 steps of at most 48: 38 steps, a line every 4, hashes every 5.
[[ $(wc -l <"$work/whole/steps.jsonl") == 9 && $(wc -l <"$work/whole/hashes.jsonl") == 7 ]] || fail "not 9 lines of steps and 7 of hashes" "$work/whole/steps.jsonl"
told_by whole | grep -vqE '^\{"step":[0-9]+,"epoch":[12],"loss":[0-9.]+,"learning_rate":[0-9.e-]+,"gradient_norm":[0-9.]+,"samples":[0-9]+\}$' &&
  fail "a line of another form" "$work/whole/steps.jsonl"
[[ $(tail -n 1 "$work/whole/hashes.jsonl") =~ ^\{\"step\":35,\"tensors\":\{\"conv1.bias\":\"[0-9a-f]{16}\" ]] || fail "hashes of another form" "$work/whole/hashes.jsonl"

train shared 3 2
same_log whole shared
train messages 2 2 --exchange messages
same_log whole messages
pass "$(wc -l <"$work/whole/steps.jsonl") lines of steps and their hashes are the same on 1 x 1, 3 x 2, and 2 x 2 by messages"

start killed 3 1 --trace 3
wait_for_step killed 10 # in the middle of a line
mapfile -t pids < <(workers_of "$job")
kill -KILL "${pids[1]}"
if finish; then fail "the job went on without its worker" "$work/killed.log"; fi
step=$(newest_checkpoint "$work/killed")
((step < 38)) || fail "killed too late, at step $step"
train killed 2 2 --trace 6
same_log whole killed
grep -q '"seconds":null' "$work/killed/steps.jsonl" || ((step % 4 == 0)) || fail "a line that spans the restart tells a time" "$work/killed/steps.jsonl"
pass "killed after step $step and gone on with: the same lines"

python=${LOCKSTEP_PYTHON:-python3}
"$python" "$(dirname "$0")/check_trace.py" "$work/killed/trace.json" "$step" 6 8 2 2 || fail "trace.json is not as it should be"

# The experiment with another learning rate differs from the first hashes on, and is worse or better.
train other 2 1 --lr 0.02
expect_code 0 'whole and .*/shared: the same bits through step 35$' compare.log "$lockstep" compare "$work/whole" "$work/shared" "$work/other" --csv "$work/table.csv"
grep -Eq 'whole and .*/other: the first difference is in step 5: [0-9]+ of 20 tensors, conv1.bias, ' "$work/compare.log" || fail "no first difference" "$work/compare.log"
grep -Eq '^run +lr +threads +best validation_accuracy +best epoch +epochs +steps done +parameter hash +samples/s$' "$work/compare.log" || fail "another head" "$work/compare.log"
[[ $(wc -l <"$work/table.csv") == 4 ]] || fail "the CSV file has not 4 lines" "$work/table.csv"
expect_code 2 'holds no metrics.jsonl' nothing.log "$lockstep" compare "$work/whole" "$work/nothing"
pass "$(tail -n 1 "$work/compare.log")"

expect_code 2 'no step in that' range.log "$lockstep" train --data "$E2E_DATA" --run "$work/range" --trace 5:5

if [[ ${LOCKSTEP_TENSORBOARD_PYTHON:-} ]]; then
  for run in whole killed; do
    "$LOCKSTEP_TENSORBOARD_PYTHON" "$(dirname "$0")/check_tensorboard.py" "$work/$run" || fail "TensorBoard reads something else from $run"
  done
else
  echo "SKIPPED: reading the events with TensorBoard's own reader; LOCKSTEP_TENSORBOARD_PYTHON names no Python that has it"
fi
