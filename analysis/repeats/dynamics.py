"""The dynamics of a training as numbers: peak, compression, turn and fitting of every layer.

`docs/dynamics.md` defines every number, and says what is done about noise, about a grid that
changes, and about layers that are saturated.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ibtools.analysis.kernels.chance import chance_deviations, saturation
from ibtools.analysis.passes.stacking import select_estimator
from ibtools.analysis.repeats.curves import (
    NOISE_FACTOR,
    WINDOW,
    Curves,
    held_out_fall,
    measure_fall,
    measure_rise,
)
from ibtools.analysis.repeats.possible import LEAST, MOST
from ibtools.analysis.repeats.shown import (
    DIMS,
    VARIABLES,
    Axis,
    ceilings,
    has_not_failed,
    validate_results,
)
from ibtools.errors import InputError, StoreError
from ibtools.store.counts import counts_of, in_counts

FEWEST_EPOCHS = 3
"""What it takes to tell noise from a trend."""

ABOVE_CHANCE = ("mi_ty_above_null", "n_states", "n_singletons")
"""What fitting is measured from."""

NO_CHANCE_LEVEL = (
    "Fitting is the rise of I(T;Y) above its chance level by more than chance moves it, which is "
    "known of what is counted; of results of {estimator} it is not, and a rise of I(T;Y) itself "
    "may be that of its chance level"
)

NO_CEILING = "H(X) of the recorded inputs is no ceiling of an estimate for their population"

_NAMES = {
    "mi_xt_peak": ("I(X;T) at its peak", "bit"),
    "peak_saturation": ("I(X;T) at its peak, as part of H(X)", "1"),
    "peak_epoch": ("epoch of the peak of I(X;T)", "epoch"),
    "mi_xt_end": ("I(X;T) at the end", "bit"),
    "compression": ("compression: I(X;T) from its peak to the end", "bit"),
    "compression_held_out": ("compression from where the other repeats peak", "bit"),
    "turn_epoch": ("epoch at which I(X;T) turns", "epoch"),
    "mi_xt_noise": ("noise of I(X;T) from epoch to epoch", "bit"),
    "fitting": ("fitting: rise of I(T;Y) above its chance level", "bit"),
    "fitting_epoch": ("epoch by which 90 % of the fitting is made", "epoch"),
    "mi_ty_above_null_noise": ("noise of I(T;Y) above its chance level", "bit"),
    "mi_ty_rise": ("rise of I(T;Y) itself, chance level included", "bit"),
    "mi_ty_rise_epoch": ("epoch by which 90 % of the rise of I(T;Y) itself is made", "epoch"),
    "mi_ty_noise": ("noise of I(T;Y) from epoch to epoch", "bit"),
}


SIZES = ("compression", "fitting", "mi_ty_rise")
"""What can't be below 0, as it is from a start to a highest value or back."""


def dynamics(results: xr.Dataset, *, window: int = WINDOW) -> xr.Dataset:
    """Measure peak, compression, turn and fitting of every repeat and layer.

    Parameters
    ----------
    results : Dataset, (repeat, epoch, layer)
        From `ibtools.analyze` or `ibtools.open_results`, lazy or not: `mi_xt` and `mi_ty` in bits,
        and for fitting `mi_ty_above_null`, `n_states` and `n_singletons`. Consumes `epoch`; epochs
        on random labels (below 0) do not count.
    window : int, optional
        Recorded epochs that the running median looks at, an odd number; 1 for none.

    Returns
    -------
    Dataset, (repeat, layer)
        All float64; `docs/dynamics.md` defines them. In bits: `mi_xt_peak`, `mi_xt_end`,
        `compression`, `compression_held_out` (NaN for a single repeat), `fitting`, `mi_ty_rise`,
        `mi_xt_noise`, `mi_ty_above_null_noise` and `mi_ty_noise`. In epochs: `peak_epoch`,
        `turn_epoch` (NaN where the curve does not fall), `fitting_epoch` and `mi_ty_rise_epoch`
        (NaN where it does not rise). `peak_saturation` is part of H(X). NaN for repeats that
        failed, or lack an epoch that another one has.

        What an estimator cannot have is NaN, and an attribute says why: `note_fitting` where it
        counts no states, `note_peak_saturation` where I(X;T) has no ceiling.

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
    names = [*VARIABLES, *(name for name in ABOVE_CHANCE if name in results)]
    trained = results[names].isel(epoch=results["epoch"].values >= 0).compute()
    rows, columns = _complete(trained[list(VARIABLES)], has_not_failed(results))
    curves = trained.isel(repeat=rows, epoch=columns)
    found = _measure(curves, window)
    return _label(found, results, rows).assign_attrs(_notes(curves))


def least_change(entropy_x: float) -> float:
    """Return by how many bits a curve must change for more than a handful of inputs to have moved.

    Parameters
    ----------
    entropy_x : float
        H(X) in bits.

    Returns
    -------
    float
        ``18 / 2^H(X)`` bits.

    Notes
    -----
    Of N = 2^H(X) equally likely inputs, joining two that had states of their own takes 2 / N bits
    from H(T), and none or 2 / N from I(T;Y). The number c of pairs that a snapshot happens to join
    is a count of rare events, whose deviation is sqrt(c). It is more than three of these only if c
    is more than 9. Fewer pairs are no change, though a curve at its ceiling shows no noise.

    Examples
    --------
    >>> round(least_change(12.0), 4)
    0.0044
    """
    return float(NOISE_FACTOR**2 * 2 / 2**entropy_x)


def _measure(curves: xr.Dataset, window: int) -> dict[str, Curves]:
    """Measure complete curves; every quantity is (repeat, layer)."""
    epochs = curves["epoch"].values.astype(np.float64)
    mi_xt, mi_ty = (_values(curves, name) for name in VARIABLES)
    least = least_change(float(curves.attrs["entropy_x"]))
    fall = measure_fall(mi_xt, epochs, window=window, resolution=least)
    rise = measure_rise(mi_ty, epochs, window=window, resolution=least)
    found = {
        "mi_xt_peak": fall.peak,
        "peak_epoch": fall.peak_epoch,
        "mi_xt_end": fall.end,
        "compression": fall.size,
        "compression_held_out": held_out_fall(mi_xt, window=window),
        "turn_epoch": fall.turn_epoch,
        "mi_xt_noise": fall.noise,
        "mi_ty_rise": rise.size,
        "mi_ty_rise_epoch": rise.epoch,
        "mi_ty_noise": rise.noise,
    }
    if "x" in (highest := ceilings(curves.attrs)):
        found["peak_saturation"] = saturation(fall.peak, highest["x"])
    if _has_chance_level(curves):
        found |= _measure_fitting(curves, epochs, window, least)
    return found


def _measure_fitting(
    curves: xr.Dataset, epochs: Curves, window: int, least: float
) -> dict[str, Curves]:
    n_shared = _values(curves, "n_states") - _values(curves, "n_singletons")
    deviation = chance_deviations(
        n_shared,
        n_samples=int(curves.attrs["n_samples"]),
        entropy_y=float(curves.attrs["entropy_y"]),
    )
    above = _values(curves, "mi_ty_above_null")
    rise = measure_rise(above, epochs, window=window, resolution=least, deviation=deviation)
    return {
        "fitting": rise.size,
        "fitting_epoch": rise.epoch,
        "mi_ty_above_null_noise": rise.noise,
    }


def _values(curves: xr.Dataset, name: str) -> Curves:
    values: Curves = curves[name].transpose("repeat", "layer", "epoch").values.astype(np.float64)
    return values


def _has_chance_level(results: xr.Dataset) -> bool:
    return all(name in results for name in ABOVE_CHANCE)


def _between(name: str, results: xr.Dataset) -> dict[str, float]:
    """Return the attributes of a quantity that say between which values it can be."""
    if name.endswith(("_noise", "_held_out")):
        return {}
    if name.endswith("_epoch"):
        trained = results["epoch"].values[results["epoch"].values >= 0]
        return {LEAST: float(trained[0]), MOST: float(trained[-1])}
    if name == "peak_saturation":
        return {LEAST: 0.0, MOST: 1.0}
    axis: Axis = "x" if name.startswith(("mi_xt", "compression")) else "y"
    highest = ceilings(results.attrs)
    is_known = axis in highest and name != "fitting"  # which starts above or below chance
    size = {LEAST: 0.0} if axis in highest or name in SIZES else {}
    return size | ({MOST: highest[axis]} if is_known else {})


def _notes(results: xr.Dataset) -> dict[str, Any]:
    """Say why an estimator does not have what others have."""
    notes = {}
    if not _has_chance_level(results):
        notes["note_fitting"] = NO_CHANCE_LEVEL.format(estimator=results.attrs["estimator"])
    if "x" not in ceilings(results.attrs):
        notes["note_peak_saturation"] = NO_CEILING
    return notes


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


def _label(found: dict[str, Curves], results: xr.Dataset, rows: NDArray[np.intp]) -> xr.Dataset:
    """Make a Dataset (repeat, layer), NaN for what was not found and repeats that were left out."""
    shape = (results.sizes["repeat"], results.sizes["layer"])
    counts, variables = counts_of(results.attrs), {}
    for name, (long_name, units) in _NAMES.items():
        values = np.full(shape, np.nan)
        if name in found:
            values[rows] = found[name]
        attributes = {
            "long_name": in_counts(long_name, counts),
            "units": in_counts(units, counts),
            **_between(name, results),
        }
        variables[name] = xr.Variable(("repeat", "layer"), values, attributes)
    kept = [str(name) for name in results.coords if "epoch" not in results[name].dims]
    return xr.Dataset(variables, {name: results[name] for name in kept}, results.attrs)
