# shellcheck shell=bash
# shellcheck disable=SC2154 # launch comes from the scripts
# What the Slurm scripts share: a job that ends with a checkpoint when Slurm wants it to end, and is put back into the queue. Sourced.
#
# Slurm's signals: USR1 (#SBATCH --signal=B:USR1@120) two minutes before the time limit, to the batch script; TERM, then KILL after KillWait,
# at scancel, at the time limit and when the job is preempted, to the workers and, as the cluster is set up, to the batch script alone or to
# all that it has started. srun and mpirun kill their workers when they get TERM, so they run where it does not reach them.

job_files=$(mktemp -d)
trap 'rm -rf "$job_files"' EXIT
why_stop='' # preempted: before the time limit, or by scancel --signal=USR1 --batch; cancelled: by TERM
trap 'why_stop=${why_stop:-preempted}' USR1
trap 'why_stop=cancelled' TERM
# shellcheck source=launch/mpi.sh
. "$(dirname "${BASH_SOURCE[0]}")/../mpi.sh"
declare -A tell=() # when each may be told to stop
exec {tick}<> <(:) # nothing comes from it

# nap: half a second, without a process of its own, which TERM would end.
nap() { read -rt 0.5 -u "$tick" || true; }

# start NAME COMMAND...: starts it in a session of its own, without a parent, so that Slurm's TERM does not reach it; it ends with this script.
start() {
  rm -f "$job_files/$1".*
  tell[$1]=$SECONDS
  # shellcheck disable=SC2016 # the inner shell's words
  (setsid bash -c '
    trap "" TERM
    files=$0 script=$1
    "${@:2}" &
    echo $! >"$files.starting"
    mv "$files.starting" "$files.pid"
    child=$!
    (while kill -0 "$script" 2>/dev/null; do sleep 1; done && kill -KILL -- -$$) &
    watch=$!
    wait "$child"
    code=$?
    [[ ! -d ${files%/*} ]] || { echo $code >"$files.ending" && mv "$files.ending" "$files.code"; }
    kill -KILL "$watch"' "$job_files/$1" $$ "${@:2}" {tick}>&- &)
}

# ended NAME [again]: whether it has ended; tells it to stop while it has not and the job is to stop. Not in its first seconds, in which it might
# not listen yet; once, or again and again.
ended() {
  local first=2 pause=1000000
  [[ ! -e $job_files/$1.code ]] || return 0
  [[ ! ${2:-} ]] || first=0 pause=3
  if [[ $why_stop && -e $job_files/$1.pid ]] && ((SECONDS >= tell[$1] + first)); then
    kill -USR1 "$(<"$job_files/$1.pid")" 2>/dev/null || true
    tell[$1]=$((SECONDS + pause))
  fi
  return 1
}

# code_of NAME: what it ended with.
code_of() { cat "$job_files/$1.code"; }

say() { echo "$SLURM_JOB_NAME ${SLURM_ARRAY_TASK_ID:+${SLURM_ARRAY_JOB_ID}_}${SLURM_ARRAY_TASK_ID:-$SLURM_JOB_ID}: $*"; }

die() {
  say "$@"
  exit 5
}

# keep_guard: has launch/slurm/guard run on another node of the job, on yet another one when that is lost.
guard_at=0 guards=0
keep_guard() {
  local others
  ((SLURM_JOB_NUM_NODES > 1 && SECONDS >= guard_at)) || return 0
  guard_at=$((SECONDS + 30))
  ((guards == 0)) || ended guard || return 0
  mapfile -t others < <(scontrol show hostnames "$(squeue --noheader --jobs="$SLURM_JOB_ID" --format=%N)" | grep -vx "$SLURMD_NODENAME")
  ((${#others[@]})) || return 0
  start guard srun --overlap --mpi=none --cpu-bind=none --quiet --nodes=1 --ntasks=1 --nodelist="${others[guards % ${#others[@]}]}" \
    "$launch/slurm/guard" "$SLURMD_NODENAME"
  guards=$((guards + 1))
}

# leave_chain: the jobs that launch/slurm/chain has put behind this one are not needed any more.
leave_chain() {
  local waiting
  [[ ${LOCKSTEP_CHAIN:-} ]] || return 0
  mapfile -t waiting < <(squeue --noheader --user="$(id -un)" --states=PENDING --format='%A %k' | awk -v chain="chain $LOCKSTEP_CHAIN" '$2 " " $3 == chain { print $1 }')
  ((${#waiting[@]})) || return 0
  say "taking the rest of its chain out of the queue: ${waiting[*]}"
  scancel "${waiting[@]}" || true # one may be gone by now
}

# requeue WHAT: puts this job back into the queue; WHAT is told. Where that cannot be, ends with 75.
requeue() {
  if [[ ${LOCKSTEP_CHAIN:-} ]]; then
    say "$1; the next job of its chain goes on"
  elif scontrol requeue "$SLURM_JOB_ID"; then
    say "$1; back into the queue"
    exit 0
  else
    say "$1. Jobs cannot be requeued here; start it again, or as a chain of jobs: $launch/slurm/chain 10 SBATCH WORDS..."
  fi
  exit 75
}
