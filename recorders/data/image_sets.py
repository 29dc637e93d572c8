"""Image data sets, MNIST, Fashion-MNIST and CIFAR-10: shapes, numbers, and names of files."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ibtools.recorders.data.cifar import N_VALUES, read_cifar_binary, read_cifar_python
from ibtools.recorders.data.idx import read_idx
from ibtools.recorders.data.libsvm import read_libsvm
from ibtools.recorders.data.npz import read_keras_npz
from ibtools.recorders.data.published import Parts


@dataclass(frozen=True)
class Layout:
    """Files that together hold a data set, in one format.

    Parameters
    ----------
    files : tuple of str
        Names, without the suffix of a compression.
    read : callable
        Reads `Parts`, given the paths in this order.
    """

    files: tuple[str, ...]
    read: Callable[[list[Path]], Parts]


@dataclass(frozen=True)
class ImageSet:
    """What is known of an image data set, and checked when it is read.

    Parameters
    ----------
    name : str
        As in `ibtools.recorders.data.DATA_SETS` and
        `ibtools.recorders.data.published.PUBLISHED`.
    shape : tuple of int
        Of an image: rows, columns, colours.
    n_train, n_test : int
        Numbers of images.
    subfolders : tuple of str
        Where the files may be within a folder of data sets.
    layouts : tuple of Layout
        In order of preference.
    n_classes : int
        Labels are 0 to n_classes - 1.
    """

    name: str
    shape: tuple[int, int, int]
    n_train: int
    n_test: int
    subfolders: tuple[str, ...]
    layouts: tuple[Layout, ...]
    n_classes: int = 10


def _read_idx(paths: list[Path]) -> Parts:
    """Read train images, train labels, test images, test labels."""
    return tuple(
        read_idx(path, n_dimensions=n) for path, n in zip(paths, (3, 1, 3, 1), strict=True)
    )


def _read_npz(paths: list[Path]) -> Parts:
    return read_keras_npz(paths[0])


def _read_mnist_libsvm(paths: list[Path]) -> Parts:
    (x_train, y_train), (x_test, y_test) = (read_libsvm(path, n_features=784) for path in paths)
    return x_train.reshape(-1, 28, 28), y_train, x_test.reshape(-1, 28, 28), y_test


def _read_cifar_libsvm(paths: list[Path]) -> Parts:
    (x_train, y_train), (x_test, y_test) = (
        read_libsvm(path, n_features=N_VALUES) for path in paths
    )
    return _colours_last(x_train), y_train, _colours_last(x_test), y_test


def _read_binary_batches(paths: list[Path]) -> Parts:
    return _join_batches([read_cifar_binary(path) for path in paths])


def _read_python_batches(paths: list[Path]) -> Parts:
    return _join_batches([read_cifar_python(path) for path in paths])


def _join_batches(batches: list[tuple[NDArray[Any], NDArray[Any]]]) -> Parts:
    """Join the training batches; the last is the test batch."""
    *training, (x_test, y_test) = batches
    x_train, y_train = (np.concatenate(arrays) for arrays in zip(*training, strict=True))
    return _colours_last(x_train), y_train, _colours_last(x_test), y_test


def _colours_last(x: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Turn (sample, colour * row * column) into (sample, row, column, colour)."""
    return x.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)


_IDX = Layout(
    (
        "train-images-idx3-ubyte",
        "train-labels-idx1-ubyte",
        "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte",
    ),
    _read_idx,
)
_BATCHES = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch")

MNIST = ImageSet(
    "MNIST",
    (28, 28, 1),
    n_train=60000,
    n_test=10000,
    subfolders=("mnist",),
    layouts=(
        _IDX,
        Layout(("mnist.npz",), _read_npz),
        Layout(("mnist", "mnist.t"), _read_mnist_libsvm),
    ),
)
"""Handwritten digits of Y. LeCun, C. Cortes & C. Burges."""

FASHION_MNIST = ImageSet(
    "Fashion-MNIST",
    (28, 28, 1),
    n_train=60000,
    n_test=10000,
    subfolders=("fashion-mnist",),
    layouts=(_IDX, Layout(("fashion-mnist.npz",), _read_npz)),
)
"""Clothes, by H. Xiao, K. Rasul & R. Vollgraf, arXiv:1708.07747, 2017."""

CIFAR_10 = ImageSet(
    "CIFAR-10",
    (32, 32, 3),
    n_train=50000,
    n_test=10000,
    subfolders=(
        "cifar-10-batches-bin",
        "cifar-10-batches-py",
        "cifar-10-batches-py-target/cifar-10-batches-py",  # where Keras 3 unpacks it
    ),
    layouts=(
        Layout(tuple(f"{name}.bin" for name in _BATCHES), _read_binary_batches),
        Layout(_BATCHES, _read_python_batches),
        Layout(("cifar10.npz",), _read_npz),
        Layout(("cifar10", "cifar10.t"), _read_cifar_libsvm),
    ),
)
"""Small photographs, by A. Krizhevsky, 2009."""

IMAGE_SETS = (MNIST, FASHION_MNIST, CIFAR_10)
"""All of them."""
