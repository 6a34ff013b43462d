"""RUN/tensorboard, read by TensorBoard itself, tells what steps.jsonl and metrics.jsonl tell, every step once."""
import json
import math
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

run = sys.argv[1]
events = EventAccumulator(run + "/tensorboard", size_guidance={"scalars": 0})
events.Reload()
tags = events.Tags()["scalars"]
count = 0
for name, prefix, keys in (
    ("steps", "step/", ("loss", "learning_rate", "gradient_norm")),
    ("metrics", "epoch/", ("train_loss", "validation_loss", "validation_accuracy", "parameter_norm", "learning_rate")),
):
    lines = [json.loads(line) for line in open(f"{run}/{name}.jsonl")]
    for key in keys:
        assert prefix + key in tags, f"no {prefix}{key} among {tags}"
        told = [(e.step, e.value) for e in events.Scalars(prefix + key)]
        assert [step for step, _ in told] == [line["step"] for line in lines], f"{prefix}{key}: steps {told}"
        for (_, value), line in zip(told, lines):
            assert math.isclose(value, line[key], rel_tol=1e-6), f"{prefix}{key}: {value} instead of {line[key]}"
        count += len(told)
print(f"ok: TensorBoard reads {count} scalars of {run}")
