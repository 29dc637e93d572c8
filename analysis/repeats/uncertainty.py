"""How much what was found varies between repeats: intervals for means over repeats.

Repeats are independent trainings, and these intervals say how far a mean of so many of them may be
from the mean of all possible trainings, on the recorded inputs. That the inputs may be a sample is
another uncertainty, which no number of repeats makes smaller (`ibtools.analysis.kernels.sampling`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from ibtools.analysis.repeats.intervals import confidence_half_width
from ibtools.analysis.repeats.possible import LEAST, MOST, clip, possible
from ibtools.analysis.repeats.shown import has_not_failed
from ibtools.errors import InputError, StoreError, unknown_name

IntervalMethod = Literal["bca", "percentile", "t"]

STATISTICS = ("mean", "deviation", "low", "high", "n_repeats")
"""What `repeat_intervals` returns of every variable."""

BLOCK_BYTES = 2**26
"""Resampled means that are held at once."""

Values = NDArray[np.float64]


def repeat_intervals(
    dataset: xr.Dataset,
    *,
    method: IntervalMethod = "t",
    level: float = 0.95,
    n_resamples: int = 9999,
    seed: int = 0,
) -> xr.Dataset:
    """Compute the mean over repeats of every variable, and an interval for it.

    Parameters
    ----------
    dataset : Dataset
        Results or what was derived from them, lazy or not: variables (repeat, ...), floating, NaN
        where there is no value. Where there is a coordinate `outcome` (repeat), repeats that failed
        do not count. Consumes `repeat`.
    method : {"t", "bca", "percentile"}, optional
        Student's interval, bootstrap with bias correction and acceleration, or plain bootstrap.
    level : float, optional
        How often the interval is to hold the true mean.
    n_resamples : int, optional
        Of the bootstrap.
    seed : int, optional
        Of the bootstrap; the same seed gives the same interval.

    Returns
    -------
    Dataset
        The floating variables, float64, with the first dimension `statistic` in place of `repeat`:
        "mean", "deviation" (between repeats, n - 1 in the denominator), "low" and "high" of the
        interval, in the unit of the variable, and "n_repeats", how many have a value. Deviation and
        interval are NaN for fewer than two. Intervals are clipped to what is possible
        (`ibtools.analysis.repeats.possible.possible`); the attribute `interval_clipped` names the
        variables of which any reached beyond it.

    Raises
    ------
    UnknownNameError
        If there is no such method.
    InputError
        If level or number of resamples is out of range.
    StoreError
        If no variable has the dimension `repeat`.

    Notes
    -----
    See `bootstrap_interval` and `ibtools.analysis.repeats.intervals.confidence_half_width`. With
    few repeats (below about 10), a bootstrap interval is too narrow, since it resamples what little
    there is; Student's is wider, and right for normal values.

    References
    ----------
    Efron & Tibshirani, An Introduction to the Bootstrap, 1993, chapters 13 and 14.

    Examples
    --------
    >>> values = xr.Dataset({"mi_ty": ("repeat", [0.5, 0.7, 0.6, 0.6])})
    >>> repeat_intervals(values, method="t")["mi_ty"].round(4).values
    array([0.6   , 0.0816, 0.4701, 0.7299, 4.    ])
    """
    _validate(method, level, n_resamples)
    names = [
        name for name, one in dataset.items() if "repeat" in one.dims and one.dtype.kind == "f"
    ]
    if not names:
        raise StoreError(
            "intervals are over repeats, but no floating variable has the dimension repeat; pass "
            "results that were not reduced"
        )
    counted = dataset[names]
    if "outcome" in dataset.coords:
        counted = counted.isel(repeat=has_not_failed(dataset))
    options = {"method": method, "level": level, "n_resamples": n_resamples, "seed": seed}
    summary: xr.Dataset = xr.apply_ufunc(
        _summarise,
        counted.compute(),
        input_core_dims=[["repeat"]],
        output_core_dims=[["statistic"]],
        kwargs=options,
        keep_attrs=True,
    )
    ordered = summary.transpose("statistic", ...).assign_coords(statistic=list(STATISTICS))
    clipped = {name: _clip(ordered[name], dataset.attrs) for name in names}
    reached = ", ".join(str(name) for name, (_, beyond) in clipped.items() if beyond)
    said = {f"interval_{key}": value for key, value in options.items()}
    return ordered.assign({name: one for name, (one, _) in clipped.items()}).assign_attrs(
        {**dataset.attrs, **said, "interval_clipped": reached}
    )


def _clip(statistics: xr.DataArray, attributes: Mapping[Any, Any]) -> tuple[xr.DataArray, bool]:
    """Clip the interval of a variable; tell whether it reached beyond the possible."""
    low, high = (STATISTICS.index(name) for name in ("low", "high"))
    values, between = statistics.values.copy(), possible(statistics, attributes)
    values[low], values[high], reached = clip(values[low], values[high], between)
    clipped = statistics.copy(data=values)
    for name in (LEAST, MOST):  # other statistics of the variable can be beyond
        clipped.attrs.pop(name, None)
    return clipped, reached


def _validate(method: str, level: float, n_resamples: int) -> None:
    if method not in get_args(IntervalMethod):
        raise unknown_name("interval", method, get_args(IntervalMethod))
    if not 0 < level < 1:
        raise InputError(f"level must be between 0 and 1, such as 0.95, found {level}")
    if n_resamples < 100:
        raise InputError(f"n_resamples must be 100 or more, found {n_resamples}")


def _summarise(values: NDArray[Any], **options: Any) -> Values:
    """Summarise (..., repeat) as (..., statistic); each pattern of missing repeats by itself."""
    if not values.size:
        return np.broadcast_to([*[np.nan] * 4, 0.0], (*values.shape[:-1], len(STATISTICS)))
    rows = values.reshape(-1, values.shape[-1]).astype(np.float64)
    out = np.full((len(rows), len(STATISTICS)), np.nan)
    out[:, -1] = 0
    patterns, group = np.unique(~np.isnan(rows), axis=0, return_inverse=True)
    for index, present in enumerate(patterns):
        if present.any():
            chosen = np.flatnonzero(group.ravel() == index)
            out[chosen] = _summarise_complete(rows[chosen][:, present].T, **options)
    return out.reshape(*values.shape[:-1], len(STATISTICS))


def _summarise_complete(values: Values, *, method: str, level: float, **bootstrap: int) -> Values:
    """Summarise (repeat, case), of which none is missing, as (case, statistic)."""
    n_repeats, mean = len(values), values.mean(axis=0)
    if n_repeats < 2:
        nothing = np.full_like(mean, np.nan)
        return np.stack([mean, nothing, nothing, nothing, np.ones_like(mean)], axis=1)
    deviation = values.std(axis=0, ddof=1)
    if method == "t":
        half = confidence_half_width(deviation, np.array(n_repeats), level=level)
        low, high = mean - half, mean + half
    else:
        low, high = bootstrap_interval(values, level=level, corrected=method == "bca", **bootstrap)
    return np.stack([mean, deviation, low, high, np.full_like(mean, n_repeats)], axis=1)


def bootstrap_interval(
    values: Values,
    *,
    level: float = 0.95,
    corrected: bool = True,
    n_resamples: int = 9999,
    seed: int = 0,
) -> tuple[Values, Values]:
    """Compute a bootstrap interval for the mean over repeats.

    Parameters
    ----------
    values : ndarray, (repeat, case), float64
        At least two repeats; none is missing. Consumes repeat. All cases are resampled alike.
    level : float, optional
        How often the interval is to hold the true mean.
    corrected : bool, optional
        Whether to correct the percentiles for bias and acceleration (BCa).
    n_resamples, seed : int, optional
        Of the bootstrap.

    Returns
    -------
    low, high : ndarray, (case,), float64
        In the unit of `values`. Where all repeats are equal, their value.

    Notes
    -----
    The percentiles a/2 and 1 - a/2 of the means of resampled repeats, a = 1 - level. Corrected, the
    percentile ``Phi(z)`` becomes ``Phi(z0 + (z0 + z) / (1 - c (z0 + z)))``: z0 is the quantile of
    the share of resampled means below the mean (ties count half), and c is
    ``sum d^3 / (6 (sum d^2)^(3/2))`` of the deviations d from the mean, which is what the jackknife
    gives for a mean. Percentiles are interpolated linearly.

    References
    ----------
    Efron, Better bootstrap confidence intervals, JASA 82, 1987.

    Examples
    --------
    >>> values = np.array([[1.0], [2.1], [3.3], [6.4]])
    >>> [float(end[0].round(3)) for end in bootstrap_interval(values)]
    [1.575, 5.625]
    """
    n_repeats = len(values)
    mean = values.mean(axis=0)
    same = np.ptp(values, axis=0) == 0
    centred = np.where(same, 0.0, values - mean)
    rng = np.random.default_rng(seed)
    times = rng.multinomial(n_repeats, np.full(n_repeats, 1 / n_repeats), size=n_resamples)
    weights = times / n_repeats
    tails = np.array([(1 - level) / 2, (1 + level) / 2])
    ends = np.empty((2, values.shape[1]))
    step = max(1, BLOCK_BYTES // (8 * n_resamples))
    for start in range(0, values.shape[1], step):
        block = slice(start, start + step)
        resampled = np.sort(weights @ centred[:, block], axis=0)
        share = np.broadcast_to(tails[:, np.newaxis], ends[:, block].shape)
        if corrected:
            share = _corrected_share(resampled, centred[:, block], share)
        ends[:, block] = _percentiles(resampled, share)
    ends += mean
    ends[:, same] = values[0, same]
    return ends[0], ends[1]


def _corrected_share(resampled: Values, centred: Values, share: Values) -> Values:
    """Correct the share of resampled means below each end, (end, case)."""
    largest = np.abs(centred).max(axis=0)
    tie = 1e-12 * largest
    below = (resampled < -tie).mean(axis=0) / 2 + (resampled <= tie).mean(axis=0) / 2
    z0 = ndtri(below)
    scaled = centred / np.where(largest > 0, largest, 1)
    squares = np.sum(scaled**2, axis=0)
    c = np.sum(scaled**3, axis=0) / (6 * np.where(squares > 0, squares, 1) ** 1.5)
    z = z0 + ndtri(share)
    return np.asarray(ndtr(z0 + z / (1 - c * z)))


def _percentiles(ordered: Values, share: Values) -> Values:
    """Interpolate percentiles of every case, (end, case), from sorted values (resample, case)."""
    place = share * (len(ordered) - 1)
    before = np.clip(np.floor(place).astype(np.int64), 0, len(ordered) - 2)
    low = np.take_along_axis(ordered, before, axis=0)
    high = np.take_along_axis(ordered, before + 1, axis=0)
    return np.asarray(low + (place - before) * (high - low))
