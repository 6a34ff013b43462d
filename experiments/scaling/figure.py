"""Draws a result of `run`:  figure.py scaling|exchange RESULT.json FIGURE.svg"""

import json
import sys

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402

plt.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "lockstep", "font.size": 9})
RATES = {"1gbit": 0.125, "100mbit": 0.0125}  # GB/s


def scaling(rows):
    """A column for each workload and mode: samples a second above, where a step's time goes below."""
    columns = list(dict.fromkeys((row["workload"], row["mode"]) for row in rows))
    figure, axes = plt.subplots(2, len(columns), figsize=(3.2 * len(columns), 6), layout="constrained", squeeze=False)
    for (workload, mode), above, below in zip(columns, axes[0], axes[1]):
        own = [row for row in rows if (row["workload"], row["mode"]) == (workload, mode)]
        workers = [row["workers"] for row in own]
        for name, label, color in [("samples_per_second", "Lockstep", "C0"), ("torch_samples_per_second", "PyTorch DDP", "C1")]:
            rate = [row[name] for row in own]
            spread = [[row[name] - row[name + "_min"] for row in own], [row[name + "_max"] - row[name] for row in own]]
            above.errorbar(workers, rate, yerr=spread, marker="o", capsize=3, color=color, label=label)
            above.plot(workers, [rate[0] * w / workers[0] for w in workers], "--", color=color, linewidth=0.8, label=f"{label}, ideal")
        above.set_title(f"{workload}, {mode}")
        above.set_ylim(bottom=0)
        above.set_xticks(workers)
        above.set_ylabel("samples/s")
        above.legend(fontsize=7)
        bottom = [0.0] * len(own)
        at = range(len(own))
        for name, label in [("compute_ms", "compute"), ("exposed_ms", "exposed communication"), ("data_wait_ms", "data wait")]:
            height = [row[name] for row in own]
            below.bar(at, height, bottom=bottom, label=label)
            bottom = [b + h for b, h in zip(bottom, height)]
        for x, top, row in zip(at, bottom, own):
            below.annotate(f"{row['efficiency']:.2f}", (x, top), ha="center", va="bottom", fontsize=7)
        below.set_ylim(0, 1.5 * max(bottom))  # room for the legend
        below.set_xticks(at, workers)
        below.set_xlabel("workers (above the bars: efficiency)")
        below.set_ylabel("ms a step")
        below.legend(fontsize=7, loc="upper left")
    return figure


def exchange(rows):
    """A plot for each link: bus bandwidth over size."""
    links = list(dict.fromkeys(row["link"] for row in rows))
    figure, axes = plt.subplots(1, len(links), figsize=(3.4 * len(links), 3.4), layout="constrained", squeeze=False)
    for link, plot in zip(links, axes[0]):
        for number, style in zip(dict.fromkeys(row["workers"] for row in rows if row["link"] == link), ["-", "--", ":"]):
            own = [row for row in rows if (row["link"], row["workers"]) == (link, number)]
            size = [row["bytes"] / 1024 for row in own]
            for name, label, color in [("ordered", "ordered sum", "C0"), ("mpi", "MPI_Allreduce", "C1")]:
                plot.plot(size, [row[f"{name}_bus_gb_s"] for row in own], style, marker="o", markersize=3, color=color,
                          label=f"{label}, {number} workers")
        plot.set_xscale("log")
        plot.set_xticks(size, [f"{kib:g}Ki" if kib < 1024 else f"{kib / 1024:g}Mi" for kib in size])
        plot.minorticks_off()
        rate = next((gb for name, gb in RATES.items() if link.startswith(name)), None)
        if rate:
            plot.axhline(rate, color="black", linewidth=0.8, linestyle=":", label="the link's rate")
            plot.set_ylim(0, 1.15 * rate)
        else:
            plot.set_yscale("log")
        plot.set_title(link)
        plot.set_xlabel("bytes summed")
        plot.set_ylabel("bus bandwidth, GB/s")
        plot.legend(fontsize=7)
    return figure


def main():
    rows = json.load(open(sys.argv[2], encoding="utf-8"))["rows"]
    {"scaling": scaling, "exchange": exchange}[sys.argv[1]](rows).savefig(sys.argv[3], metadata={"Date": None})


main()
