"""Inputs: which samples have the same, and what identifies them all."""

import hashlib
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ibtools.errors import StoreError

_BLOCK_ROWS = 1024


def number_inputs(x: ArrayLike) -> NDArray[np.int64]:
    """Give the different inputs of the samples numbers: equal inputs, equal numbers.

    Parameters
    ----------
    x : array_like, (sample, ...), bool, integer or floating
        The input of each sample; all dims but sample are consumed.

    Returns
    -------
    ndarray, (sample,), int64
        From 0 in order of first appearance.

    Raises
    ------
    StoreError
        If these are no numbers of at most 64 bits, there is no value per sample, or one is NaN.

    Notes
    -----
    Inputs are equal if their bits are, with -0 as +0. They are told apart by hashes and, where
    these agree, by the bits themselves, so that nothing but the numbers is kept in memory.

    Examples
    --------
    >>> number_inputs([[0.5, -0.0], [1.0, 1.0], [0.5, 0.0]]).tolist()
    [0, 1, 0]
    """
    rows = _rows(x)
    numbers = np.empty(len(rows), np.int64)
    firsts: dict[int, list[int]] = {}
    n_inputs = 0
    for start in range(0, len(rows), _BLOCK_ROWS):
        for sample, row in enumerate(_comparable(rows[start : start + _BLOCK_ROWS]), start):
            alike = firsts.setdefault(hash(row.tobytes()), [])
            same = next((first for first in alike if np.array_equal(rows[first], row)), None)
            if same is None:
                alike.append(sample)
                numbers[sample], n_inputs = n_inputs, n_inputs + 1
            else:
                numbers[sample] = numbers[same]
    return numbers


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
    digest = hashlib.sha256(np.ascontiguousarray(x, "<f4").data)
    digest.update(np.ascontiguousarray(y, "<i8").data)
    return f"sha256:{digest.hexdigest()}"


def _rows(x: ArrayLike) -> NDArray[Any]:
    """Return inputs as (sample, value), after checking that they can be compared."""
    if np.ma.is_masked(x):
        raise StoreError("x must be known of every sample, found masked values; fill them in")
    try:
        values = np.asarray(x)
    except ValueError as err:
        raise StoreError(
            f"x must have as many values for every sample (sample, ...): {err}"
        ) from err
    if values.dtype.kind not in "biuf" or values.dtype.itemsize > 8:
        raise StoreError(
            "x must be the inputs, numbers of at most 64 bits (sample, ...), found "
            f"{values.dtype}; number inputs of another kind: np.unique(x, return_inverse=True)[1]"
        )
    if not values.ndim or not values.size:
        raise StoreError(f"x must have a value for each sample (sample, ...), found {values.shape}")
    return values.reshape(len(values), -1)


def _comparable(rows: NDArray[Any]) -> NDArray[Any]:
    """Return rows whose bytes are the same where their values are, one block of them."""
    if rows.dtype.kind != "f":
        return np.ascontiguousarray(rows)
    if np.isnan(rows).any():
        raise StoreError("x must have no NaN, which equals nothing; fill in what is missing")
    return np.ascontiguousarray(rows + rows.dtype.type(0))  # -0 becomes +0
