"""Measuring what the input quantiser of a network leaves of the inputs.

A quantised network rounds its input to 8 bits first, unless it looks it up: to 256 values of one
range, which is that of all features of all training samples together, and 0. Inputs that this makes
equal no layer can tell apart, and a feature whose values are small beside those of another becomes
constant.
"""

import numpy as np
from numpy.typing import NDArray

from ibtools.recorders.data.distinct import count_distinct
from ibtools.store.quantised_inputs import QuantisedInputs

_BLOCK_ROWS = 1024
_LARGEST_CODE = np.float32(255)
_HALF = np.float32(0.5)
_SMALLEST_END = np.float32(1e-30)  # as of ibtools.recorders.engines.keras.quantizers


def measure_inputs(
    x: NDArray[np.float32], is_test: NDArray[np.bool_], recorded: NDArray[np.int64]
) -> QuantisedInputs:
    """Count inputs and features before and after the input quantiser.

    Parameters
    ----------
    x : ndarray, (sample, ...), float32
        All inputs of a data set.
    is_test : ndarray, (sample,), bool
        Which have no part in the range.
    recorded : ndarray, (sample,), int64
        Positions of the samples that are counted, ascending.

    Returns
    -------
    QuantisedInputs
        Counts of these samples.

    Examples
    --------
    >>> x = np.float32([[0, 0], [0, 1], [1000, 0], [1000, 1]])
    >>> measure_inputs(x, np.array([False, False, False, True]), np.arange(4))
    QuantisedInputs(distinct=4, distinct_quantised=2, features=2, features_merged=1)
    """
    rows = x.reshape(len(x), -1)
    low, high = training_range(rows, is_test)
    counted = rows if len(recorded) == len(rows) else rows[recorded]
    codes = quantise_rows(counted, low, high)
    smallest, largest = counted.min(axis=0), counted.max(axis=0)
    merged = (smallest < largest) & (quantise(smallest, low, high) == quantise(largest, low, high))
    distinct_quantised = count_distinct(codes)
    is_lossless = distinct_quantised == len(counted)
    return QuantisedInputs(
        distinct=distinct_quantised if is_lossless else count_distinct(counted),
        distinct_quantised=distinct_quantised,
        features=rows.shape[1],
        features_merged=int(merged.sum()),
    )


def quantise_rows(
    rows: NDArray[np.float32], low: np.float32, high: np.float32
) -> NDArray[np.uint8]:
    """Return what `quantise` does, (sample, feature), with little memory besides."""
    codes = np.empty(rows.shape, np.uint8)
    for start in range(0, len(rows), _BLOCK_ROWS):
        block = slice(start, start + _BLOCK_ROWS)
        codes[block] = quantise(rows[block], low, high)
    return codes


def quantise(values: NDArray[np.float32], low: np.float32, high: np.float32) -> NDArray[np.uint8]:
    """Return the codes that TensorFlow's fake quantisation to 8 bits gives values.

    Parameters
    ----------
    values : ndarray, any dims, float32
        What is quantised.
    low, high : numpy.float32
        Ends of the range, low <= 0 <= high, not both 0.

    Returns
    -------
    ndarray, same dims, uint8
        0 to 255, on a range that is moved so that one of its values is 0.

    Notes
    -----
    A value within rounding of the middle between two codes may get either from TensorFlow, which
    rounds in an order of its own on each processor.

    Examples
    --------
    >>> quantise(np.float32([-1, 0, 0.25, 1, 2]), np.float32(0), np.float32(1))
    array([  0,   0,  64, 255, 255], dtype=uint8)
    """
    scale = (high - low) / _LARGEST_CODE
    zero_point = np.floor(-low / scale + _HALF)
    lowest, highest = -zero_point * scale, (_LARGEST_CODE - zero_point) * scale
    steps = (np.clip(values, lowest, highest) - lowest) * (np.float32(1) / scale)
    codes: NDArray[np.uint8] = np.floor(steps + _HALF).astype(np.uint8)
    return codes


def training_range(
    rows: NDArray[np.float32], is_test: NDArray[np.bool_]
) -> tuple[np.float32, np.float32]:
    """Return the range of the training samples (sample, feature) and 0, without a copy of them."""
    low, high = rows.min(axis=1)[~is_test].min(), rows.max(axis=1)[~is_test].max()
    return min(low, np.float32(0)), max(high, _SMALLEST_END)
