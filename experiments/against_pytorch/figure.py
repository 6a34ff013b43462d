"""Draws the ratios of step.json as bars with their spread:  figure.py step.json step.svg"""

import json
import sys

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402

plt.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "lockstep", "font.size": 10})
NAMES = {"1x1": "1 worker × 1 thread", "2x1": "2 workers × 1 thread", "1x2": "1 worker × 2 threads"}


def main():
    rows = json.load(open(sys.argv[1], encoding="utf-8"))["rows"]
    settings = [setting for setting in NAMES if any(row["setting"] == setting for row in rows)]
    workloads = list(dict.fromkeys(row["workload"] for row in rows))
    figure, axes = plt.subplots(figsize=(9, 4), layout="constrained")
    width = 0.8 / len(settings)
    for s, setting in enumerate(settings):
        own = {row["workload"]: row for row in rows if row["setting"] == setting}
        at = [workloads.index(name) + (s - (len(settings) - 1) / 2) * width for name in own]
        ratio = [row["ratio"] for row in own.values()]
        spread = [[row["ratio"] - row["ratio_min"] for row in own.values()], [row["ratio_max"] - row["ratio"] for row in own.values()]]
        axes.bar(at, ratio, 0.9 * width, yerr=spread, label=NAMES[setting], error_kw={"linewidth": 1, "capsize": 2})
        axes.plot(at, [row["default_ratio"] for row in own.values()], "k_", markersize=9, label="at the default number of lanes" if s == 0
                  else None)
    axes.axhline(1, color="black", linewidth=0.8)
    axes.set_yscale("log")
    ticks = [tick for tick in (0.5, 1, 1.5, 2, 3, 4, 6, 8, 12, 16, 24) if tick <= 1.2 * max(row["ratio_max"] for row in rows)]
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.set_xticks(range(len(workloads)), workloads)
    axes.set_ylabel("samples/s: Lockstep over PyTorch")
    axes.legend()
    figure.savefig(sys.argv[2], metadata={"Date": None})


main()
