"""Draws what step.json holds of each workload and setting: the ratio, and samples a second, peak memory and start-up time of both.

  figure.py step.json step.svg
"""

import json
import sys

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402

plt.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "lockstep", "font.size": 10})
NAMES = {"1x1": "1 worker × 1 thread", "2x1": "2 workers × 1 thread", "1x2": "1 worker × 2 threads"}
PANELS = [("samples_per_second", "samples/s"), ("memory_mb", "peak memory, MiB"), ("start_s", "first step after, s")]


def draw_ratio(axes, rows, places, width):
    for setting, at in places.items():
        own = [row for row in rows if row["setting"] == setting]
        x = [at[row["workload"]] for row in own]
        ratio = [row["ratio"] for row in own]
        spread = [[row["ratio"] - row["ratio_min"] for row in own], [row["ratio_max"] - row["ratio"] for row in own]]
        axes.bar(x, ratio, 0.9 * width, yerr=spread, label=NAMES[setting], error_kw={"linewidth": 1, "capsize": 2})
        axes.plot(x, [row["default_ratio"] for row in own], "k_", markersize=9,
                  label="at the default number of lanes" if setting == list(places)[-1] else None)
    axes.axhline(1, color="black", linewidth=0.8)
    axes.set_yscale("log")
    ticks = [tick for tick in (0.5, 1, 1.5, 2, 3, 4, 6, 8, 12, 16, 24) if tick <= 1.2 * max(row["ratio_max"] for row in rows)]
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.set_ylabel("samples/s over PyTorch's")
    axes.legend(fontsize=8)


def draw_both(axes, rows, places, width, name, label):
    """Lockstep's bars filled, PyTorch's as outlines around them."""
    for number, (setting, at) in enumerate(places.items()):
        own = [row for row in rows if row["setting"] == setting]
        x = [at[row["workload"]] for row in own]
        axes.bar(x, [row[f"lockstep_{name}"] for row in own], 0.6 * width, color=f"C{number}", label="Lockstep" if number == 0 else None)
        axes.bar(x, [row[f"torch_{name}"] for row in own], 0.9 * width, fill=False, edgecolor="black", linewidth=0.8,
                 label="PyTorch" if number == 0 else None)
    axes.set_yscale("log")
    axes.set_ylim(top=4 * axes.get_ylim()[1])  # room for the legend
    axes.set_ylabel(label)
    axes.legend(fontsize=8, ncols=2)


def main():
    rows = json.load(open(sys.argv[1], encoding="utf-8"))["rows"]
    settings = [setting for setting in NAMES if any(row["setting"] == setting for row in rows)]
    workloads = list(dict.fromkeys(row["workload"] for row in rows))
    width = 0.8 / len(settings)
    places = {setting: {name: i + (s - (len(settings) - 1) / 2) * width for i, name in enumerate(workloads)}
              for s, setting in enumerate(settings)}
    figure, axes = plt.subplots(1 + len(PANELS), figsize=(9, 12), layout="constrained", sharex=True)
    draw_ratio(axes[0], rows, places, width)
    for panel, (name, label) in zip(axes[1:], PANELS):
        draw_both(panel, rows, places, width, name, label)
    axes[-1].set_xticks(range(len(workloads)), workloads)
    figure.savefig(sys.argv[2], metadata={"Date": None})


main()
