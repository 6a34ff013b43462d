#!/usr/bin/env bash
# report.sh: `train` leaves report.html and samples.json, the same samples on any workers; `report` draws one run and several.
# report.sh browser: headless Chromium shows the page without a script error or a request to the network; skipped where it is not installed.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"

browser=
if [[ ${1:-} == browser ]]; then
  browser=$(command -v chromium || command -v chromium-browser || true)
  if [[ -z $browser ]]; then
    echo "SKIPPED: the page is looked at with Chromium, which is not installed (apt-get install chromium)"
    rm -rf "$work"
    trap - EXIT
    exit 77
  fi
fi

options=(--model mlp --hidden 16 --batch 48 --lanes 4 --epochs 3 --validation-fraction 0.2 --limit 500)
train one 1 1
page=$work/one/report.html
[[ -s $page && -s $work/one/samples.json ]] || fail "train left no report.html or no samples.json" "$work/one.log"

# steps_of RUN: a steps.jsonl as training writes it, of 3 epochs of 9 steps.
steps_of() {
  awk 'BEGIN { for (s = 1; s <= 27; s++) printf "{\"step\":%d,\"epoch\":%d,\"loss\":%.3f,\"learning_rate\":0.01,\"gradient_norm\":%.2f," \
    "\"samples\":48,\"seconds\":0.01,\"compute_seconds\":0.006,\"data_wait_seconds\":0.001,\"exchange_seconds\":0.001,\"update_seconds\":0.001}\n",
    s, int((s + 8) / 9), 2 / s, 3 / s }' >"$work/$1/steps.jsonl"
}

# look NAME [OPTION...]: what Chromium makes of $page: $work/NAME.html (the document once its script has run), NAME.log and NAME.json (what it asked for).
look() {
  local name=$1
  timeout -k 5 100 "$browser" --headless --no-sandbox --disable-gpu --user-data-dir="$work/profile" --disable-background-networking \
    --disable-component-update --no-first-run --enable-logging=stderr --log-net-log="$work/$name.json" --virtual-time-budget=3000 \
    --window-size=1280,3000 "${@:2}" "file://$page" </dev/null >"$work/$name.html" 2>"$work/$name.log" ||
    fail "Chromium ended with exit code $?" "$work/$name.log"
}

if [[ $browser ]]; then
  steps_of one
  expect_code 0 'report.html' report.log "$lockstep" report "$work/one"
  look page --dump-dom
  ! grep CONSOLE "$work/page.log" || fail "the page has an error"
  # The script adds a cursor to each chart, at its end.
  charts=$(grep -o '<figure' "$work/page.html" | wc -l)
  cursors=$(grep -o 'class="cursor"' "$work/page.html" | wc -l)
  curves=$(grep -oE 'class="line" d="M[0-9. ]+L' "$work/page.html" | wc -l)
  ((charts == 6 && cursors == charts)) || fail "$charts charts of 6, $cursors with a cursor"
  ((curves >= charts)) || fail "$curves curves in $charts charts"
  # What Chromium itself asks its maker is not the page's.
  requested=$(grep -oE '"url":"(https?|ftp|wss?):[^"]*"' "$work/page.json" | grep -vE '"https?://[a-z0-9.-]*(google|googleapis|gvt1)[.]com/' || true)
  [[ -z $requested ]] || fail "the page asked for $requested"
  # The same check does find a page that asks for something.
  sed -e 's/<meta http-equiv="Content-Security-Policy"[^>]*>//' -e 's|<main>|<main><img src="http://127.0.0.1:9/x.png">|' "$page" >"$work/asking.html"
  page=$work/asking.html look asks --dump-dom
  grep -q '"url":"http://127.0.0.1:9/x.png"' "$work/asks.json" || fail "a request went unnoticed"
  for scheme in 0 1; do # 0: dark
    look "shot$scheme" --screenshot="$work/shot$scheme.png" --blink-settings=preferredColorScheme=$scheme
    (($(stat -c %s "$work/shot$scheme.png") > 50000)) || fail "the screenshot is empty" "$work/shot$scheme.log"
  done
  ! cmp -s "$work/shot0.png" "$work/shot1.png" || fail "dark and light look alike"
  pass "$curves curves in $charts charts, light and dark"
  exit 0
fi

train three 3 2 --exchange messages
cmp "$work/one/samples.json" "$work/three/samples.json" || fail "the samples differ on three workers"
same_run one three
grep -q '<h2>Confusion matrix</h2>' "$page" || fail "no confusion matrix in $page"
(($(grep -o '<img src="data:image/png' "$page" | wc -l) == 24)) || fail "not 24 pictures in $page"
train other 1 1 --lr 0.05
steps_of other
(cd "$work" && expect_code 0 '^report.html$' several.log "$lockstep" report one other)
grep -q '<h1>2 runs</h1>' "$work/report.html" || fail "no table of two runs"
expect_code 0 "$work/page.html" out.log "$lockstep" report "$work/other" --out "$work/page.html"
grep -q 'training, step by step' "$work/page.html" || fail "no curve of steps.jsonl"
expect_code 2 'nowhere holds no metrics.jsonl' no-run.log "$lockstep" report "$work/nowhere"
expect_code 2 'run folder' none.log "$lockstep" report
pass "samples and pages, of one run and of two"
