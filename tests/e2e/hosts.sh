#!/usr/bin/env bash
# Two hosts over real TCP train the model that one process trains. When the link between them is cut, the survivor names the other within the deadline
# and all workers end; a host that fails is left out by lockstep-run also where its file names addresses. Needs root (tests/cluster/hosts); else it
# is skipped, with the reason.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
hosts=$root/tests/cluster/hosts
export CLUSTER=e2e SUBNET=10.83.9
options=(--model mlp --hidden 64 --batch 48 --lanes 8)

rc=0
"$hosts" up 2 1gbit 100us >"$work/up.log" 2>&1 || rc=$?
if ((rc == 77)); then
  cat "$work/up.log"
  rm -rf "$work"
  trap - EXIT
  exit 77
fi
trap 'rc=$?; "$hosts" down; (exit "$rc"); end_test' EXIT
((rc == 0)) || fail "the hosts do not come up" "$work/up.log"

train one 1 1 --epochs 2
timeout -k 5 100 "$hosts" mpirun -n 2 "$lockstep" train --data "$E2E_DATA" --run "$work/two" --threads 1 "${options[@]}" --epochs 2 </dev/null \
  >"$work/two.log" 2>&1 || fail "train on two hosts" "$work/two.log"
grep -q ' on h0, h1;' "$work/two.log" || fail "the second host had no worker" "$work/two.log"
same_run one two
pass "two hosts, one model: $(hash_of two)"

timeout -k 5 100 "$hosts" mpirun -n 2 "$lockstep" train --data "$E2E_DATA" --run "$work/cut" --threads 1 --deadline 3s --checkpoint-every 5 --quiet \
  "${options[@]}" --epochs 100000 </dev/null >"$work/cut.log" 2>&1 &
job=$!
wait_for_step cut 5
mapfile -t pids < <(workers_of "$job")
pids=("${pids[@]/#//proc/}")
"$hosts" cut 1
begin=$SECONDS
while readlink "${pids[@]/%//exe}" >/dev/null; do # mpirun itself may wait for minutes for the host that it cannot reach
  ((SECONDS - begin < 30)) || fail "a worker lives on 30 s after the link was cut, with a deadline of 3 s" "$work/cut.log"
  sleep 0.1
done
seconds=$((SECONDS - begin))
kill -KILL "$job"
finish || true
grep -Eq '^rank 0 \(h0\), step [0-9]+: no answer from rank 1 \(h1\) for 3 s while .*(bucket [0-9]+ of|losses)' "$work/cut.log" || fail "h1 is not named" "$work/cut.log"
pass "$seconds s after the link was cut: $(grep -m 1 'no answer' "$work/cut.log")"
"$hosts" heal 1

# A file of addresses; the workers name their hosts by their names.
printf '%s\n' "$SUBNET.1" "$SUBNET.2" >"$work/addresses"
"$hosts" lead "$root/launch/lockstep-run" --hostfile "$work/addresses" -- train --data "$E2E_DATA" --run "$work/addressed" --threads 1 --deadline 3s \
  --checkpoint-every 5 --quiet "${options[@]}" --epochs 100000 </dev/null >"$work/addressed.log" 2>&1 &
job=$!
wait_for_step addressed 5
pid=''
while read -r each; do
  if [[ $(readlink "${each%environ}exe") == */lockstep ]]; then pid=${each//[^0-9]/}; fi
done < <(grep -lz '^LOCKSTEP_ATTEMPT=.*-1@h1$' /proc/[0-9]*/environ 2>/dev/null)
kill -STOP "$pid"
for ((i = 0; i < 600; i++)); do
  ! grep -q 'attempt 2: ' "$work/addressed.log" || break
  sleep 0.1
done
kill -TERM "$job"
rc=0
finish || rc=$?
((rc == 75)) || fail "lockstep-run ended with exit code $rc" "$work/addressed.log"
grep -q "attempt 2: 1 workers on $SUBNET.1 from step" "$work/addressed.log" || fail "the host that failed is not left out" "$work/addressed.log"
pass "a host given by its address whose worker was stopped is left out: $(grep 'attempt 2' "$work/addressed.log")"
