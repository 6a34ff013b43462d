#!/usr/bin/env bash
# The benchmarks of several workers: right sums by either way, one parameter hash on every number of workers, and what is refused.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
mapfile -t mpi < <(mpi_line 3)

for exchange in auto messages; do
  log=$work/exchange-$exchange.json
  timeout -k 5 100 "${mpi[@]}" "$lockstep" bench exchange --sizes 4KiB,1MB --seconds 0.1 --exchange "$exchange" --json </dev/null >"$log" 2>&1 ||
    fail "bench exchange ($exchange)" "$log"
  (($(grep -c '"wrong":0}' "$log") == 2)) || fail "wrong sums ($exchange)" "$log"
done
pass "no wrong element by shared memory and by messages"

log=$work/scaling.csv
timeout -k 5 100 "${mpi[@]}" "$lockstep" bench scaling --workers 1,2,3 --workload mlp-tiny --steps 3 --repeats 2 </dev/null >"$log" 2>&1 ||
  fail "bench scaling" "$log"
(($(grep -c '^mlp-tiny,strong,' "$log") == 3)) || fail "not a row for each number of workers" "$log"
(($(grep '^mlp-tiny,' "$log" | grep -Eo '[0-9a-f]{64}$' | sort -u | wc -l) == 1)) || fail "the hashes differ" "$log"
pass "strong scaling: one hash on 1, 2 and 3 workers"

expect_code 2 'only 3 were started' workers.log "${mpi[@]}" "$lockstep" bench scaling --workers 4
expect_code 2 'strong and weak' mode.log "$lockstep" bench scaling --workers 1 --mode wrong
expect_code 2 'no benchmark' what.log "$lockstep" bench wrong
pass "refused what cannot be measured"
