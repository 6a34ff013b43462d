#!/usr/bin/env bash
# launch/setup without a network: what --check says of this machine and of poorer ones, archives and their SHA-256, and how conda and Spack are called.
# What it takes a network for is tests/launch/without_root.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../e2e/lib.sh"
export HOME=$work
unset CXX CC CMAKE_PREFIX_PATH

# This machine built the program: nothing is missing, and each row has a place.
expect_code 0 '^  compiler +(g|clang)\+\+.* /' check.log ./launch/setup --check
for name in CMake MPI HDF5 ZLIB OpenSSL Boost fmt nlohmann_json oneDNN; do
  grep -Eq "^  $name +[^ ]+.* /" "$work/check.log" || fail "no version and place of $name" "$work/check.log"
done

# Poorer machines: a compiler that is too old, no CMake.
mkdir "$work/old" "$work/bare"
printf '#!/bin/sh\necho 9.4.0\n' >"$work/old/g++"
chmod +x "$work/old/g++"
for tool in bash env dirname basename sort head sed awk grep mktemp rm cat tr cut nproc uname; do ln -s "$(command -v $tool)" "$work/old/$tool"; done
expect_code 1 'compiler +MISSING +g\+\+ 9.4.0 in .* is too old: g\+\+ 11, clang 14 or newer is needed; apt g\+\+, conda cxx-compiler' old.log \
  env PATH="$work/old" ./launch/setup --check
expect_code 1 'CMake +MISSING +apt cmake' no-cmake.log env PATH="$work/old" ./launch/setup --check
expect_code 1 'oneDNN +not looked for' not-looked-for.log env PATH="$work/old" ./launch/setup --check
expect_code 2 'usage|--prefix DIR' unknown.log ./launch/setup --frobnicate
expect_code 1 'there are debian, pip' way.log ./launch/setup --with magic --prefix "$work/x"

# shellcheck disable=SC2034 # read by the scripts
deps=$work/deps archives=$work/archives
# shellcheck source=launch/needs.sh
. launch/needs.sh
# shellcheck source=launch/ways.sh
. launch/ways.sh

# Every archive has a SHA-256 and an address, and one with other bytes is refused.
bad=$(grep -vE '^#|^[A-Za-z_]+ +[0-9a-f]{64} +https://[^ ]+$' launch/sources.txt) || true
[[ ! $bad ]] || fail "launch/sources.txt: $bad"
mkdir "$archives"
while read -r name _ url; do
  [[ $name != fmt ]] || printf 'other bytes' >"$archives/$(basename "$url")"
done <launch/sources.txt
download() { return 1; } # there is no network
rc=0
fetch fmt >"$work/fetch.log" || rc=$?
((rc == 1)) || fail "an archive with other bytes was taken" "$work/fetch.log"
grep -q 'has the SHA-256 .*: refused' "$work/fetch.log" || fail "the archive was not refused by its SHA-256" "$work/fetch.log"
while read -r name _; do
  [[ $name == '#'* || ${named["$name apt"]:-} ]] || fail "launch/sources.txt: $name is not in launch/needs.txt"
done <launch/sources.txt
while read -r name apt _; do
  [[ $name == '#'* ]] || awk -v name="$apt" '{ split($2, names, "|"); for (i in names) found = found || names[i] == name } END { exit !found }' launch/packages.txt ||
    fail "launch/needs.txt: $apt is not in launch/packages.txt"
done <launch/needs.txt

# conda and Spack: stand-ins that note how they are called.
mkdir "$work/stand-ins"
# shellcheck disable=SC2016 # for the stand-in
printf '#!/bin/sh\necho "$(basename "$0") $*" >>%s\n' "$work/calls" >"$work/stand-ins/spack"
chmod +x "$work/stand-ins/spack"
cp "$work/stand-ins/spack" "$work/stand-ins/mamba"
PATH=$work/stand-ins:$PATH
way_spack oneDNN >/dev/null || fail "the stand-in for Spack was refused"
way_conda oneDNN >/dev/null || fail "the stand-in for mamba was refused"
for call in "spack env create -d $deps/spack launch/spack.yaml" "spack -e $deps/spack install" "mamba env create -y -p $deps/conda -f launch/environment.yml"; do
  grep -qxF "$call" "$work/calls" || fail "nobody called: $call" "$work/calls"
done
for name in "${needs[@]}"; do
  word=${named["$name conda"]}
  grep -Eq "^  - $word([ =]|$)" launch/environment.yml || [[ $word == llvm-openmp ]] || fail "launch/environment.yml is without $word"
  word=${named["$name spack"]}
  grep -Eq "^    - \"$word([~@ ].*)?\"$" launch/spack.yaml || [[ $word =~ ^(gcc|openmpi|llvm-openmp)$ ]] || fail "launch/spack.yaml is without $word"
done
pass "setup says what is there and what is missing, by name"
