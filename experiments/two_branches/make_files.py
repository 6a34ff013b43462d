"""make_files.py IDX OUT: someone else's HDF5 files of Fashion-MNIST's images, in a layout that is not ours, for two tasks.

OUT/upstream-0.h5, upstream-1.h5: many images, and which of ten kinds of clothes each shows.
OUT/few.h5, few-test.h5: 40 other images, and where what they show is worn: on top, on the legs, on the feet, or carried; and 2,000 to test.
Each holds /images u8 [n, 28, 28, 1] (NHWC, gzip), /facts f64 big-endian [n, 9] (where the ink is) and /kind, one-hot u8 [n, kinds]."""

import glob
import gzip
import lzma
import sys

import h5py
import numpy

WORN = numpy.array([0, 1, 0, 0, 0, 2, 0, 2, 3, 2])  # top, legs, feet, carried, of each kind of Fashion-MNIST


def idx(pattern):
    [path] = glob.glob(pattern)
    with (lzma if path.endswith(".xz") else gzip).open(path) as file:
        content = file.read()
    axes = content[3]
    shape = numpy.frombuffer(content, ">i4", axes, 4)
    return numpy.frombuffer(content, "u1", offset=4 + 4 * axes).reshape(shape)


def facts(images):
    """Mean ink, where its middle is, how far it spreads, how symmetric it is, and the mean ink of each quarter."""
    ink = images / 255.0
    total = ink.sum((1, 2)) + 1e-9
    place = numpy.arange(28)
    columns = []
    for axis in (1, 2):
        along = ink.sum(axis) / total[:, None]
        middle = along @ place
        columns += [middle, numpy.sqrt(along @ place**2 - middle**2)]
    columns.append((ink * ink[:, :, ::-1]).sum((1, 2)) / (ink**2).sum((1, 2)))
    columns += [ink[:, y:y + 14, x:x + 14].mean((1, 2)) for y in (0, 14) for x in (0, 14)]
    return numpy.stack(columns, 1)


def write(path, images, kinds, each):
    """The first `each` images of every kind, in the order in which they come."""
    count = kinds.max() + 1
    rows = numpy.sort(numpy.concatenate([numpy.flatnonzero(kinds == kind)[:each] for kind in range(count)]))
    with h5py.File(path, "w") as file:
        file.create_dataset("images", data=images[rows][..., None], chunks=(32, 28, 28, 1), compression="gzip")
        file.create_dataset("facts", data=facts(images[rows]).astype(">f8"))
        file.create_dataset("kind", data=numpy.eye(count, dtype="u1")[kinds[rows]])
    print(f"{path}: {len(rows)} images of {count} kinds")


def main():
    source, out = sys.argv[1:]
    images, kinds = idx(f"{source}/train-images*"), idx(f"{source}/train-labels*")
    half, few = len(images) // 2, len(images) - 200  # the last 200 images are for the other task alone
    write(f"{out}/upstream-0.h5", images[:half], kinds[:half], 600)
    write(f"{out}/upstream-1.h5", images[half:few], kinds[half:few], 600)
    write(f"{out}/few.h5", images[few:], WORN[kinds[few:]], 10)
    write(f"{out}/few-test.h5", idx(f"{source}/t10k-images*"), WORN[idx(f"{source}/t10k-labels*")], 500)


main()
