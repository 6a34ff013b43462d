"""figure.py RUNS OUT: of the runs RUNS/WAY-SEED, the table OUT/accuracy.csv and the figure OUT/accuracy.svg: accuracy after each epoch."""

import csv
import pathlib
import sys

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402

plt.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "lockstep", "font.size": 9})
WAYS = {"scratch": "from scratch", "tuned": "from saved weights, all trained", "frozen": "from saved weights, only join and head trained"}


def accuracies(folder):
    with open(folder / "metrics.csv", encoding="utf-8") as file:
        return [float(row["validation_accuracy"]) for row in csv.DictReader(file)]


def main():
    runs, out = map(pathlib.Path, sys.argv[1:])
    figure, plot = plt.subplots(figsize=(6, 3.6), layout="constrained")
    table = []
    for (way, label), color in zip(WAYS.items(), ["C1", "C0", "C2"]):
        of_seeds = [accuracies(folder) for folder in sorted(runs.glob(f"{way}-*"))]
        mean = [sum(epoch) / len(epoch) for epoch in zip(*of_seeds)]
        epochs = range(1, len(mean) + 1)
        plot.fill_between(epochs, [min(epoch) for epoch in zip(*of_seeds)], [max(epoch) for epoch in zip(*of_seeds)], color=color, alpha=0.15)
        plot.plot(epochs, mean, color=color, label=label)
        table += [{"way": way, "epoch": epoch, "accuracy": round(value, 4)} for epoch, value in zip(epochs, mean)]
        print(f"{label}: accuracy {mean[0]:.3f} after 1 epoch, {mean[min(4, len(mean) - 1)]:.3f} after {min(5, len(mean))}, "
              f"{mean[-1]:.3f} after {len(mean)} (mean of {len(of_seeds)})")
    plot.set(xlabel="epoch of 40 images", ylabel="accuracy on 2,000 test images")
    plot.legend(fontsize=8, loc="lower right")
    plot.grid(alpha=0.3)
    figure.savefig(out / "accuracy.svg", metadata={"Date": None})
    with open(out / "accuracy.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, table[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)


main()
