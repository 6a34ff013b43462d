#!/usr/bin/env python3
"""Cuts the first rows out of IDX files, to make a small set of a large one.

    datasets/make_small.py /usr/share/datasets/fashion-mnist datasets/fashion-mnist-small-idx

Reads train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz and the same of t10k; writes them as .xz, as `xz -9e` does.
"""

import argparse
import gzip
import lzma
import math
import pathlib
import struct


def cut(source: pathlib.Path, target: pathlib.Path, rows: int) -> None:
    with gzip.open(source) as file:
        magic = file.read(4)
        dims = struct.unpack(f">{magic[3]}I", file.read(4 * magic[3]))
        rows = min(rows, dims[0])
        content = file.read(rows * math.prod(dims[1:]))
    header = magic + struct.pack(f">{magic[3]}I", rows, *dims[1:])
    target.write_bytes(lzma.compress(header + content, preset=9 | lzma.PRESET_EXTREME))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=pathlib.Path)
    parser.add_argument("target", type=pathlib.Path)
    parser.add_argument("--train", type=int, default=2000)
    parser.add_argument("--test", type=int, default=500)
    options = parser.parse_args()
    options.target.mkdir(parents=True, exist_ok=True)
    for part, rows in (("train", options.train), ("t10k", options.test)):
        for name in (f"{part}-images-idx3-ubyte", f"{part}-labels-idx1-ubyte"):
            cut(options.source / f"{name}.gz", options.target / f"{name}.xz", rows)


if __name__ == "__main__":
    main()
