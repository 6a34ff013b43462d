# shellcheck shell=bash
# shellcheck disable=SC2154 # here comes from lockstep-run
# lockstep-run --slurm-script: launch/slurm/train.sbatch filled in. Sourced.
#
# What can be filled in is what stands at the script's top: lines  name=${NAME:-value}  and  #SBATCH --name=value.  The training's
# data, run and threads go there, those of a --config too, its other options into `options`; options before -- that it lacks are given to sbatch.
# Outside of the project's folder `launch` and `lockstep` become where they are.

# fill NAME VALUE: puts the value of NAME into `script`. Returns 1 where the script has no such variable.
fill() {
  local line filled='' found='' value=$2
  [[ $value =~ ^[-A-Za-z0-9\ _@%+=:,./*]*$ ]] || value=$(printf %q "$value")
  while IFS= read -r line; do
    if [[ $line =~ ^$1=\$\{([A-Z_0-9]+):-.*\}([^}]*)$ ]]; then
      line="$1=\${${BASH_REMATCH[1]}:-$value}${BASH_REMATCH[2]}" found=yes
    fi
    filled+=$line$'\n'
  done <<<"${script%$'\n'}"
  [[ ! $found ]] || script=$filled
  [[ $found ]]
}

# direct NAME VALUE: puts a line for sbatch into `script`, in the place of one of that name, or behind the last; without VALUE a mere --NAME.
direct() {
  local last line="#SBATCH --$1${2:+=$2}"
  if grep -qE "^#SBATCH --$1([= ]|$)" <<<"$script"; then
    script=$(awk -v name="$1" -v line="$line" '$0 ~ "^#SBATCH --" name "([= ]|$)" { $0 = line } { print }' <<<"$script")
  else
    last=$(grep -n '^#SBATCH' <<<"$script" | tail -n 1 | cut -d : -f 1)
    script=$(awk -v last="$last" -v line="$line" '{ print } NR == last { print line }' <<<"$script")
  fi
  script+=$'\n'
}

# slurm_script [--NAME VALUE...] -- train [OPTION...]: prints it.
slurm_script() {
  local script given=() options=() word name value known i template=$here/../slurm/train.sbatch
  script=$(<"$template") || die "there is no $template"
  script+=$'\n'
  if [[ ! $PWD/launch -ef $here/.. ]]; then
    fill launch "$(cd "$here/.." && pwd)"
    value=$(find_lockstep) || exit
    fill lockstep "$value"
  elif [[ ${LOCKSTEP:-} ]]; then
    fill lockstep "$LOCKSTEP"
  fi
  while (($#)) && [[ $1 != -- ]]; do
    [[ $1 == --?* ]] || usage_error "--slurm-script: $1 is no option of sbatch, nor a variable of launch/slurm/train.sbatch"
    name=${1#--}
    if [[ $name == *=* ]]; then
      value=${name#*=} name=${name%%=*}
    elif [[ $name =~ ^(exclusive|hold|no-kill|no-requeue|requeue|contiguous|overcommit|oversubscribe|spread-job|use-min-nodes|wait|reboot)$ ]]; then
      value=''
    else
      [[ ${2:---} != --* ]] || usage_error "--$name needs a value"
      value=$2 && shift
    fi
    if [[ ! $value ]] || ! fill "$name" "$value"; then
      known=$(sbatch --help 2>/dev/null) # empty where there is no Slurm, or none that is set up
      [[ ! $known || $known =~ --${name}[^-a-z] ]] || say "--slurm-script: sbatch --help does not tell of --$name, nor is it a variable of launch/slurm/train.sbatch"
      direct "$name" "$value"
    fi
    shift
  done
  [[ ${1:-} == -- && ${2:-} == train ]] || usage_error "--slurm-script: behind its own options: -- train OPTION..."
  for word in "${@:3}"; do
    [[ $word != *[[:space:]\'\"]* ]] || usage_error "--slurm-script: '$word' has spaces or quotes; put it into a file and give --config FILE"
    [[ $word ]] || usage_error "--slurm-script: an option has an empty value; put it into a file and give --config FILE"
    if [[ $word == --*=* ]]; then given+=("${word%%=*}" "${word#*=}"); else given+=("$word"); fi
  done
  for name in data run threads; do # those of a --config too, which would not count beside the script's own
    value=$(option "$name" "${@:3}")
    [[ ! $value ]] || fill "$name" "$value"
  done
  for ((i = 0; i < ${#given[@]}; i++)); do
    if [[ ${given[i]} =~ ^--(data|run|threads)$ ]]; then
      i=$((i + 1))
    else
      options+=("${given[i]}")
    fi
  done
  fill options "${options[*]}" || die "$template has no variable 'options'"
  printf '%s' "$script"
}
