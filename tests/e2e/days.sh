#!/usr/bin/env bash
# days.sh NAME: experiments/NAME in short, from raw files to report and export; its table and figure are there, and its exported models.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
log=$work/log rc=0
# What an earlier start has not made is not removed.
mkdir -p "$work/mine" && touch "$work/mine/thesis"
expect_code 1 'holds something that no earlier start has made' refused.log "experiments/$1/run" --short --runs "$work/mine"
[[ -e $work/mine/thesis ]] || fail "experiments/$1/run removed a folder that it had not made" "$work/refused.log"
mkdir "$work/runs" && touch "$work/runs/.made-by-experiments" "$work/runs/old"
timeout -k 5 500 "experiments/$1/run" --short --runs "$work/runs" </dev/null >"$log" 2>&1 || rc=$?
if ((rc == 77)); then
  tail -n 1 "$log"
  exit 77
fi
((rc == 0)) || fail "experiments/$1/run ended with exit code $rc" "$log"
[[ ! -e $work/runs/old ]] || fail "the files of an earlier start are still there" "$log"
for kind in csv svg onnx html; do
  [[ -n $(find "$work/runs" -name "*.$kind" -size +0) ]] || fail "experiments/$1/run made no .$kind file" "$log"
done
if [[ $1 == two_branches ]]; then # its inputs have names of their own
  grep -q '"layout": *"chw"' "$work/runs/tuned-1/samples.json" || fail "samples.json shows no image" "$log"
fi
pass "$(tail -n 1 "$log")"
