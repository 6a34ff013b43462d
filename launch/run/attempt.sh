# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # run, program and the like come from lockstep-run, and code goes there
# One attempt of lockstep-run: a job of workers that is started, watched, told to stop, ended for good, and asked why it failed. Sourced.

job=''            # the process id of mpirun or srun while an attempt goes on
logs=''           # the attempt's folder of logs
stops=0           # how often we were told to stop
told_at=0         # when the job was last told so
failed_rank='' failed_host='' reason=''
ended=''          # whether we have ended the job, and its exit code means nothing
unstarted=''      # whether that was because no worker started in time

# A worker's last words; those of one that waited for another name that one, too.
words_of_a_worker='^(lockstep[^:]*: )?rank ([0-9]+) \(([^)]*)\)(, step [0-9]+)?: (.*)'

# nap: a third of a second, or until a signal comes.
naps=3 # a second
nap() {
  sleep 0.33 &
  wait $! 2>/dev/null || true
}

# new_logs: makes the folder of the next attempt's logs, which nobody else has: sets `number` and `logs`.
new_logs() {
  local each
  for each in "$run"/logs/attempt-*; do
    each=${each##*-}
    if [[ $each =~ ^[0-9]+$ ]] && ((each > number)); then number=$each; fi
  done
  for each in {1..9}; do
    number=$((number + 1)) logs=$run/logs/attempt-$number
    mkdir -p "$run/logs" && mkdir "$logs" && return
    ((each != 8)) || pause 30 # a full disk may have room again
  done 2>/dev/null
  say "$logs cannot be made: $(mkdir "$logs" 2>&1)"
  exit 4
}

# start_attempt WORD...: starts the launcher with these words, in a session of its own: what a terminal or Slurm sends to all reaches us alone.
start_attempt() {
  local errors
  token=$HOSTNAME-$$-$number
  exec {errors}> >(trap '' INT TERM HUP USR1 && exec tee -a "$logs/launcher.log" >&"$words")
  tee=$!
  (
    trap '' USR1 # until it listens
    exec setsid "$@" "$here/worker" "$logs" "$token" "${program[@]}" </dev/null 2>&"$errors" {errors}>&-
  ) &
  job=$! session=$!
  exec {errors}>&-
}

# ours: the workers of this attempt on this machine, one a line.
ours() {
  grep -lzxF "LOCKSTEP_ATTEMPT=$token@${HOSTNAME%%.*}" /proc/[0-9]*/environ 2>/dev/null | sed 's|/proc/||; s|/environ||'
}

# helpers: what else the launcher has started here (ssh to other hosts), one a line.
helpers() {
  cat /proc/[0-9]*/stat 2>/dev/null | awk -v session="$session" '{ pid = $1; sub(/.*\) /, ""); if ($4 == session) print pid }'
}

# state_of PID: the letter of its state (T: stopped), or nothing.
state_of() {
  local stat=''
  { read -r stat <"/proc/$1/stat"; } 2>/dev/null || true
  stat=${stat##*) } # the name in parentheses may hold anything
  echo "${stat%% *}"
}

# all_stopped: whether there are workers here, and each is stopped (SIGSTOP): nobody is left who could tell.
all_stopped() {
  local pid any=''
  for pid in $(ours); do
    case $(state_of "$pid") in
      [Tt]) any=yes ;;
      '') ;;
      *) [[ $(readlink "/proc/$pid/exe") == */tee ]] || return 1 ;;
    esac
  done
  [[ $any ]]
}

# end_because TEXT: says why the job is ended though its launcher still runs.
end_because() {
  say "$1: ending it"
  ended=yes
}

# any_started: whether a worker of this attempt has started.
any_started() {
  local files=("$logs"/rank-*.log)
  [[ -e ${files[0]} ]]
}

# watch_attempt: returns when the launcher has ended, or is to be ended: told so twice, or `ended`. That is where it does not end although a worker
# has said why it failed, where no worker starts (a host takes the connection and says nothing), where all here are stopped, and where rank 0 does
# not write the run folder's lease any more: nobody is left who could tell. Waiting is counted in naps, since the time in which we are stopped ourselves (scontrol suspend) does not count.
watch_attempt() {
  local trouble=0 still=0 silent=0 starting=0 looks=0 beat last alive=''
  last=$(cat "$run/lease.json" 2>/dev/null) || last=''
  ended='' unstarted=''
  until [[ ! -d /proc/$job || $ended ]] || ((stops > 1)); do
    nap
    if ((stops)) && ((SECONDS >= told_at + 2)); then
      told_at=$SECONDS # again and again: workers that are just starting do not listen yet
      kill -USR1 "$job" 2>/dev/null || true
    fi
    if ((trouble)) || grep -qE -m 1 "$words_of_a_worker" "$logs/launcher.log" 2>/dev/null; then trouble=$((trouble + 1)); fi
    still=$((still + 1)) silent=$((silent + 1)) starting=$((starting + 1))
    if [[ $alive ]] || any_started; then starting=0; fi
    if ((looks++ % 10 == 0)) && [[ $(state_of "$job") != [Tt] ]] && { ! only_here || ! all_stopped; }; then still=0; fi
    beat=$(cat "$run/lease.json" 2>/dev/null) || beat=''
    if [[ $beat != "$last" ]]; then last=$beat alive=yes; silent=0; fi
    if [[ ! $beat || ! $alive ]]; then silent=0; fi # a lease from before this attempt says nothing of it
    if ((trouble > 6 * naps)); then
      end_because "a worker has failed, and $launcher_name does not end"
    elif [[ $launcher != srun ]] && ((starting > (start + ${#hosts[@]} / 4) * naps)); then
      unstarted=yes
      end_because "no worker has started within $start s (--start)"
    elif ((still > deadline * naps)); then
      end_because "all of this job has been stopped for $deadline s"
    elif ((silent > (deadline + 30) * naps)); then
      end_because "rank 0 has shown no sign of life for $((deadline + 30)) s ($run/lease.json)"
    fi
  done
  ((stops < 2)) || say "ends at once"
}

# end_attempt: nothing of the attempt is left on this machine; sets `code`.
end_attempt() {
  local pids i
  if [[ -d /proc/$job ]]; then
    kill -TERM "$job" 2>/dev/null || true
    kill -CONT "$job" 2>/dev/null || true
    for ((i = 0; i < 50; i++)); do
      [[ -d /proc/$job ]] || break
      sleep 0.1
    done
    kill -KILL "$job" 2>/dev/null || true
    while [[ -d /proc/$job ]]; do sleep 0.05; done
  fi
  code=0
  wait "$job" 2>/dev/null || code=$?
  [[ ! $ended ]] || code=5
  if [[ $launcher == srun ]] && ((code > 128)) &&
    [[ $(grep -E -m 1 '^srun: error: .*: Exited with exit code [0-9]+$' "$logs/launcher.log") =~ ([0-9]+)$ ]]; then
    code=${BASH_REMATCH[1]} # of the first worker that ended; srun tells that of those which it ended then
  fi
  [[ $code != 0 || ! -e $logs/stopped ]] || code=75 # launch/slurm/worker
  job=''
  for ((i = 0; i < 10; i++)); do # what workers have said is still on its way to their logs
    mapfile -t pids < <(ours)
    ((${#pids[@]})) || break
    ((i < 5)) || kill -KILL "${pids[@]}" 2>/dev/null || true
    sleep 0.1
  done
  mapfile -t pids < <(helpers)
  ((${#pids[@]} == 0)) || kill -KILL "${pids[@]}" 2>/dev/null || true
  for ((i = 0; i < 20; i++)); do # whoever else still holds the pipe will not say more
    [[ -d /proc/$tee ]] || return 0
    sleep 0.05
  done
  kill -KILL "$tee" 2>/dev/null || true
}

# find_cause: sets failed_rank, failed_host and reason by what workers and launcher have said, each empty where nobody knows. A worker that was
# killed is known to the launcher alone, and is why others complain; a worker that others wait for is named by them.
find_cause() {
  local log=$logs/launcher.log line
  failed_rank='' failed_host='' reason=''
  line=$(grep -E -m 1 'noticed that process rank [0-9]+ with PID [0-9]+ on node .* exited on signal' "$log")
  if [[ $line =~ rank\ ([0-9]+)\ .*on\ node\ ([^ ]+)\ exited\ on\ (signal\ [0-9]+) ]]; then
    failed_rank=${BASH_REMATCH[1]} failed_host=${BASH_REMATCH[2]} reason="was ended by ${BASH_REMATCH[3]}"
    return
  fi
  line=$(grep -E -m 1 "$words_of_a_worker" "$log" || grep -hE -m 1 "$words_of_a_worker" "$logs"/rank-*.log 2>/dev/null)
  if [[ $line =~ $words_of_a_worker ]]; then
    failed_rank=${BASH_REMATCH[2]} failed_host=${BASH_REMATCH[3]} reason=${BASH_REMATCH[5]}
    if [[ $reason =~ .*rank\ ([0-9]+)\ \(([^\)]*)\) ]]; then failed_rank=${BASH_REMATCH[1]} failed_host=${BASH_REMATCH[2]}; fi
    return
  fi
  if line=$(grep -E -A 3 -m 1 'has lost communication with a remote daemon' "$log"); then
    failed_host=$(sed -nE 's/.*Remote daemon: .* on node (.*)/\1/p' <<<"$line")
    reason="is lost to $launcher_name"
    return
  fi
  line=$(grep -E -m 1 '^= +PID [0-9]+ RUNNING AT |^srun: error: [^:]+: task [0-9]+: ' "$log")
  if [[ $line =~ RUNNING\ AT\ (.+) ]]; then
    failed_host=${BASH_REMATCH[1]} reason="had a worker that was ended"
  elif [[ $line =~ error:\ ([^:]+):\ task\ ([0-9]+):\ (.*) ]]; then
    failed_host=${BASH_REMATCH[1]} failed_rank=${BASH_REMATCH[2]} reason=${BASH_REMATCH[3]}
  fi
}

# show_failure: the last lines of the worker that failed, or else of what the launcher said.
show_failure() {
  local log=$logs/launcher.log rank=$failed_rank some
  if ! any_started; then # what it said first is the cause
    say "no worker has started; the first lines of $log:"
    head -n 8 "$log" | sed 's/^/    | /' >&"$words"
    return
  fi
  [[ $rank || -e $logs/rank-1.log ]] || rank=0 # there is but one
  if [[ $rank && -s $logs/rank-$rank.log ]]; then
    log=$logs/rank-$rank.log
  elif some=$(grep -lE -m 1 '^lockstep[^:]*: ' "$logs"/rank-*.log); then
    log=${some%%$'\n'*}
  fi
  say "the last lines of $log:"
  tail -n 8 "$log" | sed 's/^/    | /' >&"$words"
}

# cause: who failed and how, as far as it is known:  : rank 2 (node07): reason
cause() {
  local who=$failed_host
  if [[ $failed_rank ]]; then who="rank $failed_rank${failed_host:+ ($failed_host)}"; fi
  echo "${who:+: $who}${reason:+: $reason}"
}
