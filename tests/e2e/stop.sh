#!/usr/bin/env bash
# INT, TERM, --stop-after and the end of the Slurm job: a checkpoint, exit code 75, and gone on with it is the same run. Many tiny epochs share checkpoints.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
options=(--model mlp --hidden 32 --batch 48 --lanes 8 --seed 5 --validation-fraction 0.1 --patience 1000)
SECONDS=0
expect_code 0 '^checkpoint of step [0-9]+: [0-9.]+ MB written in [0-9.]+ s, training waited [0-9.]+ s$' tiny.log \
  "$lockstep" train --data "$E2E_DATA" --run "$work/whole" --threads 1 "${options[@]}" --epochs 900
written=$(grep -c '^checkpoint of step' "$work/tiny.log")
((written <= SECONDS / 5 + 1)) || fail "$written checkpoints in $SECONDS s" "$work/tiny.log"
pass "900 tiny epochs in $SECONDS s share checkpoints: $(grep -m 1 '^checkpoint of step' "$work/tiny.log")"

# stops WHAT CODE...: the job must end with 75, unfinished, with a checkpoint.
stops() {
  local rc=0
  finish || rc=$?
  ((rc == 75)) || fail "$1: exit code $rc instead of 75" "$work/parts.log"
  [[ ! -e $work/parts/model.safetensors ]] || fail "$1: too late, the run is finished"
  pass "$1: stopped at step $(newest_checkpoint "$work/parts")"
}

begin=$SECONDS
start parts 2 1 --epochs 900 --stop-after 2s
stops "--stop-after 2s"
((SECONDS - begin < 40)) || fail "it took $((SECONDS - begin)) s"
SLURM_JOB_END_TIME=$(($(date +%s) + 17)) start parts 1 1 --epochs 900
stops "the end of the Slurm job in 17 s"
for signal in INT TERM; do
  before=$(newest_checkpoint "$work/parts")
  start parts 2 1 --epochs 900 --checkpoint-every 40
  wait_for_step parts $((before + 40))
  mapfile -t pids < <(workers_of "$job")
  kill -s "$signal" "${pids[1]}"
  stops "SIG$signal to a worker"
done
train parts 2 1 --epochs 900
same_run whole parts
pass "gone on with: the same run"

# The second one ends a worker that does not come to the end of its step.
start twice 2 1 --epochs 100000 --checkpoint-every 20
wait_for_step twice 1
mapfile -t pids < <(workers_of "$job")
kill -STOP "${pids[0]}"
kill -TERM "${pids[1]}"
sleep 0.2
kill -TERM "${pids[1]}"
sleep 0.5
kill -CONT "${pids[0]}" 2>/dev/null || true
rc=0
finish || rc=$?
((rc == 143)) || fail "a second TERM: exit code $rc instead of 143" "$work/twice.log"
pass "a second TERM ends the worker at once"
