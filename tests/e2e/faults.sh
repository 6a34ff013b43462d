#!/usr/bin/env bash
# A fault on one worker alone: within 5 s the whole job has ended with the exit code of the cause, and one line names rank, host, step and reason.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
"${CC:-cc}" -shared -fPIC -O1 -o "$work/fault.so" "$(dirname "$0")/fault.c" -ldl >"$work/cc.log" 2>&1 || fail "fault.c does not compile" "$work/cc.log"
options=(--model cnn --batch 48 --lanes 8 --epochs 500 --checkpoint-every 5)
here=$(hostname -s)

# ends NAME CODE RANK TEXT: the job must end with CODE, at most 5 s after the line "rank RANK (HOST)TEXT", TEXT being a regular expression.
ends() {
  local name=$1 code=$2 text="^rank $3 \($here\)$4" rc=0 line='' begin end=$((SECONDS + 60)) took
  until line=$(grep -Em 1 "$text" "$work/$name.log"); do
    kill -0 "$job" 2>/dev/null || break
    ((SECONDS < end)) || fail "$name: no such line within 60 s: $text" "$work/$name.log"
    sleep 0.05
  done
  begin=${EPOCHREALTIME/./}
  finish || rc=$?
  ((rc == code)) || fail "$name: exit code $rc instead of $code" "$work/$name.log"
  line=$(grep -Em 1 "$text" "$work/$name.log") || fail "$name: no such line: $text" "$work/$name.log"
  took=$(((${EPOCHREALTIME/./} - begin) / 1000))
  ((took < 5000)) || fail "$name: the job ended $took ms after the line" "$work/$name.log"
  pass "$name: exit code $rc, $took ms after: $line"
}

# A shard that is damaged on one worker's disk.
cp -a "$E2E_DATA" "$work/data"
shard=$(printf '%s\n' "$work"/data/train/shard-*.h5 | tail -n 1)
size=$(stat -c %s "$shard")
head -c 64 /dev/urandom | dd of="$shard" bs=1 seek=$((size / 4)) conv=notrunc status=none
mapfile -t mpi < <(mpi_line 1)
worker=("$lockstep" train --run "$work/shard" --threads 1 --quiet "${options[@]}")
timeout -k 5 100 "${mpi[@]}" "${worker[@]}" --data "$E2E_DATA" : -n 1 "${worker[@]}" --data "$work/data" </dev/null >"$work/shard.log" 2>&1 &
job=$!
ends shard 3 1 ", step [0-9]+: $(basename "$shard"): rows [0-9.]+ of /features"

# An op that fails in the middle of a step.
export FAULT=1:op:400 LD_PRELOAD=$work/fault.so
start op 2 1
unset LD_PRELOAD
ends op 1 1 ', step [0-9]+: .* of lane [0-9]+: '

# The same on rank 0 while a checkpoint is being written, which takes longer than anybody should wait.
export FAULT=0:slow:45,0:op:400 LD_PRELOAD=$work/fault.so
begin=$SECONDS
start writing 2 1
unset LD_PRELOAD
ends writing 1 0 ', step [0-9]+: .* of lane [0-9]+: '
((SECONDS - begin < 45)) || fail "the fault was told once the checkpoint was written" "$work/writing.log"

# A loss that is no number, while the checkpoint before takes long to be written: it is kept.
export FAULT=0:slow:2 LD_PRELOAD=$work/fault.so
before=("${options[@]}")
options=(--model mlp --hidden "64,32" --activation elu --lr 1e6 --batch 48 --lanes 8 --epochs 3 --checkpoint-every 1)
start diverged 2 1
options=("${before[@]}")
unset LD_PRELOAD
ends diverged 6 0 ', step [0-9]+: the loss is no longer a finite number'
compgen -G "$work/diverged/checkpoints/step-*.h5" >/dev/null || fail "no checkpoint was kept" "$work/diverged.log"

# The same, found at an epoch's end alone: batch norm and ReLU make a loss that is a number of parameters that are none.
export FAULT=0:slow:2 LD_PRELOAD=$work/fault.so
options=(--model mlp --hidden 32 --batch-norm --batch 64 --lanes 2 --lr 150 --epochs 15 --checkpoint-every 16)
start normed 2 1
options=("${before[@]}")
unset LD_PRELOAD
ends normed 6 0 ', step [0-9]+: the update made [a-z0-9._]+ infinite or NaN'
if grep -q 'step 3[12]: the update made' "$work/normed.log"; then # on some processors it may be so before the checkpoint
  compgen -G "$work/normed/checkpoints/step-*.h5" >/dev/null || fail "no checkpoint was kept" "$work/normed.log"
fi

# No space for the end of rank 0's third checkpoint of 9.6 MB; the ones before stay.
export FAULT=0:full:25 LD_PRELOAD=$work/fault.so
start full 2 1
unset LD_PRELOAD
ends full 4 0 ', step [0-9]+: .*step-.*No space left on device'
[[ -s $work/full/checkpoints/step-000000005.h5 ]] || fail "the checkpoint before is gone"
compgen -G "$work/full/checkpoints/*.tmp" >/dev/null && fail "half a file was left behind"

# No memory for one worker in the middle of training, which wants some now and then for the data that it reads again.
export FAULT=1:memory:10 LD_PRELOAD=$work/fault.so
start memory 2 1 --cache 1MiB
unset LD_PRELOAD
ends memory 5 1 ', step [0-9]+: .*out of memory'

# None for a checkpoint's bytes: that is no fault of the data either.
before=("${options[@]}")
options=(--model mlp --hidden 512 --batch 48 --lanes 8 --epochs 500 --checkpoint-every 5)
for wish in 6 8; do
  export FAULT=0:memory:$wish LD_PRELOAD=$work/fault.so
  start "memory$wish" 1 1
  unset LD_PRELOAD
  ends "memory$wish" 5 0 ', step [0-9]+: out of memory'
done
options=("${before[@]}")

# A checkpoint that takes longer to write than the deadline: nobody takes rank 0 for lost, neither in between nor at the end. The last one is
# also the best.
export FAULT=0:slow:3 LD_PRELOAD=$work/fault.so
options=(--model mlp --hidden 16 --batch 48 --lanes 8 --epochs 1 --validation-fraction 0.1 --checkpoint-every 5 --deadline 2s)
train slow 2 1
unset LD_PRELOAD
pass "a checkpoint slower than the deadline: $(hash_of slow)"
