#!/usr/bin/env bash
# A worker that goes silent (SIGSTOP): the others name it within the deadline, and the job ends with exit code 5.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
options=(--model cnn --batch 48 --lanes 8 --epochs 50 --checkpoint-every 5 --deadline 4)
start silent 3 1
wait_for_step silent 5
mapfile -t pids < <(workers_of "$job")
((${#pids[@]} == 3)) || fail "found ${#pids[@]} workers instead of 3" "$work/silent.log"
stopped=0
for i in 0 1 2; do
  if tr '\0' '\n' <"/proc/${pids[i]}/environ" | grep -Eqx '(OMPI_COMM_WORLD|PMI)_RANK=1'; then stopped=${pids[i]}; fi
done
((stopped)) || fail "no worker of rank 1"
kill -STOP "$stopped"
begin=$SECONDS rc=0
finish || rc=$?
seconds=$((SECONDS - begin))
kill -KILL "$stopped" 2>/dev/null || true
((rc == 5)) || fail "exit code $rc instead of 5" "$work/silent.log"
grep -q 'rank 1' "$work/silent.log" || fail "the silent worker is not named" "$work/silent.log"
((seconds < 20)) || fail "$seconds s with a deadline of 4 s" "$work/silent.log"
pass "after $seconds s: $(grep -m 1 'rank 1' "$work/silent.log")"
