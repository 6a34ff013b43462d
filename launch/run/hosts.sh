# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # chosen goes to, and launcher, workers and the like come from lockstep-run
# The hosts of a job of lockstep-run: which there are, which of them take part in the next attempt, and the words that start workers there.
# Sourced. Without hosts (-n P on this machine) `hosts` is empty.

hosts=()           # in the order of the file, or of Slurm
declare -A slots=() # workers of each
declare -A failures=() # times that each was the one that failed
failed_last=''     # the one that the last attempt failed by

# read_hostfile FILE: lines as Open MPI and MPICH have them: HOST, HOST slots=N, HOST:N.
read_hostfile() {
  local host rest
  [[ -r $1 ]] || usage_error "--hostfile $1: there is no such file"
  hosts=() slots=()
  while read -r host rest || [[ $host ]]; do
    [[ $host && $host != '#'* ]] || continue
    if [[ $host =~ ^(.+):([0-9]+)$ ]]; then host=${BASH_REMATCH[1]} rest=slots=${BASH_REMATCH[2]}; fi
    [[ ${slots[$host]:-} ]] || hosts+=("$host")
    if [[ $rest =~ slots\ *=\ *([0-9]+) ]]; then rest=${BASH_REMATCH[1]}; else rest=1; fi
    slots[$host]=$((${slots[$host]:-0} + rest))
  done <"$1"
  ((${#hosts[@]})) || usage_error "--hostfile $1: names no host"
}

# read_slurm: the nodes of this job and the tasks of each, SLURM_TASKS_PER_NODE being e.g. 2(x3),1; one a node where no number was asked for.
read_slurm() {
  local each tasks=()
  mapfile -t hosts < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
  ((${#hosts[@]})) || die "scontrol does not tell the nodes of $SLURM_JOB_NODELIST"
  if [[ ${SLURM_NTASKS:-} ]]; then
    for each in ${SLURM_TASKS_PER_NODE//,/ }; do
      if [[ $each =~ ^([0-9]+)\(x([0-9]+)\)$ ]]; then
        for ((i = 0; i < BASH_REMATCH[2]; i++)); do tasks+=("${BASH_REMATCH[1]}"); done
      else
        tasks+=("$each")
      fi
    done
  fi
  for ((i = 0; i < ${#hosts[@]}; i++)); do slots[${hosts[i]}]=${tasks[i]:-1}; done
}

# slurm_up HOST: whether Slurm holds a node for alive. Always true outside of Slurm.
slurm_up() {
  [[ ${SLURM_JOB_ID:-} ]] || return 0
  local state
  state=$(sinfo -h -N -n "$1" -o %t 2>/dev/null | head -n 1)
  [[ $state != *'*' && $state != down* && $state != fail* && $state != unk* ]]
}

# short HOST: its name without the domain, as workers tell it; an address stays whole.
short() { if [[ $1 =~ ^[0-9.]+$ || $1 == *:* ]]; then echo "$1"; else echo "${1%%.*}"; fi; }

# addresses_of HOST: one a line.
addresses_of() { getent ahosts "$1" | awk '{ print $1 }' | sort -u; }

# listed HOST: as `hosts` names the host that workers or the launcher name so (by another name, or by its address); HOST where none is it.
listed() {
  local host addresses
  for host in "${hosts[@]}"; do
    [[ $(short "$host") != "$(short "$1")" ]] || { echo "$host" && return; }
  done
  addresses=$(addresses_of "$1")
  for host in ${addresses:+"${hosts[@]}"}; do
    [[ ! $(comm -12 <(addresses_of "$host") <(echo "$addresses")) ]] || { echo "$host" && return; }
  done
  echo "$1"
}

# is_here HOST: whether it is this machine.
is_here() { [[ $1 == localhost || $(short "$1") == "$(short "$HOSTNAME")" ]]; }

# only_here: whether all workers are on this machine.
only_here() {
  local host
  for host in "${chosen[@]}"; do is_here "$host" || return 1; done
}

# answers HOST: whether a process can be started there, within 10 s (of many hosts later), in the way in which workers are. This machine does.
answers() {
  local line
  ! is_here "$1" || return 0
  slurm_up "$1" || return 1
  mapfile -t line < <(words_for 1 "$1")
  timeout -k 2 $((10 + ${#hosts[@]} / 4)) "${line[@]}" true </dev/null >/dev/null 2>&1
}

# those_that_answer HOST...: one a line, in the same order.
those_that_answer() {
  local host folder
  folder=$(mktemp -d)
  for host; do (answers "$host" && : >"$folder/$host") & done
  wait
  for host; do
    if [[ -e $folder/$host ]]; then echo "$host"; else say "$host does not answer, and is left out"; fi
  done
  rm -rf "$folder"
}

# choose_hosts: sets `chosen` for the next attempt, reading the file of hosts anew: at first all that Slurm holds for alive; after a failure those that answer, without the host
# that the last attempt failed by and without those that failed twice, unless these are all there are. Returns 1 where no host is left.
choose_hosts() {
  local host list=()
  [[ ! $hostfile ]] || read_hostfile "$hostfile"
  chosen=()
  ((${#hosts[@]})) || return 0
  if ((attempts == 0)); then
    for host in "${hosts[@]}"; do
      if slurm_up "$host"; then chosen+=("$host"); else say "$host is down, and is left out"; fi
    done
  else
    for host in "${hosts[@]}"; do
      [[ $host == "$failed_last" ]] || ((${failures[$host]:-0} > 1)) || list+=("$host")
    done
    ((${#list[@]} == 0)) || mapfile -t chosen < <(those_that_answer "${list[@]}")
    ((${#chosen[@]})) || mapfile -t chosen < <(those_that_answer "${hosts[@]}")
  fi
  ((${#chosen[@]}))
}

# slots_of HOST...: workers of all of them.
slots_of() {
  local host sum=0
  for host; do sum=$((sum + slots[$host])); done
  echo "$sum"
}

# words_for P HOST...: the words that start P workers on these hosts (on this machine, if none is named), one a line.
words_for() {
  local count=$1 host names=() i IFS=,
  shift
  if (($# == 0)); then
    mpi_line "$count"
  elif [[ $launcher == srun ]]; then
    for host; do for ((i = 0; i < slots[$host]; i++)); do names+=("$host"); done; done
    # "arbitrary" deals the tasks to the nodes as they are listed
    printf '%s\n' srun --overlap --mpi="${SLURM_MPI:-pmix}" --cpu-bind=none --kill-on-bad-exit=1 --ntasks="$count" --distribution=arbitrary \
      --nodelist="${names[*]:0:count}"
  else
    for host; do names+=("$host:${slots[$host]}"); done
    mpi_hosts_line "$count" "${names[*]}"
  fi
}
