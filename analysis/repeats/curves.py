"""Curves over recorded epochs: how noisy they are, and what counts as a fall or a rise.

Curves of information are noisy, and a maximum over noisy values is too large on average.
`docs/dynamics.md` says what is done about it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

WINDOW = 5
"""Recorded epochs that the running median looks at."""

NOISE_FACTOR = 3
"""A rise or fall that is not larger than so many deviations of what moves a curve is none."""

MADE = 0.9
"""The part of a rise, or of what is left of a fall, that counts as all of it."""

ROUNDING = 1e-9
"""Bits below which two values of a curve are the same."""

Curves = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Fall:
    """How curves fall from their peaks.

    Parameters
    ----------
    peak, peak_epoch : ndarray, (...), float64
        The maximum of the smoothed curve, and the first epoch that has it.
    end : ndarray, (...), float64
        The last value.
    size : ndarray, (...), float64
        Peak less end.
    turn_epoch : ndarray, (...), float64
        The last at which no more than a tenth of the fall is made; NaN where there is none.
    noise : ndarray, (...), float64
        As from `curve_noise`.
    """

    peak: Curves
    peak_epoch: Curves
    end: Curves
    size: Curves
    turn_epoch: Curves
    noise: Curves


@dataclass(frozen=True, eq=False)
class Rise:
    """How curves rise from their starts.

    Parameters
    ----------
    size : ndarray, (...), float64
        The maximum of the smoothed curve less the first value.
    epoch : ndarray, (...), float64
        The first at which nine tenths of the rise are made; NaN where there is none.
    noise : ndarray, (...), float64
        As from `curve_noise`.
    """

    size: Curves
    epoch: Curves
    noise: Curves


def running_median(curves: Curves, *, window: int = WINDOW) -> Curves:
    """Smooth curves by the median over a window that is centred on each value.

    Parameters
    ----------
    curves : ndarray, (..., epoch), float64
        Curves over recorded epochs.
    window : int, optional
        Values in the window, an odd number. Towards both ends the window shrinks, so that it stays
        centred; the first and the last value are kept.

    Returns
    -------
    ndarray, (..., epoch), float64
        A curve that only rises, or only falls, stays as it is.

    References
    ----------
    Tukey, Exploratory Data Analysis, 1977, chapter 7.

    Examples
    --------
    >>> running_median(np.array([0.0, 1.0, 9.0, 2.0, 3.0, 4.0]))
    array([0., 1., 2., 3., 3., 4.])
    """
    n = curves.shape[-1]
    smooth = np.empty_like(curves)
    for i in range(n):
        half = min(window // 2, i, n - 1 - i)
        smooth[..., i] = np.median(curves[..., i - half : i + half + 1], axis=-1)
    return smooth


def curve_noise(curves: Curves) -> Curves:
    """Estimate the deviation of the noise that a curve has from epoch to epoch.

    Parameters
    ----------
    curves : ndarray, (..., epoch), float64
        At least three values; epoch is consumed.

    Returns
    -------
    ndarray, (...), float64
        In the unit of the curves.

    Notes
    -----
    With the differences ``d`` of each value from the mean of its two neighbours,
    ``1.4826 median(|d|) / sqrt(1.5)``: for independent normal noise of deviation s, d has deviation
    ``sqrt(1.5) s``, and the median of ``|d|`` is its deviation over 1.4826. A trend that is nearly
    straight over three values adds nothing, and the median leaves out the few where it is not.

    References
    ----------
    Gasser, Sroka & Jennen-Steinmetz, Residual variance and residual pattern in nonlinear
    regression, Biometrika 73, 1986 (pseudo-residuals).

    Examples
    --------
    >>> curve_noise(np.array([1.0, 2.0, 3.0, 4.0])).item()
    0.0
    """
    difference = curves[..., 1:-1] - (curves[..., :-2] + curves[..., 2:]) / 2
    noise: Curves = 1.4826 * np.median(np.abs(difference), axis=-1) / np.sqrt(1.5)
    return noise


def measure_fall(
    curves: Curves, epochs: Curves, *, window: int = WINDOW, resolution: float = 0.0
) -> Fall:
    """Measure how curves fall from their peaks to their ends.

    Parameters
    ----------
    curves : ndarray, (..., epoch), float64
        At least three values; epoch is consumed.
    epochs : ndarray, (epoch,), float64
        Their numbers.
    window : int, optional
        Of the running median.
    resolution : float, optional
        What a fall must be larger than, besides the noise; in the unit of the curves.

    Returns
    -------
    Fall

    Examples
    --------
    >>> epochs = np.arange(6.0)
    >>> measure_fall(np.array([6.0, 8, 8, 8, 5, 4]), epochs).turn_epoch.item()
    3.0
    """
    smooth, noise = running_median(curves, window=window), curve_noise(curves)
    peak, end = smooth.max(axis=-1), smooth[..., -1]
    size = peak - end
    high = smooth >= (peak - (1 - MADE) * size - ROUNDING)[..., np.newaxis]
    turn = epochs[high.shape[-1] - 1 - np.argmax(high[..., ::-1], axis=-1)]
    first = np.argmax(smooth >= (peak - ROUNDING)[..., np.newaxis], axis=-1)
    turned = _is_change(size, noise, resolution)
    return Fall(peak, epochs[first], end, size, np.where(turned, turn, np.nan), noise)


def measure_rise(
    curves: Curves,
    epochs: Curves,
    *,
    window: int = WINDOW,
    resolution: float = 0.0,
    deviation: Curves | None = None,
) -> Rise:
    """Measure how curves rise from their starts to their peaks.

    Parameters
    ----------
    curves : ndarray, (..., epoch), float64
        At least three values; epoch is consumed.
    epochs : ndarray, (epoch,), float64
        Their numbers.
    window : int, optional
        Of the running median.
    resolution : float, optional
        What a rise must be larger than, besides the noise; in the unit of the curves.
    deviation : ndarray, (..., epoch), float64, optional
        How far each value may be from its mean by chance, where that is known: a rise must exceed
        three deviations of the difference of start and peak.

    Returns
    -------
    Rise

    Examples
    --------
    >>> epochs = np.arange(6.0)
    >>> measure_rise(np.array([0.0, 0.5, 1, 1, 1, 1]), epochs).epoch.item()
    2.0
    """
    smooth, noise = running_median(curves, window=window), curve_noise(curves)
    start, peak = smooth[..., 0], smooth.max(axis=-1)
    size = peak - start
    made = smooth >= (start + MADE * size - ROUNDING)[..., np.newaxis]
    moves = noise if deviation is None else np.maximum(noise, _of_difference(deviation, smooth))
    rose = _is_change(size, moves, resolution)
    return Rise(size, np.where(rose, epochs[np.argmax(made, axis=-1)], np.nan), noise)


def _of_difference(deviation: Curves, smooth: Curves) -> Curves:
    """Return the deviation of the difference between the peak of each curve and its start."""
    at = np.argmax(smooth, axis=-1)[..., np.newaxis]
    of_peak = np.take_along_axis(deviation, at, axis=-1)[..., 0]
    difference: Curves = np.hypot(of_peak, deviation[..., 0])
    return difference


def _is_change(change: Curves, moves: Curves, resolution: float) -> NDArray[np.bool_]:
    """Tell what is larger than what moves a curve anyway, of a deviation `moves`."""
    return np.asarray(change > np.maximum(NOISE_FACTOR * moves, max(resolution, ROUNDING)))


def held_out_fall(curves: Curves, *, window: int = WINDOW) -> Curves:
    """Measure how far each curve falls to its end from where the mean of the others peaks.

    Parameters
    ----------
    curves : ndarray, (repeat, ..., epoch), float64
        Curves of repeats; epoch is consumed.
    window : int, optional
        Of the running median by which the mean of the others is smoothed.

    Returns
    -------
    ndarray, (repeat, ...), float64
        In the unit of the curves; negative where a curve ends higher than it was there. NaN for a
        single repeat.

    Notes
    -----
    The epoch is chosen without looking at the curve, so that noise does not choose it: for curves
    that are noise around a constant, the mean is 0, while that of maximum less end is not. Where
    repeats peak at different epochs, it is smaller than their falls from their own peaks.

    Examples
    --------
    >>> held_out_fall(np.array([[0.0, 2.0, 1.0], [0.0, 3.0, 1.0]]), window=1)
    array([1., 2.])
    """
    n_repeats = len(curves)
    if n_repeats < 2:
        return np.full(curves.shape[:-1], np.nan)
    others = (curves.sum(axis=0) - curves) / (n_repeats - 1)
    at = np.argmax(running_median(others, window=window), axis=-1)[..., np.newaxis]
    fall: Curves = np.take_along_axis(curves, at, axis=-1)[..., 0] - curves[..., -1]
    return fall
