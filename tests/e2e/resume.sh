#!/usr/bin/env bash
# A worker killed with kill -9 in the middle of an epoch, and the run gone on with on another number of workers: the same run.
# Then the same with the newest checkpoint damaged: the one before is used, and says so.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
options=(--model cnn --dropout 0.2 --batch-norm --batch 48 --lanes 8 --limit 1501 --epochs 2 --seed 3 --validation-fraction 0.1 --checkpoint-every 5 --keep 4)
train whole 2 1

start killed 3 1
wait_for_step killed 10 # an epoch has 29 steps
mapfile -t pids < <(workers_of "$job")
((${#pids[@]} == 3)) || fail "found ${#pids[@]} workers instead of 3" "$work/killed.log"
kill -KILL "${pids[1]}"
if finish; then fail "the job went on without its worker" "$work/killed.log"; fi
step=$(newest_checkpoint "$work/killed")
((step < 28)) || fail "killed too late, at step $step"
pass "killed after step $step"

cp -a "$work/killed" "$work/damaged"
train killed 2 2
same_run whole killed
pass "gone on with 3 workers' run on 2: the same run"

newest=$(printf '%s\n' "$work"/damaged/checkpoints/step-*.h5 | tail -n 1)
middle=$(($(stat -c %s "$newest") / 2))
byte=$(od -An -tu1 -j "$middle" -N 1 "$newest")
# shellcheck disable=SC2059 # the format is the byte
printf "\\x$(printf %02x $((byte ^ 255)))" | dd of="$newest" bs=1 seek="$middle" conv=notrunc status=none
train damaged 1 1
grep -q "$(basename "$newest")" "$work/damaged.log" || fail "no word about the damaged $(basename "$newest")" "$work/damaged.log"
same_run whole damaged
pass "one byte of step $step's checkpoint flipped: $(grep -m 1 "$(basename "$newest")" "$work/damaged.log")"
