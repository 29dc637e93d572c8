"""Data sets: inputs, labels, and the split into training and test samples."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ibtools.errors import InputError, unknown_name
from ibtools.recorders.datasets import syn


@dataclass(frozen=True, eq=False)
class DataSet:
    """Labelled samples, training and test together.

    Parameters
    ----------
    name : str
        As in `DATA_SETS`.
    x : ndarray, (sample, ...), float32
        Inputs.
    y : ndarray, (sample,), int64
        Labels, 0 to n_classes - 1.
    is_test : ndarray, (sample,), bool
        Which samples are kept out of the training.
    checksum : str
        Of inputs and labels, as `checksum` computes it.
    n_classes : int
        How many classes there are.

    Raises
    ------
    InputError
        If the arrays do not fit together.
    """

    name: str
    x: NDArray[np.float32]
    y: NDArray[np.int64]
    is_test: NDArray[np.bool_]
    checksum: str
    n_classes: int

    def __post_init__(self) -> None:
        dtypes = tuple(str(array.dtype) for array in (self.x, self.y, self.is_test))
        if dtypes != ("float32", "int64", "bool"):
            raise InputError(f"x, y and is_test must be float32, int64 and bool, but are {dtypes}")
        if not self.x.shape[:1] == self.y.shape == self.is_test.shape:
            raise InputError(
                "x, y and is_test must have one entry per sample, but their shapes are "
                f"{self.x.shape}, {self.y.shape} and {self.is_test.shape}"
            )
        if self.is_test.all() or not self.is_test.any():
            raise InputError(f"data set {self.name!r} must have training and test samples")
        if self.y.min() < 0 or self.y.max() >= self.n_classes:
            raise InputError(
                f"labels must be 0 to {self.n_classes - 1}, "
                f"but are {self.y.min()} to {self.y.max()}"
            )


def checksum(x: NDArray[np.float32], y: NDArray[np.int64]) -> str:
    """Compute what identifies the samples of a data set.

    Parameters
    ----------
    x : ndarray, (sample, ...), float32
        Inputs.
    y : ndarray, (sample,), int64
        Labels.

    Returns
    -------
    str
        "sha256:" and the digest of the bytes of x, then y, little-endian and in C order.
    """
    digest = hashlib.sha256(x.astype("<f4").tobytes())
    digest.update(y.astype("<i8").tobytes())
    return f"sha256:{digest.hexdigest()}"


def load_data_set(name: str) -> DataSet:
    """Load a data set by its name.

    Parameters
    ----------
    name : str
        A key of `DATA_SETS`.

    Returns
    -------
    DataSet

    Raises
    ------
    UnknownNameError
        If there is none of that name; the message lists those that there are.

    Examples
    --------
    >>> data = load_data_set("SYN")
    >>> data.x.shape, int(data.y.sum()), int(data.is_test.sum())
    ((4096, 12), 2118, 820)
    """
    if name not in DATA_SETS:
        raise unknown_name("data set", name, DATA_SETS)
    return DATA_SETS[name]()


def _load_syn() -> DataSet:
    x = syn.create_patterns()
    y = syn.label_patterns(x)
    return DataSet("SYN", x, y, syn.split_patterns(y), checksum(x, y), n_classes=2)


DATA_SETS: dict[str, Callable[[], DataSet]] = {"SYN": _load_syn}
"""Loaders of the known data sets by name."""
