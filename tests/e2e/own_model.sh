#!/usr/bin/env bash
# A user's own program, built against the installed package, trains under mpirun; the stock program evaluates its run and goes on with it,
# bit for bit.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
: "${LOCKSTEP_BUILD:?is set by ctest}"

log=$work/build.log
{
  cmake --install "$LOCKSTEP_BUILD" --prefix "$work/prefix" &&
    cmake -S experiments/own_model -B "$work/build" -DCMAKE_PREFIX_PATH="$work/prefix" -DCMAKE_BUILD_TYPE=Release &&
    cmake --build "$work/build"
} >"$log" 2>&1 || fail "own_model was not built against the installed package" "$log"
own=$work/build/own_model
expect_code 0 "lockstep" version.log "$work/prefix/bin/lockstep" --version

common=(--data "$E2E_DATA" --batch 48 --lanes 6 --limit 241 --seed 3 --threads 1 --quiet)
mapfile -t mpi < <(mpi_line 2)
expect_code 0 'parameter hash' whole.log "${mpi[@]}" "$own" "${common[@]}" --epochs 2 --run "$work/whole"
expect_code 0 'parameter hash' part.log "${mpi[@]}" "$own" "${common[@]}" --epochs 1 --run "$work/part"

lockstep=$work/prefix/bin/lockstep
expect_code 0 '^test accuracy ' evaluate.log "$lockstep" evaluate --run "$work/part" --data "$E2E_DATA"
[[ $(grep '^test accuracy ' "$work/part.log") == $(grep '^test accuracy ' "$work/evaluate.log") ]] || fail "another accuracy" "$work/evaluate.log"
for epochs in 2 2; do # the second time there is nothing left to do
  expect_code 0 'parameter hash' resume.log "$lockstep" train --config "$work/part/config.ini" --epochs "$epochs"
done
same_run whole part

expect_code 0 'own_model --data' help.log "$own" --help
expect_code 2 'unknown option --model' option.log "$own" "${common[@]}" --run "$work/other" --model mlp
expect_code 3 'missing' data.log "$own" --data "$work/missing" --run "$work/other"
pass "the same model from both programs: $(hash_of part)"
