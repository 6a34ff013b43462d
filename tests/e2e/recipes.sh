#!/usr/bin/env bash
# Every option of a recipe: one worker trains a model; three workers of which one is killed with kill -9, gone on with by two of two threads that
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
for line in "${recipes[@]}"; do
  name=$(xargs <<<"${line%%|*}") run=${line%%|*}
  run=${run//[^a-z]/}
  read -r -a given <<<"${line#*|}"
  options=("${base[@]}")
  for ((i = 0; i < ${#given[@]}; ++i)); do
    [[ ${given[i]} == --batch || ${given[i]} == --epochs ]] || continue
    for ((j = 0; j < ${#options[@]}; ++j)); do
      [[ ${options[j]} != "${given[i]}" ]] || options=("${options[@]:0:j}" "${options[@]:j+2}")
    done
  done
  options+=("${given[@]}")
  train "$run" 1 1
  start "$run-killed" 3 1
  wait_for_step "$run-killed" 3
  mapfile -t pids < <(workers_of "$job")
  kill -KILL "${pids[1]}"
  if finish; then fail "$name: the job went on without its worker" "$work/$run-killed.log"; fi
  step=$(newest_checkpoint "$work/$run-killed")
  [[ ! -e $work/$run-killed/model.safetensors ]] || fail "$name: killed too late, at step $step"
  train "$run-killed" 2 2 --exchange messages
  same_run "$run" "$run-killed"
  hash=$(hash_of "$run")
  [[ $hashes != *$hash* ]] || fail "$name: the same model as another recipe's"
  hashes+=" $hash"
  printf '%-13s %s  killed after step %2d  %s\n' "$name" "${hash:0:16}" "$step" "$(tail -n 1 "$work/$run/metrics.csv" | cut -d , -f 3-6)"
  rm -rf "${work:?}/$run"*
done
pass "${#recipes[@]} recipes"
