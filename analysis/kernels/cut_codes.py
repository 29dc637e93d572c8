"""Codes cut to fewer bits: what the units of a layer have, told with a coarser and coarser grid.

With the level n of a unit, its code less the code of zero, of b bits,

    T_r = ceil(n / 2^(b - r))    for r = 1 to b,    T_0 = [n > 0].

Rounding up keeps what is not above zero a state of its own at every r. T_r is a function of
T_(r + 1), so that states only split when r grows.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ibtools.kernel import kernel

_SIGN = np.uint32(0x80000000)


@dataclass(frozen=True, eq=False)
class Levels:
    """What the units of snapshots of one layer have, as whole numbers whose zero is known.

    Parameters
    ----------
    codes : ndarray, (block, sample, unit), uint8, uint16 or uint32
        Of the units, below 2^bits.
    zero : ndarray, (block, unit), int64
        The code that stands for zero.
    bits : int
        Width b of the codes.
    """

    codes: NDArray[Any]
    zero: NDArray[np.int64]
    bits: int


def float_levels(values: NDArray[np.float32]) -> Levels:
    """Give float32 values whole numbers in their order.

    Parameters
    ----------
    values : ndarray, (block, sample, unit), float32
        Without NaN.

    Returns
    -------
    Levels
        (block, sample, unit), of 32 bits. The level is the bit pattern of the absolute value, with
        the sign of the value. Cut to r bits, 32 > r >= 9, it keeps sign, exponent and r - 9 bits of
        the mantissa, rounded up; below, the mantissa is gone and the exponent loses its bits; at 0
        it is whether the value is above zero.

    Examples
    --------
    >>> levels = float_levels(np.array([[[0.0], [-0.0], [1.5], [-1.5]]], np.float32))
    >>> (levels.codes.astype(np.int64) - levels.zero[0, 0]).ravel().tolist()
    [0, 0, 1069547520, -1069547520]
    """
    magnitude = values.view(np.uint32) & ~_SIGN
    codes = np.where(values < 0, _SIGN - magnitude, _SIGN + magnitude)
    return Levels(codes, np.full(values.shape[::2], int(_SIGN)), 32)


def cut_levels(levels: Levels, resolution: int) -> NDArray[np.uint32]:
    """Cut levels to fewer bits.

    Parameters
    ----------
    levels : Levels
        (block, sample, unit).
    resolution : int
        r, at least 0. From the width of the codes on, nothing is cut.

    Returns
    -------
    ndarray, (block, sample, unit), uint32
        T_r, modulo 2^32: different where T_r is, of every unit.

    Examples
    --------
    >>> levels = Levels(np.arange(8, dtype=np.uint8).reshape(1, 8, 1), np.array([[2]]), bits=3)
    >>> cut_levels(levels, 2).view(np.int32).ravel().tolist()
    [-1, 0, 0, 1, 1, 2, 2, 3]
    >>> cut_levels(levels, 0).ravel().tolist()
    [0, 0, 0, 1, 1, 1, 1, 1]
    """
    out = np.empty(levels.codes.shape, np.uint32)
    shift = max(levels.bits - resolution, 0)
    _cut_block(levels.codes, levels.zero, shift, resolution == 0, out)
    return out


@kernel
def _cut_block(
    codes: NDArray[Any],
    zero: NDArray[np.int64],
    shift: int,
    on: bool,
    out: NDArray[np.uint32],
) -> None:
    """Fill T_r; the shift of a negative number rounds down, so that of zero less code rounds up."""
    for b in range(codes.shape[0]):
        for sample in range(codes.shape[1]):
            for unit in range(codes.shape[2]):
                below = zero[b, unit] - np.int64(codes[b, sample, unit])
                cut = np.int64(below < 0) if on else -(below >> shift)
                out[b, sample, unit] = np.uint32(cut & np.int64(0xFFFFFFFF))
