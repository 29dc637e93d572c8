"""Results of ibtools at a glance: what they are, and of each layer its peak, its end and chance.

Nothing is computed for it: numbers are shown of what is in memory, and of what can be read quickly.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import xarray as xr

from ibtools.analysis.repeats.shown import CHANCE, RepeatSummary, summarise_repeats
from ibtools.errors import StoreError
from ibtools.store.datasets import SOURCE
from ibtools.store.info import layer_table
from ibtools.store.overview import (
    Overview,
    as_rows,
    in_memory,
    known,
    layers_in_memory,
    outcomes,
    sizes,
    source,
)

_FINAL = ("mi_xt", "mi_ty")

MOST_READ = 2**25
"""Bytes of results that are read to be displayed: I(X;T), I(T;Y) and chance of 10 repeats of SYN,
with 1600 epochs, are 2 MB, and reading them takes 0.2 s; so many are read in a few seconds."""


def describe_results(dataset: xr.Dataset) -> Overview:
    """Describe the Dataset of results: of one estimator with its numbers, if they are at hand."""
    several = "estimator" in dataset.dims
    summary = None if several else _summarise(dataset)
    rows = {
        "experiment": source(dataset),
        "estimator": "" if several else _label(dataset, "estimator"),
        "values": "" if several else _meanings(dataset),
        **({} if several else _notes(dataset)),
        "snapshots": sizes(dataset),
        "inputs": _inputs(dataset.attrs),
        "repeats": outcomes(dataset),
        "computed": _computed(dataset),
        "numbers": "" if summary is None else f"{summary.repeats}, and the peak of that curve",
    }
    names, table = _estimator_table(dataset) if several else _layer_table(dataset, summary)
    return Overview("ibtools results", as_rows(rows), names, table)


def _label(dataset: xr.Dataset, name: str) -> str:
    """Return what an attribute says, or the coordinate of a selected estimator."""
    if name in dataset.coords and not dataset[name].dims:
        return str(dataset[name].item())
    return str(dataset.attrs.get(name, ""))


def _measured(dataset: xr.Dataset) -> list[str]:
    """Return which of both kinds of information there are; a selected estimator may lack one."""

    def is_lacking(name: str) -> bool:
        meaning = dataset.coords.get(f"{name}_meaning")
        return meaning is not None and meaning.item() == ""

    return [name for name in _FINAL if name in dataset and not is_lacking(name)]


def _meanings(dataset: xr.Dataset) -> str:
    said = []
    for name in (*_measured(dataset), *([CHANCE] if CHANCE in dataset else [])):
        attributes = dataset[name].attrs
        meaning = _label(dataset, f"{name}_meaning") or attributes.get("long_name", "")
        said.append(f"{name} is {meaning} ({attributes.get('units', 'no unit')})")
    return "; ".join(said) or ", ".join(str(name) for name in dataset.data_vars)


def _notes(dataset: xr.Dataset) -> dict[str, str]:
    return {f"note on {name}": _label(dataset, f"note_{name}") for name in _FINAL}


def _inputs(attributes: dict[str, Any]) -> str:
    parts = [f"N = {attributes['n_samples']}"] * ("n_samples" in attributes)
    for symbol, name in (("H(X)", "entropy_x"), ("H(Y)", "entropy_y")):
        parts += [f"{symbol} = {attributes[name]:.4g} bit"] if name in attributes else []
    return ", ".join(parts)


def _computed(dataset: xr.Dataset) -> str:
    lazy = [name for name in dataset.data_vars if not in_memory(dataset, str(name))]
    if not lazy:
        return "in memory"
    is_stored = SOURCE in dataset.encoding
    return "lazy: read from the store when used" if is_stored else "lazy: not computed yet"


def _layer_table(
    dataset: xr.Dataset, summary: RepeatSummary | None
) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Tell the layers, and of each the peak and the end of the means, if there are any."""
    names, table = layer_table(layers_in_memory(dataset))
    if summary is None or not table:
        return names, table
    columns = {head: column for name in summary.mean for head, column in _columns(name, summary)}
    added = zip(table, zip(*columns.values(), strict=True), strict=True)
    return (*names, *columns), tuple((*row, *values) for row, values in added)


def _columns(name: Any, summary: RepeatSummary) -> Iterator[tuple[str, list[str]]]:
    """Yield heads and cells of a variable: its peak on the way, but of chance, and its end."""
    mean = summary.mean[name]
    if name in _FINAL:
        trained = mean.isel(epoch=mean["epoch"].values >= 0) if (mean["epoch"] >= 0).any() else mean
        peak = trained.isel(epoch=trained.fillna(-np.inf).argmax("epoch"))
        pairs = zip(peak.values, peak["epoch"].values, strict=True)
        yield (
            f"{name}, peak ({summary.counts})",
            [f"{value:.4g} ({epoch})" for value, epoch in pairs],
        )
    yield (
        f"{name}, {summary.counts} {summary.epochs[-1]}",
        [f"{value:.4g}" for value in mean.isel(epoch=-1).values],
    )


def _summarise(dataset: xr.Dataset) -> RepeatSummary | None:
    """Return means (epoch, layer) over the repeats that count; None if they are not at hand."""
    names = _measured(dataset)
    needed = [*names, *([CHANCE] if CHANCE in dataset else [])]
    if not names or not _is_at_hand(dataset, needed):
        return None
    # details, or reduced, or nothing is analysed, or damaged: there are no such means
    with suppress(StoreError):
        return summarise_repeats(dataset[needed].compute(), variables=names)
    return None


def _is_at_hand(dataset: xr.Dataset, names: Sequence[str]) -> bool:
    """Whether variables are in memory, or on disk and small; a lazy analysis is neither."""
    if all(in_memory(dataset, name) for name in names):
        return True
    return SOURCE in dataset.encoding and dataset[names].nbytes <= MOST_READ


def _estimator_table(dataset: xr.Dataset) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    columns = [dataset["estimator"].values.tolist()]
    there = [name for name in _FINAL if name in dataset]
    for name in there:
        same = str(dataset[name].attrs.get("long_name", name))
        meaning = known(dataset, f"{name}_meaning")
        each = [same] * len(columns[0]) if meaning is None else meaning.tolist()
        columns.append([str(label) or "-" for label in each])
    return ("estimator", *(f"{name} is" for name in there)), tuple(zip(*columns, strict=True))
