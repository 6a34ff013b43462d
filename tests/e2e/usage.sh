#!/usr/bin/env bash
# Mistakes of the user: exit code 2 for options, 3 for data, and a message that names what is wrong.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
train=("$lockstep" train --data "$E2E_DATA" --run "$work/run" --quiet)
expect_code 2 'frobnicate' unknown-command.log "$lockstep" frobnicate
expect_code 2 'did you mean train' misspelt-command.log "$lockstep" trian
expect_code 2 'did you mean --batch\?' misspelt-option.log "${train[@]}" --bacth 48
expect_code 2 'no-such-option' unknown-option.log "${train[@]}" --model mlp --batch 48 --no-such-option
expect_code 2 'batch' no-batch.log "${train[@]}" --model mlp --batch 0
expect_code 2 'batch' not-a-number.log "${train[@]}" --model mlp --batch many
expect_code 2 'elephant' no-model.log "${train[@]}" --model elephant --batch 48
expect_code 2 'hidden is for the model mlp; cnn has no such option' not-its-option.log "${train[@]}" --model cnn --batch 48 --hidden 32
expect_code 2 'look like .height, width, channels.*' channels.log "$lockstep" plan --model cnn --sample 28,28,3
expect_code 2 'afresh says what not to take' afresh.log "${train[@]}" --model mlp --batch 48 --afresh 'x.*'
expect_code 0 'nodes' grey.log "$lockstep" plan --model resnet20 --sample 28,28 --loss sigmoid-cross-entropy --write-model "$work/grey.json"
expect_code 2 'grey.json says what its loss is' loss.log "${train[@]}" --model "$work/grey.json" --batch 48 --loss squared-error
expect_code 2 'dropout is for the model mlp or cnn; .*grey.json has no such option' file.log "${train[@]}" --model "$work/grey.json" --batch 48 --dropout 0.1
expect_code 2 'a checkpoint of them take at least [0-9]+ GiB' no-memory.log "${train[@]}" --model mlp --hidden 2000000000
expect_code 2 'lanes' too-many-lanes.log "${train[@]}" --model mlp --batch 4 --lanes 8
expect_code 2 'dropout' dropout.log "${train[@]}" --model mlp --batch 48 --dropout 1.5
expect_code 2 'penalty|l3' penalty.log "${train[@]}" --model mlp --batch 48 --penalty l3:1
expect_code 2 'layers.0.weight' pattern.log "${train[@]}" --model mlp --batch 48 --penalty 'l1:1@conv*'
expect_code 2 'adamw' optimizer.log "${train[@]}" --model mlp --batch 48 --optimizer adam
expect_code 2 'one-cycle' schedule.log "${train[@]}" --model mlp --batch 48 --schedule linear
expect_code 2 '10 classes' class-weights.log "${train[@]}" --model mlp --batch 48 --class-weights 1,2
expect_code 2 'shear' augment.log "${train[@]}" --model mlp --batch 48 --augment shear
expect_code 3 'no-such-folder' no-data.log "$lockstep" train --data "$work/no-such-folder" --run "$work/run" --model mlp --batch 48
expect_code 3 'no-such-folder' inspect.log "$lockstep" inspect "$work/no-such-folder"
mapfile -t mpi < <(mpi_line 3)
expect_code 2 'lanes' more-workers-than-lanes.log "${mpi[@]}" "${train[@]}" --model mlp --batch 48 --lanes 2
expect_code 0 'train' help.log "$lockstep" --help
expect_code 0 'lanes' train-help.log "$lockstep" train --help
[[ ! -e $work/run/checkpoints ]] || fail "a refused run left checkpoints"

# A damaged shard.
cp -a "$E2E_DATA" "$work/data"
shard=$(printf '%s\n' "$work"/data/train/shard-*.h5 | tail -n 1)
size=$(stat -c %s "$shard")
head -c 4096 /dev/urandom | dd of="$shard" bs=1 seek=$((size / 2)) conv=notrunc status=none
expect_code 3 "$(basename "$shard")" damaged.log "$lockstep" train --data "$work/data" --run "$work/run" --model mlp --batch 48 --epochs 1 --quiet
truncate -s $((size / 2)) "$shard"
expect_code 3 "$(basename "$shard")" cut.log "$lockstep" train --data "$work/data" --run "$work/run" --model mlp --batch 48 --epochs 1 --quiet

# One task of a bigger Slurm job that was not started as a worker of it would train alone, each on the same run folder.
expect_code 2 'srun|mpirun' slurm.log env SLURM_PROCID=0 SLURM_NTASKS=4 SLURM_STEP_ID=0 SLURM_STEP_NUM_TASKS=4 \
  "${train[@]}" --model mlp --batch 48
pass "each mistake has its exit code and its name"
