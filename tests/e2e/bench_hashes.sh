#!/usr/bin/env bash
# bench_hashes.sh WORKLOAD: three steps on synthetic samples give the same parameters on any number of workers and threads.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
workload=$1

first=''
for threads in 1 2; do
  for workers in 1 2 4; do
    mapfile -t mpi < <(mpi_line "$workers")
    log=$work/p$workers-t$threads.json
    timeout -k 5 150 "${mpi[@]}" "$lockstep" bench step --workload "$workload" --batch $((16 / workers)) --lanes 8 --threads "$threads" \
      --steps 1 --json </dev/null >"$log" 2>&1 || fail "$workload on $workers workers of $threads threads" "$log"
    hash=$(grep -o '"parameter_hash": *"[0-9a-f]*"' "$log") || fail "no parameter hash" "$log"
    printf '%s workers, %s threads: %s\n' "$workers" "$threads" "$hash"
    first=${first:-$hash}
    [[ $hash == "$first" ]] || fail "other parameters on $workers workers of $threads threads" "$log"
  done
done
pass "one model"
