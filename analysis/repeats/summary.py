"""The dynamics of a store in one table: means and intervals over repeats, and rank correlations."""

from __future__ import annotations

import math
import os
import textwrap
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.stats import rankdata

from ibtools.analysis.passes import saturated
from ibtools.analysis.passes.results import open_results
from ibtools.analysis.repeats.controls import (
    ABOVE,
    CONTROL,
    describe_control,
    pair_repeats,
    subtract,
)
from ibtools.analysis.repeats.dynamics import dynamics
from ibtools.analysis.repeats.grid_ranges import WORDS, grid_ranges, moving_ranges
from ibtools.analysis.repeats.scalars import called, last_values, recorded_scalars
from ibtools.analysis.repeats.shown import FEWEST_FOR_SPREAD, describe_left_out
from ibtools.analysis.repeats.uncertainty import STATISTICS, IntervalMethod, repeat_intervals
from ibtools.errors import StoreError
from ibtools.shown import LONGEST_NAME, counted, display_width, padded, short_names, visible
from ibtools.store.datasets import open_raw
from ibtools.store.groups import find_group
from ibtools.store.storage import StorePath
from ibtools.table import terminal_columns

N_PERMUTATIONS = 9999

DEFAULT_SCALAR = "test_accuracy"
"""What the ranks of repeats are correlated with where nothing else is named."""

FEWEST_FOR_RANKS = 3

WIDTH = 100
"""Columns of what is printed, at the most."""

PRINTED = (
    "mi_xt_peak",
    "compression",
    "compression_held_out",
    "turn_epoch",
    "fitting",
    "fitting_epoch",
    "mi_ty_rise",
    "mi_ty_rise_epoch",
)
"""What `ibtools summary` prints; the Dataset has all of `dynamics`."""

FITTING = ("fitting", "fitting_epoch")
"""What there is only where I(T;Y) has a chance level."""

NOT_DEFINED = "not defined; see below"
"""What is said in place of fitting where no states are counted."""

NUMBERS_WIDTH, SHORTEST_NAME = 62, 12
"""Columns of the numbers of a layer, and of its name where the terminal is narrow."""

CEILING = "  H(X): the ceiling"
"""What is said of a layer whose peak is that of every repeat as high as it can be."""


def summary(
    path: StorePath,
    *,
    estimator: str = "exact",
    method: IntervalMethod = "t",
    level: float = 0.95,
    seed: int = 0,
    correlate: str | None = None,
    control: StorePath | None = None,
) -> xr.Dataset:
    """Summarise the dynamics of every layer over the repeats of a store.

    Parameters
    ----------
    path : path or URL
        A store that was analysed, or the separate output of an analysis.
    estimator : str, optional
        Which results.
    method : {"t", "bca", "percentile"}, optional
        Intervals; see `ibtools.analysis.repeats.uncertainty.repeat_intervals`.
    level : float, optional
        Of the intervals.
    seed : int, optional
        Of bootstrap and permutations.
    correlate : str, optional
        The scalar of the store whose last values the repeats are ranked by, such as "test_loss" or
        one of the user's own. The test accuracy by default, where there is one.
    control : path or URL, optional
        A store of the same recording with ``control="frozen"`` or ``labels="random"``, analysed by
        the same estimator.

    Returns
    -------
    Dataset, (statistic, layer)
        The variables and notes of `ibtools.analysis.repeats.dynamics.dynamics`, and of
        `ibtools.analysis.repeats.grid_ranges.grid_ranges` if `path` is a store that has grids, with
        the statistics "mean", "deviation", "low", "high" and "n_repeats" over the repeats that
        count, then "rank_correlation" of Spearman with the last value of the scalar, and its
        "p_value". The last two are NaN where there is no test accuracy and no other scalar was
        named; the attribute `correlated_with` names the scalar, and is empty then.

        With a control, every variable in bits has another whose name ends in ``_above_control``: it
        less that of the repeat of the control with the same number and seed. The interval is over
        these pairs. The attribute `above_control` says what kind of control it is.

    Raises
    ------
    UnknownNameError
        If there is no such method, or no such scalar.
    StoreError
        If there are no such results, or too little of them, or the scalar has no value.
    InputError
        If the control is another recording, as of
        `ibtools.analysis.repeats.controls.pair_repeats`.

    Notes
    -----
    Rank correlations are over the repeats of one experiment, for every quantity and layer: of 48
    independent ones, two or three have p below 0.05 by chance. Take them as a hint which to test
    anew.
    """
    results = open_results(path, estimator=estimator)
    measured = dynamics(results)
    scalar = _last_scalar(path, measured, correlate)
    measured = measured.assign(_grid_ranges(path).data_vars)
    if control is not None:
        measured = with_control(measured, results, open_results(control, estimator=estimator))
    intervals = repeat_intervals(measured, method=method, level=level, seed=seed)
    ranks = rank_correlation(measured, scalar, seed=seed)
    joined: xr.Dataset = xr.concat(
        [intervals, ranks], "statistic", combine_attrs="override", join="override"
    )
    if saturated.is_saturated(results):
        said = f"By these results, {saturated.WORDS}. To see it, {saturated.ADVICE}"
        joined = joined.assign_attrs(note_saturation=said)
    return joined.assign_attrs(
        repeats=_describe_repeats(measured),
        correlated_with="" if scalar.name is None else str(scalar.name),
    )


def with_control(measured: xr.Dataset, results: xr.Dataset, control: xr.Dataset) -> xr.Dataset:
    """Add what is above the control: quantities in bits, NaN for repeats without a partner."""
    paired, of_control = pair_repeats(results, control)
    names = [name for name, variable in measured.items() if variable.attrs["units"] == "bit"]
    here = measured[names].sel(repeat=paired["repeat"].values)
    words = f"above the {describe_control(control)}"
    above = subtract(here, dynamics(of_control)[names], words).reset_coords(drop=True)
    aligned = above.reindex(repeat=measured["repeat"])
    named = {f"{name}{ABOVE}": aligned[name].variable for name in names}
    return measured.assign(named).assign_attrs({CONTROL: describe_control(control)})


def rank_correlation(measured: xr.Dataset, scalar: xr.DataArray, *, seed: int = 0) -> xr.Dataset:
    """Correlate the ranks of repeats by each variable with their ranks by a scalar.

    Parameters
    ----------
    measured : Dataset, (repeat, ...)
        Floating variables, NaN where a repeat has no value. Consumes `repeat`.
    scalar : DataArray, (repeat,), float64
        Such as the accuracy at the end; NaN where it is not known.
    seed : int, optional
        Of the permutations.

    Returns
    -------
    Dataset, (statistic, ...)
        "rank_correlation" and "p_value", NaN for fewer than three repeats, and where all have the
        same rank.

    Notes
    -----
    Spearman's: the correlation of the ranks, equal values sharing the mean of theirs. The p value
    is the part of 9999 permutations of the repeats, and the order found, whose correlation is at
    least as far from 0; it needs no distribution. Of n repeats with different ranks, two of the n!
    orders are as far from 0 as can be, so that p is not below 2 / n! but by chance.

    References
    ----------
    Spearman, The proof and measurement of association between two things, 1904.

    Examples
    --------
    >>> measured = xr.Dataset({"x": ("repeat", [1.0, 2.0, 3.0, 4.0])})
    >>> accuracy = xr.DataArray([0.5, 0.7, 0.6, 0.9], dims="repeat")
    >>> rank_correlation(measured, accuracy).x[0].item()
    0.8
    """
    correlated: xr.Dataset = xr.apply_ufunc(
        _correlate,
        measured,
        scalar,
        input_core_dims=[["repeat"], ["repeat"]],
        output_core_dims=[["statistic"]],
        kwargs={"rng": np.random.default_rng(seed)},
        vectorize=True,
        keep_attrs=True,
    )
    names = ["rank_correlation", "p_value"]
    return correlated.transpose("statistic", ...).assign_coords(statistic=names)


def _correlate(
    values: NDArray[np.float64], scalar: NDArray[np.float64], *, rng: np.random.Generator
) -> NDArray[np.float64]:
    there = ~(np.isnan(values) | np.isnan(scalar))
    if there.sum() < FEWEST_FOR_RANKS:
        return np.full(2, np.nan)
    x, y = (_standard_ranks(one[there]) for one in (values, scalar))
    if not (x.any() and y.any()):
        return np.full(2, np.nan)
    rho = float(x @ y)
    shuffled = rng.permuted(np.tile(y, (N_PERMUTATIONS, 1)), axis=1) @ x
    as_far = np.count_nonzero(np.abs(shuffled) >= abs(rho) - 1e-12)
    return np.array([round(rho, 12), (as_far + 1) / (N_PERMUTATIONS + 1)])


def _standard_ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ranks less their mean, of length 1; zeros if all are the same."""
    ranks = rankdata(values) - (values.size + 1) / 2
    length = np.linalg.norm(ranks)
    return np.asarray(ranks / length if length else ranks)


def _grid_ranges(path: StorePath) -> xr.Dataset:
    """Measure the ranges of quantisers; nothing where only results are."""
    group = find_group(path, "r")
    return xr.Dataset() if group is None or "scale" not in group else grid_ranges(open_raw(path))


def _last_scalar(path: StorePath, measured: xr.Dataset, name: str | None) -> xr.DataArray:
    """Return the last value of a scalar in every repeat, (repeat,); NaN, nameless, if none."""
    group = find_group(path, "r")
    if group is not None and "complete" in group:
        store = open_raw(path)
        wanted = recorded_scalars(store, None if name is None else [name])
        if (name or DEFAULT_SCALAR) in wanted:
            return last_values(wanted[name or DEFAULT_SCALAR])
    elif name is not None:
        raise StoreError(
            f"{path}: scalars are in a store, but here are results only; correlate where it was "
            "recorded"
        )
    nothing = xr.full_like(measured["repeat"], np.nan, dtype=np.float64)
    return nothing.rename(None)


def _describe_repeats(measured: xr.Dataset) -> str:
    n_counted = int(measured["mi_xt_peak"].notnull().any("layer").sum())
    parts = [
        f"{n_counted} of {counted(measured.sizes['repeat'], 'repeat')}",
        *describe_left_out(measured),
    ]
    return ", ".join(parts)


def format_summary(summarised: xr.Dataset, path: StorePath) -> str:
    """Return the table that ``ibtools summary`` prints.

    Parameters
    ----------
    summarised : Dataset, (statistic, layer)
        From `summary`.
    path : path or URL
        Of the store.

    Returns
    -------
    str
        Lines.
    """
    width = max(map(display_width, _layer_names(summarised))) + 2
    lines = [_format_head(summarised, path)]
    for name in PRINTED:
        lines += ["", *_format_quantity(summarised, name, width)]
        if name + ABOVE in summarised:
            lines += ["", *_format_quantity(summarised, name + ABOVE, width)]
    for note in notes(summarised):
        lines += ["", *textwrap.wrap(note, WIDTH)]
    if moving := moving_ranges(summarised):
        lines += ["", *textwrap.wrap(f"{WORDS} See docs/dynamics.md.", WIDTH)]
        for one in moving:
            lines += textwrap.wrap(
                visible(one), WIDTH, initial_indent="  ", subsequent_indent="    "
            )
    return "\n".join(lines)


def _format_head(summarised: xr.Dataset, path: StorePath) -> str:
    attributes = summarised.attrs
    head = f"{visible(os.fspath(path))}, {attributes['estimator']}: {attributes['repeats']}\n"
    if few := _are_few(summarised):
        shown = "values of one repeat" if few == 1 else "mean, and the values of the two repeats"
        head += f"{shown} (an interval and a rank correlation need {FEWEST_FOR_SPREAD} or more)"
    else:
        clipped = ", clipped to what is possible" * bool(attributes["interval_clipped"])
        head += (
            f"mean over repeats with {100 * attributes['interval_level']:g} % interval "
            f"({attributes['interval_method']}{clipped})"
        )
    if (correlated_with := attributes["correlated_with"]) and not few:
        head += f", and rank correlation with the {called(correlated_with)} at the end"
    if CONTROL in attributes:
        n_pairs = int(summarised[PRINTED[0] + ABOVE].sel(statistic="n_repeats").max())
        head += f"\nabove the {attributes[CONTROL]}: differences of {n_pairs} pairs of repeats"
    return head


def _are_few(summarised: xr.Dataset) -> int:
    """Return how many repeats there are, if so few that each is shown; 0 if they are more."""
    most = int(summarised[PRINTED[0]].sel(statistic="n_repeats").max())
    return most if most < FEWEST_FOR_SPREAD else 0


def spread_ends(of_layer: xr.DataArray) -> tuple[float, float]:
    """Return the interval of a quantity of a layer; of two repeats their values, and NaN of one.

    Parameters
    ----------
    of_layer : DataArray, (statistic,)
        From `summary`.
    """
    mean, deviation, low, high, n = (float(of_layer.sel(statistic=name)) for name in STATISTICS)
    if n >= FEWEST_FOR_SPREAD:
        return low, high
    half = deviation / math.sqrt(2) if n == 2 else math.nan
    return mean - half, mean + half


def _format_quantity(summarised: xr.Dataset, name: str, width: int) -> list[str]:
    """Write a table of a quantity of every layer, or that there is none."""
    variable = summarised[name]
    title = f"{variable.attrs['long_name']} ({variable.attrs['units']})"
    if name.removesuffix(ABOVE) in FITTING and "note_fitting" in summarised.attrs:
        return [title, NOT_DEFINED]
    columns = _columns(summarised)
    head = f"{'':{width}}" + "".join(f"{one.head:>{one.width}}" for one in columns)
    rows = [
        _format_row(variable.isel(layer=index), padded(layer, width), columns)
        for index, layer in enumerate(_layer_names(variable))
    ]
    if name == "mi_xt_peak":
        at_ceiling = summarised["peak_saturation"].sel(statistic="mean").values > 1 - 1e-12
        rows = [row + (CEILING if at else "") for row, at in zip(rows, at_ceiling, strict=True)]
    return [title, head, *rows]


def notes(summarised: xr.Dataset) -> list[str]:
    """Return what is said of numbers that say nothing, or that an estimator does not have."""
    named = ("note_saturation", "note_fitting", "note_peak_saturation")
    return [f"{summarised.attrs[name]}." for name in named if name in summarised.attrs]


@dataclass(frozen=True)
class _Column:
    """A statistic as it is printed: under which words, how wide, and how."""

    statistic: str
    head: str
    width: int = 11
    form: str = ".4g"


def _columns(summarised: xr.Dataset) -> list[_Column]:
    """Return the columns that say something."""
    few = _are_few(summarised)
    if few == 1:
        return [_Column("mean", "value")]
    low, high = ("lower", "higher") if few else ("low", "high")
    columns = [_Column("mean", "mean"), _Column("low", low), _Column("high", high)]
    columns.append(_Column("n_repeats", "repeats", 9, ".0f"))
    if summarised.attrs["correlated_with"] and not few:
        columns.append(_Column("rank_correlation", "rank corr.", 12, ".2f"))
        columns.append(_Column("p_value", "p", 8, ".2f"))
    return columns


def _format_row(of_layer: xr.DataArray, name: str, columns: Sequence[_Column]) -> str:
    ends = dict(zip(("low", "high"), spread_ends(of_layer), strict=True))
    numbers = (
        (one, ends.get(one.statistic, float(of_layer.sel(statistic=one.statistic))))
        for one in columns
    )
    return name + "".join(
        f"{'-' if math.isnan(number) else f'{number:{one.form}}':>{one.width}}"
        for one, number in numbers
    )


def _layer_names(summarised: xr.Dataset | xr.DataArray) -> list[str]:
    """Return what the layers are called in the table, shorter where the terminal is narrow."""
    room = terminal_columns() - NUMBERS_WIDTH - 2
    return short_names(summarised["layer"].values, max(SHORTEST_NAME, min(LONGEST_NAME, room)))


def summary_dict(summarised: xr.Dataset) -> dict[str, Any]:
    """Return a summary as JSON can hold it: quantity, layer, statistic; None for NaN.

    Parameters
    ----------
    summarised : Dataset, (statistic, layer)
        From `summary`.

    Returns
    -------
    dict
    """
    layers = [str(name) for name in summarised["layer"].values]
    statistics = [str(name) for name in summarised["statistic"].values]
    quantities = {
        str(name): {
            "units": variable.attrs["units"],
            "layers": {
                layer: dict(zip(statistics, _nones(variable.values[:, index]), strict=True))
                for index, layer in enumerate(layers)
            },
        }
        for name, variable in summarised.items()
    }
    intervals = (f"interval_{name}" for name in ("method", "level", "clipped"))
    kept = ("estimator", "repeats", *intervals, "correlated_with", CONTROL)
    return {
        **{name: summarised.attrs[name] for name in kept if name in summarised.attrs},
        "notes": notes(summarised),
        "moving_ranges": [asdict(one) for one in moving_ranges(summarised)],
        "quantities": quantities,
    }


def _nones(values: NDArray[np.float64]) -> list[float | None]:
    return [None if math.isnan(value) else float(value) for value in values]
