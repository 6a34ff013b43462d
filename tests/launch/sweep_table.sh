#!/usr/bin/env bash
# What launch/slurm/table.sh makes of tables, right and wrong ones.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/../e2e/lib.sh"
# shellcheck source=launch/slurm/table.sh
. launch/slurm/table.sh
table=$work/table.csv

# reads WANT TEXT: each row as NAME: OPTION|OPTION..., on a line.
reads() {
  local i said=''
  printf '%b' "$2" >"$table"
  read_table "$table" 2>"$work/errors" || fail "it does not read: $2" "$work/errors"
  for i in "${!row_names[@]}"; do said+="${row_names[i]}: ${row_options[i]//$'\n'/|}"$'\n'; done
  [[ ${said%$'\n'} == "$(printf '%b' "$1")" ]] || fail "it reads $2 as: $said"
}

# refuses TEXT WORDS: the message names the file and the line.
refuses() {
  printf '%b' "$1" >"$table"
  ! read_table "$table" 2>"$work/errors" || fail "it takes: $1"
  grep -Fq "$table$2" "$work/errors" || fail "no '$2' about: $1" "$work/errors"
}

reads 'a: --hidden=256,128|--lr=0.1|--nesterov\nb: --lr=0.2' 'run,hidden,lr,nesterov\na,"256,128",0.1,true\nb,,0.2,false\n'
reads 'hidden256_128-nesterov: --hidden=256,128|--nesterov\nhidden64: --hidden=64' '\nhidden,nesterov\r\n"256,128",true\r\n,\r\n64,' # no end of line
reads 'a: ' 'run\na\n'
reads 'a_b: --init=x "y", z' 'run,init\na/b,"x ""y"", z"\n'
refuses 'lr\n' ': has no rows'
refuses '--lr\n1\n' ", line 1: '--lr' is no option"
refuses 'lr,hidden\n1\n' ', line 2: 1 values for the 2 columns'
refuses 'lr\n1\n\n1\n' ", line 4: the run 'lr1' is in line 2, too"
refuses 'lr\n"1"2\n' ', line 2: a quotation mark is out of place'
refuses 'lr\n"1\n' ', line 2: a quotation mark is out of place'
refuses 'run,lr,nesterov\n,,false\n' ", line 2: a row without values needs a column 'run'"
refuses 'run\n..\n' ", line 2: '..' is no name"
rm "$table"
! read_table "$table" 2>"$work/errors" || fail "it reads a table that is not there"
grep -q 'there is no such table' "$work/errors" || fail "it does not tell that there is no table" "$work/errors"
reads 'small: --hidden=64|--lr=0.1\nsmall-nesterov: --hidden=64|--lr=0.1|--nesterov\nwide: --hidden=256,128|--lr=0.1\nwide-slow: --hidden=256,128|--lr=0.01' \
  "$(cat launch/slurm/sweep.csv)"
pass "tables of sweeps"
