"""What of the results is drawn: mean and spread of some layers over the repeats that count.

A repeat counts where its snapshot is complete, unless its training failed. What does not count is
said in a caption, so that no figure hides it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ibtools.errors import StoreError, unknown_name

VARIABLES = ("mi_xt", "mi_ty")
DIMS = ("repeat", "epoch", "layer")
ATTRIBUTES = ("estimator", "entropy_x", "entropy_y")
FAILED = "failed"


@dataclass(frozen=True)
class RepeatSummary:
    """Mean and spread of the information over the repeats that count.

    Parameters
    ----------
    mean : Dataset, (epoch, layer), float64, bit
        `mi_xt` and `mi_ty`, over the repeats that have a value; epochs without any are left out.
        Its attributes and those of its variables are those of the results.
    deviation : Dataset, (epoch, layer), float64, bit
        The standard deviation between repeats (n - 1 in the denominator), NaN where fewer than two
        have a value.
    caption : str
        The estimator, the number of repeats, and what is missing.
    """

    mean: xr.Dataset
    deviation: xr.Dataset
    caption: str

    @property
    def epochs(self) -> NDArray[np.int64]:
        """The epochs that have a value, (epoch,), int64."""
        return self.mean["epoch"].values.astype(np.int64)

    @property
    def layers(self) -> list[str]:
        """The names of the layers, (layer,)."""
        return [str(name) for name in self.mean["layer"].values]


def summarise_repeats(results: xr.Dataset, layers: Iterable[str] | None = None) -> RepeatSummary:
    """Average the information over the repeats that count.

    Parameters
    ----------
    results : Dataset, (repeat, epoch, layer)
        From `ibtools.analyze` or `ibtools.open_results`, lazy or not: `mi_xt` and `mi_ty`
        (float64, bit, NaN where a snapshot is not complete) and the coordinate `outcome` (repeat).
        Consumes `repeat`.
    layers : iterable of str, optional
        The layers to keep, in this order. All by default.

    Returns
    -------
    RepeatSummary

    Raises
    ------
    UnknownNameError
        If the results have no such layer.
    StoreError
        If something that is needed is missing from the results, or no repeat that counts has a
        value.
    """
    validate_results(results)
    selected = _select_layers(results, layers)
    failed = (selected["outcome"] == FAILED).values
    counted = selected[list(VARIABLES)].isel(repeat=~failed).compute()
    present = counted["mi_xt"].notnull().any("layer")
    _validate_values(present, int(failed.sum()))
    recorded = counted.isel(epoch=present.any("repeat").values)
    return RepeatSummary(
        mean=recorded.mean("repeat", keep_attrs=True),
        deviation=recorded.std("repeat", ddof=1, keep_attrs=True),
        caption=f"{_describe_source(results)}\n{_describe_repeats(present, int(failed.sum()))}",
    )


def validate_results(results: xr.Dataset) -> None:
    """Check that results hold what a figure needs.

    Raises
    ------
    StoreError
        If a variable, a coordinate, a dimension or an attribute is missing; the message names it.
    """
    missing = [name for name in (*VARIABLES, *DIMS, "outcome") if name not in results.variables]
    missing += [f"attribute {name}" for name in ATTRIBUTES if name not in results.attrs]
    if missing:
        raise StoreError(
            f"results must hold what a figure is drawn from; missing: {', '.join(missing)}; "
            "pass the Dataset that ibtools.analyze or ibtools.open_results returns"
        )
    for name in VARIABLES:
        if set(results[name].dims) != set(DIMS):
            raise StoreError(
                f"{name} must have the dimensions {DIMS}, has {results[name].dims}; "
                "pass the results unreduced, since figures average over repeats themselves"
            )


def _select_layers(results: xr.Dataset, layers: Iterable[str] | None) -> xr.Dataset:
    if layers is None:
        return results
    known = [str(name) for name in results["layer"].values]
    names = list(dict.fromkeys(layers))
    for name in names:
        if name not in known:
            raise unknown_name("layer", name, known)
    if not names:
        raise StoreError(
            f"at least one layer must be drawn, none was given; known: {', '.join(known)}"
        )
    return results.isel(layer=[known.index(name) for name in names])


def _validate_values(present: xr.DataArray, n_failed: int) -> None:
    if not present.any():
        raise StoreError(
            "results must have a value to draw, but there is no complete snapshot in "
            f"{present.sizes['repeat']} repeats ({n_failed} more failed in training and do not "
            "count); record and analyse some first"
        )


def _describe_source(results: xr.Dataset) -> str:
    names = (results.attrs.get("experiment"), results.attrs["estimator"])
    return ", ".join(str(name) for name in names if name)


def _describe_repeats(present: xr.DataArray, n_failed: int) -> str:
    """Say in words how much is behind the means; `present` is (repeat, epoch), bool."""
    per_epoch = present.sum("repeat").values
    fewest, most = per_epoch[per_epoch > 0].min(), per_epoch.max()
    span = f"{most}" if fewest == most else f"{fewest} to {most}"
    n_empty = int((~present.any("epoch")).sum())
    parts = ["1 repeat" if most == 1 else f"mean of {span} repeats"]
    parts += [f"{n_failed} failed"] * (n_failed > 0)
    parts += [f"{n_empty} without a snapshot"] * (n_empty > 0)
    n_epochs = int((per_epoch > 0).sum())
    if n_epochs < per_epoch.size:
        parts.append(f"{n_epochs} of {per_epoch.size} epochs")
    return ", ".join(parts)
