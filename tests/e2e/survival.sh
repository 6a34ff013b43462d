#!/usr/bin/env bash
# experiments/survival in small: a handful of faults on this machine, and in the end the model of an undisturbed run.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
timeout -k 5 500 experiments/survival/run --hosts 0 --faults 5 --seed 7 --deadline 3 --most 150 --kinds mpirun,stop,full,torn,term --runs "$work/runs" \
  >"$work/log" 2>&1 || fail "exit code $?" "$work/log"
grep -q '^| all | 5 | 0 | 0 |' "$work/log" || fail "not 5 faults without a loss" "$work/log"
sed -n '/^| fault/,$p' "$work/log"
