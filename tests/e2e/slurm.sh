#!/usr/bin/env bash
# Jobs of launch/slurm/ on a real Slurm (tests/cluster/slurm), with the models that undisturbed runs under mpirun have. Skipped, with the reason,
# where Slurm or root is missing.
#   slurm.sh        preempted, requeued and finished; a sweep of four runs, two at once on a node, one task put back and started again; scancel
#   slurm.sh long   a node that fails, also that of the batch script; workers started by mpirun; a chain of jobs; a time limit that is too short
#                   (7 minutes; or one of: node, first_node, under_mpirun, chain, limited)
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
cluster=$root/tests/cluster/slurm
state=$(mktemp -d /tmp/slurm.XXXXXX)

rc=0
"$cluster" up -n 4 "$state" >"$work/up.log" 2>&1 || rc=$?
if ((rc == 77)); then
  cat "$work/up.log"
  rm -rf "$work" "$state"
  trap - EXIT
  exit 77
fi
# shellcheck disable=SC2317 # called by the trap
end_cluster() {
  local rc=$?
  if ((rc)); then cp -r "$state/log" "$work/slurm-logs"; fi
  "$cluster" down "$state"
  rm -rf "$state"
  (exit "$rc")
  end_test
}
trap end_cluster EXIT
((rc == 0)) || fail "Slurm does not come up" "$work/up.log"

slurm() { timeout 30 "$cluster" in "$state" "$@"; }

# submit RUN SCRIPT [SBATCH OPTION...] [-- TRAIN OPTION...]: sbatch with the array `options`; its output goes to $work/RUN.log. Sets `id`.
submit() {
  local run=$1 script=$2 words=()
  shift 2
  while (($#)) && [[ $1 != -- ]]; do words+=("$1") && shift; done
  id=$(LOCKSTEP=$lockstep DATA=$E2E_DATA RUN=$work/$run RUNS=$work/$run THREADS=1 OPTIONS="--quiet ${options[*]}" \
    slurm sbatch --parsable --output="$work/$run.log" --nodes=2 "${words[@]}" "launch/slurm/$script" "${@:2}")
}

# wait_for SECONDS WHAT COMMAND...: returns when COMMAND succeeds, and fails naming WHAT where it does not in time.
wait_for() {
  local end=$((SECONDS + $1))
  until "${@:3}"; do
    ((SECONDS < end)) || fail "$2: not within $1 s" "$(find "$work" -maxdepth 1 -name '*.log' -printf '%T@ %p\n' | sort -n | tail -n 1 | cut -d ' ' -f 2)"
    sleep 0.1
  done
}
reached() { (($(newest_checkpoint "$work/$1") >= $2)); }
is() { slurm scontrol show job "$1" | grep -Eq "$2"; }
ended() { is "$1" 'JobState=(COMPLETED|CANCELLED|FAILED|TIMEOUT|NODE_FAIL) '; }

# finished ID RUN: waits until the job has ended well.
finished() {
  wait_for 120 "the end of $2" ended "$1"
  is "$1" 'JobState=COMPLETED ' || fail "$2 ended otherwise than well: $(slurm scontrol show job "$1" | grep JobState)" "$work/$2.log"
}

quick() {
  local sweep preempted step
  printf 'run,hidden,lr\na,64,0.1\nb,"96,32",0.1\nc,64,0.05\nd,"96,32",0.05\n' >"$work/sweep.csv"
  options=(--model mlp --batch 50 --lanes 4 --limit 1000 --epochs 300 --checkpoint-every 20)
  export TABLE=$work/sweep.csv PACK=2
  submit sweep sweep.sbatch --nodes=1 --array=0-1 # beside all the rest
  sweep=$id
  options=(--model cnn --dropout 0.2 --batch 48 --lanes 6 --limit 1501 --epochs 2 --seed 5 --checkpoint-every 8)
  submit preempted train.sbatch --signal=B:USR1@60
  preempted=$id

  wait_for 60 "the sweep's first epoch" reached sweep/a 20
  slurm scontrol requeue "${sweep}_0"
  wait_for 60 "the first checkpoint" reached preempted 8
  slurm scancel --signal=USR1 --batch "$preempted"
  wait_for 30 "the requeue" is "$preempted" 'Restarts=1 '
  [[ ! -e $work/preempted/result.json ]] || fail "preempted too late: the run is finished"

  expect_code 0 'does not tell of --nodse' misspelt.log \
    "$cluster" in "$state" launch/lockstep-run --slurm-script --nodse 2 -- train --data "$E2E_DATA" --run "$work/x"
  slurm launch/lockstep-run --slurm-script --nodes 2 --exclusive=user -- train --data "$E2E_DATA" --run "$work/x" >"$work/script"
  grep -q '^#SBATCH --exclusive=user' "$work/script" || fail "--slurm-script does not pass on an option of sbatch" "$work/script"

  # While it waits for its turn, another.
  submit cancelled train.sbatch
  wait_for 60 "the first checkpoint" reached cancelled 8
  slurm scancel "$id"
  wait_for 30 "the end of the cancelled job" is "$id" 'JobState=CANCELLED '
  wait_for 30 "its last words" grep -q 'the same line goes on' "$work/cancelled.log"
  [[ ! -e $work/cancelled/result.json ]] || fail "cancelled too late: the run is finished"
  step=$(sed -n 's/^stopped at step \([0-9]*\) with a checkpoint.*/\1/p' "$work/cancelled.log")
  (($(newest_checkpoint "$work/cancelled") == ${step:-0})) || fail "no checkpoint of the step at which scancel stopped it" "$work/cancelled.log"
  pass "scancel: a checkpoint of step $step"

  train whole 2 1
  finished "$preempted" preempted
  same_run whole preempted
  pass "preempted, requeued and finished: the model of an undisturbed run under mpirun, $(hash_of whole)"
  train cancelled 1 2
  same_run whole cancelled

  finished "${sweep}_0" sweep
  finished "${sweep}_1" sweep
  is "${sweep}_0" 'Restarts=1 ' || fail "the sweep's first task was not started again"
  grep -q 'stopped at step' "$work/sweep.log" || fail "no run of the sweep was stopped" "$work/sweep.log"
  options=(--model mlp --batch 50 --lanes 4 --limit 1000 --epochs 300 --checkpoint-every 20)
  train a 1 1 --hidden 64 --lr 0.1
  same_run a sweep/a
  for run in a b c d; do [[ -s $work/sweep/$run/result.json ]] || fail "the sweep's run $run is not finished" "$work/sweep.log"; done
  submit sweep sweep.sbatch --nodes=1 --array=0-0
  finished "$id" sweep
  (($(grep -c " ${id}_0: .: finished before" "$work/sweep.log") == 4)) || fail "finished runs were started again" "$work/sweep.log"
  pass "a sweep of four runs, two at once, one task requeued: the same model"
}

# restarts_of ID: how often Slurm has started the job again.
restarts_of() { slurm scontrol show job "$1" | sed -n 's/.* Restarts=\([0-9]*\) .*/\1/p'; }

# The undisturbed run of the parts below.
undisturbed() {
  options=(--model cnn --dropout 0.2 --batch 48 --lanes 6 --limit 1501 --epochs 4 --seed 5 --checkpoint-every 8 --deadline 10)
  [[ -e $work/whole ]] || train whole 2 1
}

nodes_of() { slurm scontrol show hostnames "$(slurm squeue --noheader --jobs="$1" --format=%N)"; }

# The job loses its second node, and goes on with the other two.
node() {
  local job nodes
  undisturbed
  submit node train.sbatch --nodes=3
  job=$id
  wait_for 60 "the first checkpoint" reached node 8
  mapfile -t nodes < <(nodes_of "$job")
  "$cluster" off "$state" "${nodes[1]}"
  finished "$job" node
  same_run whole node
  (($(restarts_of "$job") == 0)) || fail "the job was started again as a whole" "$work/node.log"
  grep -q "attempt 2: . workers on ${nodes[0]} ${nodes[2]} from step" "$work/node.log" || fail "it did not go on with the rest" "$work/node.log"
  pass "a node failed: gone on with the rest, the same run"
  "$cluster" on "$state" "${nodes[1]}"
}

# The node of the batch script fails: the guard on the other one puts the job back into the queue.
first_node() {
  local job nodes
  undisturbed
  GUARD_EVERY=2 submit first_node train.sbatch
  job=$id
  wait_for 60 "the first checkpoint" reached first_node 8
  mapfile -t nodes < <(nodes_of "$job")
  "$cluster" off "$state" "${nodes[0]}"
  finished "$job" first_node
  same_run whole first_node
  (($(restarts_of "$job") == 1)) || fail "it was not started again" "$work/first_node.log"
  grep -q "guard: ${nodes[0]}, the node of the batch script, is lost" "$work/first_node.log" || fail "not by the guard" "$work/first_node.log"
  pass "the batch script's node failed: requeued by the guard, the same run"
  "$cluster" on "$state" "${nodes[0]}"
}

# mpirun inside sbatch.
under_mpirun() {
  local job
  undisturbed
  LAUNCHER=mpirun submit mpirun train.sbatch
  job=$id
  wait_for 60 "the first checkpoint" reached mpirun 8
  slurm scancel --signal=USR1 --batch "$job"
  finished "$job" mpirun
  same_run whole mpirun
  (($(restarts_of "$job") == 1)) || fail "it was not started again" "$work/mpirun.log"
  pass "workers started by mpirun: preempted, requeued, the same run"
}

# A chain where jobs may not be requeued: the first is stopped, the second finishes, the rest leave the queue.
chain() {
  local job jobs
  undisturbed
  mapfile -t jobs < <(LOCKSTEP=$lockstep DATA=$E2E_DATA RUN=$work/chain THREADS=1 OPTIONS="--quiet ${options[*]}" \
    slurm launch/slurm/chain 4 --output="$work/chain.log" --nodes=2 launch/slurm/train.sbatch | cut -d ' ' -f 2)
  wait_for 60 "the first checkpoint" reached chain 8
  slurm scancel --signal=USR1 --batch "${jobs[0]}"
  finished "${jobs[1]}" chain
  same_run whole chain
  is "${jobs[0]}" 'ExitCode=75:0' || fail "the first job of the chain did not end with 75" "$work/chain.log"
  for job in "${jobs[@]:2}"; do is "$job" 'JobState=CANCELLED ' || fail "job $job of the chain is still there" "$work/chain.log"; done
  pass "a chain of jobs: the same run, and those that were not needed are gone"
}

# A time limit of one minute, 45 s before which the job is told to stop.
limited() {
  local job
  options=(--model cnn --dropout 0.2 --batch 48 --lanes 6 --limit 1501 --epochs 100 --seed 5 --checkpoint-every 8)
  train slow 2 1
  submit limited train.sbatch --time=1 --signal=B:USR1@45
  job=$id
  wait_for 400 "the end" ended "$job"
  same_run slow limited
  (($(restarts_of "$job") > 1)) || fail "it was started again fewer than two times" "$work/limited.log"
  pass "too short a time limit: started again $(restarts_of "$job") times, the same run"
}

long() {
  node
  first_node
  under_mpirun
  chain
  limited
}

"${1:-quick}"
