"""What xarray makes of a store: parts, copies, several in one; and what is a store no more."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from ibtools.errors import StoreError
from ibtools.schema import STORE_VARIABLES, Variable
from ibtools.storage import StorePath

_DIMS = {dim for variable in STORE_VARIABLES for dim in variable.dims}

_LAYOUT = ("chunks", "preferred_chunks", "shards", "filters", "compressors", "serializer")
"""What xarray knows of the chunks of a variable on disk, and of the codecs made for their dims."""

_WHERE = (
    "; xarray's where leaves it so, which puts NaN into every variable; select instead, as in "
    "ds.isel(sample=(ds.label == 1).values)"
)


def without_layout(dataset: xr.Dataset) -> xr.Dataset:
    """Forget how variables lie on disk, which xarray would hold every copy and selection to.

    A shard of a store holds several layers, a chunk in memory one: xarray refuses to write such
    chunks, for two of them could write to one file at once.

    Parameters
    ----------
    dataset : Dataset
        As it was opened; it is changed.

    Returns
    -------
    Dataset
        The same. Saved, it is cut into the chunks that it has in memory.
    """
    for variable in dataset.variables.values():
        for name in _LAYOUT:
            variable.encoding.pop(name, None)
    return dataset


def incomplete_store(path: StorePath, attributes: Mapping[str, Any], missing: str) -> StoreError:
    """Build the error for a store that lacks a variable, whatever left it so.

    Parameters
    ----------
    path : path or URL
        The store.
    attributes : mapping
        Of its root. xarray moves the list of coordinates, which ibtools keeps there, to the
        variables: so a copy is known.
    missing : str
        The variable.
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


def validate_derived(dataset: xr.Dataset) -> None:
    """Check that what xarray made of the Dataset of a store still is one; reads nothing.

    Parameters
    ----------
    dataset : Dataset
        Of a store, or what was made of one. Variables and dimensions may be missing.

    Raises
    ------
    StoreError
        If it holds several stores along a dimension of its own, or if variables have other dtypes
        or more dimensions than those of a store, as `where` leaves them.
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
        filled = bool(extra) or found.dtype.kind in "fO"
        raise StoreError(
            f"the Dataset of a store must have {declared.name} as {' or '.join(declared.dtypes)} "
            f"({', '.join(declared.dims)}), found {found.dtype} "
            f"({', '.join(str(dim) for dim in found.dims)})" + (_WHERE if filled else "")
        )


def _is_alike(dtype: np.dtype[Any], declared: Variable) -> bool:
    """Whether a dtype is of the declared kind; its width may differ in memory.

    A label may be any whole number or word there: `ibtools.labels.number_classes` judges it.
    """
    if declared.name == "label":
        return dtype.kind != "f"
    if declared.dtypes == ("str",):
        return dtype.kind in "OTU"
    kinds = {np.dtype(name).kind for name in declared.dtypes}
    return dtype.kind in kinds or (kinds == {"i"} and dtype.kind == "u")
