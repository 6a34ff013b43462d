"""PyTorch's side of the comparisons: one worker that trains a workload of `lockstep bench step` on synthetic samples made once.

  torch_worker.py WORKLOAD --threads T [--batch B] [--variants LIST] [--once STEPS]

Several workers find each other by RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT (torch.distributed over gloo, DistributedDataParallel).
It first tries each variant, then answers lines on stdin, all workers alike, with one JSON object a line on rank 0's stdout:
  block SECONDS    trains for about so long with the variant that was fastest; ms of every step
  quit
With --once it trains so many steps with the first variant, and tells their median, start-up time and memory.

A variant is words joined by '+': eager | compile (inductor), cl (channels_last), fused | foreach (the optimizer's loops), keep (gradients are
zeroed in place instead of freed).
"""

import argparse
import json
import os
import resource
import statistics
import sys
import time


def seconds_since_start():
    """Since this process began; the kernel counts it in ticks of 10 ms."""
    with open("/proc/self/stat") as stat:
        ticks = int(stat.read().rsplit(")", 1)[1].split()[19])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")


import torch  # noqa: E402  (start-up time counts from before this import)
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

BATCH = {"mlp-tiny": 64, "mlp": 128, "mlp-wide": 32, "cnn": 64, "resnet20": 64, "gpt": 16}
CONVOLUTIONAL = ("cnn", "resnet20")
CLASSES = 10
CONTEXT, VOCABULARY = 128, 96


def mlp(*widths):
    layers = []
    for fan_in, fan_out in zip(widths, widths[1:]):
        layers += [nn.Linear(fan_in, fan_out), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def cnn():
    return nn.Sequential(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                         nn.Linear(9216, 128), nn.ReLU(), nn.Linear(128, CLASSES))


class Residual(nn.Module):
    def __init__(self, fan_in, width, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(fan_in, width, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.shortcut = None
        if stride != 1 or fan_in != width:
            self.shortcut = nn.Sequential(nn.Conv2d(fan_in, width, 1, stride, bias=False), nn.BatchNorm2d(width))

    def forward(self, x):
        y = F.relu(self.norm1(self.conv1(x)))
        y = self.norm2(self.conv2(y))
        return F.relu(y + (x if self.shortcut is None else self.shortcut(x)))


def resnet20():
    blocks = [Residual(16 if stage == block == 0 else (8 << stage) if block == 0 else (16 << stage), 16 << stage,
                       2 if stage > 0 and block == 0 else 1) for stage in range(3) for block in range(3)]
    return nn.Sequential(nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(), *blocks, nn.AdaptiveAvgPool2d(1),
                         nn.Flatten(), nn.Linear(64, CLASSES))


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width)
        self.up = nn.Linear(width, 4 * width)
        self.down = nn.Linear(4 * width, width)

    def forward(self, x):
        n, t, c = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(n, t, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(y.transpose(1, 2).reshape(n, t, c))
        return x + self.down(F.gelu(self.up(self.norm2(x))))


class Gpt(nn.Module):
    def __init__(self, width=128, heads=4, blocks=4):
        super().__init__()
        self.token = nn.Embedding(VOCABULARY, width)
        self.position = nn.Parameter(0.02 * torch.randn(CONTEXT, width))
        self.blocks = nn.Sequential(*[Block(width, heads) for _ in range(blocks)])
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, VOCABULARY)

    def forward(self, tokens):
        return self.head(self.norm(self.blocks(self.token(tokens) + self.position)))


MODELS = {"mlp-tiny": lambda: mlp(784, 32, CLASSES), "mlp": lambda: mlp(784, 1024, 1024, CLASSES),
          "mlp-wide": lambda: mlp(784, 4096, 4096, CLASSES), "cnn": cnn, "resnet20": resnet20, "gpt": Gpt}


class WithLoss(nn.Module):
    """The model and its loss, so that both are compiled together."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x, y):
        return F.cross_entropy(self.model(x).flatten(0, -2), y.flatten())


def synthetic(workload, batch):
    if workload == "gpt":
        return torch.randint(0, VOCABULARY, (batch, CONTEXT)), torch.randint(0, VOCABULARY, (batch, CONTEXT))
    sample = {"cnn": (1, 28, 28), "resnet20": (3, 32, 32)}.get(workload, (784,))
    return 2 * torch.rand(batch, *sample) - 1, torch.randint(0, CLASSES, (batch,))


def default_variants(workload):
    variants = []
    for layout in ["", "+cl"] if workload in CONVOLUTIONAL else [""]:
        variants += ["eager+fused" + layout, "eager+fused+keep" + layout, "compile+fused" + layout]
    return variants + ["eager+foreach"]


class Trainer:
    def __init__(self, workload, variant, batch, workers):
        words = variant.split("+")
        torch.manual_seed(0)
        model = MODELS[workload]()
        torch.manual_seed(1 + int(os.environ.get("RANK", 0)))
        self.x, self.y = synthetic(workload, batch)
        if "cl" in words:
            model = model.to(memory_format=torch.channels_last)
            self.x = self.x.contiguous(memory_format=torch.channels_last)
        self.model = WithLoss(model)
        if workers > 1:
            self.model = nn.parallel.DistributedDataParallel(self.model, gradient_as_bucket_view=True)
        self.loss = torch.compile(self.model) if "compile" in words else self.model
        self.optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4, fused="fused" in words,
                                         foreach=True if "foreach" in words else None)
        self.free = "keep" not in words

    def step(self):
        self.optimizer.zero_grad(set_to_none=self.free)
        self.loss(self.x, self.y).backward()
        self.optimizer.step()

    def steps(self, number):
        """Milliseconds of each of so many steps."""
        times = []
        for _ in range(number):
            begin = time.perf_counter()
            self.step()
            times.append(1000 * (time.perf_counter() - begin))
        return times

    def bytes_held(self):
        """Of parameters, gradients and optimizer state."""
        held = 0
        for parameter in self.model.parameters():
            state = [t for t in self.optimizer.state[parameter].values() if torch.is_tensor(t)]
            held += sum(t.numel() * t.element_size() for t in [parameter, parameter, *state])
        return held


def number_for(seconds, ms, workers):
    """Steps that take about so long; the same on all workers."""
    number = torch.tensor([max(3, round(1000 * seconds / ms))])
    if workers > 1:
        torch.distributed.broadcast(number, 0)
    return int(number)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("workload", choices=MODELS)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=int, default=0)
    parser.add_argument("--variants", default="")
    parser.add_argument("--once", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    workers, rank = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("RANK", 0))
    if workers > 1:
        torch.distributed.init_process_group("gloo")
    batch = arguments.batch or BATCH[arguments.workload]
    variants = arguments.variants.split(",") if arguments.variants else default_variants(arguments.workload)

    def say(**result):
        if rank == 0:
            print(json.dumps(result), flush=True)

    if arguments.once:
        trainer = Trainer(arguments.workload, variants[0], batch, workers)
        trainer.step()
        start_up = seconds_since_start()
        ms = statistics.median(trainer.steps(arguments.once))
        say(start_up_seconds=start_up, ms=ms, peak_memory_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            held_mb=trainer.bytes_held() / 1e6, torch=torch.__version__)
    else:
        best, trainer = None, None
        for variant in variants:
            try:
                trial = Trainer(arguments.workload, variant, batch, workers)
                ms = statistics.median(trial.steps(6)[2:])
                ms = min(statistics.median(trial.steps(number_for(0.4, ms, workers))) for _ in range(2))
            except Exception as error:  # noqa: BLE001  (a variant that does not build here is no candidate; which one is said)
                say(variant=variant, error=f"{type(error).__name__}: {error}"[:300])
                continue
            say(variant=variant, ms=ms)
            chosen = torch.tensor([float(best is None or ms < best)])
            if workers > 1:
                torch.distributed.broadcast(chosen, 0)
            if chosen:
                best, best_variant, trainer = ms, variant, trial
        say(chosen=best_variant, ms=best, torch=torch.__version__)
        for line in sys.stdin:
            if line.startswith("quit"):
                break
            trainer.steps(2)
            say(ms=trainer.steps(number_for(float(line.split()[1]), best, workers)))
    if workers > 1:
        torch.distributed.barrier()
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main()
