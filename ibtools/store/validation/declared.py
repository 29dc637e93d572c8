"""Arrays against their declarations in `ibtools.store.schema`."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from typing import Any, cast

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.storage import StorePath

from ibtools.store.guarded import GuardedStore
from ibtools.store.schema import Variable, validate_variable
from ibtools.store.validation.stored import local_root


def dtype_name(array: "zarr.Array[Any]") -> str:
    """Return an array's dtype in the words of the contract."""
    if _is_bool_as_int8(array):
        return "bool"
    return "str" if array.dtype.kind in "TUO" else array.dtype.name


def as_meant(values: Any, array: "zarr.Array[Any]") -> NDArray[Any]:
    """Return what was read of an array, in the dtype that `dtype_name` says."""
    return np.asarray(values, np.bool_ if _is_bool_as_int8(array) else None)


def _is_bool_as_int8(array: "zarr.Array[Any]") -> bool:
    """Whether an array is of bool as xarray before 2026.9 writes it: int8, with an attribute."""
    return bool(array.dtype.name == "int8" and array.attrs.get("dtype") == "bool")


@contextmanager
def leaving_others_alone() -> Iterator[None]:
    """Have zarr not warn of files and folders that are none of a store's.

    They are somebody's own, or what a killed write has left, or what another process is creating.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Object at .* is not recognized")
        yield


def arrays_of(group: zarr.Group) -> "dict[str, zarr.Array[Any]]":
    """Return the arrays of a group by their names, whatever else is in its folder."""
    if judged := judged_nodes(group):
        start = f"{group.path}/".lstrip("/")
        names = (path.removeprefix(start) for path in judged if path.startswith(start))
        found = ((name, known_array(group, name)) for name in names if name and "/" not in name)
        return {name: array for name, array in found if array is not None}
    with leaving_others_alone():
        return dict(group.arrays())


def known_array(group: zarr.Group, name: str) -> "zarr.Array[Any] | None":
    """Return an array whose metadata were judged when the group was opened, without reading any."""
    path = f"{group.path}/{name}".lstrip("/")
    node = judged_nodes(group).get(path, {})
    if node.get("node_type") != "array":
        return None
    opened = cast("GuardedStore", group.store).opened
    if path not in opened:
        own = {**node, "attributes": deepcopy(node.get("attributes", {}))}  # the node is shared
        opened[path] = zarr.Array.from_dict(StorePath(group.store, path), own)
    return opened[path]


def judged_nodes(group: zarr.Group) -> Mapping[str, dict[str, Any]]:
    """Return the metadata that were judged when a group was opened to be read only, else none."""
    store = group.store
    return store.judged if isinstance(store, GuardedStore) and store.read_only else {}


def describe_place(group: zarr.Group) -> str:
    """Say where a group is, as the user knows it."""
    root = local_root(group.store) or group.store
    return f"{root}: {group.path}" if group.path else f"{root}"


def validate_declared(
    array: "zarr.Array[Any]", variants: Sequence[Variable], where: object
) -> Variable:
    """Return the declaration that an array is of; there may be several of one name.

    Raises
    ------
    StoreError
        If it is of none: what the first says, and what was found.
    """
    dims = cast("tuple[str, ...] | None", getattr(array.metadata, "dimension_names", None))
    dtype = dtype_name(array)
    fits = (one for one in variants if one.dims == dims and dtype in one.dtypes)
    found = next(fits, variants[0])
    validate_variable(found, dims=dims, dtype=dtype, where=str(where))
    return found
