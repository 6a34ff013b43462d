"""figure.py RUNS OUT: of the runs RUNS/MODEL-PENALTY:λ, the table OUT/path.csv and the figure OUT/path.svg.

Prints the path of the linear L1 run with the least validation loss."""

import csv
import json
import pathlib
import struct
import sys

import matplotlib
import numpy

matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402

plt.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "lockstep", "font.size": 9})


def tensors(path):
    """What a safetensors file holds, by name."""
    content = path.read_bytes()
    length = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8:8 + length])
    found = {}
    for name, entry in header.items():
        if name != "__metadata__":
            begin, end = (8 + length + offset for offset in entry["data_offsets"])
            found[name] = numpy.frombuffer(content[begin:end], "<f4").reshape(entry["shape"])
    return found


def read_run(folder):
    model, penalty = folder.name.split("-", 1)
    kind, strength = penalty.split(":")
    with open(folder / "metrics.csv", encoding="utf-8") as file:
        last = list(csv.DictReader(file))[-1]
    weights = [values for name, values in tensors(folder / "model.safetensors").items() if name.endswith("weight")]
    zeros = sum(int((values == 0).sum()) for values in weights)
    row = {"model": model, "penalty": kind, "lambda": float(strength), "weights": sum(values.size for values in weights), "zeros": zeros,
           "train_loss": float(last["train_loss"]), "penalty_term": float(last["penalty"]), "validation_loss": float(last["validation_loss"]),
           "validation_rmse": float(last["validation_rmse"]), "validation_r2": float(last["validation_r2"])}
    return row, weights[0][0] if model == "linear" else None, folder


def paint(rows, coefficients, names):
    figure, axes = plt.subplots(2, 2, figsize=(9, 6.2), layout="constrained")
    for plot, kind, title in [(axes[0, 0], "l1", "L1: coefficients go to zero one by one"), (axes[0, 1], "l2", "L2: all shrink, none is zero")]:
        path = sorted((row["lambda"], weights) for row, weights in coefficients if row["penalty"] == kind)
        for i, name in enumerate(names):
            plot.plot([strength for strength, _ in path], [weights[i] for _, weights in path], marker="o", markersize=3, label=name)
        plot.axhline(0, color="black", linewidth=0.6)
        plot.set(xscale="log", xlabel="λ", ylabel="coefficient (standardised)", title=title)
    figure.legend(*axes[0, 1].get_legend_handles_labels(), fontsize=8, loc="outside right upper")
    for plot, what, label in [(axes[1, 0], "validation_rmse", "validation RMSE"), (axes[1, 1], "share", "weights that are exactly 0, %")]:
        for model, style in [("linear", "-"), ("network", "--")]:
            for kind, color in [("l1", "C0"), ("l2", "C1")]:
                own = sorted((row["lambda"], 100 * row["zeros"] / row["weights"] if what == "share" else row[what])
                             for row in rows if (row["model"], row["penalty"]) == (model, kind))
                plot.plot(*zip(*own), style, color=color, marker="o", markersize=3, label=f"{model}, {kind.upper()}")
        plot.set(xscale="log", xlabel="λ", ylabel=label)
        plot.legend(fontsize=7)
    return figure


def main():
    runs, out = map(pathlib.Path, sys.argv[1:])
    found = [read_run(folder) for folder in sorted(runs.glob("*-l[12]:*"))]
    rows = sorted((row for row, _, _ in found), key=lambda row: (row["model"], row["penalty"], row["lambda"]))
    with open(out / "path.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    with open(runs / "diabetes.csv", encoding="utf-8") as file:
        names = file.readline().strip().split(",")[:-1]
    linear = [(row, weights) for row, weights, _ in found if weights is not None]
    paint(rows, linear, names).savefig(out / "path.svg", metadata={"Date": None})
    for row, weights in sorted(linear, key=lambda run: (run[0]["penalty"], run[0]["lambda"])):
        left = [name for name, weight in zip(names, weights) if weight != 0]
        print(f"linear {row['penalty']}:{row['lambda']:<6g} validation RMSE {row['validation_rmse']:.1f}, R² {row['validation_r2']:.3f}; "
              f"{len(left)} coefficients: {' '.join(left)}")
    best = min((run for run in found if run[0]["model"] == "linear" and run[0]["penalty"] == "l1"), key=lambda run: run[0]["validation_loss"])
    print(best[2])


main()
