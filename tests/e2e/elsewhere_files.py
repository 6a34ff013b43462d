"""elsewhere_files.py SHARDS OUT: the same images and labels in the ways in which people store them with h5py; OUT/variants lists them."""

import glob
import sys

import h5py
import numpy

shards, out = sys.argv[1:]
files = [h5py.File(name) for name in sorted(glob.glob(f"{shards}/shard-*.h5"))]
images = numpy.concatenate([f["features"][()] for f in files])  # u8 [n, 1, 28, 28]
labels = numpy.concatenate([f["labels"][()] for f in files])
variants = []


def write(name, x, y, input="/features", target="/labels", **how):
    with h5py.File(f"{out}/{name}.h5", "w") as file:
        file.create_dataset("features", data=x, **how)
        file.create_dataset("labels", data=y)
    variants.append(f"{name} {name}.h5 {input} {target}")


write("contiguous", images, labels)
write("giant", images, labels, chunks=images.shape)
write("gzip", images, labels.astype("i8"), chunks=(16, 1, 28, 28), compression="gzip")
write("f16", images.astype("f2"), labels.astype("u1"))
write("f64", images.astype(">f8"), labels.astype(">i8"), chunks=True)
write("i64", images.astype("i8"), labels[:, None])
write("nhwc", images.transpose(0, 2, 3, 1), numpy.eye(10)[labels], "/features:nhwc", "/labels:one-hot")
write("onehot", images, numpy.eye(10, dtype=bool)[labels], target="/labels:one-hot")
write("floats", images, labels.astype("f4"), target="/labels:index")

half = len(images) // 2
layout = h5py.VirtualLayout(shape=images.shape, dtype="u1")
for part, (begin, end) in enumerate([(0, half), (half, len(images))]):
    with h5py.File(f"{out}/part{part}.h5", "w") as file:
        file["x"] = images[begin:end]
    layout[begin:end] = h5py.VirtualSource(f"part{part}.h5", "x", shape=(end - begin, *images.shape[1:]))
with h5py.File(f"{out}/virtual.h5", "w") as file:
    file.create_virtual_dataset("features", layout)
    file["labels"] = labels
variants.append("virtual virtual.h5 /features /labels")

with h5py.File(f"{out}/lzf.h5", "w") as file:
    file.create_dataset("features", data=images, compression="lzf")
    file.create_dataset("labels", data=labels)
with open(f"{out}/variants", "w") as file:
    file.write("\n".join(variants) + "\n")
