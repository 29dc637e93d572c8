"""A Dataset of ibtools at a glance: what is said of it without computing or reading anything."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ibtools.derived import as_store
from ibtools.errors import StoreError
from ibtools.info import layer_table
from ibtools.schema import RECORDED, kept
from ibtools.snapshots import LAYER_COLUMNS, LayerSpec, layer_specs

_DIMS = ("estimator", "repeat", "epoch", "layer", "sample", "unit")
_FINAL = ("mi_xt", "mi_ty")


@dataclass(frozen=True)
class Overview:
    """What is displayed of a Dataset.

    Parameters
    ----------
    title : str
        What it is.
    rows : tuple of (str, str)
        Names and what is said of them.
    columns : tuple of str
        Heads of a table.
    table : tuple of tuple of str
        Its rows.
    """

    title: str
    rows: tuple[tuple[str, str], ...]
    columns: tuple[str, ...] = ()
    table: tuple[tuple[str, ...], ...] = ()


def describe(dataset: xr.Dataset) -> Overview:
    """Describe the Dataset of a store or of results; nothing is computed or read for it.

    Parameters
    ----------
    dataset : Dataset
        Any: of one that is neither, it is said what it should be.

    Returns
    -------
    Overview
        What is not in memory, and would have to be computed, is said to be so.
    """
    if any(name in dataset for name in RECORDED):
        return _describe_store(dataset)
    if "estimator" in dataset.coords or "estimator" in dataset.attrs:
        return _describe_results(dataset)
    hint = "open one with ibtools.open_store(path) or ibtools.open_results(path)"
    return Overview(
        "ibtools: neither a store nor results",
        (("expected", f"the Dataset of a store or of results; {hint}"),),
    )


def _describe_store(dataset: xr.Dataset) -> Overview:
    try:
        dataset = as_store(dataset)
    except StoreError as err:
        rows = (("sizes", _sizes(dataset)), ("reason", str(err)))
        return Overview("ibtools: made of a store, but no store", rows)
    layers = _layers(dataset)
    said = {
        "experiment": _source(dataset),
        "network": _network(layers),
        "snapshots": _sizes(dataset),
        "samples": _samples(dataset),
        "repeats": _outcomes(dataset),
        "complete": _complete(dataset),
        "cube": _cube(dataset, layers),
    }
    names, table = layer_table(layers)
    return Overview("ibtools store", _said(said), names, table)


def _describe_results(dataset: xr.Dataset) -> Overview:
    several = "estimator" in dataset.dims
    rows = {
        "experiment": _source(dataset),
        "estimator": "" if several else _label(dataset, "estimator"),
        "values": "" if several else _meanings(dataset),
        **({} if several else _notes(dataset)),
        "snapshots": _sizes(dataset),
        "inputs": _inputs(dataset.attrs),
        "repeats": _outcomes(dataset),
        "computed": _computed(dataset),
    }
    names, table = _estimator_table(dataset) if several else _result_table(dataset)
    return Overview("ibtools results", _said(rows), names, table)


def _said(rows: dict[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple((name, text) for name, text in rows.items() if text)


def _known(dataset: xr.Dataset, name: str) -> NDArray[Any] | None:
    """Return the values of a variable if they are in memory."""
    if name not in dataset.variables or not _in_memory(dataset, name):
        return None
    return np.asarray(dataset[name].values)


def _in_memory(dataset: xr.Dataset, name: str) -> bool:
    # xarray's own repr asks the same; no public attribute tells what is read lazily without dask
    return bool(dataset[name].variable._in_memory)


def _layers(dataset: xr.Dataset) -> tuple[LayerSpec, ...]:
    """Return the layers; none if something that is said of them is not in memory."""
    columns = {name: _known(dataset, name) for name in LAYER_COLUMNS}
    there = {name: one for name, one in columns.items() if one is not None}
    return layer_specs(there) if len(there) == len(columns) else ()


def _source(dataset: xr.Dataset) -> str:
    attributes = dataset.attrs
    created = f" (created {attributes['created']})" if "created" in attributes else ""
    return f"{attributes.get('experiment', 'unknown')}{created}"


def _network(layers: Sequence[LayerSpec]) -> str:
    units = "-".join(str(layer.n_units) for layer in layers)
    functions = ", ".join(dict.fromkeys(layer.activation_function for layer in layers))
    bits = ", ".join(dict.fromkeys(str(layer.bits) for layer in layers))
    said = f"{units} units; {functions}; {bits} bits"
    return said if layers else "not read yet (ibtools.open_store does)"


def _sizes(dataset: xr.Dataset) -> str:
    """Write the sizes that there are, with the epochs that they span."""
    words = []
    for dim in _DIMS:
        if dim in dataset.sizes:
            n = dataset.sizes[dim]
            epochs = _known(dataset, "epoch") if dim == "epoch" and n else None
            span = f" ({epochs[0]} to {epochs[-1]})" if epochs is not None else ""
            words.append(f"{n} {dim}{'s' * (n != 1)}{span}")
    return " × ".join(words)


def _samples(dataset: xr.Dataset) -> str:
    label, split = _known(dataset, "label"), _known(dataset, "split")
    parts = [] if label is None or not label.ndim else [f"{len(np.unique(label))} classes"]
    if split is not None and split.ndim:
        parts += [f"{int((split == name).sum())} {name}" for name in dict.fromkeys(split.tolist())]
    return ", ".join(parts)


def _outcomes(dataset: xr.Dataset) -> str:
    outcome, failed = _known(dataset, "outcome"), _known(dataset, "failed_attempts")
    if outcome is None:
        return ""
    names = np.atleast_1d(outcome).tolist()
    parts = [f"{names.count(name)} {name}" for name in dict.fromkeys(names)]
    n_failed = 0 if failed is None else int(failed.sum())
    parts += [f"{n_failed} failed attempt{'s' * (n_failed > 1)}"] * (n_failed > 0)
    return ", ".join(parts)


def _complete(dataset: xr.Dataset) -> str:
    if "complete" not in dataset:
        return ""
    complete = _known(dataset, "complete")
    if complete is None:
        return "not read yet (ds.complete.load() does)"
    return f"{int(complete.sum())} of {complete.size} snapshots"


def _cube(dataset: xr.Dataset, layers: Sequence[LayerSpec]) -> str:
    if not layers:
        return ""
    keep = kept(dataset)
    n_rows = int(np.prod([dataset.sizes.get(dim, 1) for dim in ("repeat", "epoch", "sample")]))
    n_bytes = n_rows * sum(layer.row_bytes(keep) for layer in layers)
    kinds = sorted({"codes" if layer.quantised else "float32 values" for layer in layers})
    what = "the partition of each layer" if keep == "partition" else " and ".join(kinds)
    return f"{n_bytes / 1e6:.1f} MB of {what}, without padding"


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
    lazy = [name for name in dataset.data_vars if not _in_memory(dataset, str(name))]
    return "lazy: nothing is read or computed yet" if lazy else "in memory"


def _result_table(dataset: xr.Dataset) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Tell the layers, and means over repeats at the last epoch of what is in memory."""
    names, table = layer_table(_layers(dataset))
    final = _final_means(dataset) if table else None
    if final is None:
        return names, table
    epoch = int(final["epoch"])
    heads = tuple(f"{name}, epoch {epoch}" for name in final.data_vars)
    columns = [[f"{value:.4g}" for value in one.values] for one in final.data_vars.values()]
    added = zip(table, zip(*columns, strict=True), strict=True)
    return (*names, *heads), tuple((*row, *values) for row, values in added)


def _final_means(dataset: xr.Dataset) -> xr.Dataset | None:
    """Return means (layer) over the repeats that count; None if they had to be computed first."""
    from ibtools.analysis.repeats import summarise_repeats

    names = _measured(dataset)
    if not names or not all(_in_memory(dataset, str(name)) for name in dataset.data_vars):
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
        meaning = _known(dataset, f"{name}_meaning")
        each = [same] * len(columns[0]) if meaning is None else meaning.tolist()
        columns.append([str(label) or "-" for label in each])
    return ("estimator", *(f"{name} is" for name in there)), tuple(zip(*columns, strict=True))
