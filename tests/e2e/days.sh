#!/usr/bin/env bash
# days.sh NAME: experiments/NAME in short, from raw files to report and export; its table and figure are there, and its exported models.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
log=$work/log rc=0
timeout -k 5 500 "experiments/$1/run" --short --runs "$work/runs" </dev/null >"$log" 2>&1 || rc=$?
if ((rc == 77)); then
  tail -n 1 "$log"
  exit 77
fi
((rc == 0)) || fail "experiments/$1/run ended with exit code $rc" "$log"
for kind in csv svg onnx html; do
  [[ -n $(find "$work/runs" -name "*.$kind" -size +0) ]] || fail "experiments/$1/run made no .$kind file" "$log"
done
if [[ $1 == two_branches ]]; then # its inputs have names of their own
  grep -q '"layout": *"chw"' "$work/runs/tuned-1/samples.json" || fail "samples.json shows no image" "$log"
fi
pass "$(tail -n 1 "$log")"
