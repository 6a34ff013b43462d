# shellcheck shell=bash
# shellcheck disable=SC2154 # deps and archives come from setup
# The ways in which `launch/setup` gets what is missing into $deps, as an ordinary user. Sourced after needs.sh. Each way_* NAME... gets what it
# can of these needs, says what it does, and returns 1 where it could do nothing.

# use_deps: makes what is in $deps known to this process and to CMake.
use_deps() {
  local folder
  prefixes=()
  for folder in "$deps/conda" "$deps/spack/.spack-env/view" "$deps/debian/usr" "$deps/pip" "$deps/pip/local" "$deps/source"; do
    [[ -d $folder ]] || continue
    prefixes+=("$folder")
    [[ ! -d $folder/bin || :$PATH: == *":$folder/bin:"* ]] || PATH=$folder/bin:$PATH
  done
  if [[ -d $deps/conda ]]; then CXX=$(compgen -G "$deps/conda/bin/*-linux-gnu-g++" | head -n 1); fi
  hash -r
}

# run_logged TEXT COMMAND...: COMMAND with its output in a log, whose end is shown where it fails.
run_logged() {
  local text=$1 log begin=$SECONDS
  shift
  mkdir -p "$deps"
  log=$deps/log.txt
  printf '  %s' "$text"
  if ! "$@" >"$log" 2>&1 </dev/null; then
    printf ': failed\n'
    tail -n 8 "$log" | sed 's/^/    /'
    return 1
  fi
  printf ' (%s s)\n' $((SECONDS - begin))
}

# of_missing ALLOWED NAME...: those NAMEs that are words of ALLOWED, one a line.
of_missing() {
  local allowed=" $1 " name
  shift
  for name in "$@"; do [[ $allowed != *" $name "* ]] || echo "$name"; done
}

# The distribution's own packages, downloaded and unpacked. Compilers, MPI and HDF5 are left out: they work in their own place only.
way_debian() {
  local apt=$deps/apt names=() options name deb
  command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || return 1
  for name in $(of_missing "build-tool ZLIB LibLZMA PNG OpenSSL Boost fmt nlohmann_json oneDNN" "$@"); do names+=("${named["$name apt"]}"); done
  ((${#names[@]})) || return 1
  printf '\nDebian packages, unpacked into %s: %s\n' "$deps/debian" "${names[*]}"
  mkdir -p "$apt"/{lists,archives}/partial
  options=(-o Dir::State::Lists="$apt/lists" -o Dir::Cache="$apt" -o Dir::Cache::Archives="$apt/archives" -o Debug::NoLocking=1 -o APT::Sandbox::User=)
  run_logged "fetching the lists of packages" apt-get "${options[@]}" update &&
    run_logged "downloading" apt-get "${options[@]}" install -y --no-install-recommends --download-only "${names[@]}" || return 1
  for deb in "$apt"/archives/*.deb; do dpkg-deb -x "$deb" "$deps/debian" || return 1; done
  rm -rf "$apt"
}

# CMake, ninja and oneDNN of requirements.txt.
way_pip() {
  local python wanted=() name
  python=$(command -v python3) && "$python" -m pip --version >/dev/null 2>&1 || return 1
  for name in $(of_missing "CMake build-tool oneDNN" "$@"); do
    case $name in
      CMake) wanted+=("cmake") ;;
      build-tool) wanted+=("ninja") ;;
      oneDNN) [[ $(uname -m) != x86_64 ]] || wanted+=("onednn") ;;
    esac
  done
  ((${#wanted[@]})) || return 1
  printf '\nFrom PyPI into %s: %s\n' "$deps/pip" "${wanted[*]}"
  mkdir -p "$deps/pip"
  grep -E "^($(IFS='|' && echo "${wanted[*]}"))" launch/requirements.txt >"$deps/pip/requirements.txt"
  run_logged "installing" "$python" -m pip install --disable-pip-version-check --no-deps --require-hashes --ignore-installed \
    --prefix "$deps/pip" -r "$deps/pip/requirements.txt" || return 1
  # The script cmake looks for its Python module elsewhere; the program itself is inside. Debian's Python puts all into local/.
  for name in "$deps"/pip/{,local/}lib/python3*/*-packages/cmake/data/bin/cmake; do
    [[ ! -x $name ]] || ln -sf "$name" "${name%/lib/python3*}/bin/cmake"
  done
}

# download URL FILE, with whatever there is for it.
download() {
  if command -v curl >/dev/null; then
    curl -fsSL --connect-timeout 20 --retry 2 -o "$2" "$1"
  elif command -v wget >/dev/null; then
    wget -q -T 20 -t 2 -O "$2" "$1"
  else
    python3 -c 'import sys, urllib.request; urllib.request.urlretrieve(sys.argv[1], sys.argv[2])' "$1" "$2"
  fi
}

# fetch NAME: its release archive, checked, as $deps/archives/NAME: from --archives, else from the first address of sources.txt that answers.
fetch() {
  local from name hash url found file=$deps/archives/$1
  mkdir -p "$deps/archives"
  for from in folder network; do
    while read -r name hash url; do
      [[ $name == "$1" ]] || continue
      if [[ $from == network ]]; then
        download "$url" "$file" || continue
      else
        [[ $archives && -f $archives/$(basename "$url") ]] || continue
        cp "$archives/$(basename "$url")" "$file"
      fi
      found=$(sha256sum "$file" | cut -d ' ' -f 1)
      [[ $found != "$hash" ]] || return 0
      echo "$(basename "$url") from the $from has the SHA-256 $found, not $hash: refused"
    done <launch/sources.txt
  done
  echo "$1: neither ${archives:-a folder of --archives} nor the addresses in launch/sources.txt gave its archive"
  return 1
}

# build_source NAME: unpacks its archive and installs it into $deps/source.
build_source() {
  local into=$deps/source folder=$deps/build/$1 jobs options=()
  jobs=$(build_jobs)
  rm -rf "$folder"
  mkdir -p "$folder" && tar -xf "$deps/archives/$1" -C "$folder" --strip-components=1 --exclude='*/doc' --exclude='*/libs/*/test' && cd "$folder" || return 1
  case $1 in
    Boost)
      install_boost "$into"
      return
      ;;
    OpenSSL)
      ./config no-shared no-tests no-legacy --prefix="$into" --libdir=lib && make -j "$jobs" build_generated libcrypto.a libssl.a && make install_dev
      return
      ;;
    fmt) options=(-DFMT_TEST=OFF -DFMT_DOC=OFF) ;;
    nlohmann_json) options=(-DJSON_BuildTests=OFF) ;;
    ZLIB)
      options=(-DZLIB_BUILD_EXAMPLES=OFF)
      mkdir -p win32 && touch win32/zlib1.rc # for Windows, named on all systems, and not in Debian's copy
      ;;
    LibLZMA) options=(-DXZ_TOOL_{XZ,XZDEC,LZMADEC,LZMAINFO,SCRIPTS}"=OFF" -DXZ_NLS=OFF -DXZ_DOC=OFF -DBUILD_TESTING=OFF) ;;
    PNG) options=(-DPNG_TESTS=OFF -DPNG_EXECUTABLES=OFF -DPNG_SHARED=ON -DPNG_STATIC=OFF) ;;
    oneDNN) # what Lockstep calls of it; all would take twice as long
      options=(-DDNNL_BUILD_TESTS=OFF -DDNNL_BUILD_EXAMPLES=OFF -DONEDNN_BUILD_GRAPH=OFF -DDNNL_CPU_RUNTIME=OMP
        "-DONEDNN_ENABLE_PRIMITIVE=CONVOLUTION;MATMUL;REORDER")
      ;;
  esac
  cmake -S . -B build-setup -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX="$into" -DCMAKE_INSTALL_LIBDIR=lib -DCMAKE_PREFIX_PATH="$(cmake_prefixes)" \
    -DCMAKE_POSITION_INDEPENDENT_CODE=ON -DCMAKE_POLICY_VERSION_MINIMUM=3.5 "${options[@]}" &&
    cmake --build build-setup -j "$jobs" && cmake --install build-setup
}

# install_boost INTO: Boost's headers and Program_options, from its unpacked archive in the working directory: a dozen files need no b2. Headers are in
# boost/ in releases, and with each library in Debian's copy.
install_boost() {
  local headers=(boost) source
  [[ -d boost ]] || headers=(libs/*/include/boost libs/numeric/*/include/boost)
  mkdir -p "$1/include" "$1/lib" && cp -r "${headers[@]}" "$1/include" || return 1
  for source in libs/program_options/src/*.cpp; do
    "$CXX" -std=c++17 -O2 -fPIC -w -DBOOST_ALL_NO_LIB -I "$1/include" -c "$source" -o "$(basename "$source" .cpp).o" || return 1
  done
  ar rcs "$1/lib/libboost_program_options.a" ./*.o
}

# Release archives, built here. Returns 1 where one of them could not be had, and leaves it to the next way.
way_source() {
  local names name failed=''
  mapfile -t names < <(of_missing "ZLIB LibLZMA PNG OpenSSL Boost fmt nlohmann_json oneDNN" "$@")
  ((${#names[@]})) && [[ ${place[compiler]:-} && ${place[CMake]:-} && ${place[build-tool]:-} ]] || return 1
  printf '\nRelease archives, built into %s: %s\n' "$deps/source" "${names[*]}"
  for name in "${names[@]}"; do
    if run_logged "$name: fetching" fetch "$name" && (run_logged "$name: building" build_source "$name"); then
      rm -rf "$deps/build" "$deps/archives"
      use_deps
    else
      failed=yes
    fi
  done
  [[ ! $failed ]]
}

# A whole environment: its libraries do not mix with the system's compiler.
way_conda() {
  local tool create=(env create)
  tool=$(command -v micromamba || command -v mamba || command -v conda) || return 1
  [[ $(basename "$tool") != micromamba ]] || create=(create)
  printf '\nEverything from conda-forge into %s, by %s\n' "$deps/conda" "$tool"
  rm -rf "$deps"/{source,debian,pip}
  run_logged "making the environment of launch/environment.yml" "$tool" "${create[@]}" -y -p "$deps/conda" -f launch/environment.yml
}

way_spack() {
  command -v spack >/dev/null || return 1
  printf '\nEverything by Spack into %s; this takes long where it builds much\n' "$deps/spack"
  mkdir -p "$deps"
  rm -rf "$deps/spack"
  run_logged "making the environment of launch/spack.yaml" spack env create -d "$deps/spack" launch/spack.yaml &&
    run_logged "looking for what is there already" spack -e "$deps/spack" external find cmake openmpi mpich openssl &&
    run_logged "installing" spack -e "$deps/spack" install
}
