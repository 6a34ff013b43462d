#!/usr/bin/env bash
# USR1 to one worker: all write the same checkpoint, the exit code is 75, and the run gone on with is the same run.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
options=(--model cnn --dropout 0.2 --batch 48 --lanes 6 --limit 1501 --epochs 2 --seed 5 --checkpoint-every 8)
train whole 1 2

start preempted 3 1
wait_for_step preempted 8
mapfile -t pids < <(workers_of "$job")
kill -USR1 "${pids[-1]}"
rc=0
finish || rc=$?
((rc == 75)) || fail "exit code $rc instead of 75" "$work/preempted.log"
[[ ! -e $work/preempted/model.safetensors ]] || fail "preempted too late: the run is finished"
pass "preempted at step $(newest_checkpoint "$work/preempted")"
train preempted 2 1
same_run whole preempted
pass "gone on with 3 workers' run on 2: the same run"
