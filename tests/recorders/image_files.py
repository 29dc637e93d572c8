"""Small data sets of images, and writers of every format that image data sets come in."""

import gzip
import pickle
from dataclasses import replace

import numpy as np

from ibtools.recorders.data.image_sets import CIFAR_10, FASHION_MNIST, MNIST

MNIST_NAMES = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
BATCHES = ("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5")

SMALL_MNIST = replace(MNIST, n_train=30, n_test=10)
SMALL_FASHION = replace(FASHION_MNIST, n_train=30, n_test=10)
SMALL_CIFAR = replace(CIFAR_10, n_train=30, n_test=10)


def random_images(images, seed=0):
    """Return x_train, y_train, x_test, y_test with the shapes and dtypes of the real one."""
    rng = np.random.default_rng(seed)
    n, n_train = images.n_train + images.n_test, images.n_train
    x = rng.integers(0, 256, (n, *images.shape), np.uint8)
    x[rng.random(x.shape) < 0.5] = 0
    y = rng.permutation(np.arange(n, dtype=np.uint8) % 10)
    return x[:n_train], y[:n_train], x[n_train:], y[n_train:]


def idx_bytes(array):
    header = bytes((0, 0, 8, array.ndim)) + np.array(array.shape, ">u4").tobytes()
    return header + array.tobytes()


def write_idx(folder, parts, *, compress=gzip.compress, suffix=".gz"):
    for name, array in zip(MNIST_NAMES, parts, strict=True):
        content = idx_bytes(array[..., 0] if array.ndim == 4 else array)
        (folder / f"{name}-ubyte{suffix}").write_bytes(compress(content))


def libsvm_bytes(x, y):
    """Write flat samples; zeros are left out, and the lines end as LIBSVM's do, in a blank."""
    lines = []
    for values, label in zip(x, y, strict=True):
        pairs = "".join(f"{i + 1}:{values[i]} " for i in np.flatnonzero(values))
        lines.append(f"{label} {pairs}\n")
    return "".join(lines).encode()


def planes(x):
    """Order values as CIFAR-10's files do: colour by colour."""
    return x.transpose(0, 3, 1, 2).reshape(len(x), -1)


def batches(parts):
    """Split into the five training batches and the test batch: name, flat x, y."""
    x_train, y_train, x_test, y_test = parts
    split = zip(np.array_split(planes(x_train), 5), np.array_split(y_train, 5), strict=True)
    training = [(name, x, y) for name, (x, y) in zip(BATCHES, split, strict=True)]
    return [*training, ("test_batch", planes(x_test), y_test)]


def binary_batch(x, y):
    return np.column_stack([y, x]).astype(np.uint8).tobytes()


def python_2_batch(x, y):
    """Pickle as Python 2 did for the published files: protocol 2, with byte strings."""
    rows = len(x).to_bytes(4, "little")
    content = x.tobytes()
    labels = b"".join(b"K" + bytes([label]) for label in y)
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\nq\x07cnumpy\nndarray\nq\x08K\x00\x85U\x01b\x87Rq\x09"
        b"(K\x01J" + rows + b"M\x00\x0c\x86cnumpy\ndtype\nq\nU\x02u1K\x00K\x01\x87Rq\x0b"
        b"(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T"
        + len(content).to_bytes(4, "little")
        + content
        + b"tb"
    )
    return (
        b"\x80\x02}q\x01(U\x0bbatch_labelq\x02U\x15training batch 1 of 5q\x03"
        b"U\x06labelsq\x04]q\x05(" + labels + b"eU\x04dataq\x06" + array + b"u."
    )


def python_3_batch(x, y):
    return pickle.dumps({"data": x, "labels": y.tolist(), "filenames": ["a.png"]}, protocol=4)
