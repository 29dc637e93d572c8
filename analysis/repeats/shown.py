"""What is shown of many repeats: mean and spread over the repeats that count, and words for it.

A repeat counts where it has a value, unless its training failed. What does not count is said in a
caption, so that no figure hides it.
"""

import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ibtools.analysis.estimators.population import TARGET
from ibtools.analysis.estimators.resolution import DIM as RESOLUTION
from ibtools.analysis.kernels.chance import SATURATED
from ibtools.analysis.passes.stacking import select_estimator
from ibtools.analysis.repeats.controls import BESIDE, CONTROL, UNPAIRED, split_control
from ibtools.errors import StoreError, unknown_name
from ibtools.settings import describe_training
from ibtools.shown import counted, shortened
from ibtools.store.configuration import configuration_of
from ibtools.store.counts import Counts, counts_of

VARIABLES = ("mi_xt", "mi_ty")
CHANCE = "mi_ty_null"
"""Shown too where the results have it: those of earlier versions and other estimators do not."""
BOUNDS = ("mi_xt_lower", "mi_ty_lower", "mi_ty_upper")
"""Likewise."""
DIMS = ("repeat", "epoch", "layer")
ATTRIBUTES = ("estimator", "entropy_x", "entropy_y")
FAILED = "failed"
FEWEST_FOR_SPREAD = 3
"""Of fewer repeats each is shown: an interval would be wider than any information that there is."""
LONGEST_ESTIMATOR = 80
"""Characters of an estimator in a caption."""

Axis = Literal["x", "y"]
"""Of the information plane."""


@dataclass(frozen=True)
class RepeatSummary:
    """Mean and spread over the repeats that count.

    Parameters
    ----------
    mean : Dataset, (epoch, ...), float64
        Over the repeats that have a value; epochs without any are left out. Its attributes and
        those of its variables are those of what was summarised.
    deviation : Dataset, (epoch, ...), float64
        The standard deviation between repeats (n - 1 in the denominator), NaN where fewer than two
        have a value. In the units of `mean`.
    n_repeats : ndarray, (epoch,), int64
        How many repeats are behind the mean.
    source : str
        The experiment, and the estimator of results.
    repeats : str
        How many repeats there are, and what is missing.
    epoch_dim : str, optional
        The name of the dimension of epochs.
    singles : Dataset, (repeat, epoch, ...), optional
        What was averaged, where that is of several repeats, but of fewer than three.
    control : RepeatSummary, optional
        Of the control beside what was summarised, of the same repeats.
    """

    mean: xr.Dataset
    deviation: xr.Dataset
    n_repeats: NDArray[np.int64]
    source: str
    repeats: str
    epoch_dim: str = "epoch"
    singles: xr.Dataset | None = None
    control: "RepeatSummary | None" = None

    @property
    def control_name(self) -> str:
        """Of what kind the control is, if there is one."""
        return str(self.mean.attrs.get(BESIDE, ""))

    @property
    def epochs(self) -> NDArray[np.int64]:
        """The epochs that have a value, (epoch,), int64."""
        return self.mean[self.epoch_dim].values.astype(np.int64)

    @property
    def counts(self) -> Counts:
        """What the epochs are."""
        return counts_of(self.mean.attrs)

    @property
    def layers(self) -> list[str]:
        """The names of the layers, (layer,)."""
        return [str(name) for name in self.mean["layer"].values]

    @property
    def ceilings(self) -> dict[Axis, float]:
        """What I(X;T) and I(T;Y) cannot exceed, in bits, as of `ceilings`."""
        return ceilings(self.mean.attrs)

    @property
    def saturated(self) -> xr.DataArray:
        """Where nearly every input has its own state, (epoch, layer), bool.

        That is where the mean of H(T), or of `mi_xt` where there is no other, is at least
        `SATURATED` of H(X). Without either it is nowhere, nor is it above a control.
        """
        name = next((one for one in ("entropy_t", "mi_xt") if one in self.mean), None)
        if name is None or CONTROL in self.mean.attrs:
            return xr.zeros_like(self.mean["mi_ty"], bool)
        saturated: xr.DataArray = self.mean[name] >= SATURATED * self.mean.attrs["entropy_x"]
        return saturated

    def select_layer(self, name: str) -> "RepeatSummary":
        """Return what is of one layer, and of it in the control."""
        return replace(
            self,
            mean=self.mean.sel(layer=name),
            deviation=self.deviation.sel(layer=name),
            singles=None if self.singles is None else self.singles.sel(layer=name),
            control=None if self.control is None else self.control.select_layer(name),
        )

    @property
    def caption(self) -> str:
        """Source and repeats, on a line each, and that there is nothing to see, if so."""
        lines = [self.source, self.repeats]
        if "entropy_x" in self.mean.attrs and "mi_xt" in self.mean and self.saturated.all():
            lines.append(f"every layer is saturated at every {self.counts}")
        return "\n".join(lines)


def ceilings(attributes: Mapping[Any, Any]) -> dict[Axis, float]:
    """Return what I(X;T) and I(T;Y) cannot exceed: H(X) and H(Y) of the recorded inputs.

    Parameters
    ----------
    attributes : mapping
        Of results of one estimator.

    Returns
    -------
    dict of {"x", "y"} to float
        In bits, by the axis of the plane. Empty for what is estimated for the population that the
        inputs are a sample of: its entropies are others, and estimates have an error. Empty also
        for what is above a control, which is no information.

    Examples
    --------
    >>> ceilings({"entropy_x": 12.0, "entropy_y": 1.0})
    {'x': 12.0, 'y': 1.0}
    >>> ceilings({"entropy_x": 12.0, "entropy_y": 1.0, "target": "population"})
    {}
    """
    if attributes.get("target") == TARGET or CONTROL in attributes:
        return {}
    axes: tuple[Axis, ...] = ("x", "y")
    found = {
        axis: float(attributes.get(f"ceiling_{axis}", attributes[f"entropy_{axis}"]))
        for axis in axes
    }
    return {axis: ceiling for axis, ceiling in found.items() if not math.isnan(ceiling)}


def summarise_repeats(
    results: xr.Dataset,
    layers: Iterable[str] | None = None,
    *,
    variables: Sequence[str] = VARIABLES,
) -> RepeatSummary:
    """Average the information over the repeats that count.

    Parameters
    ----------
    results : Dataset, (repeat, epoch, layer)
        From `ibtools.analyze` or `ibtools.open_results`, lazy or not: the `variables` and, if they
        are there, `mi_ty_null` and bounds (float64, bit, NaN where a snapshot is not complete) and
        the coordinate `outcome` (repeat). Consumes `repeat`.
    layers : iterable of str, optional
        The layers to keep, in this order. All by default.
    variables : sequence of str, optional
        `mi_xt` and `mi_ty` by default.

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
    results = select_estimator(results)
    validate_results(results, variables)
    read_against = () if CONTROL in results.attrs else (CHANCE, *BOUNDS, "entropy_t")
    further = [name for name in read_against if name in results]
    return summarise_variables(select_layers(results, layers), [*variables, *further])


def _deviation(recorded: xr.Dataset) -> xr.Dataset:
    """Return deviations between repeats, n - 1; NaN of one, of which an older xarray warns."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Degrees of freedom", RuntimeWarning)
        return recorded.std("repeat", ddof=1, keep_attrs=True)


def summarise_variables(
    dataset: xr.Dataset,
    names: Sequence[str],
    *,
    epoch_dim: str = "epoch",
    any_of: Sequence[str] = (),
) -> RepeatSummary:
    """Average variables over the repeats that count.

    Parameters
    ----------
    dataset : Dataset
        Results or a store, lazy or not, with the coordinate `outcome` (repeat).
    names : sequence of str
        Variables (repeat, epoch, ...), floating, NaN where there is no value. Consumes `repeat`.
    epoch_dim : str, optional
        The name of their dimension of epochs.
    any_of : sequence of str, optional
        Where all of these are NaN in all layers, a repeat has no value. The first of `names` by
        default.

    Returns
    -------
    RepeatSummary

    Raises
    ------
    StoreError
        If no repeat that counts has a value.
    """
    _, beside = split_control(dataset)
    counted = dataset[list(names)].isel(repeat=has_not_failed(dataset)).compute()
    present = counted[list(any_of or names[:1])].notnull().to_array("any_of").any("any_of")
    present = present.any([dim for dim in present.dims if dim not in ("repeat", epoch_dim)])
    _validate_values(present, dataset.sizes["repeat"])
    recorded = counted.isel({epoch_dim: present.any("repeat").values}).astype(np.float64)
    n_repeats = present.sum("repeat").values
    are_few = 1 < n_repeats.max() < FEWEST_FOR_SPREAD
    return RepeatSummary(
        mean=recorded.mean("repeat", keep_attrs=True),
        deviation=_deviation(recorded),
        n_repeats=n_repeats[n_repeats > 0],
        source=describe_source(dataset),
        repeats=_describe_repeats(present.transpose("repeat", epoch_dim).values, dataset),
        epoch_dim=epoch_dim,
        singles=recorded if are_few else None,
        control=None
        if beside is None or not any(name in beside for name in names)
        else summarise_variables(
            beside,
            [name for name in names if name in beside],
            epoch_dim=epoch_dim,
            any_of=[name for name in any_of if name in beside],
        ),
    )


def has_not_failed(dataset: xr.Dataset) -> NDArray[np.bool_]:
    """Return which repeats did not fail in training, (repeat,), bool."""
    trained: NDArray[np.bool_] = np.asarray(dataset["outcome"].values != FAILED, bool)
    return trained


def validate_results(results: xr.Dataset, variables: Sequence[str] = VARIABLES) -> None:
    """Check that results hold what a figure needs, and the variables that it draws.

    Raises
    ------
    StoreError
        If a variable, a coordinate, a dimension or an attribute is missing; the message names it.
    """
    if "mi_xt" in variables and "mi_xt" not in results and "note_mi_xt" in results.attrs:
        raise StoreError(
            f"results of {results.attrs['estimator']} have no I(X;T), which is needed here: "
            f"{results.attrs['note_mi_xt']}; ibtools compare draws what they have"
        )
    missing = [name for name in (*variables, *DIMS, "outcome") if name not in results.variables]
    missing += [f"attribute {name}" for name in ATTRIBUTES if name not in results.attrs]
    if missing:
        raise StoreError(
            f"results must hold what a figure is drawn from; missing: {', '.join(missing)}; "
            "pass the Dataset that ibtools.analyze or ibtools.open_results returns"
        )
    for name in variables:
        if set(results[name].dims) != set(DIMS):
            further = [str(dim) for dim in results[name].dims if dim not in DIMS]
            advice = (
                "choose one, as in results.sel(resolution=2), or open the results of "
                "resolution-2 (--estimator resolution-2)"
                if further == [RESOLUTION]
                else f"draw the facets along {', '.join(further)} with information_facets"
                if further
                else "pass the results unreduced, since figures average over repeats themselves"
            )
            raise StoreError(
                f"{name} must have the dimensions {DIMS}, has {results[name].dims}; {advice}"
            )


def validate_recording(dataset: xr.Dataset, names: Iterable[str]) -> None:
    """Check that the Dataset of a store holds what a figure needs.

    Parameters
    ----------
    dataset : Dataset
    names : iterable of str
        Variables and coordinates besides `repeat` and `outcome`.

    Raises
    ------
    StoreError
        If one is missing; the message names it.
    """
    needed = ("repeat", "outcome", *names)
    missing = [name for name in needed if name not in dataset.variables]
    if missing:
        raise StoreError(
            "this figure is drawn from the recording itself, not from results; missing: "
            f"{', '.join(missing)}; pass the Dataset that ibtools.open_store returns"
        )


def select_layers(dataset: xr.Dataset, layers: Iterable[str] | None) -> xr.Dataset:
    """Select layers by name, in the order given; all if none are given.

    Raises
    ------
    UnknownNameError
        If there is no such layer.
    StoreError
        If `layers` is empty.
    """
    if layers is None:
        return dataset
    known = [str(name) for name in dataset["layer"].values]
    names = list(dict.fromkeys(layers))
    for name in names:
        if name not in known:
            raise unknown_name("layer", name, known)
    if not names:
        raise StoreError(
            f"at least one layer must be drawn, none was given; known: {', '.join(known)}"
        )
    return dataset.isel(layer=[known.index(name) for name in names])


def describe_source(dataset: xr.Dataset) -> str:
    """Name the experiment, what is unusual in it, the estimator of results, and their control."""
    attributes = dataset.attrs
    estimator = attributes.get("estimator")
    names = [shortened(attributes.get("experiment") or "")]
    names += [describe_training(configuration_of(attributes))]
    names += [shortened(estimator, LONGEST_ESTIMATOR)] * bool(estimator)
    names += [f"above the {attributes[CONTROL]}"] if CONTROL in attributes else []
    return ", ".join(filter(None, names))


def describe_left_out(dataset: xr.Dataset) -> list[str]:
    """Say how many repeats failed, how many attempts were given up, what a control does not have.

    Nothing if there is none.
    """
    n_failed = int((~has_not_failed(dataset)).sum())
    n_attempts = int(dataset["failed_attempts"].sum()) if "failed_attempts" in dataset else 0
    n_alone = int(dataset.attrs.get(UNPAIRED, 0))
    return [
        *[f"{n_failed} failed"] * (n_failed > 0),
        *[counted(n_attempts, "failed attempt")] * (n_attempts > 0),
        *[f"{n_alone} not in the control"] * (n_alone > 0),
    ]


def _validate_values(present: xr.DataArray, n_repeats: int) -> None:
    if not present.any():
        n_counted = present.sizes["repeat"]
        raise StoreError(
            "there must be a value to draw, but there is no complete snapshot in "
            f"{counted(n_counted, 'repeat')} ({n_repeats - n_counted} more failed in training and "
            "do not count); record and analyse some first"
        )


def _describe_repeats(present: NDArray[np.bool_], dataset: xr.Dataset) -> str:
    """Say in words how much is behind the means; `present` is (repeat, epoch)."""
    per_epoch = present.sum(axis=0)
    fewest, most = per_epoch[per_epoch > 0].min(), per_epoch.max()
    span = f"{most}" if fewest == most else f"{fewest} to {most}"
    n_empty = int((~present.any(axis=1)).sum())
    parts = ["1 repeat" if most == 1 else f"mean of {span} repeats"]
    parts += describe_left_out(dataset)
    parts += [f"{n_empty} without a snapshot"] * (n_empty > 0)
    n_epochs = int((per_epoch > 0).sum())
    if n_epochs < per_epoch.size:
        parts.append(f"{n_epochs} of {counted(per_epoch.size, counts_of(dataset.attrs))}")
    return ", ".join(parts)
