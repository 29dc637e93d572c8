"""A store at a glance, as a Dataset: what is said of it without computing or reading anything."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ibtools.errors import StoreError
from ibtools.shown import counted
from ibtools.store.counts import counts_of, in_counts
from ibtools.store.derived import as_store
from ibtools.store.info import layer_table
from ibtools.store.schema import RECORDED, kept
from ibtools.store.snapshots import LAYER_COLUMNS, LayerSpec, layer_specs

_DIMS = ("estimator", "repeat", "epoch", "layer", "sample", "unit")


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
    """Describe the Dataset of a store, or say what it should be; nothing is computed or read."""
    if any(name in dataset for name in RECORDED):
        return _describe_store(dataset)
    hint = "open one with ibtools.open_store(path) or ibtools.open_results(path)"
    return Overview(
        "ibtools: neither a store nor results",
        (("expected", f"the Dataset of a store or of results; {hint}"),),
    )


def _describe_store(dataset: xr.Dataset) -> Overview:
    try:
        dataset = as_store(dataset)
    except StoreError as err:
        rows = (("sizes", sizes(dataset)), ("reason", str(err)))
        return Overview("ibtools: made of a store, but no store", rows)
    layers = layers_in_memory(dataset)
    said = {
        "experiment": source(dataset),
        "network": _network(layers),
        "snapshots": sizes(dataset),
        "samples": _samples(dataset),
        "repeats": outcomes(dataset),
        "complete": _complete(dataset),
        "cube": _cube(dataset, layers),
    }
    names, table = layer_table(layers)
    return Overview("ibtools store", as_rows(said), names, table)


def as_rows(rows: dict[str, str]) -> tuple[tuple[str, str], ...]:
    """Return what is said of a Dataset, without what there is nothing to say of."""
    return tuple((name, text) for name, text in rows.items() if text)


def known(dataset: xr.Dataset, name: str) -> NDArray[Any] | None:
    """Return the values of a variable if they are in memory."""
    if name not in dataset.variables or not in_memory(dataset, name):
        return None
    return np.asarray(dataset[name].values)


def in_memory(dataset: xr.Dataset, name: str) -> bool:
    """Whether a variable need not be read or computed."""
    # xarray's own repr asks the same; no public attribute tells what is read lazily without dask
    return bool(dataset[name].variable._in_memory)


def layers_in_memory(dataset: xr.Dataset) -> tuple[LayerSpec, ...]:
    """Return the layers; none if something that is said of them is not in memory."""
    columns = {name: known(dataset, name) for name in LAYER_COLUMNS}
    there = {name: one for name, one in columns.items() if one is not None}
    return layer_specs(there) if len(there) == len(columns) else ()


def source(dataset: xr.Dataset) -> str:
    """Say where a Dataset comes from."""
    attributes = dataset.attrs
    created = f" (created {attributes['created']})" if "created" in attributes else ""
    return f"{attributes.get('experiment', 'unknown')}{created}"


def _network(layers: Sequence[LayerSpec]) -> str:
    units = "-".join(str(layer.n_units) for layer in layers)
    functions = ", ".join(dict.fromkeys(layer.activation_function for layer in layers))
    bits = ", ".join(dict.fromkeys(str(layer.bits) for layer in layers))
    said = f"{units} units; {functions}; {bits} bits"
    return said if layers else "not read yet (ibtools.open_store does)"


def sizes(dataset: xr.Dataset) -> str:
    """Write the sizes that there are, with the epochs that they span."""
    words = []
    for dim in _DIMS:
        if dim in dataset.sizes:
            n = dataset.sizes[dim]
            epochs = known(dataset, "epoch") if dim == "epoch" and n else None
            span = f" ({epochs[0]} to {epochs[-1]})" if epochs is not None else ""
            word = in_counts(dim, counts_of(dataset.attrs))
            words.append(f"{counted(n, word)}{span}")
    return " × ".join(words)


def _samples(dataset: xr.Dataset) -> str:
    label, split = known(dataset, "label"), known(dataset, "split")
    parts = [] if label is None or not label.ndim else [counted(len(np.unique(label)), "class")]
    if split is not None and split.ndim:
        parts += [f"{int((split == name).sum())} {name}" for name in dict.fromkeys(split.tolist())]
    return ", ".join(parts)


def outcomes(dataset: xr.Dataset) -> str:
    """Say how the trainings of the repeats ended."""
    outcome, failed = known(dataset, "outcome"), known(dataset, "failed_attempts")
    if outcome is None:
        return ""
    names = np.atleast_1d(outcome).tolist()
    parts = [f"{names.count(name)} {name}" for name in dict.fromkeys(names)]
    n_failed = 0 if failed is None else int(failed.sum())
    parts += [counted(n_failed, "failed attempt")] * (n_failed > 0)
    return ", ".join(parts)


def _complete(dataset: xr.Dataset) -> str:
    if "complete" not in dataset:
        return ""
    complete = known(dataset, "complete")
    if complete is None:
        return "not read yet (ds.complete.load() does)"
    return f"{int(complete.sum())} of {counted(complete.size, 'snapshot')}"


def _cube(dataset: xr.Dataset, layers: Sequence[LayerSpec]) -> str:
    if not layers:
        return ""
    keep = kept(dataset)
    n_rows = int(np.prod([dataset.sizes.get(dim, 1) for dim in ("repeat", "epoch", "sample")]))
    n_bytes = n_rows * sum(layer.row_bytes(keep) for layer in layers)
    kinds = sorted({"codes" if layer.quantised else "float32 values" for layer in layers})
    what = "the partition of each layer" if keep == "partition" else " and ".join(kinds)
    return f"{n_bytes / 1e6:.1f} MB of {what}, without padding"
