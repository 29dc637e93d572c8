"""Maxima over squares of images (channel, row, column x sample) that do not overlap."""

import numpy as np

from ibtools.kernel import float_part
from ibtools.recorders.engines.native.arrays import Floats
from ibtools.recorders.engines.native.elementwise import copy

_ZERO = np.float32(0)


@float_part
def pool(inputs: Floats, size: int, n_samples: int, out: Floats) -> None:
    """Find the largest value of every square; what is left over at the edges is dropped.

    Parameters
    ----------
    inputs : ndarray, (channel, row, column x sample), float32
        Images.
    size : int
        Height and width of a square.
    n_samples : int
        How many images there are.
    out : ndarray, (channel, row, column x sample), float32
        Where the maxima are written.
    """
    n_channels, n_rows, length = out.shape
    scratch = np.empty((2, n_samples), np.float32)
    for channel in range(n_channels):
        for row in range(n_rows):
            square = inputs[channel, row * size : (row + 1) * size]
            for first in range(0, length, n_samples):
                found = out[channel, row, first : first + n_samples]
                if size == 2:
                    _find_largest_of_four(square, 2 * first, found)
                else:
                    _find_largest(square, size * first, found, scratch)


@float_part
def gradient_of_pool(
    gradient: Floats, inputs: Floats, pooled: Floats, size: int, n_samples: int, out: Floats
) -> None:
    """Hand the gradient of each maximum to the value that it is.

    Of several equal ones it is the first, from row to row, as in TensorFlow: after a ReLU or a
    quantiser there often are several.

    Shapes are those of `pool`; `out` has that of the inputs.
    """
    n_channels, n_rows, length = pooled.shape
    scratch = np.empty((2, n_samples), np.float32)
    out[:, n_rows * size :] = _ZERO
    out[:, :, length * size :] = _ZERO
    for channel in range(n_channels):
        for row in range(n_rows):
            square = inputs[channel, row * size : (row + 1) * size]
            given = out[channel, row * size : (row + 1) * size]
            for first in range(0, length, n_samples):
                largest = pooled[channel, row, first : first + n_samples]
                of_largest = gradient[channel, row, first : first + n_samples]
                if size == 2:
                    _hand_to_one_of_four(square, 2 * first, largest, of_largest, given)
                else:
                    copy(of_largest, scratch[0])
                    _hand_out(square, size * first, largest, scratch, given)


@float_part
def _find_largest_of_four(square: Floats, first: int, found: Floats) -> None:
    """Do what `_find_largest` does, for the usual squares of two by two."""
    n = found.size
    a, b = square[0, first : first + n], square[0, first + n : first + 2 * n]
    c, d = square[1, first : first + n], square[1, first + n : first + 2 * n]
    for i in range(n):
        found[i] = max(max(a[i], b[i]), max(c[i], d[i]))


@float_part
def _hand_to_one_of_four(
    square: Floats, first: int, largest: Floats, of_largest: Floats, out: Floats
) -> None:
    """Do what `_hand_out` does, for the usual squares of two by two.

    One pixel after the other: to write four far parts of memory at once takes ten times as long.
    """
    n = largest.size
    a, b = square[0, first : first + n], square[0, first + n : first + 2 * n]
    c = square[1, first : first + n]
    of_a, of_b = out[0, first : first + n], out[0, first + n : first + 2 * n]
    of_c, of_d = out[1, first : first + n], out[1, first + n : first + 2 * n]
    for i in range(n):
        of_a[i] = of_largest[i] if a[i] == largest[i] else _ZERO
    for i in range(n):
        is_first = (b[i] == largest[i]) & (a[i] != largest[i])
        of_b[i] = of_largest[i] if is_first else _ZERO
    for i in range(n):
        is_first = (c[i] == largest[i]) & (a[i] != largest[i]) & (b[i] != largest[i])
        of_c[i] = of_largest[i] if is_first else _ZERO
    for i in range(n):
        is_last = (c[i] != largest[i]) & (a[i] != largest[i]) & (b[i] != largest[i])
        of_d[i] = of_largest[i] if is_last else _ZERO


@float_part
def _find_largest(square: Floats, first: int, found: Floats, scratch: Floats) -> None:
    """Find the largest value of a square for each sample, a pixel after the other.

    It is written to two rows in turn: a choice in place would not be made side by side.
    """
    n, size = found.size, len(square)
    here, there = scratch[0], scratch[1]
    copy(square[0, first : first + n], here)
    for pixel in range(1, size * size):
        begin = first + pixel % size * n
        values = square[pixel // size, begin : begin + n]
        for i in range(n):
            there[i] = max(here[i], values[i])
        here, there = there, here
    copy(here, found)


@float_part
def _hand_out(square: Floats, first: int, largest: Floats, scratch: Floats, out: Floats) -> None:
    """Give what is in the first row of the scratch to the first of the largest pixels."""
    n, size = largest.size, len(square)
    here, there = scratch[0], scratch[1]
    for pixel in range(size * size):
        begin = first + pixel % size * n
        values = square[pixel // size, begin : begin + n]
        given = out[pixel // size, begin : begin + n]
        for i in range(n):
            given[i] = here[i] if values[i] == largest[i] else _ZERO
        for i in range(n):
            there[i] = _ZERO if values[i] == largest[i] else here[i]
        here, there = there, here
