# shellcheck shell=bash
# The table of a sweep. Sourced.

# csv_fields LINE: sets `fields`; "…" may hold commas, and "" in it stands for a quotation mark. Returns 1 where a quotation mark is out of place.
csv_fields() {
  local rest=${1%$'\r'},
  fields=()
  while [[ $rest ]]; do
    if [[ $rest =~ ^\"(([^\"]|\"\")*)\",(.*)$ ]]; then
      fields+=("${BASH_REMATCH[1]//\"\"/\"}")
      rest=${BASH_REMATCH[3]}
    elif [[ $rest =~ ^([^,\"]*),(.*)$ ]]; then
      fields+=("${BASH_REMATCH[1]}")
      rest=${BASH_REMATCH[2]}
    else
      return 1
    fi
  done
}

# read_table FILE: sets `row_names`, the run folder of each row, and `row_options`, its options of `lockstep train`, one a line. Returns 1 with
# what is wrong, and in which line.
read_table() {
  local line number=0 header=() fields i name given words value
  local -A seen=()
  row_names=() row_options=()
  [[ -r $1 ]] || { echo "$1: there is no such table" >&2 && return 1; }
  while IFS= read -r line || [[ $line ]]; do
    number=$((number + 1))
    [[ ${line//[$'\r',]/} ]] || continue
    csv_fields "$line" || { echo "$1, line $number: a quotation mark is out of place: $line" >&2 && return 1; }
    if ((${#header[@]} == 0)); then
      header=("${fields[@]}")
      for name in "${header[@]}"; do
        [[ $name =~ ^[a-z][a-z0-9-]*$ ]] || { echo "$1, line $number: '$name' is no option of lockstep train; the header names them without --" >&2 && return 1; }
      done
      continue
    fi
    if ((${#fields[@]} != ${#header[@]})); then
      echo "$1, line $number: ${#fields[@]} values for the ${#header[@]} columns of the header" >&2
      return 1
    fi
    name='' given='' words=()
    for i in "${!header[@]}"; do
      value=${fields[i]}
      case ${header[i]}=$value in
        run=*) given=$value ;;
        *= | *=false) ;;
        *=true) words+=("--${header[i]}") name+=-${header[i]} ;;
        *) words+=("--${header[i]}=$value") name+=-${header[i]}$value ;;
      esac
    done
    name=${given:-${name#-}}
    name=${name//[^A-Za-z0-9._+-]/_}
    [[ $name ]] || { echo "$1, line $number: a row without values needs a column 'run' that names it" >&2 && return 1; }
    [[ $name != .* ]] || { echo "$1, line $number: '$name' is no name for a run folder" >&2 && return 1; }
    if [[ ${seen[$name]:-} ]]; then
      echo "$1, line $number: the run '$name' is in line ${seen[$name]}, too" >&2
      return 1
    fi
    seen[$name]=$number
    row_names+=("$name")
    row_options+=("$(IFS=$'\n' && echo "${words[*]}")")
  done <"$1"
  ((${#row_names[@]})) || { echo "$1: has no rows" >&2 && return 1; }
}
