"""The two formats of CIFAR-10's batches [1]_.

*Binary*: a record per image, its label in one byte and its 3072 values: 32 x 32 of red, then of
green, then of blue, each row by row.

*Python*: a pickled dictionary with ``data``, an array (image, 3072) in the same order, and
``labels``, a list.

It is read without executing what it says: `ibtools.recorders.data.pickles`.

References
----------
.. [1] A. Krizhevsky, "Learning multiple layers of features from tiny images", 2009;
   https://www.cs.toronto.edu/~kriz/cifar.html.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ibtools.errors import InputError
from ibtools.recorders.data.compression import read_bytes
from ibtools.recorders.data.pickles import Limits, get, read_array, read_pickle

N_VALUES = 3 * 32 * 32
"""Values of an image."""

_MOST_OPERATIONS = 2**18

_MOST = {"PUT": 2**20, "GET": 32, "TUPLE": 16, "DUP": 0, "FRAME": 2**16}
"""Operations of a pickle: how many of each there may be, and the largest number of a PUT."""

_ALLOWED = {
    "numpy.core.multiarray._reconstruct",
    "numpy._core.multiarray._reconstruct",
    "numpy.ndarray",
    "numpy.dtype",
}


def read_cifar_binary(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Read a binary batch: values (sample, 3072), colour by colour, and labels, both uint8."""
    content = read_bytes(path)
    if len(content) % (1 + N_VALUES):
        raise InputError(
            f"{path}: must be records of {1 + N_VALUES} bytes, but has {len(content)} bytes, "
            f"{len(content) % (1 + N_VALUES)} too many; copy it again"
        )
    records = np.frombuffer(content, np.uint8).reshape(-1, 1 + N_VALUES)
    return records[:, 1:], records[:, 0]


def read_cifar_python(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Read a pickled batch without executing what it says: values (sample, 3072) and labels."""
    batch = _unpickle(path)
    labels = get(batch, "labels")
    if not isinstance(labels, list) or not all(type(label) is int for label in labels):
        raise InputError(f"{path}: must be a dictionary with a list of integers named 'labels'")
    if labels and not 0 <= min(labels) <= max(labels) < 256:
        raise InputError(f"{path}: labels must be 0 to 9, but are {min(labels)} to {max(labels)}")
    return _read_array(get(batch, "data"), path), np.array(labels, np.int64)


def _unpickle(path: Path) -> Any:
    limits = Limits(_MOST_OPERATIONS, _MOST, "a batch of CIFAR-10")
    return read_pickle(read_bytes(path), path, limits=limits, accepts=_accept)


def _accept(name: str) -> None:
    if name not in _ALLOWED:
        raise InputError(f"it names {name}, and a batch of CIFAR-10 has no use for it")


def _read_array(recorded: Any, path: Path) -> NDArray[np.uint8]:
    """Read the array (sample, value) from the record of how a pickle makes it."""
    array = read_array(recorded)
    is_rows = array is not None and array.dtype == np.uint8 and array.shape[1:] == (N_VALUES,)
    if array is not None and is_rows and array.flags.c_contiguous:
        return array
    raise InputError(
        f"{path}: must hold 'data', an array of bytes, (image, {N_VALUES}), in C order"
    )
