"""The dynamics of a training as numbers: peak, compression, turn and fitting of every layer.

Curves of information against the epoch are noisy, and a maximum over noisy values is too large on
average. `docs/dynamics.md` defines every number and says what is done about it.
"""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ibtools.analysis.repeats import DIMS, VARIABLES, has_not_failed, validate_results
from ibtools.analysis.stacking import select_estimator
from ibtools.errors import InputError, StoreError

WINDOW = 5
"""Recorded epochs that the running median looks at."""

FEWEST_EPOCHS = 3
"""What it takes to tell noise from a trend."""

NOISE_FACTOR = 3
"""A rise or fall that is not larger than so many deviations of the noise is none."""

MADE = 0.9
"""The part of a rise, or of what is left of a fall, that counts as all of it."""

ROUNDING = 1e-9
"""Bits below which two values of a curve are the same."""

_NAMES = {
    "mi_xt_peak": ("I(X;T) at its peak", "bit"),
    "peak_saturation": ("I(X;T) at its peak, as part of log2 N", "1"),
    "peak_epoch": ("epoch of the peak of I(X;T)", "epoch"),
    "mi_xt_end": ("I(X;T) at the end", "bit"),
    "compression": ("compression: I(X;T) from its peak to the end", "bit"),
    "compression_held_out": ("compression from where the other repeats peak", "bit"),
    "turn_epoch": ("epoch at which I(X;T) turns", "epoch"),
    "mi_xt_noise": ("noise of I(X;T) from epoch to epoch", "bit"),
    "mi_ty_rise": ("rise of I(T;Y)", "bit"),
    "fitting_epoch": ("epoch by which I(T;Y) has made 90 % of its rise", "epoch"),
    "mi_ty_noise": ("noise of I(T;Y) from epoch to epoch", "bit"),
}

Curves = NDArray[np.float64]


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


def dynamics(results: xr.Dataset, *, window: int = WINDOW) -> xr.Dataset:
    """Measure peak, compression, turn and fitting of every repeat and layer.

    Parameters
    ----------
    results : Dataset, (repeat, epoch, layer)
        From `ibtools.analyze` or `ibtools.open_results`, lazy or not: `mi_xt` and `mi_ty` in bits.
        Consumes `epoch`; epochs on random labels (below 0) do not count.
    window : int, optional
        Recorded epochs that the running median looks at, an odd number; 1 for none.

    Returns
    -------
    Dataset, (repeat, layer)
        All float64; `docs/dynamics.md` defines them. In bits: `mi_xt_peak`, `mi_xt_end`,
        `compression`, `compression_held_out` (NaN for a single repeat), `mi_ty_rise`, `mi_xt_noise`
        and `mi_ty_noise`. In epochs: `peak_epoch`, `turn_epoch` (NaN where the curve does not fall)
        and `fitting_epoch` (NaN where it does not rise). `peak_saturation` is part of log2 N. NaN
        for repeats that failed, or lack an epoch that another one has.

    Raises
    ------
    StoreError
        If something that is needed is missing from the results, no repeat that counts has all
        epochs, or fewer than three epochs are recorded.
    InputError
        If the window is not a positive odd number.

    See Also
    --------
    ibtools.summary : Means and intervals over repeats, and rank correlation with accuracy.
    """
    if window < 1 or window % 2 == 0:
        raise InputError(f"window must be a positive odd number of epochs, found {window}")
    results = select_estimator(results)
    validate_results(results)
    trained = results[list(VARIABLES)].isel(epoch=results["epoch"].values >= 0).compute()
    rows, columns = _complete(trained, has_not_failed(results))
    curves = trained.isel(repeat=rows, epoch=columns)
    epochs = curves["epoch"].values.astype(np.float64)
    mi_xt, mi_ty = (
        curves[name].transpose("repeat", "layer", "epoch").values.astype(np.float64)
        for name in VARIABLES
    )
    found = _fall(mi_xt, epochs, window) | _rise(mi_ty, epochs, window)
    found["peak_saturation"] = found["mi_xt_peak"] / float(results.attrs["entropy_x"])
    return _label(found, results, rows)


def _complete(
    trained: xr.Dataset, counts: NDArray[np.bool_]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the positions of the repeats that have all epochs, and of these epochs."""
    values = trained.to_array("quantity").transpose("quantity", *DIMS)
    there = values.notnull().all(["quantity", "layer"]).values & counts[:, np.newaxis]
    recorded = there.any(axis=0)
    columns = np.flatnonzero(recorded)
    rows = np.flatnonzero(there[:, recorded].all(axis=1) & recorded.any())
    if not rows.size:
        raise StoreError(
            "dynamics are of whole trainings, but no repeat that counts has all recorded epochs; "
            "finish the recording and the analysis"
        )
    if columns.size < FEWEST_EPOCHS:
        raise StoreError(
            f"dynamics need at least {FEWEST_EPOCHS} recorded epochs from 0 on, found "
            f"{columns.size}; record more (--schedule)"
        )
    return rows, columns


def _fall(curves: Curves, epochs: Curves, window: int) -> dict[str, Curves]:
    """Measure how I(X;T) falls from its peak, of (repeat, layer, epoch)."""
    smooth, noise = running_median(curves, window=window), curve_noise(curves)
    peak, end = smooth.max(axis=-1), smooth[..., -1]
    compression = peak - end
    high = smooth >= (peak - (1 - MADE) * compression - ROUNDING)[..., np.newaxis]
    turn = epochs[high.shape[-1] - 1 - np.argmax(high[..., ::-1], axis=-1)]
    first = np.argmax(smooth >= (peak - ROUNDING)[..., np.newaxis], axis=-1)
    return {
        "mi_xt_peak": peak,
        "peak_epoch": epochs[first],
        "mi_xt_end": end,
        "compression": compression,
        "compression_held_out": held_out_fall(curves, window=window),
        "turn_epoch": np.where(_is_change(compression, noise), turn, np.nan),
        "mi_xt_noise": noise,
    }


def _rise(curves: Curves, epochs: Curves, window: int) -> dict[str, Curves]:
    """Measure how I(T;Y) rises from its start, of (repeat, layer, epoch)."""
    smooth, noise = running_median(curves, window=window), curve_noise(curves)
    start = smooth[..., 0]
    rise = smooth.max(axis=-1) - start
    made = smooth >= (start + MADE * rise - ROUNDING)[..., np.newaxis]
    fitted = epochs[np.argmax(made, axis=-1)]
    return {
        "mi_ty_rise": rise,
        "fitting_epoch": np.where(_is_change(rise, noise), fitted, np.nan),
        "mi_ty_noise": noise,
    }


def _is_change(change: Curves, noise: Curves) -> NDArray[np.bool_]:
    return np.asarray(change > np.maximum(NOISE_FACTOR * noise, ROUNDING))


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


def _label(found: dict[str, Curves], results: xr.Dataset, rows: NDArray[np.intp]) -> xr.Dataset:
    """Make a Dataset (repeat, layer), NaN for the repeats that were left out."""
    shape = (results.sizes["repeat"], results.sizes["layer"])
    variables = {}
    for name, (long_name, units) in _NAMES.items():
        values = np.full(shape, np.nan)
        values[rows] = found[name]
        attributes = {"long_name": long_name, "units": units}
        variables[name] = xr.Variable(("repeat", "layer"), values, attributes)
    kept = [str(name) for name in results.coords if "epoch" not in results[name].dims]
    return xr.Dataset(variables, {name: results[name] for name in kept}, results.attrs)
