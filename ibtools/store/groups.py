"""A store's Zarr group, wherever it is: finding it, its arrays, and reading and writing them."""

import asyncio
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import zarr
from numpy.typing import NDArray
from zarr.core.sync import sync  # there is no public way to wait for several arrays
from zarr.errors import ContainsArrayError, GroupNotFoundError

from ibtools.errors import StoreError
from ibtools.store.backing import backing_store
from ibtools.store.durable import PARTIAL, delete_partial
from ibtools.store.growing import as_root_says, is_growing, settle
from ibtools.store.locking import changing
from ibtools.store.schema import STORE_VARIABLES
from ibtools.store.storage import (
    StorePath,
    decoding,
    is_local,
    list_names,
    place_of,
    reaching,
    reason,
    storage_errors,
)
from ibtools.store.validation.declared import (
    as_meant,
    describe_place,
    judged_nodes,
    known_array,
    leaving_others_alone,
)
from ibtools.store.validation.nodes import read_nodes

CREATING = "creating"
"""The attribute of a store of which not all arrays are there yet."""


def is_unfinished(group: zarr.Group) -> bool:
    """Whether a store was being created when something interrupted that."""
    return bool(group.attrs.get(CREATING, False))


def is_taken(path: StorePath) -> bool:
    """Whether anything is at `path`; an empty folder is nothing, nor is half a file."""
    return any(not name.endswith(PARTIAL) for name in list_names(path))


def find_group(path: StorePath, mode: Literal["r", "r+"]) -> zarr.Group | None:
    """Open whatever Zarr v3 group is at `path`; None if there is none."""
    return open_place(path, mode, use_consolidated=False)


def open_place(
    path: StorePath,
    mode: Literal["r", "r+"],
    *,
    use_consolidated: bool | None,
    group: str | None = None,
) -> zarr.Group | None:
    """Open a group; `use_consolidated` None takes metadata from the root where it keeps all."""
    with reaching(path, "the store can't be opened"):
        judged = {}
        if is_local(path):
            place = Path(place_of(path))
            if not place.is_dir():
                return None
            judged = _settled(read_nodes(place, path), path, mode)
        store = backing_store(path, read_only=mode == "r")
        store.judged = judged
        try:
            return zarr.open_group(
                store,
                path=group,
                mode=mode,
                zarr_format=3,
                use_consolidated=use_consolidated,
            )
        except (GroupNotFoundError, ContainsArrayError):
            return None


def _settled(
    judged: dict[str, dict[str, Any]], path: StorePath, mode: Literal["r", "r+"]
) -> dict[str, dict[str, Any]]:
    """Return metadata as the root has them, of a store that grows; to write, make them so."""
    if not is_growing(judged.get("", {}).get("attributes", {})):
        return judged
    said = as_root_says(judged)
    if mode == "r" or said == judged:
        return said
    with changing(path), writing_metadata(path):
        settle(backing_store(path, read_only=False))
    return said


def get_array(group: zarr.Group, name: str) -> "zarr.Array[Any]":
    """Return one array of a store, not yet read; raise if there is none of that name."""
    found = find_array(group, name)
    if found is None:
        raise StoreError(
            f"{describe_place(group)}: variable {name!r} must be there, but is not; restore it "
            "from a copy, or, of results, delete the group and analyse again"
        )
    return found


def find_array(group: zarr.Group, name: str) -> "zarr.Array[Any] | None":
    """Return one array of a store, not yet read; None if there is none of that name."""
    if judged_nodes(group) and not group.path:  # all of them are known
        return known_array(group, name)
    found = known_array(group, name) or group.get(name)
    return found if isinstance(found, zarr.Array) else None


def read_array(group: zarr.Group, name: str) -> NDArray[Any]:
    """Read one array of a store as a whole."""
    return read_arrays({name: get_array(group, name)}, describe_place(group))[name]


def read_arrays(arrays: "Mapping[str, zarr.Array[Any]]", where: object) -> dict[str, NDArray[Any]]:
    """Read arrays as a whole, all at once: with small ones, most of the time is waiting."""
    values = {}
    for (name, array), found in zip(arrays.items(), sync(_read_all(arrays.values())), strict=True):
        with decoding(f"{where}: {name}"):
            if isinstance(found, BaseException):
                raise found
            values[name] = as_meant(found, array)
    return values


async def _read_all(arrays: "Iterable[zarr.Array[Any]]") -> list[Any]:
    """Return what each array holds, or the error that reading it raised."""
    reading = (array.async_array.getitem(...) for array in arrays)
    return await asyncio.gather(*reading, return_exceptions=True)


@contextmanager
def writing(group: zarr.Group) -> Iterator[None]:
    """Turn a full disk, a missing permission or a lost connection into one clear error."""
    try:
        yield
    except storage_errors() as err:
        raise StoreError(
            f"{group.store}: writing failed: {reason(err)}. All that is marked complete is "
            "intact; make room or give permission, then run it again (record: with --resume)"
        ) from err


def consolidate(path: StorePath) -> None:
    """Keep all metadata in one file too, which plain `xarray.open_zarr` looks for first.

    Of a store that grows, what a crash has left half grown is set right before.
    """
    with changing(path), writing_metadata(path):
        settle(backing_store(path, read_only=False))
        consolidate_grown(path)


def consolidate_grown(path: StorePath) -> None:
    """Have the root of a store say what its arrays are, which counts from then on."""
    with changing(path), writing_metadata(path):
        zarr.consolidate_metadata(backing_store(path, read_only=False), zarr_format=3)


@contextmanager
def writing_metadata(path: StorePath) -> Iterator[None]:
    """Write metadata, whatever else is in the folder, or say that it can't be done."""
    with leaving_others_alone(), reaching(path, "metadata can't be written"):
        # zarr warns that other Zarr v3 readers may not know consolidated metadata; they then read
        # each array's.
        warnings.filterwarnings("ignore", message="Consolidated metadata is currently not part")
        yield


def delete_partial_files(path: StorePath) -> None:
    """Delete what is left of files that were being written, of a recording that is finished."""
    if is_local(path):
        for name in list_names(path) & {variable.name for variable in STORE_VARIABLES}:
            delete_partial(Path(place_of(path)) / name)
