"""The store that a `Recorder` records to: found, or created when its layers are known."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import zarr

from ibtools.errors import StoreError, StoreExistsError
from ibtools.recorders.training.claim import Claim
from ibtools.shown import counted
from ibtools.store.creation import create_store
from ibtools.store.groups import find_group, is_taken, is_unfinished
from ibtools.store.growing import is_growing
from ibtools.store.header import Header
from ibtools.store.layout import StoreSpec
from ibtools.store.locking import changing
from ibtools.store.opened import open_group
from ibtools.store.snapshots import LayerSpec
from ibtools.store.storage import StorePath, is_local, place_of
from ibtools.store.validation.attributes import is_ours


def find_store(path: StorePath, repeat: int, *, resume: bool) -> Header | None:
    """Find the store that a repeat is to be recorded to; None if it is to be created.

    Raises
    ------
    StoreExistsError
        If something else is at `path`, or the repeat is there and is not to be resumed.
    """
    group = find_group(path, "r") if is_taken(path) else None
    if group is None and not is_taken(path):
        return None
    if group is None or not is_ours(group.attrs):
        raise StoreExistsError(
            f"{path}: what is there is not an ibtools store, so it is never overwritten; choose "
            "another path"
        )
    if is_unfinished(group):
        return None
    if not is_growing(group.attrs):
        raise StoreExistsError(
            f"{path}: a store is there that was created with all that it holds, to which nothing "
            "is appended; choose another path, or replace it with overwrite=True"
        )
    header = Header.of(open_group(path))
    if not resume and is_begun(header, repeat):
        raise _is_there(path, repeat)
    return header


def validate_not_begun(path: StorePath, group: zarr.Group, repeat: int) -> None:
    """Check that nobody has begun to record a repeat, nor is about to.

    Raises
    ------
    StoreExistsError
        If somebody has.
    """
    if is_begun(Header.of(group), repeat):
        raise _is_there(path, repeat)
    if Claim.is_taken(group, repeat):
        raise StoreExistsError(
            f"{path}: repeat {repeat} is being recorded by another process, or by one that was "
            "killed; record another (repeat=), or take it over (resume=True)"
        )


def _is_there(path: StorePath, repeat: int) -> StoreExistsError:
    return StoreExistsError(
        f"{path}: repeat {repeat} is there already; go on with it (resume=True), record another "
        "(repeat=), or replace the whole store (overwrite=True)"
    )


def is_begun(header: Header, repeat: int) -> bool:
    """Whether anything of a repeat counts already."""
    row = np.flatnonzero(header.coordinates["repeat"] == repeat)
    pending = header.coordinates["outcome"][row] == "pending"
    return bool(header.complete[row].any() or not pending.all())


def complete_epochs(header: Header, repeat: int) -> frozenset[int]:
    """Return the epochs of a repeat that are on disk."""
    row = np.flatnonzero(header.coordinates["repeat"] == repeat)
    there = header.complete[row].any(axis=0)
    return frozenset(header.coordinates["epoch"][there].tolist())


def open_or_create(path: StorePath, spec: StoreSpec, *, overwrite: bool) -> None:
    """Create a store, unless another process has done so since; check that it is the same then.

    Raises
    ------
    StoreError
        If the store that is there has other layers.
    """
    with _creating(path):
        there = None if overwrite or not is_taken(path) else find_group(path, "r")
        if there is None or is_unfinished(there):
            create_store(path, spec, overwrite=overwrite)
            return
    header = Header.of(open_group(path))
    _validate_same(path, "layers", _described(header.layers), _described(spec.layers))
    _validate_same(path, "keep", header.keep, spec.keep)
    known = header.attributes
    _validate_same(
        path, "unit_shapes", known.get("unit_shapes"), spec.attributes.get("unit_shapes")
    )
    for name, given in spec.attributes.items():
        _validate_same(path, name, known.get(name), given)
    if spec.inputs is not None:
        _validate_same(path, "inputs", known.get("inputs"), spec.inputs)
    if spec.is_chain is not None:
        _validate_same(path, "is_chain", header.is_chain, spec.is_chain)


def _described(layers: Sequence[LayerSpec]) -> str:
    return ", ".join(
        f"{one.name} ({counted(one.n_units, 'unit')}, {one.activation_function}, "
        f"{counted(one.bits, 'bit')})"
        for one in layers
    )


def _validate_same(path: StorePath, what: str, there: object, given: object) -> None:
    if there != given:
        raise StoreError(
            f"{path}: the store that is there must have the same {what}, {there}; found {given}; "
            "choose another path"
        )


@contextmanager
def _creating(path: StorePath) -> Iterator[None]:
    """Keep other processes of this machine from creating the same store meanwhile."""
    if not is_local(path):
        with changing(path):
            yield
        return
    folder = Path(place_of(path)).absolute().parent
    folder.mkdir(parents=True, exist_ok=True)
    with changing(folder):
        yield
