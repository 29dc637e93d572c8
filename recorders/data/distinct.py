"""Different inputs: counted, and none lost on the way into a data set."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ibtools.errors import InputError
from ibtools.store.inputs import number_inputs


def count_distinct(x: NDArray[Any]) -> int:
    """Count different inputs.

    Parameters
    ----------
    x : ndarray, (sample, ...), bool, integer or floating
        Inputs of at most 64 bits a value, without NaN.

    Returns
    -------
    int
        How many of the samples are different, -0 being 0.

    Examples
    --------
    >>> count_distinct(np.array([[1.0, 0.0], [1.0, -0.0], [0.0, 1.0]]))
    2
    """
    return int(number_inputs(x).max()) + 1


def to_float32(x: NDArray[Any], where: str) -> NDArray[np.float32]:
    """Convert inputs to what networks compute with, unless that would make different ones equal.

    Parameters
    ----------
    x : ndarray, (sample, ...), bool, integer or floating
        Inputs of at most 64 bits a value.
    where : str
        What they are called in an error.

    Returns
    -------
    ndarray, (sample, ...), float32
        Rounded to the nearest, in C order.

    Raises
    ------
    InputError
        If a value is not finite in float32, or two samples that differ would no longer do so.

    Examples
    --------
    >>> to_float32(np.array([[0], [2**24 + 1]]), "mine.npz").astype(int).tolist()
    [[0], [16777216]]
    """
    with np.errstate(over="ignore", under="ignore"):  # infinite is refused, and so is what merges
        values = np.ascontiguousarray(x, dtype=np.float32)
    finite = np.isfinite(values)
    if not finite.all():
        raise InputError(
            f"{where}: x must be finite in float32, but x[{int(np.argwhere(~finite)[0, 0])}] is "
            "not; leave such samples out, replace their values, or scale them"
        )
    if not np.can_cast(x.dtype, np.float32):
        _validate_none_merged(x, values, where)
    return values


def _validate_none_merged(x: NDArray[Any], values: NDArray[np.float32], where: str) -> None:
    after = count_distinct(values)
    before = after if after == len(x) else count_distinct(x)
    if after < before:
        raise InputError(
            f"{where}: samples that differ must also differ in float32, which networks compute "
            f"with, but of {before} different ones in {x.dtype} it leaves {after}; scale each "
            "feature, as in (x - x.mean(axis=0)) / x.std(axis=0), or save x.astype('float32') if "
            "that is meant"
        )
