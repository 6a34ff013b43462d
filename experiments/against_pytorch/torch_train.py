"""Trains the workload cnn on Fashion-MNIST with PyTorch, by the recipe of `lockstep train`:

  torch_train.py DATA METRICS --batch B --lr R --epochs E --threads T --seed S [--variant eager+fused]

DATA holds the four IDX files, plain or .gz. The same model and initial distribution, cosine schedule a step, momentum 0.9, L2 1e-4 on
weights alone, each sample once an epoch in a new order, all test samples after each epoch; a line of METRICS an epoch. All samples lie
normalised in memory, so no step waits for data. Workers find each other as in torch_worker.py; the batch is that of all."""

import argparse
import gzip
import json
import math
import os
import pathlib
import sys

import numpy
import torch
from torch import nn
from torch.nn import functional as F

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import torch_worker  # noqa: E402


def read_idx(path, header):
    path = pathlib.Path(path)
    raw = path.read_bytes() if path.exists() else gzip.open(f"{path}.gz").read()
    return torch.from_numpy(numpy.frombuffer(raw, numpy.uint8, offset=header).copy())


def images(path, statistics=None):
    x = read_idx(path, 16).float().view(-1, 1, 28, 28)
    mean, std = statistics or (x.mean(), x.std())
    return (x - mean) / std, (mean, std)


def initialise(model):
    layers = [layer for layer in model if isinstance(layer, (nn.Conv2d, nn.Linear))]
    for layer in layers:
        nn.init.zeros_(layer.bias)
        if layer is layers[-1]:
            nn.init.xavier_uniform_(layer.weight)
        else:
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("data")
    parser.add_argument("metrics")
    for name, kind in [("batch", int), ("lr", float), ("epochs", int), ("threads", int), ("seed", int)]:
        parser.add_argument(f"--{name}", type=kind, required=True)
    parser.add_argument("--variant", default="eager+fused")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    workers, rank = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("RANK", 0))
    if workers > 1:
        torch.distributed.init_process_group("gloo")
    x, statistics = images(f"{arguments.data}/train-images-idx3-ubyte")
    y = read_idx(f"{arguments.data}/train-labels-idx1-ubyte", 8).long()
    test_x, _ = images(f"{arguments.data}/t10k-images-idx3-ubyte", statistics)
    test_y = read_idx(f"{arguments.data}/t10k-labels-idx1-ubyte", 8).long()

    torch.manual_seed(arguments.seed)
    plain = torch_worker.cnn()
    initialise(plain)
    words = arguments.variant.split("+")
    if "cl" in words:
        plain = plain.to(memory_format=torch.channels_last)
    model = nn.parallel.DistributedDataParallel(plain, gradient_as_bucket_view=True) if workers > 1 else plain
    weights = [p for p in plain.parameters() if p.dim() > 1]
    biases = [p for p in plain.parameters() if p.dim() <= 1]
    optimizer = torch.optim.SGD([{"params": weights, "weight_decay": 1e-4}, {"params": biases, "weight_decay": 0}], lr=arguments.lr,
                                momentum=0.9, fused="fused" in words, foreach=True if "foreach" in words else None)

    steps_an_epoch = math.ceil(len(y) / arguments.batch)
    step = 0
    for epoch in range(1, arguments.epochs + 1):
        order = torch.randperm(len(y), generator=torch.Generator().manual_seed(1000 * arguments.seed + epoch))
        for rows in order.split(arguments.batch):
            mine = rows[rank::workers]
            for group in optimizer.param_groups:
                group["lr"] = arguments.lr * math.cos(math.pi / 2 * step / (arguments.epochs * steps_an_epoch)) ** 2
            optimizer.zero_grad(set_to_none="keep" not in words)
            F.cross_entropy(model(x[mine]), y[mine]).backward()
            optimizer.step()
            step += 1
        with torch.no_grad():
            share = slice(rank, None, workers)
            correct = sum((plain(a).argmax(1) == b).sum() for a, b in zip(test_x[share].split(500), test_y[share].split(500)))
        if workers > 1:
            torch.distributed.all_reduce(correct)
        if rank == 0:
            with open(arguments.metrics, "a", encoding="utf-8") as file:
                file.write(json.dumps({"epoch": epoch, "validation_accuracy": int(correct) / len(test_y)}) + "\n")
    if workers > 1:
        torch.distributed.barrier()
        torch.distributed.destroy_process_group()


main()
