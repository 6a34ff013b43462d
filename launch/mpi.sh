# shellcheck shell=bash
# How to start workers on this host, for Open MPI 4 and 5 and for MPICH and its kin. MPIRUN names another mpirun.

# mpi_environment: spares mpirun two things that a bare system or container does to it: hwloc complains where /sys is not mounted, and
# where the host's own name is not in /etc/hosts, each start can wait 5 s for a name server.
mpi_environment() {
  export HWLOC_HIDE_ERRORS=2 RES_OPTIONS=${RES_OPTIONS:-timeout:1 attempts:1}
}

# mpi_line P: the words that start P workers here, one a line:  mapfile -t mpi < <(mpi_line 3); "${mpi[@]}" lockstep train ...
#   --bind-to none    by default Open MPI pins a worker, and so all its threads, to one core
#   --oversubscribe   more workers than cores is allowed
#   --mca btl ^tcp    workers on one host share memory; without it Open MPI probes the network and may complain of it
# Requires: mpirun is on the PATH. Returns 1 with a message where it is not.
mpi_line() {
  local mpirun=${MPIRUN:-mpirun} words
  if ! command -v "$mpirun" >/dev/null; then
    echo "mpi.sh: there is no $mpirun; install openmpi-bin, load a module, or set MPIRUN" >&2
    return 1
  fi
  words=("$mpirun")
  case $("$mpirun" --version 2>&1) in
    *"Open MPI"* | *OpenRTE*)
      ((EUID == 0)) && words+=(--allow-run-as-root)
      words+=(--bind-to none --oversubscribe --mca btl "^tcp")
      ;;
  esac
  printf '%s\n' "${words[@]}" -n "$1"
}

# mpi_keepalive: lets Open MPI's own daemons notice a dead or unreachable host after some 10 s, not after the 8 minutes that are its default.
mpi_keepalive() {
  local name setting
  for name in OMPI_MCA_oob_tcp_keepalive PRTE_MCA_oob_tcp_keepalive; do # Open MPI 4 and 5
    for setting in time=5 intvl=2 probes=3; do
      [[ -v ${name}_${setting%=*} ]] || export "${name}_$setting"
    done
  done
}

# mpi_hosts_line P HOST:SLOTS,...: the words that start P workers on these hosts.
mpi_hosts_line() {
  local mpirun=${MPIRUN:-mpirun} words
  words=("$mpirun")
  case $("$mpirun" --version 2>&1) in
    *"Open MPI"* | *OpenRTE*)
      ((EUID == 0)) && words+=(--allow-run-as-root)
      words+=(--bind-to none --host "$2")
      ;;
    *) words+=(-hosts "$2") ;;
  esac
  printf '%s\n' "${words[@]}" -n "$1"
}

# workers_of PID: the process ids of the lockstep workers below the mpirun (or timeout) PID, one a line, in order of birth.
workers_of() {
  local below=" $1 " pid parent stat
  for stat in $(printf '%s\n' /proc/[0-9]*/stat | sort -t / -k 3n); do
    pid=${stat#/proc/}
    pid=${pid%/stat}
    { read -r parent <"$stat"; } 2>/dev/null || continue
    parent=${parent##*) } # the name in parentheses may hold anything
    parent=${parent#* }
    [[ $below == *" ${parent%% *} "* ]] || continue
    below+="$pid "
    [[ $(readlink "/proc/$pid/exe") == */lockstep ]] && echo "$pid"
  done 2>/dev/null
}

# newest_checkpoint RUN: the step of the newest checkpoint in the run folder, or 0.
newest_checkpoint() {
  local files=("$1"/checkpoints/step-*.h5) name
  name=${files[-1]##*/step-}
  name=${name%.h5}
  if [[ $name =~ ^[0-9]+$ ]]; then echo $((10#$name)); else echo 0; fi
}
