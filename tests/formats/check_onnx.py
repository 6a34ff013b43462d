#!/usr/bin/env python3
"""check_onnx.py FOLDER: for each case in it, ONNX's checker takes model.onnx, and onnxruntime gives the outputs in case.json to 1e-5."""
import json
import pathlib
import sys

import numpy
import onnx
import onnxruntime


def array(tensor):
    return numpy.array(tensor["values"], dtype=tensor["dtype"]).reshape(tensor["shape"])


for folder in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    model = onnx.load(folder / "model.onnx")
    onnx.checker.check_model(model, full_check=True)
    case = json.loads((folder / "case.json").read_text())
    session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
    needed = {value.name for value in session.get_inputs()}
    inputs = {name: array(tensor) for name, tensor in case["inputs"].items() if name in needed}
    names = [value.name for value in session.get_outputs()]
    assert set(names) == set(case["outputs"]), names
    for name, got in zip(names, session.run(names, inputs)):
        want = array(case["outputs"][name])
        assert got.shape == want.shape, (folder.name, name, got.shape, want.shape)
        worst = float(numpy.max(numpy.abs(got - want) / numpy.maximum(1, numpy.abs(want))))
        print(f"{folder.name:12} {name:12} {worst:.2g}")
        assert worst <= 1e-5, (folder.name, name, worst)
