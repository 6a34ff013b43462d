#!/usr/bin/env bash
# launch/lockstep-run: through kill -9 of a worker and of mpirun, TERM, a damaged checkpoint, a second start, and faults that no restart mends.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
options=(--model cnn --dropout 0.2 --batch 48 --lanes 8 --limit 1501 --epochs 2 --seed 3 --checkpoint-every 4)
train whole 2 1

# run RUN P [OPTION...]: starts lockstep-run in the background; sets `job`.
run() {
  timeout -k 5 100 launch/lockstep-run -n "$2" ${restarts:+--max-restarts "$restarts"} -- train --data "$E2E_DATA" --run "$work/$1" --threads 1 \
    "${options[@]}" "${@:3}" </dev/null >>"$work/$1.log" 2>&1 &
  job=$!
}

# expect CODE RUN: the job must end with that code.
expect() {
  local rc=0
  finish || rc=$?
  ((rc == $1)) || fail "lockstep-run ended with exit code $rc instead of $1" "$work/$2.log"
}

# said RUN TEXT: the extended regular expression must be in what lockstep-run said.
said() { grep -Eq -- "$2" "$work/$1.log" || fail "no \"$2\"" "$work/$1.log"; }

run killed 3
wait_for_step killed 8
mapfile -t pids < <(workers_of "$job")
kill -KILL "${pids[1]}"
until (($(grep -c 'attempt [0-9]*: 3 workers' "$work/killed.log") == 2)); do
  kill -0 "$job" 2>/dev/null || fail "it has not started again" "$work/killed.log"
  sleep 0.05
done
said killed 'exit code 137 after [0-9]+ s: rank 1 \([^)]+\): was ended by signal 9'
said killed 'logs/attempt-1/rank-1.log'
wait_for_step killed $(($(newest_checkpoint "$work/killed") + 8))
for pid in $(workers_of "$job"); do read -r _ _ _ mpirun _ <"/proc/$pid/stat"; done
kill -KILL "$mpirun"
expect 0 killed
said killed 'attempt 3: 3 workers'
same_run whole killed
pass "kill -9 of a worker, then of mpirun: $(grep -c ': restart' "$work/killed.log") restarts, the same run"

run stopped 3
wait_for_step stopped 8
read -r pid <"/proc/$job/task/$job/children" || true # a line without an end
kill -TERM "$pid"
expect 75 stopped
step=$(newest_checkpoint "$work/stopped")
[[ ! -e $work/stopped/model.safetensors ]] || fail "stopped too late"
pass "TERM: exit code 75 with a checkpoint of step $step"

newest=$(printf '%s\n' "$work"/stopped/checkpoints/step-*.h5 | tail -n 1)
truncate -s $(($(stat -c %s "$newest") / 2)) "$newest"
run stopped 2
expect 0 stopped
said stopped "$(basename "$newest").*taking the one before"
same_run whole stopped
pass "the newest checkpoint torn: goes on from the one before, with 2 workers: the same run"

run wrong 2 --lanes 1
expect 2 wrong
said wrong 'no restart mends exit code 2'
! grep -q 'attempt 2' "$work/wrong.log" || fail "started again" "$work/wrong.log"
pass "a usage error is not tried again"

# A program that dies at its start, whatever machine it runs on.
# shellcheck disable=SC2016 # the program's words
printf '#!/bin/sh\necho "$(basename "$0"): broken"; kill -SEGV $$\n' >"$work/broken"
chmod +x "$work/broken"
timeout -k 5 60 launch/lockstep-run -n 3 -- "$work/broken" --run "$work/never" >"$work/never.log" 2>&1 &
job=$!
expect 139 never
said never 'gives up: two restarts in a row made no step'
said never 'attempt 3: 2 workers'
(($(grep -c ': restart' "$work/never.log") == 2)) || fail "not two restarts" "$work/never.log"
pass "no step in two restarts: gives up"

# The same line a second time by mistake, while the first is at work: it ends, and leaves nothing that the first takes for its own.
before=("${options[@]}")
options=(--model mlp --hidden 16 --batch 48 --lanes 8 --epochs 100000 --checkpoint-every 20)
run "tw[i]ce" 2
wait_for_step "tw[i]ce" 20
first=$job
expect_code 2 'is in use' second.log launch/lockstep-run -n 2 -- train --data "$E2E_DATA" --run "$work/tw[i]ce" --threads 1 "${options[@]}"
job=$first
mapfile -t pids < <(workers_of "$job")
kill -KILL "${pids[1]}"
for ((i = 0; i < 300; i++)); do
  ! grep -q ': restart' "$work/tw[i]ce.log" || break
  sleep 0.1
done
wait_for_step "tw[i]ce" $(($(newest_checkpoint "$work/tw[i]ce") + 200))
read -r pid <"/proc/$job/task/$job/children" || true
kill -TERM "$pid"
expect 75 "tw[i]ce"
said "tw[i]ce" 'attempt 3: 2 workers'
said "tw[i]ce" "the last lines of .*/attempt-1/rank-1.log"
options=("${before[@]}")
pass "a second one in the same run folder: refused, and the first goes on through a kill"

# mpirun waits for a host that takes connections and says nothing.
# shellcheck disable=SC2016 # the program's words
printf '#!/bin/sh\n[ "$1" != --version ] || exec mpirun --version\nexec sleep 1000\n' >"$work/waiting"
chmod +x "$work/waiting"
export MPIRUN=$work/waiting
expect_code 5 'no worker has started within 3 s' waiting.log \
  launch/lockstep-run -n 2 --start 3 --max-restarts 1 -- train --data "$E2E_DATA" --run "$work/waiting-run" "${options[@]}"
unset MPIRUN
(($(grep -c 'no worker has started within' "$work/waiting.log") == 2)) || fail "it was not tried twice" "$work/waiting.log"
pass "an mpirun that starts no worker is ended"

expect_code 2 'cannot be made or written to' no-folder.log launch/lockstep-run -n 2 -- train --data "$E2E_DATA" --run "$work/whole.log/run" "${options[@]}"

rc=0
launch/lockstep-run --slurm-script --nodes 8 -- train --data images --run 'a b' >"$work/script" 2>"$work/refused" || rc=$?
((rc == 2)) || fail "--slurm-script: exit code $rc for a path with a space" "$work/refused"
grep -q "'a b' has spaces" "$work/refused" || fail "--slurm-script says nothing of a path with a space" "$work/refused"
rc=0
launch/lockstep-run --slurm-script --nodes 8 -- train --data images --run runs/x --hidden '' >"$work/script" 2>"$work/refused" || rc=$?
((rc == 2)) || fail "--slurm-script: exit code $rc for an empty value" "$work/refused"
printf 'data = from-config\nepochs = 3\n' >"$work/x.cfg"
LOCKSTEP=/opt/lockstep launch/lockstep-run --slurm-script -- train --config "$work/x.cfg" --run runs/x >"$work/script"
# shellcheck disable=SC2016 # the lines of a script
for line in 'lockstep=${LOCKSTEP:-/opt/lockstep}' 'data=${DATA:-from-config}' "options=\${OPTIONS:---config $work/x.cfg}"; do
  grep -qF -- "$line" "$work/script" || fail "no line $line" "$work/script"
done
(cd / && "$root/launch/lockstep-run" --slurm-script -- train --data images --run runs/x) >"$work/script"
# shellcheck disable=SC2016 # the lines of a script
for line in 'launch=${LAUNCH:-'"$root/launch}" 'lockstep=${LOCKSTEP:-'"$(realpath "$lockstep")}"; do
  grep -qF -- "$line" "$work/script" || fail "elsewhere: no line $line" "$work/script"
done
launch/lockstep-run --slurm-script --nodes 8 --partition=long -- train --data images --run=runs/x --model mlp --lr 0.1@conv* >"$work/script"
bash -n "$work/script" || fail "the Slurm script is no script" "$work/script"
# shellcheck disable=SC2016 # the lines of a script
for line in '#SBATCH --nodes=8' '#SBATCH --partition=long' 'data=${DATA:-images}' 'run=${RUN:-runs/x}' 'options=${OPTIONS:---model mlp --lr 0.1@conv*}'; do
  grep -qF -- "$line" "$work/script" || fail "no line $line" "$work/script"
done
! grep -q 'nodes=2' "$work/script" || fail "two numbers of nodes" "$work/script"
launch/lockstep-run --slurm-script --no-requeue --nodes 8 -- train --data images --run runs/x >"$work/script"
for line in '#SBATCH --nodes=8' '#SBATCH --no-requeue'; do
  grep -qxF -- "$line" "$work/script" || fail "no line $line" "$work/script"
done
pass "--slurm-script fills in"
