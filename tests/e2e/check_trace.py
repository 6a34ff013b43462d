"""trace.json: complete events that do not overlap on their track, the tracks of every worker, and the steps that were asked for.

check_trace.py FILE FIRST STEPS LANES WORKERS THREADS"""
import json
import sys

file, (first, steps, lanes, workers, threads) = sys.argv[1], map(int, sys.argv[2:])
trace = json.load(open(file))
events = trace["traceEvents"]
assert {e["ph"] for e in events} == {"M", "X"}, "other events than names and complete ones"
names = {(e["pid"], e["tid"]): e["args"]["name"] for e in events if e["name"] == "thread_name"}
assert {e["pid"] for e in events if e["name"] == "process_name"} == set(range(workers)), "a process a worker"
assert sorted(n for n in names.values() if n.startswith("lane")) == sorted(f"lane {v}" for v in range(lanes)), names
for worker in range(workers):
    mine = {name for (pid, _), name in names.items() if pid == worker}
    assert {"reader", "writer"} | {f"network, thread {t}" for t in range(threads)} <= mine, mine

tracks = {}
for e in events:
    if e["ph"] == "X":
        assert e["ts"] >= 0 and e["dur"] >= 0, e
        tracks.setdefault((e["pid"], e["tid"]), []).append(e)
asked = set(range(first, first + steps))
for key, spans in tracks.items():
    spans.sort(key=lambda e: e["ts"])
    for a, b in zip(spans, spans[1:]):
        assert a["ts"] + a["dur"] <= b["ts"] + 0.002, f"{names[key]}: {a} and {b} overlap"  # written to the nanosecond
    found = {e["args"]["step"] for e in spans}
    assert found <= asked, f"{names[key]}: steps {found}"
    if names[key].startswith(("lane", "reader")):
        assert found == asked, f"{names[key]}: steps {found} instead of {asked}"
assert {names[k] for k in tracks if names[k].startswith("lane")} == {f"lane {v}" for v in range(lanes)}
updates = [e for k, spans in tracks.items() if names[k].startswith("network") for e in spans if e["name"].startswith("sum and update")]
assert {e["args"]["step"] for e in updates} == asked, "each step has updates"
assert any(e["name"] == "write checkpoint" for k, spans in tracks.items() if names[k] == "writer" for e in spans), "no checkpoint"
print(f"ok: trace.json: {sum(map(len, tracks.values()))} spans on {len(names)} tracks, steps {first} to {first + steps - 1}")
