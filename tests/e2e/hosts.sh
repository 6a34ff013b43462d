#!/usr/bin/env bash
# Two hosts over real TCP train the model that one process trains. Needs root (tests/cluster/hosts); else it is skipped, with the reason.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
hosts=$root/tests/cluster/hosts
export CLUSTER=e2e SUBNET=10.83.9
options=(--model mlp --hidden 64 --batch 48 --lanes 8 --epochs 2)

rc=0
"$hosts" up 2 1gbit 100us >"$work/up.log" 2>&1 || rc=$?
if ((rc == 77)); then
  cat "$work/up.log"
  rm -rf "$work"
  trap - EXIT
  exit 77
fi
trap '"$hosts" down; end_test' EXIT
((rc == 0)) || fail "the hosts do not come up" "$work/up.log"

train one 1 1
timeout -k 5 100 "$hosts" mpirun -n 2 "$lockstep" train --data "$E2E_DATA" --run "$work/two" --threads 1 "${options[@]}" </dev/null \
  >"$work/two.log" 2>&1 || fail "train on two hosts" "$work/two.log"
grep -q ' on h0, h1;' "$work/two.log" || fail "the second host had no worker" "$work/two.log"
same_run one two
pass "two hosts, one model: $(hash_of two)"
