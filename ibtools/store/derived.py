"""What xarray makes of a store: parts, copies, several in one; and what is a store no more."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ibtools.errors import StoreError
from ibtools.store.schema import STORE_VARIABLES, Variable
from ibtools.store.storage import StorePath

_DIMS = {dim for variable in STORE_VARIABLES for dim in variable.dims}

_LAYOUT = ("chunks", "preferred_chunks", "shards", "filters", "compressors", "serializer")
"""What xarray knows of the chunks of a variable on disk, and of the codecs made for their dims."""

_WHERE = (
    "; xarray's where leaves it so, which puts NaN where a condition is false; leave that out with "
    "drop=True, or select, as in ds.isel(sample=(ds.label == 1).values)"
)


_DIFFERS = (
    "; its values differ along {0}. So does xarray's where leave them (leave out with drop=True, "
    "or select, as in ds.isel(sample=(ds.label == 1).values)), and concat with data_vars='all' "
    "(give data_vars='minimal')"
)


def without_layout(dataset: xr.Dataset) -> xr.Dataset:
    """Forget how variables lie on disk, which xarray would hold every copy and selection to.

    A shard of a store holds several layers, a chunk in memory one: xarray refuses to write such
    chunks, for two of them could write to one file at once.
    """
    for variable in dataset.variables.values():
        for name in _LAYOUT:
            variable.encoding.pop(name, None)
    return dataset


def incomplete_store(path: StorePath, attributes: Mapping[str, Any], missing: str) -> StoreError:
    """Build the error for a store that lacks a variable, whatever left it so.

    A copy is known: xarray moves the list of coordinates, which ibtools keeps in the attributes of
    the root, to the variables.
    """
    if "repeat" in str(attributes.get("coordinates", "")).split():
        return StoreError(
            f"{path}: the store is truncated or foreign: variable {missing} is missing, because "
            "files were deleted, or what created it was stopped; restore it from a copy, or record "
            "to another path"
        )
    return StoreError(
        f"{path}: this is an unfinished copy of a store: variable {missing} is missing, because "
        "to_zarr failed, was interrupted, or was given a part of the variables; delete it and copy "
        "again; of a store that plain xarray opened, with to_zarr(..., align_chunks=True)"
    )


def as_store(dataset: xr.Dataset) -> xr.Dataset:
    """Return what xarray made of the Dataset of a store as one, after checking that it still is.

    What ``where(..., drop=True)`` left, which turns codes into floats and gives its dims to every
    variable, has the declared dims and dtypes again. Lazy, but for a look whether a variable is the
    same along a dim that it was given; where something was left out that is still there as NaN, the
    error is raised when that is computed.
    """
    declared = [one for one in STORE_VARIABLES if one.name in dataset.data_vars]
    left = {one.name: one for one in declared if _is_left_by_where(dataset[one.name], one)}
    restored = {name: _restore(dataset[name], one) for name, one in left.items()}
    found = dataset.assign(restored) if restored else dataset
    validate_derived(found)
    return found


def _is_left_by_where(found: xr.DataArray, declared: Variable) -> bool:
    extra = set(found.dims) - set(declared.dims)
    filled = found.dtype.kind in "fO" and not _is_alike(found.dtype, declared)
    return bool(extra or filled) and extra <= _DIMS and set(declared.dims) <= set(found.dims)


def _restore(found: xr.DataArray, declared: Variable) -> xr.DataArray:
    """Return a variable with its own dims and dtype, or as it is if it differs along the others."""
    extra = {str(dim): 0 for dim in found.dims if dim not in declared.dims}
    one = found.isel(extra, drop=True)
    if extra and not bool(((found == one) | (found.isnull() & one.isnull())).all()):
        return found
    restored: xr.DataArray = xr.apply_ufunc(
        _without_gaps,
        one.transpose(*declared.dims),
        kwargs={"name": declared.name, "dtype": declared.dtypes[-1]},
        dask="parallelized",
        output_dtypes=[declared.dtypes[-1]],
        keep_attrs=True,
    )
    return restored


def _without_gaps(values: NDArray[Any], *, name: str, dtype: str) -> NDArray[Any]:
    """Return values in their declared dtype, whose NaN are values only if it is a float."""
    if np.dtype(dtype).kind != "f" and (values != values).any():
        raise StoreError(f"the Dataset of a store must have {name} without NaN{_WHERE}")
    return values.astype(dtype)


def validate_derived(dataset: xr.Dataset) -> None:
    """Check that what xarray made of the Dataset of a store still is one; reads nothing.

    It is none if it holds several stores along a dimension of its own, or if variables have other
    dtypes or more dimensions than those of a store, as `where` leaves them.
    """
    for variable in STORE_VARIABLES:
        if variable.name in dataset.variables:
            _validate_variable(variable, dataset[variable.name].variable)


def _validate_variable(declared: Variable, found: xr.Variable) -> None:
    extra = [str(dim) for dim in found.dims if dim not in declared.dims]
    foreign = [dim for dim in extra if dim not in _DIMS]
    if foreign:
        raise StoreError(
            f"the Dataset holds several: {foreign[0]} is a dimension of {declared.name}, which no "
            f"store has; take one, as in ds.isel({foreign[0]}=0), or concatenate along repeat"
        )
    if extra or not _is_alike(found.dtype, declared):
        filled = not extra and found.dtype.kind in "fO"
        raise StoreError(
            f"the Dataset of a store must have {declared.name} as {' or '.join(declared.dtypes)} "
            f"({', '.join(declared.dims)}), found {found.dtype} "
            f"({', '.join(str(dim) for dim in found.dims)})"
            + (_WHERE if filled else _DIFFERS.format(extra[0]) if extra else "")
        )


def _is_alike(dtype: np.dtype[Any], declared: Variable) -> bool:
    """Whether a dtype is of the declared kind; its width may differ in memory.

    A label may be any whole number or word there: `ibtools.store.labels.number_classes` judges it.
    """
    if declared.name == "label":
        return dtype.kind != "f"
    if declared.dtypes == ("str",):
        return dtype.kind in "OTU"
    kinds = {np.dtype(name).kind for name in declared.dtypes}
    return dtype.kind in kinds or (kinds == {"i"} and dtype.kind == "u")
