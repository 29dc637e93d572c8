"""Sizes of the variables: against each other, against the bounds, against what is stored."""

import os
from collections.abc import Iterable, Mapping
from math import ceil, prod
from typing import Any, NamedTuple

import zarr

from ibtools.errors import StoreError
from ibtools.store.schema import CUBE, STORE_VARIABLES, Variable
from ibtools.store.validation.bounds import AXIS, CHUNKS, ROWS, UNITS, UNSTORED_CHUNKS
from ibtools.store.validation.stored import local_root

Arrays = Mapping[str, "zarr.Array[Any]"]
Nodes = Mapping[str, Mapping[str, Any]]

_CHANGED = "; the store was changed since it was recorded"
_PER_STORED = 16
_CUBES = 4


def validate_sizes(arrays: Arrays, variables: Iterable[Variable], where: object) -> None:
    """Check that variables agree on the length of every dimension, and that it is in the bounds.

    Parameters
    ----------
    arrays : mapping
        All that there are, with the declared dims.
    variables : iterable of Variable
        The declarations.
    where : object
        The store, for the error.

    Raises
    ------
    StoreError
        If two differ, one is empty or beyond its bound, or more is announced than is stored.
    """
    declared = [one for one in variables if one.name in arrays]
    known: dict[str, _Length] = {}
    for variable in declared:
        for dim, size in zip(variable.dims, arrays[variable.name].shape, strict=True):
            length, first = known.setdefault(dim, _Length(size, variable.name))
            if length != size:
                raise StoreError(
                    f"{where}: variable {variable.name!r} must have {length} along {dim}, as "
                    f"{first!r} has, found {size}{_CHANGED}"
                )
    for dim, (length, name) in known.items():
        most = UNITS if dim == "unit" else AXIS
        least = 0 if dim == "trained_epoch" else 1  # an untrained network has a snapshot too
        if not least <= length <= most:
            raise StoreError(
                f"{where}: variable {name!r} must have {least} to {most} along {dim}, "
                f"found {length}"
                + (_CHANGED if length < least else "; record or save less in one store")
            )
    n_rows = prod(known[dim].size for dim in CUBE[:3] if dim in known)
    if n_rows > ROWS:
        raise StoreError(
            f"{where}: must have at most {ROWS} repeats x epochs x layers, found {n_rows}; record "
            "or save repeats in several stores"
        )
    for variable in declared:
        if len(variable.dims) >= _CUBES and variable.dims[:_CUBES] == CUBE[:_CUBES]:
            _validate_cube(arrays[variable.name], variable.name, where)
    _validate_stored(arrays, declared, where)


def validate_repeated(nodes: Nodes, path: object) -> None:
    """Check that what the root repeats of arrays, and plain xarray goes by, is what they are."""
    repeated = (nodes[""].get("consolidated_metadata") or {}).get("metadata", {})
    for name in (one.name for one in STORE_VARIABLES):
        if name not in nodes or name not in repeated:
            continue
        for key in ("shape", "data_type", "chunk_grid"):
            own, said = nodes[name].get(key), repeated[name].get(key)
            if said is not None and said != own:
                raise StoreError(
                    f"{path}: variable {name!r} must have the {key} that the root's metadata "
                    f"repeat, {said!r:.60}, found {own!r:.60}; write them anew with: "
                    "zarr.consolidate_metadata(path)"
                )


class _Length(NamedTuple):
    """Length of a dimension, and the variable that has it."""

    size: int
    name: str


def _validate_cube(array: "zarr.Array[Any]", name: str, where: object) -> None:
    cut = zip(array.shape[2:], array.chunks[2:], strict=True)
    n_chunks = prod(ceil(size / max(chunk, 1)) for size, chunk in cut)
    if n_chunks > CHUNKS:
        raise StoreError(
            f"{where}: a snapshot in {name!r} must be at most {CHUNKS} chunks, found {n_chunks}; "
            "save the store anew in larger chunks"
        )


def _validate_stored(arrays: Arrays, declared: Iterable[Variable], where: object) -> None:
    """Check that small variables are not cut into more chunks than somebody took to write."""
    rows = [one.name for one in declared if one.dims[:_CUBES] != CUBE[:_CUBES]]
    announced = sum(_count_chunks(arrays[name]) for name in rows)
    if announced <= UNSTORED_CHUNKS:
        return
    stored = sum(_count_files(arrays[name], announced) for name in rows)
    if announced > UNSTORED_CHUNKS + _PER_STORED * stored:
        raise StoreError(
            f"{where}: coordinates and numbers of snapshots must be stored, but they are cut into "
            f"{announced} chunks, and {stored} are there; save the store anew in larger chunks"
        )


def _count_chunks(array: "zarr.Array[Any]") -> int:
    cut = zip(array.shape, array.chunks, strict=True)
    return prod(ceil(size / max(chunk, 1)) for size, chunk in cut)


def _count_files(array: "zarr.Array[Any]", enough: int) -> int:
    """Count the files of an array, or as many as are enough; elsewhere than here, all are there."""
    root = local_root(array.store)
    if root is None:
        return enough
    count = 0
    for _, _, files in os.walk(root / array.path):
        count += len(files)
        if count >= enough:
            break
    return count
