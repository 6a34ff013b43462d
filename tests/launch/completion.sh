#!/usr/bin/env bash
# Sources launch/completion.bash as a shell would and asks for completions of what is typed.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../e2e/lib.sh"
# shellcheck source=launch/completion.bash
. launch/completion.bash
lockstep=$(realpath "$lockstep")

# complete_words WORD...: what bash is offered for the last word (may be empty), on one line.
complete_words() {
  COMP_WORDS=("$lockstep" "$@")
  COMP_CWORD=$#
  _lockstep || true # bash looks at COMPREPLY alone
  offered="${COMPREPLY[*]:-}"
}

# offers TEXT WORD...: the completions of the last word are these, in this order.
offers() {
  local want=$1
  shift
  complete_words "$@"
  [[ $offered == "$want" ]] || fail "lockstep $*<tab> offers \"$offered\" instead of \"$want\""
}

# has WANTED WORD...: WANTED is among them.
has() {
  local want=$1
  shift
  complete_words "$@"
  [[ " $offered " == *" $want "* ]] || fail "lockstep $*<tab> offers \"$offered\", without $want"
}

complete -p lockstep | grep -q _lockstep || fail "lockstep has no completion"
offers train tra
offers evaluate ev
has bench ''
has --version --
offers '' elephant
for command in train import evaluate; do has --help "$command" -; done
offers --batch-norm train --batch-
has --batch train --ba
has --checkpoint-every train --run x --check
offers '' train --seed 1 --see
offers 'mlp cnn resnet20 gpt' train --model ''
offers resnet20 train --model = r
offers 'mlp cnn resnet20 gpt' train --model =
offers 'constant step: cosine one-cycle' train --data x --schedule ''
offers '' train --batch ''
offers '' train --batch-norm x
offers 'step stream' bench st
has scaling bench ''
offers '' bench step st

# Folders and run folders.
cd "$work"
mkdir -p runs/one runs/two runs/other data/train
touch runs/one/config.ini runs/two/config.ini file.ini
offers 'runs/one runs/two' train --run ''
offers 'runs/one runs/other' train --run runs/o
offers data train --data d
offers 'runs/one runs/two' evaluate --data data --run ''
offers '' train --config '' # files: bash's own
pass "commands, options, choices and folders are offered"
