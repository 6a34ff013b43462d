# shellcheck shell=bash
# What the experiments of a day's work share: the program, where their files go, how their commands are shown. Sourced; works from the root.

# shellcheck source=launch/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../launch/common.sh"
mpi_environment
# shellcheck disable=SC2034 # for the scripts that source this file
python=${LOCKSTEP_PYTHON:-python3} # with numpy and matplotlib

# day_options NAME WORDS...: reads --short, --runs DIR and --out DIR; sets short, runs (made anew) and out.
day_options() {
  local name=$1 usage
  usage="experiments/$name/run [--short] [--runs DIR] [--out DIR]
  --short      a few short runs, to see whether everything works
  --runs DIR   for data and run folders, which are made anew (default runs/$name)
  --out DIR    for tables and figures (default experiments/$name, with --short DIR of --runs)"
  shift
  short='' runs=runs/$name out=''
  while (($#)); do
    case $1 in
      --short) short=yes ;;
      --runs) runs=${2:?--runs needs a folder} && shift ;;
      --out) out=${2:?--out needs a folder} && shift ;;
      -h | --help) echo "$usage" && exit 0 ;;
      *) echo "$usage" >&2 && exit 2 ;;
    esac
    shift
  done
  if [[ -z $out ]]; then
    if [[ $short ]]; then out=$runs; else out=experiments/$name; fi
  fi
  command -v "$lockstep" >/dev/null || die "there is no $lockstep; build it with ./launch/quickstart, or name the program in LOCKSTEP"
  local marker=$runs/.made-by-experiments
  if [[ -e $runs && ! -e $marker && -n $(ls -A "$runs") ]]; then
    die "--runs $runs: holds something that no earlier start has made; remove it, or name another folder"
  fi
  rm -rf "$runs"
  mkdir -p "$runs" "$out"
  touch "$marker"
}

# python_with MODULE...: ends with 77 (a test that is skipped) where LOCKSTEP_PYTHON lacks one of them.
python_with() {
  local module
  for module; do
    "$python" -c "import $module" 2>/dev/null && continue
    echo "$(basename "$(dirname "$0")"): $python has no $module; name a Python that has it in LOCKSTEP_PYTHON" >&2
    exit 77
  done
}

# shown COMMAND...: says the command, and runs it.
shown() {
  printf '+ %s\n' "${*@Q}" | sed "s/'\([A-Za-z0-9_.,:/=+-]\+\)'/\1/g"
  "$@"
}
