"""What happens to every value by itself: activation functions, and quantisers with their gradient.

Loops are written so that the compiler lets the processor work on many values side by side: it does
not where a value may be left as it is (a choice between a value and what is written in its place).
So choices are made among bits, or written to another array.
"""

import numpy as np

from ibtools.kernel import float_part
from ibtools.recorders.engines.native.arrays import RELU, RELU6, TANH, Floats

_FLOAT = np.float32
_ZERO, _HALF, _ONE, _SIX = _FLOAT(0), _FLOAT(0.5), _FLOAT(1), _FLOAT(6)
_SMALLEST_END = _FLOAT(1e-30)  # as in ibtools.recorders.engines.keras.quantizers
_SIGN, _LARGEST_INTEGER = np.int32(31), np.int32(2**31 - 1)
_BITS_OF_SIX = _SIX.view(np.int32)

# tanh(x) = x P(x^2) / Q(x^2) within 4e-7, |x| <= 9: beyond, float32 has no number between it and 1.
# A least-squares fit of x / tanh(x), reweighted until the largest relative error was smallest.
_LARGEST = _FLOAT(9)
_P0, _P1, _P2, _P3, _P4 = np.array(
    [1.0, 1.33810192e-1, 3.49558028e-3, 2.06089535e-5, 1.33544855e-8], np.float32
)
_Q0, _Q1, _Q2, _Q3, _Q4 = np.array(
    [1.0, 4.6714336e-1, 2.5876952e-2, 3.2856219e-4, 7.7764855e-7], np.float32
)


@float_part
def copy(values: Floats, out: Floats) -> None:
    """Copy a row of values.

    An assignment of arrays would bring the text of its error, which is compiled with every caller:
    seconds for each.
    """
    for i in range(out.size):
        out[i] = values[i]


@float_part
def activate(row: Floats, function: int) -> None:
    """Apply an activation function to a row of values, in place.

    The bits of floats that are not negative are integers in the same order.
    """
    if function == TANH:
        for i in range(row.size):
            x = min(max(row[i], -_LARGEST), _LARGEST)
            s = x * x
            p = _P0 + s * (_P1 + s * (_P2 + s * (_P3 + s * _P4)))
            q = _Q0 + s * (_Q1 + s * (_Q2 + s * (_Q3 + s * _Q4)))
            row[i] = min(max(x * p / q, -_ONE), _ONE)
    elif function == RELU:
        bits = row.view(np.int32)
        for i in range(bits.size):
            bits[i] = bits[i] & ~(bits[i] >> _SIGN)
    elif function == RELU6:
        bits = row.view(np.int32)
        for i in range(bits.size):
            bits[i] = min(bits[i] & ~(bits[i] >> _SIGN), _BITS_OF_SIX)


@float_part
def differentiate(
    gradient: Floats, row: Floats, function: int, low: np.float32, high: np.float32, out: Floats
) -> None:
    """Lead the gradient of a row back to what was activated: 0 where the range clips its values."""
    if function == TANH:
        for i in range(row.size):
            is_inside = low <= row[i] <= high
            out[i] = gradient[i] * (_ONE - row[i] * row[i]) if is_inside else _ZERO
    elif function == RELU:
        for i in range(row.size):
            out[i] = gradient[i] if _ZERO < row[i] <= high else _ZERO
    elif function == RELU6:
        for i in range(row.size):
            is_inside = (_ZERO < row[i] < _SIX) and row[i] <= high
            out[i] = gradient[i] if is_inside else _ZERO
    else:
        for i in range(row.size):
            out[i] = gradient[i] if low <= row[i] <= high else _ZERO


@float_part
def find_range(rows: Floats) -> tuple[np.float32, np.float32]:
    """Return the range of rows of values and 0.

    Values are compared as integers in the same order, which is done side by side.
    """
    low = high = np.int32(0)
    for j in range(len(rows)):
        bits = rows[j].view(np.int32)
        for i in range(bits.size):
            ordered = bits[i] ^ ((bits[i] >> _SIGN) & _LARGEST_INTEGER)
            low, high = min(low, ordered), max(high, ordered)
    ends = np.array([low, high], np.int32)
    ends ^= (ends >> _SIGN) & _LARGEST_INTEGER
    return ends.view(np.float32)[0], ends.view(np.float32)[1]


@float_part
def grid(
    low: np.float32, high: np.float32, largest: np.float32
) -> tuple[np.float32, np.float32, np.float32]:
    """Return the step of a range, and its ends moved so that 0 is one of its values."""
    scale = (max(high, _SMALLEST_END) - low) / largest
    zero_point = min(max(np.floor(_HALF - low / scale), _ZERO), largest)
    return scale, -zero_point * scale, (largest - zero_point) * scale


@float_part
def quantise(
    values: Floats, scale: np.float32, low: np.float32, high: np.float32, out: Floats
) -> None:
    """Round values to a grid; its value 0 is exactly 0, on which units that are off depend."""
    inverse = _ONE / scale
    zero_point = np.rint(-low * inverse)
    for i in range(values.size):
        steps = (min(max(values[i], low), high) - low) * inverse
        out[i] = (np.floor(steps + _HALF) - zero_point) * scale


@float_part
def cut(gradient: Floats, values: Floats, low: np.float32, high: np.float32) -> None:
    """Take the gradient of what a range clips."""
    for i in range(values.size):
        gradient[i] = gradient[i] if low <= values[i] <= high else _ZERO
