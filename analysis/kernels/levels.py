"""From float values of one layer to the nearest of equally spaced levels, in float32.

The arithmetic is that of the published estimator, operation by operation. It stays in NumPy, where
every operation on float32 arrays is rounded to float32: no compiler fuses or widens any of them.
"""

import numpy as np
from numpy.typing import NDArray

from ibtools.analysis.kernels.binning import bin_dtype

MAX_BITS = 32
"""Of levels: those of float32 layers."""


def nearest_levels(
    values: NDArray[np.float32],
    low: float,
    high: float,
    *,
    bits: int,
    out: NDArray[np.unsignedinteger],
) -> None:
    """Round values to the nearest of 2^bits + 1 levels between two bounds.

    Parameters
    ----------
    values : ndarray, (sample, unit), float32
        Finite.
    low, high : float
        Smallest and largest value: float32 numbers, whose difference float32 holds.
    bits : int
        1 to 32.
    out : ndarray, (sample, unit), unsigned integer of `level_dtype`
        Filled with 0 to 2^bits.

    Notes
    -----
    ``(v - low) * 2^bits / (high - low)``, each operation in float32, rounded to the nearest whole
    number, to the even one of two: level 0 is the smallest value, level 2^bits the largest. A power
    of two scales without rounding, so that it is multiplied last and nothing overflows; no level
    changes by it. All are level 0 where low = high. (The published divisor is 1e-9 there, which is
    0 in float32 from 1/32 on; the dividend is 0 for every value.)

    Examples
    --------
    >>> import numpy as np
    >>> out = np.empty((1, 5), np.uint8)
    >>> nearest_levels(np.array([[0, 0.125, 0.3, 0.375, 1]], np.float32), 0, 1, bits=2, out=out)
    >>> out.tolist()
    [[0, 0, 1, 2, 4]]
    """
    if low == high:
        out[...] = 0
        return
    scaled = values - np.float32(low)
    scaled /= np.float32(high) - np.float32(low)
    scaled *= np.float32(2**bits)
    np.rint(scaled, out=scaled)
    out[...] = np.clip(scaled, 0, 2**bits, out=scaled)


def level_dtype(bits: int) -> "np.dtype[np.unsignedinteger]":
    """Return the narrowest unsigned integers that number the levels.

    Examples
    --------
    >>> level_dtype(7), level_dtype(8), level_dtype(32)
    (dtype('uint8'), dtype('uint16'), dtype('uint64'))
    """
    return bin_dtype(2**bits + 1)
