"""Opening a store, after checking that it is one."""

from typing import Any, Literal

import zarr
from numpy.typing import NDArray

from ibtools.errors import StoreError, StoreVersionError
from ibtools.store.checksums import GROUP as CHECKSUMS
from ibtools.store.checksums import changed_coordinates
from ibtools.store.derived import incomplete_store
from ibtools.store.groups import is_taken, is_unfinished, open_place, read_arrays
from ibtools.store.guarded import GuardedStore
from ibtools.store.schema import (
    FORMAT_VERSION,
    RECORDED,
    STORE_COORDINATES,
    STORE_VARIABLES,
    lacking_variables,
    scalars_of,
)
from ibtools.store.storage import StorePath, is_local, list_names, reaching
from ibtools.store.validation.attributes import is_ours, is_supported, validate_attributes
from ibtools.store.validation.coordinates import validate_coordinates
from ibtools.store.validation.declared import arrays_of, dtype_name, validate_declared
from ibtools.store.validation.sizes import validate_repeated, validate_sizes


def open_group(
    path: StorePath, mode: Literal["r", "r+"] = "r", *, values: bool = True
) -> zarr.Group:
    """Open a store as a Zarr group after checking that it is one.

    Parameters
    ----------
    path : path or URL
        The store.
    mode : {"r", "r+"}, optional
        Whether it is read only, or written too.
    values : bool, optional
        Whether the values of coordinates are checked too. `ibtools.check`, which lists all that is
        wrong with them, leaves that out.

    Raises
    ------
    StoreError
        If there is no store at `path`, or it breaks the contract.
    StoreVersionError
        If its format is newer than this ibtools reads.
    """
    return open_checked(path, mode, values=values)[0]


def open_checked(
    path: StorePath, mode: Literal["r", "r+"] = "r", *, values: bool = True
) -> tuple[zarr.Group, dict[str, NDArray[Any]]]:
    """Open a store as `open_group` does, and return its coordinates too, which are read for that.

    Without `values` there are none.
    """
    group = open_place(path, mode, use_consolidated=None if not is_local(path) else False)
    if group is None:
        found = "something else is there" if is_taken(path) else "nothing is there"
        raise StoreError(f"{path}: there must be an ibtools store, but {found}; check the path")
    arrays = validate_store(group, path)
    return group, _read_coordinates(group, arrays, path) if values else {}


def validate_store(group: zarr.Group, path: StorePath) -> "dict[str, zarr.Array[Any]]":
    """Check format, version, attributes and every array's dimensions, dtype and size.

    Nothing is read before its size is known to be in the bounds of
    `ibtools.store.validation.bounds`.

    On object storage, where each request counts, metadata are those kept in the root; that the
    arrays are there is then seen from one listing.

    Returns
    -------
    dict of str to zarr.Array
        All that are there.

    Raises
    ------
    StoreError
        If the group is no ibtools store, or a variable is missing or differs from its declaration
        or from another variable.
    StoreVersionError
        If the format is newer.
    """
    if not is_ours(group.attrs):
        raise _no_store(group, path)
    if is_unfinished(group):
        raise StoreError(
            f"{path}: what created the store was interrupted before anything was recorded; record "
            "to this path again"
        )
    found = group.attrs.get("format_version")
    if not is_supported(found):
        raise StoreVersionError(
            f"{path}: the store has format version {found!r:.40}, this ibtools reads 1 to "
            f"{FORMAT_VERSION}; upgrade with: pip install --upgrade ibtools-nn"
        )
    with reaching(path, "the store can't be read"):
        arrays = arrays_of(group)
    if group.metadata.consolidated_metadata is not None:
        there = list_names(path)
        arrays = {name: array for name, array in arrays.items() if name in there}
    if not any(name in arrays for name in RECORDED):
        raise incomplete_store(path, group.attrs, " or ".join(RECORDED))
    validate_attributes(group.attrs, path)
    declared = (*STORE_VARIABLES, *scalars_of(group.attrs))
    for variable in declared:
        if variable.name in arrays:
            validate_declared(arrays[variable.name], (variable,), path)
    if lacking := lacking_variables(arrays):
        raise incomplete_store(path, group.attrs, lacking[0].name)
    validate_sizes(arrays, declared, path)
    if isinstance(group.store, GuardedStore) and group.store.judged:
        validate_repeated(group.store.judged, path)
    return arrays


def _read_coordinates(
    group: zarr.Group, arrays: "dict[str, zarr.Array[Any]]", path: StorePath
) -> dict[str, NDArray[Any]]:
    """Read the coordinates and judge them, by themselves and by their checksums."""
    recorded = {name: dtype_name(arrays[name]) for name in RECORDED if name in arrays}
    cubes = [arrays[name].shape for name in recorded if name != "partition"]
    values = read_arrays({name: arrays[name] for name in STORE_COORDINATES if name in arrays}, path)
    n_units = cubes[0][-1] if cubes else None
    validate_coordinates(values, str(path), n_units=n_units, dtypes=recorded)
    if changed := changed_coordinates(group, values):
        raise StoreError(
            f"{path}: {', '.join(changed)} must be as recorded, but was changed since; restore it "
            f"from a copy, or delete the folder {CHECKSUMS} if the change is meant"
        )
    return values


def _no_store(group: zarr.Group, path: StorePath) -> StoreError:
    """Build the error for a Zarr group that is something else."""
    kept = [name for name in ("information", "details") if name in group]
    if kept and "format" not in group.attrs:
        return StoreError(
            f"{path}: this holds results only ({' and '.join(kept)}), which are kept outside of "
            "their store; give the store, or open these in Python: ibtools.open_results(path)"
        )
    return StoreError(f"{path}: this Zarr group is not an ibtools store; check the path")
