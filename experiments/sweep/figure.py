"""figure.py SWEEP.csv FIGURE.svg: of the table that `lockstep compare` wrote, the best validation accuracy by hidden size and learning rate.

Prints the name of the best run."""

import csv
import sys

import matplotlib
import numpy

matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402

plt.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "lockstep", "font.size": 9})


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    found = {(int(row["hidden"]), float(row["lr"])): float(row["best validation_accuracy"] or "nan") for row in rows}
    sizes, rates = (sorted({key[i] for key in found}) for i in (0, 1))
    values = 100 * numpy.array([[found[size, rate] for rate in rates] for size in sizes])
    figure, plot = plt.subplots(figsize=(1 + 0.9 * len(rates), 1.2 + 0.6 * len(sizes)), layout="constrained")
    seen = values[numpy.isfinite(values)]
    low = max(seen.min(), numpy.median(seen) - 6)  # runs that learned nothing must not take all the colours
    image = plot.imshow(values, origin="lower", aspect="auto", cmap="viridis", vmin=low, vmax=seen.max())
    for y, row in enumerate(values):
        for x, value in enumerate(row):
            text = f"{value:.1f}" if numpy.isfinite(value) else "diverged"
            dark = not numpy.isfinite(value) or value > (low + seen.max()) / 2
            plot.text(x, y, text, ha="center", va="center", color="black" if dark else "white", fontsize=8)
    plot.set(xticks=range(len(rates)), xticklabels=[f"{rate:g}" for rate in rates], yticks=range(len(sizes)), yticklabels=sizes,
             xlabel="learning rate", ylabel="hidden size")
    figure.colorbar(image, label="best validation accuracy, %")
    figure.savefig(sys.argv[2], metadata={"Date": None})
    print(rows[0]["run"])


main()
