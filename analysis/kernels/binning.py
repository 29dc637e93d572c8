"""From the values of one snapshot of one layer to numbers of bins.

Ranges, widths and positions are computed in float64 from the float32 values of the layer; only the
order of operations that is written here gives these bits. Every function is monotone, because each
of its operations is, rounded: a larger value never has a smaller bin. All fill an array that the
caller made, of the narrowest integers that hold the bins, because the partition costs as much as
its rows have bytes.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ibtools.kernel import kernel

MAX_BINS = 2**53
"""Beyond, float64 has no number for each bin."""

ROUNDING = 2.0**-50
"""More than a quotient of two differences in float64 is off by rounding, of its size."""


@kernel
def _fill_bins(
    values: NDArray[np.float32],
    low: NDArray[np.float64],
    factor: float,
    divisor: NDArray[np.float64],
    first: NDArray[np.float64],
    last: NDArray[np.float64],
    out: NDArray[np.unsignedinteger],
) -> None:
    """Compute ``floor((v - low) * factor / divisor)`` between `first` and `last`, from `first`."""
    for sample in range(values.shape[0]):
        for unit in range(values.shape[1]):
            at = (np.float64(values[sample, unit]) - low[unit]) * factor / divisor[unit]
            at = min(max(np.floor(at), first[unit]), last[unit])
            out[sample, unit] = np.int64(at - first[unit])


def bin_uniform(
    values: NDArray[np.float32],
    low: ArrayLike,
    high: ArrayLike,
    *,
    n_bins: int,
    out: NDArray[np.unsignedinteger],
) -> None:
    """Put values into bins of equal width between two bounds.

    Parameters
    ----------
    values : ndarray, (sample, unit), float32
        Finite, or infinite where the bounds are not.
    low, high : float or array_like, (unit,)
        Bounds, of all units or of each. Values beyond go to the end bins.
    n_bins : int
        Number of bins, at least 1.
    out : ndarray, (sample, unit), unsigned integer
        Filled with 0 to n_bins - 1.

    Notes
    -----
    ``min(floor((v - low) * n / (high - low)), n - 1)``: exactly n bins, the upper bound in the
    last; all in bin 0 where low = high. The product comes first, because it is exact wherever
    v - low is exact and has the bits to spare, and then the quotient is a whole number wherever v
    is at an edge: 0 to n in n bins are in bins 0 to n - 1. A quotient that is rounded first may
    fall below.

    Examples
    --------
    >>> import numpy as np
    >>> out = np.empty((1, 4), np.uint8)
    >>> bin_uniform(np.array([[0, 1, 2, 4]], np.float32), 0, 4, n_bins=2, out=out)
    >>> out.tolist()
    [[0, 0, 1, 1]]
    """
    n_units = values.shape[1]
    low, high = _of_each_unit(low, n_units), _of_each_unit(high, n_units)
    width = np.where(high > low, high - low, 1.0)
    last = np.where(high > low, n_bins - 1, 0.0)
    _fill_bins(values, low, float(n_bins), width, np.zeros(n_units), last, out)


def bin_width(
    values: NDArray[np.float32],
    low: ArrayLike,
    high: ArrayLike,
    *,
    width: float,
    out: NDArray[np.unsignedinteger],
) -> None:
    """Put values into bins of given width that begin at a bound.

    Parameters
    ----------
    values : ndarray, (sample, unit), float32
        Finite, or infinite where the bounds are not.
    low, high : float or array_like, (unit,)
        Bounds, of all units or of each. Values beyond go to the end bins.
    width : float
        Width of a bin.
    out : ndarray, (sample, unit), unsigned integer
        Filled with 0 to n - 1.

    Notes
    -----
    ``min(floor((v - low) / width), n - 1)`` with n = ceil((high - low) / width), at least 1. Bounds
    that are a whole number of widths apart but for rounding have no further bin: 0 to 21 are 60
    bins of 0.35, though the float64 quotient is more than 60.

    Examples
    --------
    >>> import numpy as np
    >>> out = np.empty((1, 4), np.uint8)
    >>> bin_width(np.array([[0, 1, 2, 4]], np.float32), 0, 4, width=2, out=out)
    >>> out.tolist()
    [[0, 0, 1, 1]]
    """
    n_units = values.shape[1]
    low, high = _of_each_unit(low, n_units), _of_each_unit(high, n_units)
    last = np.maximum(np.ceil((high - low) / width * (1 - ROUNDING)) - 1, 0.0)
    _fill_bins(values, low, 1.0, np.full(n_units, float(width)), np.zeros(n_units), last, out)


def bin_width_from_zero(
    values: NDArray[np.float32],
    low: float,
    high: float,
    *,
    width: float,
    out: NDArray[np.unsignedinteger],
) -> None:
    """Put values into bins with edges at the multiples of a width, as Saxe et al. (2018) do.

    Parameters
    ----------
    values : ndarray, (sample, unit), float32
        Finite.
    low, high : float
        The range of the values; it does not move an edge, only the number of the first bin.
    width : float
        Width of a bin.
    out : ndarray, (sample, unit), unsigned integer
        Filled with ``floor(v / width) - floor(low / width)``.

    Examples
    --------
    >>> import numpy as np
    >>> out = np.empty((1, 4), np.uint8)
    >>> bin_width_from_zero(np.array([[-1, 0, 1, 2]], np.float32), -1, 2, width=2, out=out)
    >>> out.tolist()
    [[0, 1, 1, 2]]
    """
    n_units = values.shape[1]
    first = _of_each_unit(math.floor(low / width), n_units)
    last = _of_each_unit(math.floor(high / width), n_units)
    divisor = np.full(n_units, float(width))
    _fill_bins(values, np.zeros(n_units), 1.0, divisor, first, last, out)


def bin_quantile(
    values: NDArray[np.float32], *, n_bins: int, out: NDArray[np.unsignedinteger]
) -> None:
    """Put values into bins of equal frequency, taken over all of `values`; ties are never split.

    Parameters
    ----------
    values : ndarray, any shape, float32
        No NaN.
    n_bins : int
        Number of bins, at least 1.
    out : ndarray, shape of values, unsigned integer
        Filled with 0 to n_bins - 1.

    Notes
    -----
    With m values, the bin of v is ``floor(r n / m)`` where r is how many values are smaller than v:
    in integers, so that distinct values fill bins that differ by one value at most. It depends on
    the order of the values only.

    Examples
    --------
    >>> import numpy as np
    >>> out = np.empty(6, np.uint8)
    >>> bin_quantile(np.array([5, 1, 1, 1, 9, 7], np.float32), n_bins=3, out=out)
    >>> out.tolist()
    [1, 0, 0, 0, 2, 2]
    """
    _bin_by_rank(np.sort(values, axis=None), values, n_bins, out)


def bin_unique(
    values: NDArray[np.float32], *, n_bins: int, out: NDArray[np.unsignedinteger]
) -> None:
    """Put values into bins that hold equally many different values, over all of `values`.

    Parameters
    ----------
    values : ndarray, any shape, float32
        No NaN.
    n_bins : int
        Number of bins, at least 1.
    out : ndarray, shape of values, unsigned integer
        Filled with 0 to n_bins - 1.

    Notes
    -----
    As `bin_quantile`, of the different values instead of all: how often a value occurs does not
    matter. Where all values differ, the two are the same.

    Examples
    --------
    >>> import numpy as np
    >>> out = np.empty(6, np.uint8)
    >>> bin_unique(np.array([5, 1, 1, 1, 9, 7], np.float32), n_bins=2, out=out)
    >>> out.tolist()
    [0, 0, 0, 0, 1, 1]
    """
    _bin_by_rank(np.unique(values), values, n_bins, out)


def _bin_by_rank(
    ordered: NDArray[np.float32],
    values: NDArray[np.float32],
    n_bins: int,
    out: NDArray[np.unsignedinteger],
) -> None:
    """Fill ``floor(r n / m)``, where r of the m ordered values are smaller."""
    n_smaller = -(-np.arange(1, n_bins) * ordered.size // n_bins)  # rounded up
    out[...] = np.searchsorted(ordered[n_smaller - 1], values, side="left")


def bin_dtype(n_bins: int) -> "np.dtype[np.unsignedinteger]":
    """Return the narrowest unsigned integers that number so many bins.

    Examples
    --------
    >>> bin_dtype(256), bin_dtype(257)
    (dtype('uint8'), dtype('uint16'))
    """
    return np.min_scalar_type(n_bins - 1)


def _of_each_unit(bound: ArrayLike, n_units: int) -> NDArray[np.float64]:
    return np.ascontiguousarray(np.broadcast_to(np.asarray(bound, np.float64), n_units))
