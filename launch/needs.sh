# shellcheck shell=bash
# What is there of what Lockstep is built with (needs.txt), for `launch/setup`. Sourced after common.sh; `deps` is where setup puts what it gets.

# Each need's version and place, once `look_around` has run; no place: missing.
declare -A version place
declare -A named # "NAME apt|conda|spack|module" → what it is called there
needs=()         # their names, in the order of needs.txt
declare -A asked # those that the build asks CMake for
prefixes=() # where CMake looks besides the system's places

while read -r name apt conda spack module; do
  [[ $name && $name != '#'* ]] || continue
  needs+=("$name")
  named["$name apt"]=$apt named["$name conda"]=$conda named["$name spack"]=$spack named["$name module"]=$module
done <launch/needs.txt

# at_least VERSION LEAST: whether VERSION is LEAST or newer.
at_least() { [[ $(printf '%s\n' "$2" "$1" | sort -V | head -n 1) == "$2" ]]; }

# note NAME VERSION PLACE
note() { version[$1]=$2 place[$1]=$3; }

# refuse NAME VERSION PLACE LEAST: remembers why it does not do, for the table.
declare -A refused
refuse() { refused[$1]="$2 in $3 is too old: $4 or newer is needed"; }

# find_compiler: the first of $CXX, g++, clang++ and their numbered names that is new enough; exports CXX and CC.
find_compiler() {
  local name path found least
  for name in ${CXX:+"$CXX"} g++ g++-{15,14,13,12,11} clang++ clang++-{20,19,18,17,16,15,14}; do
    path=$(command -v "$name") || continue
    found=$("$path" -dumpfullversion -dumpversion 2>/dev/null | head -n 1)
    least=11
    if "$path" --version | grep -q clang; then least=14; fi
    if ! at_least "${found:-0}" "$least"; then
      refuse compiler "$(basename "$path") ${found:-?}" "$path" "g++ 11, clang 14"
      continue
    fi
    note compiler "$(basename "$path") $found" "$path"
    export CXX=$path
    name=${path/%clang++/clang} name=${name/%g++/gcc} name=${name/clang++-/clang-} name=${name/g++-/gcc-}
    if command -v "$name" >/dev/null; then export CC=$name; fi
    return 0
  done
  return 0
}

# find_tools: CMake, and ninja or make.
find_tools() {
  local path found
  if path=$(command -v cmake); then
    found=$(cmake --version | grep -Eo '[0-9]+(\.[0-9]+)+' | head -n 1)
    if at_least "$found" 3.22; then note CMake "$found" "$path"; else refuse CMake "$found" "$path" 3.22; fi
  fi
  for name in ninja make; do
    path=$(command -v $name) || continue
    note build-tool "$name $("$path" --version | grep -Eo '[0-9]+(\.[0-9]+)+' | head -n 1)" "$path"
    export CMAKE_GENERATOR=Ninja
    [[ $name == ninja ]] || CMAKE_GENERATOR="Unix Makefiles"
    return 0
  done
  return 0
}

# cmake_prefixes: the places to look in as CMake wants them.
cmake_prefixes() { (IFS=';' && echo "${prefixes[*]}${CMAKE_PREFIX_PATH:+;${CMAKE_PREFIX_PATH//:/;}}"); }

# find_libraries: asks CMake, by the same lines as the build (cmake/LockstepPackages.cmake).
find_libraries() {
  local folder name found where mpirun
  folder=$(mktemp -d)
  if ! cmake -S launch/probe -B "$folder" -DPROBE_RESULT="$folder/found" -DCMAKE_PREFIX_PATH="$(cmake_prefixes)" >"$folder/log" 2>&1; then
    cat "$folder/log" >&2
    rm -rf "$folder"
    die "the compiler ${place[compiler]} cannot build anything (above is what CMake says of it)"
  fi
  while IFS='|' read -r name found where; do
    asked[$name]=yes
    [[ ! $where ]] || note "$name" "$found" "$where"
  done <"$folder/found"
  rm -rf "$folder"
  if [[ ${place[MPI]:-} ]] && mpirun=$(command -v "${MPIRUN:-mpirun}"); then
    version[MPI]=$("$mpirun" --version 2>&1 | sed -nE 's/^mpirun \((Open MPI)\) (.*)/\1 \2/p; s/.*Version: +([0-9.]+).*/MPICH \1/p' | head -n 1)
  fi
}

# look_around: fills `version` and `place`.
look_around() {
  version=() place=() refused=() asked=([compiler]=yes [CMake]=yes [build-tool]=yes)
  find_compiler
  find_tools
  if can_look; then find_libraries; fi
}

# can_look: whether there is what it takes to look for libraries.
can_look() { [[ ${place[compiler]:-} && ${place[CMake]:-} && ${place[build-tool]:-} ]]; }

# missing_needs: the names of what is missing, one a line. Libraries count as missing only where they could be looked for.
missing_needs() {
  local name
  for name in "${needs[@]}"; do
    if [[ ${asked[$name]:-} && ! ${place[$name]:-} ]]; then echo "$name"; fi
  done
}

# called NAME: what it is called in apt, conda-forge, Spack and as a module.
called() {
  local where text=''
  for where in apt conda spack module; do
    [[ ${named["$1 $where"]} == - ]] || text+="${text:+, }$where ${named["$1 $where"]}"
  done
  echo "${text:-comes with the compiler}"
}

# print_table: each need with version and place, or what it is called where.
print_table() {
  local name
  for name in "${needs[@]}"; do
    if [[ ${place[$name]:-} ]]; then
      printf '  %-14s %-18s %s\n' "$name" "${version[$name]:--}" "${place[$name]}"
    elif [[ ${asked[$name]:-} ]]; then
      printf '  %-14s %-18s %s\n' "$name" MISSING "${refused[$name]:+${refused[$name]}; }$(called "$name")"
    elif ! can_look; then
      printf '  %-14s %-18s %s\n' "$name" "not looked for" "that takes a compiler, CMake, and ninja or make"
    fi
  done
}
