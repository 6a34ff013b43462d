# shellcheck shell=bash
# Debian and Ubuntu packages of packages.txt, for the scripts that source this file: which are missing, and how to get them.

packages_list=$(dirname "${BASH_SOURCE[0]}")/packages.txt

# packages_missing GROUP...: the missing packages of these groups, one a line. Prints nothing on systems without dpkg.
packages_missing() {
  command -v dpkg-query >/dev/null || return 0
  local group names name found
  while read -r group names _; do
    [[ " $* " == *" $group "* ]] || continue
    found=
    for name in ${names//|/ }; do
      [[ $(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null) == installed ]] && found=yes
    done
    [[ $found ]] || printf '%s\n' "${names%%|*}"
  done < <(grep -v '^#' "$packages_list")
}

# packages_why NAME: what the package is for.
packages_why() {
  awk -v name="$1" '$2 == name || index($2, name "|") == 1 { $1 = $2 = ""; sub(/^ +/, ""); print }' "$packages_list"
}

# packages_install GROUP...: says what is missing and why, then installs it as root or with sudo.
# Returns 1, after naming the command for someone who may, where that cannot be done here.
packages_install() {
  local missing name prefix=()
  mapfile -t missing < <(packages_missing "$@")
  ((${#missing[@]})) || return 0
  echo "Missing packages:"
  for name in "${missing[@]}"; do printf '  %-30s %s\n' "$name" "$(packages_why "$name")"; done
  if ((EUID != 0)); then
    if command -v sudo >/dev/null && { [[ -t 0 ]] || sudo -n true 2>/dev/null; }; then prefix=(sudo); fi
    if ((${#prefix[@]} == 0)); then
      printf 'Not root, and no sudo. Someone who may can install them with:\n  apt-get install --no-install-recommends %s\n' "${missing[*]}"
      return 1
    fi
  fi
  echo "Installing them with apt-get."
  local log
  log=$(mktemp)
  if ! { "${prefix[@]}" apt-get update && "${prefix[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1 </dev/null; then
    tail -n 15 "$log" >&2
    rm -f "$log"
    echo "apt-get could not install: ${missing[*]}" >&2
    return 1
  fi
  rm -f "$log"
}
