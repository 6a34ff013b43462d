#!/usr/bin/env bash
# Bad inputs, a line each: the exit code, what the message must say, and the command. The table in tests/README.md tells them in words.
# Every command runs with little memory to ask for, so that a forged size cannot get it.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$work"
lockstep=$(realpath "$lockstep")
"$LOCKSTEP_BUILD/tests/e2e/bad_files" .
count=0

# bad CODE TEXT COMMAND...: `lockstep COMMAND` must end so.
bad() {
  local want=$1 text=$2
  shift 2
  count=$((count + 1))
  # shellcheck disable=SC2016 # the inner shell's own arguments
  expect_code "$want" "$text" "$count-$1.log" bash -c 'ulimit -v 4000000; exec "$@"' bash "$lockstep" "$@"
  ! grep -E 'unforeseen|bad_alloc|terminate called' "$work/$count-$1.log" || fail "an error that nobody foresaw: lockstep $*" "$work/$count-$1.log"
}
fields=(--input /x --target /y)
train=(train --run run --quiet --threads 1 --epochs 1 --batch 16 --lanes 2)

# ---- tables: table TEXT, then import ----
table() { printf '%b' "$1" >t.csv; }
csv() { bad "$1" "$2" import csv --data t.csv --out csv "${@:3}"; }
table ''
csv 3 't.csv: is empty'
table 'a,b,c\n'
csv 3 'holds no rows'
table 'a,b\n1,2\n1,2,3\n'
csv 3 't.csv, line 3: has 3 cells, but there are 2 columns'
table 'a,b\n1,"x\n2,y\n'
csv 3 'line 2: a quote does not end'
table 'a,b\n1,x\0y\n'
csv 3 'line 2: holds a NUL byte'
table '\xff\xfea\0,\0b\0\n\0'
csv 3 'NUL byte.*UTF-8'
table 'a,b\n1,\n'
csv 3 "line 2: the column 'b' has no value"
table 'a,b\ncat,1\n2,2\n'
csv 3 "line 2: the column 'a' holds 'cat'"
table 'a,b\n1e999,1\n2,2\n'
csv 3 "1e999|NaN or infinite"
table 'a,b\n1,0\ninf,1\n2,0\n'
csv 3 'NaN or infinite'
table '\n  \n1'
csv 2 'no column is left'
table 'a,b\n1,0\n2,1\n'
csv 2 "there is no column 'c'" --target c
table '\xef\xbb\xbfa,b\r\n1,0\r\n2,1\r\n'
csv 0 '2 training' --task classification
table 'a,a,b\n1,2,0\n'
csv 3 "line 1: the columns 1 and 2 are both named 'a'"
table 'a,b\n1,cat\n2,dog\n'
csv 3 "line 3: the column 'b' holds 'dog', which is not among those of --classes: cat, eel" --classes cat,eel
csv 2 "'cat' is there twice" --classes cat,dog,cat
csv 2 'neither --target nor --classes is for it' --no-target --target b
table 'a,b\n1,1\n2,2\n'
csv 3 'cannot be told which of the 3 classes x,y,z is whose name: the labels are 1, 2' --classes x,y,z
head -c 17000000 /dev/zero | tr '\0' 1 | gzip -1 >t.csv
csv 3 'longer than 16 MiB'
rm t.csv && mkdir t.csv
csv 3 'no such file, or it cannot be read'
rmdir t.csv && ln -s t.csv t.csv
csv 3 'symbolic links'

# ---- IDX: header FILE BYTES..., in hexadecimal ----
idx() {
  local bytes
  mapfile -t bytes < <(fold -w 2 <<<"$2")
  printf '%b' "${bytes[@]/#/\\x}" >"$1"
}
images() { bad "$1" "$2" import idx --images images --labels labels --out idx; }
idx labels 000008010000000201
idx images 0000080300000002000000010000000107
images 3 'labels: announces 2 x 1 bytes, but ends after 1|images: announces 2 x 1'
idx images 00000803ffffffff0000ffff0000ffff
images 3 'announces an array|ends after'
idx images 00000d03000000020000000100000001
images 3 'type 0x0d with 3 axes, but type 0x08'
idx images 000008010000000201
images 3 'with 1 axes'
idx images 1f8b0800
images 3 'damaged or cut short|is not an IDX file'
: >images
images 3 'is not an IDX file'

# ---- numpy's arrays ----
npy() { printf '\x93NUMPY\x01\x00\x80\x00%-128s%s' "{'descr': '$1', 'fortran_order': False, 'shape': $2, }" "${3:-12345678}" >x.npy; }
array() { bad "$1" "$2" import npy --input x.npy --out npy; }
npy '<f4' '(1152921504606846976, 2)'
array 3 'announces an array of \[1152921504606846976, 2\], but holds 8 bytes'
npy '<f4' '(1, 1099511627776)'
array 3 'announces an array'
npy '<f4' '(99999999999999999999, 2)'
array 3 'cannot be counted'
npy '<f4' '(-2, 2)'
array 3 'not one of an array of numbers'
npy '|O' '(2, 2)'
array 3 "type '.O'"
npy '<f4' '(0, 2)'
array 3 'holds no rows'
npy '<f4' '(2, 1)' "$(printf '\xff\xff\xff\xff\x01\x01\x01\x01')"
array 3 'NaN or infinite'

# ---- HDF5 made elsewhere ----
data() { bad "$1" "$2" "${train[@]}" --data "$3" "${@:4}"; }
data 3 '/x holds 1 values that are NaN or infinite, the first in row 10 of .*nan.h5' nan.h5 "${fields[@]}"
data 3 '/x holds 1 values that are NaN or infinite, the first in row 10 of .*infinite.h5' infinite.h5 "${fields[@]}"
data 3 '/x holds 1 values that are NaN or infinite, the first in row 10 of .*nan.h5' good.h5 "${fields[@]}" --validation nan.h5
data 3 '/x holds 1 values that are NaN or infinite, the first in row 10 of .*nan.h5' good.h5 "${fields[@]}" --test nan.h5
data 3 'holds the class -1 in row 63' negative-label.h5 "${fields[@]}"
data 3 'holds the class 2000000000' great-label.h5 "${fields[@]}"
data 3 'holds the class 17 in row 63.*3 outputs' good.h5 "${fields[@]}" --validation other-label.h5
data 3 '/text holds text or a compound' strange.h5 --input /text --target /y
data 3 '/scalar holds no rows' strange.h5 --input /scalar --target /y
data 3 '/empty holds no rows' strange.h5 --input /empty --target /y
data 3 '/y has 64 rows, but /short has 63|/short has 63 rows' strange.h5 --input /short --target /y
data 3 'no whole number' strange.h5 --input /y:real --target /halves:index
data 2 'needs images' strange.h5 --input /wide --target /y --model cnn
data 3 '/rows claims to be \[1152921504606846976, 4\]' strange.h5 --input /rows --target /y
data 3 '/row claims to be' strange.h5 --input /row --target /y
data 3 '/both claims to be' strange.h5 --input /both --target /y
: >empty.h5
data 3 'cannot be opened as an HDF5 file' empty.h5 "${fields[@]}"
head -c 3000 good.h5 >cut.h5
data 3 'cut.h5: ' cut.h5 "${fields[@]}"
ln -s loop.h5 loop.h5
data 3 'symbolic links|no such file' loop.h5 "${fields[@]}"

# ---- datasets of ours ----
ln -s loop loop
data 3 'symbolic links' loop
bad 3 'symbolic links' inspect loop
mkdir empty
data 3 'holds no shards' empty
cp -r "$E2E_DATA/train" newer
cp good.h5 newer/shard-00000.h5
data 3 'was not written by Lockstep' newer

# ---- weights ----
weights() { bad "$1" "$2" "${train[@]}" --data good.h5 "${fields[@]}" --init w; }
safetensors() { printf '%b%s%s' "\\x$(printf %02x ${#1})\0\0\0\0\0\0\0" "$1" "${2-}" >w; }
safetensors '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}' 1234
weights 4 'missing in the file: layers.0.weight'
safetensors '{"a":{"dtype":"F32","shape":[1152921504606846976],"data_offsets":[0,4]}}' 1234
weights 4 "too large|takes .* bytes"
safetensors '{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}' 1234
weights 4 "has -1 in its 'shape'"
safetensors '{"a":1,"a":2}'
weights 4 'the key "a" comes twice'
printf '\xff\xff\xff\xff\xff\xff\xff\x7f{}' >w
weights 4 'header should be'
printf 'PK' >w
weights 4 'only 2 bytes'
rm w && ln -s w w
weights 4 'symbolic links'

# ---- models ----
model() { printf '%s' "$3" >m.json && bad "$1" "$2" "${train[@]}" --data good.h5 "${fields[@]}" --model m.json; }
deep() { printf "%${1}s" '' | tr ' ' "$2"; }
graph() { printf '{"lockstep_model": 2, "graph": {"nodes": [{"name": "x", "op": "input", "attrs": {"shape": %s}}%s], "outputs": {"loss": "x"}}}' "$1" "${2-}"; }
model 2 'm.json: this is no JSON' ''
model 2 'm.json: .*deeper than 64 levels' "$(deep 100000 '[')"
model 2 'm.json: .*deeper than 64 levels' "{\"lockstep_model\": $(deep 100000 '[')$(deep 100000 ']')}"
model 2 'the key "graph" comes twice' '{"lockstep_model": 2, "graph": {}, "graph": {}}'
model 2 'holds a NUL' "$(graph '[-1]' ', {"name": "a\u0000b"}')"
model 2 'no JSON.*out_of_range|no JSON' "$(graph '[-1, 1e999]')"
model 2 'list of integers' "$(graph '[-1, 9223372036854775807]')"
model 2 'begins with -1' "$(graph '[-1, -4]')"
graph '[-1]' ', {"name": "w", "op": "parameter", "attrs": {"shape": [2000000000, 2000000000], "init": "he"}},
  {"name": "s", "op": "sum", "inputs": ["w"], "attrs": {"axes": [0, 1], "keep": 0}}, {"name": "y", "op": "mul", "inputs": ["x", "s"]}' |
  sed 's/"loss": "x"/"loss": "y"/' >m.json
bad 2 'no tensor can be as large as \[2000000000, 2000000000\]' plan --model m.json
rm m.json && mkdir m.json
bad 2 'Is a directory' "${train[@]}" --data good.h5 "${fields[@]}" --model m.json

# ---- settings ----
config() { printf '%s\n' "$3" >c.ini && bad "$1" "$2" "${train[@]:0:6}" --config c.ini; }
config 2 'unknown option bacth' 'bacth = 3'
config 2 'batch' 'batch = 99999999999999999999'
config 2 'no list of positive numbers' "$(printf 'data = good.h5\ninput = /x\ntarget = /y\nhidden = 99999999999999999999')"
rm c.ini && mkdir c.ini
bad 2 'Is a directory' "${train[@]}" --config c.ini
rmdir c.ini && ln -s c.ini c.ini
bad 2 'symbolic links' "${train[@]}" --config c.ini

# ---- run folders ----
: >file
bad 2 'run folder file cannot' train --data good.h5 "${fields[@]}" --run file --quiet
bad 2 'run folder loop cannot be created' train --data good.h5 "${fields[@]}" --run loop --quiet
mkdir -p torn/checkpoints
printf 'lockstep' >torn/checkpoints/step-000000001.h5
bad 4 'none of the 1 checkpoints in torn.checkpoints can be read' train --data good.h5 "${fields[@]}" --run torn --quiet

# ---- permissions: root may do everything, so these run as nobody ----
unprivileged=()
if ((EUID == 0)) && command -v setpriv >/dev/null; then
  unprivileged=(setpriv --reuid=65534 --regid=65534 --clear-groups)
fi
if ((EUID != 0)) || "${unprivileged[@]}" test -x "$lockstep" -a -x "$work"; then
  mkdir locked readonly && cp good.h5 secret.h5 && chmod 000 locked secret.h5 && chmod 555 readonly
  as_nobody() { expect_code "$1" "$2" "nobody-$((count += 1)).log" "${unprivileged[@]}" "$lockstep" "${@:3}"; }
  as_nobody 3 'locked.*Permission denied' inspect locked
  as_nobody 3 'secret.h5: ' inspect secret.h5
  as_nobody 2 'run folder readonly cannot be written to' train --data good.h5 "${fields[@]}" --run readonly --quiet
  chmod 700 locked
else
  echo "SKIPPED: what cannot be read or written: nobody cannot start $lockstep here"
fi
pass "$count bad inputs have their exit codes and their words"
