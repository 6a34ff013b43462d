# shellcheck shell=bash
# What the scripts of this project share: the machine, the build, the data. Sourced; sets `root` and works from there.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root" || exit 1
lockstep=${LOCKSTEP:-build/release/lockstep} # the program
# shellcheck disable=SC2034 # for the scripts that source this file
small_data=datasets/fashion-mnist-small # made from the images that come with the repository, in $small_data-idx
# shellcheck source=launch/packages.sh
. launch/packages.sh
# shellcheck source=launch/mpi.sh
. launch/mpi.sh

die() {
  printf '%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}

# cores: how many this process may use: its affinity, cut by the control group's quota.
cores() {
  local n quota period
  n=$(nproc)
  if read -r quota period 2>/dev/null </sys/fs/cgroup/cpu.max && [[ $quota != max ]]; then
    quota=$(((quota + period - 1) / period))
    ((quota < n)) && n=$quota
  fi
  echo $((n > 0 ? n : 1))
}

# build_jobs: compile jobs that fit both the cores and the memory, at 1.25 GB a job.
build_jobs() {
  local kib limit jobs
  kib=$(awk '$1 == "MemAvailable:" { print $2 }' /proc/meminfo)
  if read -r limit 2>/dev/null </sys/fs/cgroup/memory.max && [[ $limit != max ]]; then
    ((limit / 1024 < kib)) && kib=$((limit / 1024))
  fi
  jobs=$((kib / 1250000))
  ((jobs < 1)) && jobs=1
  echo $((jobs < $(cores) ? jobs : $(cores)))
}

# build_progress: of the build's output on stdin, shows the percentage where there is a terminal.
build_progress() {
  local line
  while IFS= read -r line; do
    if [[ -t 1 && $line =~ ^\[\ *([0-9]+%)\] ]]; then printf '\r  %s\r' "${BASH_REMATCH[1]}"; fi
  done
}

# build PRESET [CMAKE OPTION...]: configures and builds; the whole output goes to build/PRESET.log and its end is shown on failure.
build() {
  local preset=$1 log=build/$1.log jobs
  shift
  jobs=$(build_jobs)
  command -v cmake >/dev/null || die "there is no cmake; the packages that are needed are in launch/packages.txt"
  mkdir -p build
  if command -v ccache >/dev/null; then export CMAKE_CXX_COMPILER_LAUNCHER=ccache; fi
  echo "Bringing build/$preset up to date with $jobs job$( ((jobs == 1)) || echo s) (output in $log)"
  if ! { cmake --preset "$preset" "$@" && cmake --build --preset "$preset" -j "$jobs"; } 2>&1 | tee "$log" | build_progress; then
    grep -E -A 3 'error|Error' "$log" | tail -n 40 >&2 || tail -n 40 "$log" >&2
    die "the build failed; the whole output is in $log"
  fi
}

# build_release: brings build/release up to date; its first configuration leaves the tests out, a later one keeps what it has.
build_release() {
  if [[ -f build/release/CMakeCache.txt ]]; then build release; else build release -DLOCKSTEP_TESTS=OFF; fi
}

# import_fashion_mnist FROM TO: imports the four files (.gz or .xz) in FROM into the dataset TO, unless TO is there. TO appears whole or not at all.
import_fashion_mnist() {
  local from=$1 to=$2 part files
  [[ -d $to/train && -d $to/test ]] && return 0
  echo "Importing $from into $to"
  files=("$from"/t{rain,10k}-{images-idx3,labels-idx1}-ubyte.[gx]z)
  mkdir -p build "$(dirname "$to")"
  part=$(mktemp -d build/import.XXXXXX)
  "$lockstep" import idx --images "${files[0]}" --labels "${files[1]}" --test-images "${files[2]}" --test-labels "${files[3]}" \
    --classes fashion-mnist --out "$part/data" >"$part/log" 2>&1 || {
    cat "$part/log" >&2
    rm -rf "$part"
    die "the import of $from failed"
  }
  rm -rf "$to"
  mv "$part/data" "$to"
  rm -rf "$part"
}
