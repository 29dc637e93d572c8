"""The tables of the page: where a recording comes from, its repeats, its dynamics, its audit."""

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import xarray as xr

from ibtools.analysis.check import Check, CheckReport
from ibtools.analysis.check.report import group_by_words
from ibtools.analysis.repeats.controls import ABOVE, CONTROL
from ibtools.analysis.repeats.grid_ranges import WORDS, MovingRange
from ibtools.analysis.repeats.scalars import ACCURACIES, called, last_values
from ibtools.analysis.repeats.shown import FEWEST_FOR_SPREAD
from ibtools.analysis.repeats.summary import PRINTED, spread_ends
from ibtools.provenance import provenance
from ibtools.settings import SETTINGS
from ibtools.shown import counted, visible
from ibtools.store.configuration import configuration_of
from ibtools.store.info import StoreInfo, describe_info, layer_table
from ibtools.store.storage import StorePath

LISTED: Mapping[str, str] = MappingProxyType(
    {
        name: SETTINGS[name].about.label
        for name in (
            *("network", "data_set", "activation", "bits", "scheme", "ranges", "initializer"),
            *("engine", "snapshots", "learning_rate", "batch_size", "prefit", "labels", "control"),
            *("seed", "patience", "required_gain", "max_attempts"),
        )
    }
)
"""The settings of a recording that decide about numbers, by what the page calls them."""

ATTRIBUTES: Mapping[str, str] = MappingProxyType(
    {
        "data_checksum": "checksum of the data",
        "library_versions": "libraries of the recording",
        "format_version": "format of the store",
        "store_id": "identity of the store",
    }
)


@dataclass(frozen=True)
class Table:
    """A table of the page.

    Parameters
    ----------
    caption : str
        What it shows.
    head : tuple of str
        The titles of the columns.
    rows : tuple of tuple of str
        Cells; the first of a row is what the row is of.
    """

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def recording_table(path: StorePath, info: StoreInfo, attributes: Mapping[str, Any]) -> Table:
    """List where a recording comes from: what `ibtools info` says, settings, versions."""
    settings = configuration_of(attributes)
    rows = {"store": os.fspath(path), **describe_info(info, path)}
    if not settings:
        rows["settings"] = "not in the store, which was written from arrays"
    rows |= {name: str(settings[key]) for key, name in LISTED.items() if key in settings}
    rows |= {name: str(attributes[key]) for key, name in ATTRIBUTES.items() if key in attributes}
    made = provenance()
    rows["this report"] = (
        f"created {made['created']} with ibtools {made['ibtools_version']}, "
        f"{made['library_versions']}"
    )
    shown = tuple((name, visible(text)) for name, text in rows.items())
    return Table("The recording and where it comes from", ("property", "value"), shown)


def layers_table(info: StoreInfo) -> Table:
    """List the layers of the network."""
    head, rows = layer_table(info.layers)
    return Table("The recorded layers", head, tuple(tuple(map(visible, row)) for row in rows))


def repeats_table(store: xr.Dataset) -> Table:
    """List the repeats, and what became of each; accuracies where there are some."""
    n_epochs = store.sizes["epoch"]
    n_complete = store["complete"].sum("epoch").values
    accuracies = {name: store[name] for name in ACCURACIES if store[name].notnull().any()}
    columns = [
        [str(number) for number in store["repeat"].values],
        [str(seed) if seed >= 0 else "not known" for seed in store["seed"].values],
        [str(outcome) for outcome in store["outcome"].values],
        [str(n) for n in store["failed_attempts"].values],
        [f"{n} of {n_epochs}" for n in n_complete],
        *([_format(float(last), 4) for last in last_values(one)] for one in accuracies.values()),
    ]
    head = (
        "repeat",
        "seed",
        "outcome",
        "failed attempts",
        "snapshots",
        *(f"last {called(name)}" for name in accuracies),
    )
    return Table("Repeats and their outcomes", head, tuple(zip(*columns, strict=True)))


def dynamics_table(summarised: xr.Dataset, results: xr.Dataset) -> Table:
    """List mean and interval over repeats of every quantity of the dynamics, by layer."""
    attributes = summarised.attrs
    caption = (
        f"Dynamics by {attributes['estimator']}, {attributes['repeats']}: mean over repeats"
        f"{_describe_interval(summarised, PRINTED)}"
    )
    return _quantities(caption + _describe_symbols(results), summarised, PRINTED)


def _describe_interval(summarised: xr.Dataset, names: Sequence[str]) -> str:
    """Say what is below the means of quantities: intervals, or the values where they are two."""
    n_repeats = summarised[list(names)].sel(statistic="n_repeats").to_array()
    words = []
    if n_repeats.max() >= FEWEST_FOR_SPREAD:
        level, clipped = (summarised.attrs[f"interval_{name}"] for name in ("level", "clipped"))
        said = ", clipped to what is possible" * bool(clipped)
        words.append(f"{100 * level:g} % interval (Student{said})")
    if (n_repeats == 2).any():
        words.append("of two, their values")
    return "".join(f", {one}" for one in words)


def _quantities(caption: str, summarised: xr.Dataset, names: Sequence[str]) -> Table:
    """List quantities by layer."""
    head = [
        f"{summarised[name].attrs['long_name']} [{summarised[name].attrs['units']}]"
        for name in names
    ]
    rows = tuple(
        (visible(layer), *(_format_interval(summarised[name].sel(layer=layer)) for name in names))
        for layer in summarised["layer"].values
    )
    return Table(caption, ("layer", *head), rows)


def above_table(summarised: xr.Dataset, results: xr.Dataset) -> Table:
    """List likewise what is above the control, of each quantity in bits."""
    attributes = summarised.attrs
    names = [name + ABOVE for name in PRINTED if name + ABOVE in summarised]
    n_pairs = int(summarised[names[0]].sel(statistic="n_repeats").max())
    caption = (
        f"Above the {attributes[CONTROL]} by {attributes['estimator']}: differences of "
        f"{counted(n_pairs, 'pair')} of repeats, mean{_describe_interval(summarised, names)}"
    )
    return _quantities(caption + _describe_symbols(results), summarised, names)


def ranges_table(moving: Sequence[MovingRange]) -> Table:
    """List the layers whose quantiser's range moves against its values."""
    rows = tuple(
        (
            visible(one.layer),
            f"{one.range_start:.3g}",
            f"{100 * one.filled_start:.0f} %",
            f"{one.range_end:.3g}",
            f"{100 * one.filled_end:.0f} %",
            one.describe_end(),
        )
        for one in moving
    )
    head = ("layer", "range at first", "filled", "range at the end", "filled", "moves until")
    return Table(f"{WORDS} Means over repeats", head, rows)


def _describe_symbols(results: xr.Dataset) -> str:
    """Say what is called I(X;T) and I(T;Y) in the table, where it is something else."""
    labels = {"I(X;T)": results["mi_xt"], "I(T;Y)": results["mi_ty"]}
    others = [
        f"{symbol} is {values.attrs['long_name']}"
        for symbol, values in labels.items()
        if values.attrs["long_name"] != symbol
    ]
    return f". Here {' and '.join(others)}" if others else ""


def _format_interval(statistics: xr.DataArray) -> str:
    """Write a mean, and the interval, or the values of two repeats, on a line of its own."""
    decimals = 3 if statistics.attrs["units"] == "bit" else 0
    mean, n = (float(statistics.sel(statistic=name)) for name in ("mean", "n_repeats"))
    low, high = spread_ends(statistics)
    if math.isnan(low):
        return _format(mean, decimals)
    between = "to" if n >= FEWEST_FOR_SPREAD else "and"
    return (
        f"{_format(mean, decimals)}\n{_format(low, decimals)} {between} {_format(high, decimals)}"
    )


def _format(number: float, decimals: int) -> str:
    """Write a number, a dash for NaN; what rounds to 0 has no sign."""
    return "–" if math.isnan(number) else f"{number:z.{decimals}f}"


def audit_table(audit: CheckReport) -> Table:
    """List the checks of an audit."""
    rows = tuple(
        (
            one.name,
            one.status,
            one.subject,
            one.count(audit.counts) or "–",
            one.describe_worst(audit.counts),
        )
        for one in audit.checks
    )
    head = ("check", "status", "of", "found", "worst case")
    return Table(f"Audit: {audit.count()}", head, rows)


def audit_words(audit: CheckReport) -> tuple[tuple[str, str], ...]:
    """Say what is behind the lines of an audit: the checks, and their words."""
    return tuple(
        (_name_checks(alike), said) for said, alike in group_by_words(audit.checks).items()
    )


def _name_checks(alike: list[Check]) -> str:
    names = ", ".join(dict.fromkeys(check.name for check in alike))
    subjects = ", ".join(dict.fromkeys(check.subject for check in alike))
    return f"{alike[0].status}: {names} ({subjects})"
