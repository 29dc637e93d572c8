"""Results of ibtools at a glance: what is said of them without computing or reading anything."""

from typing import Any

import xarray as xr

from ibtools.analysis.repeats.shown import summarise_repeats
from ibtools.errors import StoreError
from ibtools.store.counts import counts_of
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


def describe_results(dataset: xr.Dataset) -> Overview:
    """Describe the Dataset of results; nothing is computed or read for it."""
    several = "estimator" in dataset.dims
    rows = {
        "experiment": source(dataset),
        "estimator": "" if several else _label(dataset, "estimator"),
        "values": "" if several else _meanings(dataset),
        **({} if several else _notes(dataset)),
        "snapshots": sizes(dataset),
        "inputs": _inputs(dataset.attrs),
        "repeats": outcomes(dataset),
        "computed": _computed(dataset),
    }
    names, table = _estimator_table(dataset) if several else _result_table(dataset)
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
    for name in _measured(dataset):
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
    return "lazy: nothing is read or computed yet" if lazy else "in memory"


def _result_table(dataset: xr.Dataset) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Tell the layers, and means over repeats at the last epoch of what is in memory."""
    names, table = layer_table(layers_in_memory(dataset))
    final = _final_means(dataset) if table else None
    if final is None:
        return names, table
    epoch = int(final["epoch"])
    heads = tuple(f"{name}, {counts_of(dataset.attrs)} {epoch}" for name in final.data_vars)
    columns = [[f"{value:.4g}" for value in one.values] for one in final.data_vars.values()]
    added = zip(table, zip(*columns, strict=True), strict=True)
    return (*names, *heads), tuple((*row, *values) for row, values in added)


def _final_means(dataset: xr.Dataset) -> xr.Dataset | None:
    """Return means (layer) over the repeats that count; None if they had to be computed first."""
    names = _measured(dataset)
    if not names or not all(in_memory(dataset, str(name)) for name in dataset.data_vars):
        return None
    try:
        mean = summarise_repeats(dataset, variables=names).mean
    except StoreError:  # details, or reduced, or nothing is analysed: there are no such means
        return None
    return mean[names].isel(epoch=-1)


def _estimator_table(dataset: xr.Dataset) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    columns = [dataset["estimator"].values.tolist()]
    there = [name for name in _FINAL if name in dataset]
    for name in there:
        same = str(dataset[name].attrs.get("long_name", name))
        meaning = known(dataset, f"{name}_meaning")
        each = [same] * len(columns[0]) if meaning is None else meaning.tolist()
        columns.append([str(label) or "-" for label in each])
    return ("estimator", *(f"{name} is" for name in there)), tuple(zip(*columns, strict=True))
