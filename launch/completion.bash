# shellcheck shell=bash
# Completion of lockstep's command line for bash: commands, options, words to choose from, files, folders. It asks the program that is being typed
# (`lockstep COMMAND --help`), so it knows what that one knows. `cmake --install` and launch/setup put it where bash-completion finds it; else:
#   source launch/completion.bash

# _lockstep_options: from a command's --help on stdin, a line for each option: "--name|VALUE|description"; VALUE is empty for switches.
_lockstep_options() {
  awk '
    function flush() { if (name != "") print name "|" value "|" text; name = "" }
    /^Example:/ { flush(); exit }
    match($0, /^  (-[a-z] \[ )?--[a-z0-9-]+/) {
      flush()
      name = substr($0, RSTART, RLENGTH); sub(/.*--/, "--", name)
      rest = substr($0, RLENGTH + 1); sub(/^ \]/, "", rest)
      value = ""
      if (match(rest, /^ [A-Za-z]+( \(=[^)]*\))?/)) { value = substr(rest, 2, RLENGTH - 1); sub(/ .*/, "", value); rest = substr(rest, RLENGTH + 1) }
      sub(/^ +/, "", rest); text = rest
      next
    }
    name != "" && /^      / { sub(/^ +/, " "); text = text $0 }
    END { flush() }' | sed 's/  */ /g'
}

# _lockstep_choices DESCRIPTION: the words of "a, b:NUMBER or c" where the description ends with that, one a line: a, b: and c. FILE is none.
_lockstep_choices() {
  local word='([a-z0-9][A-Za-z0-9.:-]*|FILE[.a-z]*)'
  [[ $1 =~ (^|: )($word(, $word)*(,? or $word)?)$ ]] || return 0
  local list=${BASH_REMATCH[2]// or / }
  tr -s ', ' '\n' <<<"$list" | sed -e '/^FILE/d' -e 's/:[A-Z].*/:/'
}

# _lockstep_runs CUR: run folders (they hold a config.ini): those in runs/ while nothing is typed, else all folders that CUR may become.
_lockstep_runs() {
  local folder found=''
  if [[ ! $1 ]]; then
    for folder in runs/*/; do
      if [[ -f ${folder}config.ini ]]; then echo "${folder%/}" && found=yes; fi
    done
  fi
  [[ $found ]] || compgen -d -- "$1"
}

_lockstep() {
  local program=${COMP_WORDS[0]/#\~/$HOME} cur=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command='' options='' name value text words i
  COMPREPLY=()
  # "--name=value" comes as three words.
  if [[ $cur == '=' ]]; then
    cur=''
  elif [[ $before == '=' ]]; then
    before=${COMP_WORDS[COMP_CWORD - 2]}
  fi
  ((COMP_CWORD > 1)) && command=${COMP_WORDS[1]}
  if [[ ! $command ]]; then
    words=$("$program" --help 2>/dev/null | sed -nE 's/^  ([a-z-]+) +.*/\1/p')
    mapfile -t COMPREPLY < <(compgen -W "$words --help --version" -- "$cur")
    return
  fi
  options=$("$program" "$command" --help 2>/dev/null | _lockstep_options)

  # The value of the option before, or the word that says what to do (bench WHAT, import FORMAT).
  if [[ $cur != -* || $before == --* ]]; then
    [[ $before == --* ]] || ((COMP_CWORD > 2)) || before='--(what|format)'
    while IFS='|' read -r name value text; do
      [[ $name =~ ^${before}$ && $value ]] || continue
      words=$(_lockstep_choices "$text")
      if [[ $name == --run ]]; then
        mapfile -t COMPREPLY < <(_lockstep_runs "$cur")
        compopt -o filenames 2>/dev/null
      elif [[ $value == DIR ]]; then
        mapfile -t COMPREPLY < <(compgen -d -- "$cur")
        compopt -o filenames 2>/dev/null
      elif [[ $words ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
      elif [[ $value == arg ]]; then
        compopt +o default +o bashdefault 2>/dev/null # a number or a name: nothing to offer
      fi # FILE: bash completes it
      return
    done <<<"$options"
  fi
  if [[ $cur == -* ]]; then
    words=$(cut -d '|' -f 1 <<<"$options")
    for ((i = 2; i < COMP_CWORD; i++)); do words=$(grep -vx -e "${COMP_WORDS[i]}" <<<"$words"); done # each may be given once
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
  elif [[ ! ${COMPREPLY[*]:-} && $command =~ ^(report|compare|evaluate|export|predict)$ ]]; then
    mapfile -t COMPREPLY < <(_lockstep_runs "$cur")
    compopt -o filenames 2>/dev/null
  fi
}

complete -o bashdefault -o default -F _lockstep lockstep
