"""Several stores of one network as one Dataset: along `repeat`, or along a new dimension."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ibtools.errors import InputError, StoreError
from ibtools.store.schema import CUBE, STORE_VARIABLES, Variable, scalars_of
from ibtools.store.snapshots import LAYER_COLUMNS

_SAME = ("label", "split", "input")
"""What all stores must have for each sample, or none."""

_DIMS = {dim for variable in STORE_VARIABLES for dim in variable.dims}


def join_stores(stores: Mapping[str, xr.Dataset], dim: str) -> xr.Dataset:
    """Put the Datasets of several stores of one network and the same samples together.

    Parameters
    ----------
    stores : mapping of str to Dataset
        As `ibtools.open_store` opens one, by the name that each gets. At least one.
    dim : str
        "repeat", or a new dimension, which is labelled with the names.

    Returns
    -------
    Dataset
        Along `repeat`, the coordinate `store` (repeat,) says which is whose, and repeats are
        numbered from 0 if two have one number. Epochs and scalars that a store does not have hold
        the missing value, and are not `complete`. Lazy.

    Raises
    ------
    InputError
        If there are none, or `dim` is a dimension of every store but `repeat`.
    StoreError
        If samples or layers differ; along a new dimension, widths of codes may.
    """
    if not stores:
        raise InputError("at least one store is needed, found none")
    if dim != "repeat" and (dim in _DIMS or not dim.isidentifier()):
        raise InputError(
            f"dim must be repeat, or a name that no dimension of a store has, found {dim!r}"
        )
    along_repeat = dim == "repeat"
    _validate_alike(stores, [one for one in LAYER_COLUMNS if along_repeat or one != "bits"])
    aligned = _align(stores, ("epoch", "trained_epoch", *(() if along_repeat else ("repeat",))))
    joined = concat_repeats(aligned) if along_repeat else _along_new(aligned, dim)
    return _evenly_chunked(joined, ("repeat", "epoch", "trained_epoch"))


def _along_new(aligned: Mapping[str, xr.Dataset], dim: str) -> xr.Dataset:
    labels = xr.Variable(dim, np.array(list(aligned)), {"long_name": dim})
    return concat_along(list(aligned.values()), labels)


def concat_along(datasets: Sequence[xr.Dataset], dim: Any) -> xr.Dataset:
    """Put Datasets of several stores, or their results, along a dimension of their own."""
    joined: xr.Dataset = xr.concat(
        datasets,
        dim,
        data_vars="all",
        coords="different",
        compat="equals",
        join="exact",
        combine_attrs="drop_conflicts",
    )
    return joined


def concat_repeats(aligned: Mapping[str, xr.Dataset]) -> xr.Dataset:
    """Put Datasets of several stores, or their results, along `repeat`; `store` says whose each is.

    Repeats are numbered from 0 if two have one number.
    """
    names = np.repeat(list(aligned), [one.sizes["repeat"] for one in aligned.values()])
    joined: xr.Dataset = xr.concat(
        list(aligned.values()),
        "repeat",
        data_vars="minimal",
        coords="minimal",
        compat="override",
        join="exact",
        combine_attrs="drop_conflicts",
    )
    numbers = joined["repeat"].values
    if len(np.unique(numbers)) < len(numbers):
        joined = joined.assign_coords(
            repeat=("repeat", np.arange(len(numbers)), joined["repeat"].attrs)
        )
    return joined.assign_coords(store=("repeat", names))


def _validate_alike(stores: Mapping[str, xr.Dataset], of_layers: Sequence[str]) -> None:
    """Check that all stores are of the same samples and layers, as the first is."""
    (first, one), *others = stores.items()
    for name, other in others:
        for what in (*_SAME, *of_layers):
            if not _is_same(one, other, what):
                raise StoreError(
                    f"stores of one network and the same samples can be joined, but {what} of "
                    f"{name} differs from that of {first}; draw them side by side instead, as "
                    "ibtools plot of several stores does"
                )
        missing = _cubes(one) ^ _cubes(other)
        if missing:
            raise StoreError(
                f"stores that hold the same can be joined, but of {first} and {name} only one has "
                f"{', '.join(sorted(missing))}; join their results: ibtools.open_results([...])"
            )


def _is_same(one: xr.Dataset, other: xr.Dataset, what: str) -> bool:
    if (what in one) != (what in other):
        return False
    return what not in one or np.array_equal(one[what].values, other[what].values)


def _cubes(dataset: xr.Dataset) -> set[str]:
    return {name for name in ("code", "activation", "partition") if name in dataset}


def _align(stores: Mapping[str, xr.Dataset], axes: Sequence[str]) -> dict[str, xr.Dataset]:
    """Give all stores the same variables, and the same numbers along some axes."""
    variables = _variables(stores)
    union = {
        axis: np.unique(np.concatenate([one[axis].values for one in stores.values()]))
        for axis in axes
    }
    return {name: _completed(one, variables, union) for name, one in stores.items()}


def _variables(stores: Mapping[str, xr.Dataset]) -> dict[str, Variable]:
    declared = {one.name: one for one in STORE_VARIABLES}
    for dataset in stores.values():
        declared.update({one.name: one for one in scalars_of(dataset.attrs)})
    return {
        name: one
        for name, one in declared.items()
        if any(name in dataset for dataset in stores.values())
    }


def _completed(
    dataset: xr.Dataset, variables: Mapping[str, Variable], union: Mapping[str, NDArray[Any]]
) -> xr.Dataset:
    """Fill in what a store lacks."""
    fills = {name: one.fill for name, one in variables.items() if name in dataset}
    fills["activation"] = np.float32(np.nan)
    found = dataset.drop_vars("phase", errors="ignore").reindex(union, fill_value=fills)
    lacking = {
        name: _missing(one, found)
        for name, one in variables.items()
        if name not in found and name != "phase" and one.dims[:4] != CUBE[:4]
    }
    phase = np.where(found["epoch"].values < 0, "prefit", "training").astype(object)
    return found.assign(lacking).assign_coords(phase=("epoch", phase))


def _evenly_chunked(dataset: xr.Dataset, axes: Iterable[str]) -> xr.Dataset:
    """Give variables that were filled up along some axes chunks of one length there."""
    even = {}
    for name, one in dataset.variables.items():
        chunks = {axis: max(one.chunksizes[axis]) for axis in axes if axis in one.chunksizes}
        if any(len(set(one.chunksizes[axis][:-1])) > 1 for axis in chunks):
            even[name] = one.chunk(chunks)
    return dataset.assign(even)


def _missing(variable: Variable, dataset: xr.Dataset) -> xr.Variable:
    shape = tuple(dataset.sizes[dim] for dim in variable.dims)
    return xr.Variable(variable.dims, np.full(shape, variable.fill, variable.dtypes[0]))
