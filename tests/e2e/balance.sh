#!/usr/bin/env bash
# A slow worker (held up by SIGSTOP and SIGCONT, over and over) is named, --balance gives it fewer lanes, and the run is the same run.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
options=(--model cnn --dropout 0.2 --batch 96 --lanes 8 --epochs 3 --seed 5)
train whole 1 2

mapfile -t mpi < <(mpi_line 2)
timeout -k 5 150 "${mpi[@]}" "$lockstep" train --data "$E2E_DATA" --run "$work/slow" --threads 1 "${options[@]}" --balance \
  </dev/null >"$work/slow.log" 2>&1 &
job=$!
until [[ -s $work/slow/config.ini ]]; do
  kill -0 "$job" 2>/dev/null || fail "it ended before its first step" "$work/slow.log"
  sleep 0.02
done
slow=0
for pid in $(workers_of "$job"); do
  if tr '\0' '\n' <"/proc/$pid/environ" | grep -Eqx '(OMPI_COMM_WORLD|PMI)_RANK=1'; then slow=$pid; fi
done
((slow)) || fail "no worker of rank 1" "$work/slow.log"
# Running for about a sixth of the time, until both have been said.
until grep -q 'is slow' "$work/slow.log" && grep -q 'lanes from here on' "$work/slow.log"; do
  kill -STOP "$slow" 2>/dev/null || break
  sleep 0.05
  kill -CONT "$slow" 2>/dev/null || break
  sleep 0.01
done
finish || fail "the slow run ended with exit code $?" "$work/slow.log"
same_run whole slow
grep -q ': rank 1 (.*) is slow: it took [0-9.]* times as long for a lane' "$work/slow.log" || fail "the slow worker is not named" "$work/slow.log"
grep -q '"slow":"rank 1 (' "$work/slow/steps.jsonl" || fail "the slow worker is not in steps.jsonl" "$work/slow.log"
grep -Eq 'the workers have [5-7], [1-3] lanes from here on' "$work/slow.log" || fail "the lanes were not dealt again" "$work/slow.log"
pass "the same run; $(grep -m 1 -o 'rank 1 (.* is slow: .*' "$work/slow.log"); $(grep -m 1 -o 'the workers have.*' "$work/slow.log")"
