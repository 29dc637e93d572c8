"""A store as a Dataset: decoded and lazy, or as plain xarray opens it."""

from __future__ import annotations

import os
import uuid
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

import xarray as xr
import zarr
from numpy.typing import NDArray

from ibtools.errors import StoreError
from ibtools.store.counts import counts_of, in_counts
from ibtools.store.decode import decode
from ibtools.store.derived import without_layout
from ibtools.store.groups import (
    open_place,
    read_arrays,
)
from ibtools.store.opened import open_checked
from ibtools.store.schema import (
    NO_UNIT,
    STORE_COORDINATES,
    STORE_VARIABLES,
    Variable,
    scalars_of,
)
from ibtools.store.several import join_stores
from ibtools.store.storage import StorePath, absolute, is_local, reaching
from ibtools.store.validation.coordinates import validate_coordinates
from ibtools.store.validation.declared import arrays_of, leaving_others_alone
from ibtools.store.validation.reading import CheckedStore
from ibtools.store.validation.results import (
    RESULT_COORDINATES,
    declared_variables,
    validate_results,
)

SOURCE = "source"
"""The encoding of a Dataset that is as it is on disk: where it is from, as xarray says it too."""


def open_store(
    path: StorePath | Sequence[StorePath] | Mapping[str, StorePath], *, dim: str = "repeat"
) -> xr.Dataset:
    """Open a store, or several of one network, as a lazy Dataset with decoded activations.

    Parameters
    ----------
    path : path or URL, or sequence or mapping of them
        An ibtools store; or several of the same samples and layers, named by the keys of a mapping.
    dim : str, optional
        Along what several stores are put together: `repeat`, or a new dimension.

    Returns
    -------
    Dataset
        All variables of the store, backed by dask, chunked as on disk, and `activation` (repeat,
        epoch, layer, sample, unit), float32, for every layer: the values that the network computed;
        NaN where a layer has no such unit and where a snapshot is not complete. A softmax layer
        that was recorded as the codes of its logits shows softmax probabilities. A store that
        keeps the partition only has `partition` and no activations. Nothing but the coordinates is
        loaded. Saved with ``to_zarr``, it is cut into the chunks that it has in memory.

    Raises
    ------
    StoreError
        If there is no store at `path`, or it breaks the contract; or if several have other samples
        or layers.
    InputError
        If `dim` can't be a dimension of several stores.

    See Also
    --------
    xarray.open_zarr : Shows the store as it is on disk, integer codes and all.
    """
    if isinstance(path, str | os.PathLike):
        return _open_one(path)
    named = path if isinstance(path, Mapping) else {str(one): one for one in path}
    return join_stores({name: _open_one(one) for name, one in named.items()}, dim)


def _open_one(path: StorePath) -> xr.Dataset:
    group, coordinates = open_checked(path)
    with reaching(path, "the store can't be read"):
        opened = _as_dataset(group, f"{path}", coordinates, STORE_VARIABLES)
        decoded = without_layout(decode(opened))
    decoded.encoding[SOURCE] = absolute(path)
    return decoded


def open_raw(path: StorePath, *, group: str | None = None) -> xr.Dataset:
    """Open a store, or results in it, as plain xarray does; coordinates are loaded."""
    consolidated = None if group is None and not is_local(path) else False
    root = open_place(path, "r", use_consolidated=consolidated, group=group)
    if root is None:
        raise StoreError(f"{path}: there must be {group or 'a store'}, but nothing is there")
    if group is not None:
        return open_raw_results(root, f"{path}: {group}")
    return raw_dataset(root, path)


def raw_dataset(group: zarr.Group, path: StorePath) -> xr.Dataset:
    """Return a store that is open as plain xarray would open it, as long as it was then."""
    with reaching(path, "the store can't be read"):
        arrays = arrays_of(group)
        there = {name: arrays[name] for name in STORE_COORDINATES if name in arrays}
        return _as_dataset(group, f"{path}", read_arrays(there, path), STORE_VARIABLES)


def open_raw_results(group: zarr.Group, where: str) -> xr.Dataset:
    """Open results as plain xarray does, after checking that they are; coordinates are loaded."""
    with reaching(where, "the store can't be read"):
        arrays = arrays_of(group)
        validate_results(group, arrays, where)
        known = read_arrays({name: arrays[name] for name in RESULT_COORDINATES}, where)
        validate_coordinates(known, where, dtypes={})
        return _as_dataset(group, where, known, declared_variables(group))


def _as_dataset(
    group: zarr.Group,
    where: str,
    coordinates: Mapping[str, NDArray[Any]],
    declared: Sequence[Variable],
) -> xr.Dataset:
    """Return a group as xarray opens it: coordinates in memory, all else in the chunks on disk.

    Variables are in the order of their declarations, and described by them.
    Dask looks at a name only, and not at what is behind each: every opening has names of its own.
    """
    with leaving_others_alone():
        opened = xr.open_dataset(CheckedStore.of(group, where, coordinates))
    _describe(opened, (*declared, *scalars_of(opened.attrs)))
    for name in opened.coords:
        opened[name].variable.load()
    token = uuid.uuid4().hex
    lazy = {  # words that an older xarray appended are without chunks: one does for them
        name: one.variable.chunk(one.encoding.get("preferred_chunks", {}), name=f"{name}-{token}")
        for name, one in opened.data_vars.items()
    }
    return in_order(opened.assign(lazy), [one.name for one in declared])


def _describe(dataset: xr.Dataset, declared: Iterable[Variable]) -> None:
    """Describe variables by what a store counts: declarations speak of epochs.

    Where the label of a variable is its description, as earlier versions wrote it, it gets the
    label that is declared now.
    """
    counts = counts_of(dataset.attrs)
    for known in declared:
        if known.name in dataset.variables:
            said = dataset.variables[known.name].attrs
            if said.get("long_name") == known.description:
                said.update(known.attributes())
    for one in dataset.variables.values():
        if one.attrs.get("units") == NO_UNIT:
            del one.attrs["units"]
        one.attrs.update(
            {
                name: in_counts(one.attrs[name], counts)
                for name in ("long_name", "description")
                if isinstance(one.attrs.get(name), str)
            }
        )


def in_order(dataset: xr.Dataset, names: Iterable[str]) -> xr.Dataset:
    """Return a Dataset with its variables in the order of these names, then of the alphabet.

    A folder lists its files in an order of its own, which is another for every store, and xarray
    would show variables, and write columns, in that order.
    """
    rank = {name: place for place, name in enumerate(dict.fromkeys(names))}

    def ordered(variables: Mapping[Hashable, xr.DataArray]) -> dict[Hashable, xr.Variable]:
        order = sorted(variables, key=lambda name: (rank.get(str(name), len(rank)), str(name)))
        return {name: variables[name].variable for name in order}

    found = xr.Dataset(ordered(dataset.data_vars), ordered(dataset.coords), dataset.attrs)
    found.encoding = dataset.encoding
    return found
