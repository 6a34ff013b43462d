#!/usr/bin/env bash
# hashes.sh MODEL LANES: the same parameters after every epoch, and the same model file, on any number of workers and threads,
# by shared memory and by messages.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
model=$1 lanes=$2
# A prime number of samples: the last steps of an epoch are short, and some lanes get fewer samples than others.
samples=751
[[ $model != mlp ]] || samples=1501
options=(--model "$model" --batch 48 --lanes "$lanes" --limit "$samples" --epochs 2 --seed 7 --lr 0.05 --momentum 0.9)
case $model in
  mlp) options+=(--dropout 0.2 --batch-norm --hidden "96,40") ;;
  cnn) options+=(--dropout 0.2 --batch-norm) ;;
  resnet20) options+=(--depth 1 --width 4) ;;
esac

printf 'model %s, %s lanes, %s samples, 2 epochs; m: by messages\n%-3s %-3s %-4s %-16s %s\n' "$model" "$lanes" "$samples" P T s 'SHA-256 of model' 'parameter hash of each epoch'
first=''
base=("${options[@]}")
for threads in 1 2; do
  counts=(1 2 3 4 5 7 8 2m 3m 5m)
  ((threads == 1)) || counts=(1 2 3 7 2m 3m)
  for workers in "${counts[@]}"; do
    ((${workers%m} <= lanes)) || continue
    run=p$workers-t$threads
    begin=$SECONDS
    options=("${base[@]}")
    [[ $workers != *m ]] || options+=(--exchange messages)
    train "$run" "${workers%m}" "$threads"
    epochs=''
    for hash in $(hashes_of "$run"); do epochs+="${hash:0:16} "; done
    hash=$(hash_of "$run")
    printf '%-3s %-3s %-4s %-16s %s\n' "$workers" "$threads" $((SECONDS - begin)) "${hash:0:16}" "$epochs"
    first=${first:-$run}
    [[ $(epochs_of "$run") == 2 ]] || fail "metrics.csv of $run does not hold 2 epochs" "$work/$run/metrics.csv"
    same_run "$first" "$run"
  done
done
epochs=$(hashes_of "$first")
[[ ${epochs%% *} != "$(cut -d ' ' -f 2 <<<"$epochs")" ]] || fail "the parameters did not change in the second epoch"
pass "one model"
