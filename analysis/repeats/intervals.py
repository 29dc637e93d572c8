"""Confidence intervals for means over repeats."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit


def confidence_half_width(
    deviation: NDArray[np.float64], n_repeats: NDArray[np.int64], *, level: float = 0.95
) -> NDArray[np.float64]:
    """Compute half the width of the confidence interval of a mean, after Student.

    Parameters
    ----------
    deviation : ndarray, any axes, float64
        Standard deviation between repeats, n - 1 in the denominator.
    n_repeats : ndarray, integer
        How many repeats each deviation is from; broadcast against `deviation`.
    level : float, optional
        How often the interval holds the true mean.

    Returns
    -------
    ndarray, float64
        In the unit of `deviation`; NaN for fewer than two repeats.

    Notes
    -----
    t * s / sqrt(n), with t the quantile (1 + level) / 2 of Student's distribution with n - 1
    degrees of freedom. It takes the repeats as independent and their values as normal.

    References
    ----------
    Student, The probable error of a mean, Biometrika 6(1), 1908.

    Examples
    --------
    >>> float(confidence_half_width(np.array(1.0), np.array(4)).round(4))
    1.5912
    """
    freedom = np.where(np.asarray(n_repeats) > 1, n_repeats, np.nan) - 1
    quantile = stdtrit(freedom, (1 + level) / 2)
    half_width: NDArray[np.float64] = quantile * deviation / np.sqrt(freedom + 1)
    return half_width
