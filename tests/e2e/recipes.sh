#!/usr/bin/env bash
# Every option of a recipe: one worker trains a model; three workers that are killed with kill -9, gone on with by two of two threads that
# exchange messages, train the same one; and no two recipes the same.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
base=(--model cnn --dropout 0.1 --batch 48 --lanes 8 --limit 701 --validation-fraction 0.1 --epochs 2 --seed 11 --checkpoint-every 3)

# name | options
recipes=(
  'plain         | --momentum 0'
  'nesterov      | --nesterov --penalty l2:1e-3'
  'groups        | --lr 0.02 --lr 0.002@conv* --lr 0@conv1.bias'
  'adamw         | --optimizer adamw --lr 0.002 --betas 0.8,0.99 --epsilon 1e-6 --weight-decay 0.1'
  'lars          | --optimizer lars --lr 2 --trust 0.002 --penalty l2:1e-4'
  'lamb          | --optimizer lamb --lr 0.01 --weight-decay 0.01 --clip 1'
  'penalties     | --penalty l1:1e-4 --penalty elastic:1e-4,1e-3@dense* --penalty group:1e-3@conv2.weight --penalty l1:1e-3@*.bias'
  'clip          | --clip 0.5'
  'ema           | --ema 0.9 --patience 5'
  'step          | --schedule step:1:0.5 --warmup 5'
  'cosine        | --schedule cosine --warmup 4'
  'one-cycle     | --schedule one-cycle --lr 0.05'
  'classes       | --class-weights 1,2,3,4,5,1,2,3,4,5 --top-k 3'
  'balanced      | --class-weights balanced'
  'augment       | --augment crop:2,flip'
  'chunk         | --order chunk'
  'sequential    | --order sequential'
  'whole set     | --batch 630 --epochs 14'
  'all of it     | --optimizer lamb --lr 0.01 --lr 0.02@dense* --clip 1 --penalty l1:1e-5 --penalty group:1e-4 --ema 0.95 --schedule cosine --warmup 3 --augment crop:1 --class-weights balanced --order chunk'
)
hashes=''
# try NAME OPTION...: with the options `base`, of which those that are given again are left out.
try() {
  local name=$1 run=${1//[^a-z]/} step hash i j mpirun
  shift
  options=("${base[@]}")
  for ((i = 1; i <= $#; ++i)); do
    [[ ${!i} == --batch || ${!i} == --epochs ]] || continue
    for ((j = 0; j < ${#options[@]}; ++j)); do
      [[ ${options[j]} != "${!i}" ]] || options=("${options[@]:0:j}" "${options[@]:j+2}")
    done
  done
  options+=("$@")
  train "$run" 1 1
  start "$run-killed" 3 1
  wait_for_step "$run-killed" 3
  mapfile -t pids < <(workers_of "$job")
  read -r _ _ _ mpirun _ <"/proc/${pids[0]}/stat"
  kill -KILL "${pids[@]}" "$mpirun" # of a worker alone mpirun would tell 3 s later
  if finish; then fail "$name: the job went on without its workers" "$work/$run-killed.log"; fi
  step=$(newest_checkpoint "$work/$run-killed")
  [[ ! -e $work/$run-killed/model.safetensors ]] || fail "$name: killed too late, at step $step"
  train "$run-killed" 2 2 --exchange messages
  same_run "$run" "$run-killed"
  hash=$(hash_of "$run")
  [[ $hashes != *$hash* ]] || fail "$name: the same model as another recipe's"
  hashes+=" $hash"
  printf '%-13s %s  killed after step %2d  %s\n' "$name" "${hash:0:16}" "$step" "$(tail -n 1 "$work/$run/metrics.csv" | cut -d , -f 3-6)"
  rm -rf "${work:?}/$run"*
}

# "recipes.sh 0": those of even number; "recipes.sh 1": of odd number. Two of them side by side wait half as long for mpirun.
for ((number = $1; number < ${#recipes[@]}; number += 2)); do
  line=${recipes[number]}
  read -r -a given <<<"${line#*|}"
  try "$(xargs <<<"${line%%|*}")" "${given[@]}"
done
if (($1 == 0)); then
  pass "every second recipe"
  exit
fi

# Tables: several labels a sample, and numbers.
base=(--model mlp --hidden 64 --dropout 0.1 --batch 24 --lanes 8 --validation-fraction 0.1 --epochs 20 --seed 11 --checkpoint-every 3)
awk 'BEGIN { srand(5); print "a,b,c,d,p,q,r"; for (i = 0; i < 800; ++i) { a = rand(); b = rand(); c = rand(); d = rand();
  printf "%.4f,%.4f,%.4f,%.4f,%d,%d,%d\n", a, b, c, d, (a > b), (c + d > 1), (a * d > 0.2) } }' >"$work/table.csv"
"$lockstep" import csv --data "$work/table.csv" --target p --target q --target r --out "$work/several" >"$work/import.log"
"$lockstep" import csv --data "$work/table.csv" --target c --target d --out "$work/numbers" >>"$work/import.log"
E2E_DATA=$work/several try 'several' --loss sigmoid-cross-entropy
E2E_DATA=$work/numbers try 'numbers' --optimizer adamw --lr 0.002
pass "every other recipe, and two of tables"
