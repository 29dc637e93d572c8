"""The type of a data set, whatever it was read from."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ibtools.errors import InputError

_NUMBER_THEM = "number them with numpy.unique(y, return_inverse=True)[1]"


@dataclass(frozen=True, eq=False)
class DataSet:
    """Labelled samples, training and test together.

    Parameters
    ----------
    name : str
        As in `ibtools.recorders.data.DATA_SETS`, or the name of the user's file or folder.
    x : ndarray, (sample, ...), float32
        Inputs in their natural shape, such as (sample, row, column, colour); dense networks flatten
        them.
    y : ndarray, (sample,), int64
        Labels, 0 to n_classes - 1.
    is_test : ndarray, (sample,), bool
        Which samples are kept out of the training.
    checksum : str
        Of inputs and labels, as `ibtools.store.inputs.checksum` computes it.
    n_classes : int
        How many classes there are.
    is_population : bool, optional
        Whether these are all the inputs that there are, not a sample of them.
    published : str, optional
        Name of the published data set that the content is known to be; empty if it is of none.

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
    is_population: bool = False
    published: str = ""

    @property
    def description(self) -> str:
        """Which data set this is, and whether that is known."""
        if self.published == self.name:
            return self.name
        known = f"the content of {self.published}" if self.published else "of unknown content"
        return f"{self.name}, {known}"

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


def validate_classes(y: NDArray[Any], where: str) -> NDArray[np.int64]:
    """Check that labels number classes from 0 without gaps, and that there are two or more.

    Parameters
    ----------
    y : ndarray, (sample,)
        Labels of the user's own data.
    where : str
        What the data are called in an error.

    Returns
    -------
    ndarray, (sample,), int64
        The same.

    Raises
    ------
    InputError
        If they are no whole numbers, or other ones; the message says how to number them.
    """
    if y.dtype.kind not in "iu":
        fix = "if all are whole, save y.astype(int)" if y.dtype.kind == "f" else _NUMBER_THEM
        raise InputError(f"{where}: y must be integers, but is {y.dtype}; {fix}")
    classes = np.unique(y)
    if classes.size < 2:
        raise InputError(f"{where}: y must have two classes or more, but all are {classes[0]}")
    if not np.array_equal(classes, np.arange(classes.size)):
        raise InputError(
            f"{where}: labels must be 0 to {classes.size - 1}, as there are {classes.size}, "
            f"but are {classes[0]} to {classes[-1]}; {_NUMBER_THEM}"
        )
    return y.astype(np.int64)


def scale_bytes(values: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Scale bytes to [0, 1].

    Parameters
    ----------
    values : ndarray, any dims, uint8
        As images store them.

    Returns
    -------
    ndarray, same dims, float32
        float32(byte) / float32(255), correctly rounded; different bytes stay different.

    Examples
    --------
    >>> scale_bytes(np.array([0, 51, 255], np.uint8))
    array([0. , 0.2, 1. ], dtype=float32)
    """
    return np.divide(values, np.float32(255), dtype=np.float32)
