"""Floating values of any width as float32, without loss."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ibtools.errors import StoreError


def is_floating(dtype: "np.dtype[Any]") -> bool:
    """Whether numbers are floating, those included that other libraries add, such as bfloat16.

    Examples
    --------
    >>> is_floating(np.dtype("float16")), is_floating(np.dtype("uint8"))
    (True, False)
    """
    return dtype.kind == "f" or dtype.name.startswith(("bfloat", "float"))


def as_float32(layer: str, values: NDArray[Any]) -> NDArray[np.float32]:
    """Convert values to float32, after checking that no two of them become the same.

    Parameters
    ----------
    layer : str
        Name of the layer, for the error.
    values : ndarray, floating
        float16, bfloat16, float32; wider ones if they lose no digits.

    Raises
    ------
    StoreError
        If they do.
    """
    with np.errstate(over="ignore"):
        narrow: NDArray[np.float32] = values.astype(np.float32, copy=False)
    if values.dtype.itemsize > 4 and not np.array_equal(narrow, values, equal_nan=True):
        raise StoreError(
            f"layer {layer!r} is {values.dtype} and loses digits as float32, which could merge "
            "states; convert it with .astype('float32') if that is meant"
        )
    return narrow
