# shellcheck shell=bash
# What the end-to-end tests share. CTest gives LOCKSTEP (the program), E2E_DATA (a small dataset) and E2E_WORK (a folder for the tests' runs).
# Each test works in a folder of its own, which is left behind when it fails. Every job has a time limit, and processes are ended by id.

set -euo pipefail
# shellcheck source=launch/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../launch/common.sh"
: "${LOCKSTEP:?is set by ctest}" "${E2E_DATA:?is set by ctest}" "${E2E_WORK:?is set by ctest}"

mpi_environment

test_name=$(basename "$0" .sh)${1:+-}$(IFS=- && echo "$*")
work=$E2E_WORK/$test_name
rm -rf "$work"
mkdir -p "$work"
job='' options=()

# shellcheck disable=SC2317 # called by the trap
end_test() {
  local rc=$? pids
  if [[ $job ]]; then
    mapfile -t pids < <(workers_of "$job")
    kill -KILL "${pids[@]}" "$job" 2>/dev/null || true
  fi
  if ((rc == 0)); then rm -rf "$work"; else echo "FAILED ($test_name); its files are in $work"; fi
  exit "$rc"
}
trap end_test EXIT

# fail TEXT [LOG]: ends the test, showing the end of LOG.
fail() {
  echo "FAIL: $1"
  if [[ -f ${2:-} ]]; then
    echo "--- the end of $2:"
    tail -n 25 "$2"
  fi
  exit 1
}

pass() { echo "ok: $*"; }

# start RUN P T [OPTION...]: starts `lockstep train` on P workers of T threads in the background, at most 150 s; sets `job`.
# Uses the array `options`, which the test sets. All output goes to $work/RUN.log.
start() {
  local run=$1 mpi
  mapfile -t mpi < <(mpi_line "$2")
  timeout -k 5 150 "${mpi[@]}" "$lockstep" train --data "$E2E_DATA" --run "$work/$run" --threads "$3" --quiet "${options[@]}" "${@:4}" \
    </dev/null >>"$work/$run.log" 2>&1 &
  job=$!
}

# finish: waits for the job; its exit code (124 or 137 where it ran out of time).
finish() {
  local rc=0
  wait "$job" || rc=$?
  job=''
  return "$rc"
}

# train RUN P T [OPTION...]: a whole run, which must succeed.
train() {
  local rc=0
  start "$@"
  finish || rc=$?
  ((rc == 0)) || fail "train $1 on $2 workers of $3 threads ended with exit code $rc" "$work/$1.log"
  [[ -s $work/$1/model.safetensors ]] || fail "train $1 left no model.safetensors" "$work/$1.log"
}

# expect_code CODE TEXT LOG COMMAND...: COMMAND must end with CODE within 100 s, and its output (kept in LOG) must hold the extended regular expression TEXT.
expect_code() {
  local want=$1 text=$2 log=$work/$3 rc=0
  shift 3
  timeout -k 5 100 "$@" </dev/null >"$log" 2>&1 || rc=$?
  ((rc == want)) || fail "exit code $rc instead of $want from: $*" "$log"
  grep -Eq -- "$text" "$log" || fail "no \"$text\" in the output of: $*" "$log"
}

# wait_for_step RUN STEP: returns once a checkpoint of that step or a later one is there and the job has more than one worker.
wait_for_step() {
  local end=$((SECONDS + 100))
  until (($(newest_checkpoint "$work/$1") >= $2)); do
    kill -0 "$job" 2>/dev/null || fail "$1 ended before step $2" "$work/$1.log"
    ((SECONDS < end)) || fail "$1 made no checkpoint of step $2 within 100 s" "$work/$1.log"
    sleep 0.02
  done
}

# hash_of RUN: the SHA-256 of its model file.
hash_of() { sha256sum "$work/$1/model.safetensors" | cut -d ' ' -f 1; }

# epochs_of RUN: how many epochs its metrics.csv holds.
epochs_of() { tail -n +2 "$work/$1/metrics.csv" | wc -l; }

# hashes_of RUN: the parameter hash of every epoch, on one line.
hashes_of() {
  awk -F , 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "parameter_hash") c = i; next } { printf "%s ", $c }' "$work/$1/metrics.csv"
}

# same_run A B: the two runs must have the same model and metrics, byte for byte; timings in metrics.jsonl are left out.
same_run() {
  local run
  for run in "$1" "$2"; do
    [[ -s $work/$run/metrics.csv && -s $work/$run/metrics.jsonl ]] || fail "$run has no metrics"
    sed -E 's/"(samples_per_second|seconds|data_wait_share)": *[^,}]*//g' "$work/$run/metrics.jsonl" >"$work/$run.metrics"
  done
  cmp "$work/$1/metrics.csv" "$work/$2/metrics.csv" || fail "metrics.csv of $1 and $2 differ"
  cmp "$work/$1.metrics" "$work/$2.metrics" || fail "metrics.jsonl of $1 and $2 differ"
  cmp "$work/$1/model.safetensors" "$work/$2/model.safetensors" || fail "the models of $1 and $2 differ"
}
