"""What results of every resolution say of layers, before and over repeats."""

from collections.abc import Iterable

import numpy as np
import xarray as xr

from ibtools.analysis.estimators.resolution import DIM
from ibtools.analysis.passes.stacking import select_estimator
from ibtools.analysis.repeats.shown import (
    CHANCE,
    VARIABLES,
    RepeatSummary,
    select_layers,
    summarise_variables,
    validate_results,
)
from ibtools.errors import InputError, StoreError

SHARE = 0.9
"""Of the label information of a layer, what a coarser resolution must still tell."""


def summarise_resolutions(
    results: xr.Dataset, layers: Iterable[str] | None = None
) -> RepeatSummary:
    """Average the information at every resolution over the repeats that count.

    Parameters
    ----------
    results : Dataset, (repeat, epoch, layer, resolution)
        Of the estimator `resolution`, from `ibtools.analyze` or `ibtools.open_results`.
    layers : iterable of str, optional
        The layers to keep, in this order. All by default.

    Returns
    -------
    RepeatSummary
        Of `mi_xt`, `mi_ty` and `mi_ty_null`, (epoch, layer, resolution), bits.

    Raises
    ------
    UnknownNameError
        If the results have no such layer.
    StoreError
        If they are not of all resolutions, or have no complete snapshot.
    """
    chosen = _validated(results)
    names = [*VARIABLES, CHANCE]
    return summarise_variables(select_layers(chosen, layers), names)


def label_resolution(results: xr.Dataset, *, share: float = SHARE) -> xr.DataArray:
    """Find the coarsest resolution at which a layer still tells most of what it tells of the label.

    Parameters
    ----------
    results : Dataset, (repeat, epoch, layer, resolution)
        Of the estimator `resolution`, lazy or not.
    share : float, optional
        Of I(T;Y), how much I(T_r;Y) must be, above 0 and at most 1.

    Returns
    -------
    DataArray, (repeat, epoch, layer), float64
        The least r with I(T_r;Y) >= share * I(T;Y), in bits of a code; NaN where there is nothing.
        As I(T_r;Y) grows with r, it is reached at every finer resolution. Where inputs are told
        apart, I(T_r;Y) is high by chance too: compare it with `mi_ty_null`.

    Raises
    ------
    InputError
        If the share is out of range.
    StoreError
        If the results are not of all resolutions.

    Examples
    --------
    >>> from ibtools.analysis.estimators.resolution import Resolution
    >>> Resolution().specification
    'resolution'
    """
    if not 0 < share <= 1:
        raise InputError(f"share must be above 0 and at most 1, found {share}")
    results = _validated(results)
    whole = results[list(VARIABLES)].isel({DIM: -1})
    enough = results["mi_ty"] >= share * whole["mi_ty"]
    found = enough.argmax(DIM).where(whole["mi_ty"].notnull() & whole["mi_xt"].notnull())
    return found.rename("label_resolution").assign_attrs(
        long_name=f"resolution that tells {100 * share:g} % of I(T;Y)",
        units="bit",
        valid_min=0,
        valid_max=int(results[DIM].max()),
    )


def _has_all_resolutions(results: xr.Dataset) -> bool:
    """Whether results have the resolutions from 0 to the width of the widest codes, in order."""
    if DIM not in results.dims:
        return False
    there = results[DIM].values
    most = int(results["bits"].max()) if "bits" in results.coords else there.size - 1
    return bool(np.array_equal(there, np.arange(there.size)) and there.size > most)


def _validated(results: xr.Dataset) -> xr.Dataset:
    """Return results of one estimator that are of all resolutions."""
    results = select_estimator(results)
    if not _has_all_resolutions(results):
        raise StoreError(
            "results must be of all resolutions, 0 to the bits of the layers; pass those that "
            'ibtools.analyze(ds, estimator="resolution") returns, or open them with '
            'ibtools.open_results(path, estimator="resolution")'
        )
    validate_results(results.isel({DIM: 0}, drop=True), (*VARIABLES, CHANCE))
    return results
