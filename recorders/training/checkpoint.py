"""The state of a training that is under way, kept inside the store so that it can be resumed.

One array of bytes per repeat, replaced as a whole (one file, one atomic write) after each block of
snapshots, and deleted when the repeat is finished. They come and go, so they are looked up where
they are, never in the metadata that the root of a store keeps of its arrays.
"""

from typing import Any

import numpy as np
import zarr
from zarr.errors import ArrayNotFoundError, GroupNotFoundError
from zarr.storage import StorePath

from ibtools.store.groups import writing

GROUP = "checkpoint"
"""The group of a store that holds what is needed to resume, and only until it is finished."""

_MARK = b"ibtools1"
_EPOCH_BYTES = 8


def prepare_checkpoints(group: zarr.Group) -> None:
    """Create the place of the checkpoints, before several processes write to it."""
    with writing(group):
        _open(group).require_group(GROUP)


def open_checkpoints(group: zarr.Group) -> zarr.Group | None:
    """Open the place of the checkpoints of a store, or return None if it is not prepared."""
    try:
        return _open(group, GROUP)
    except GroupNotFoundError:
        return None


def save_checkpoint(group: zarr.Group, repeat: int, epoch: int, state: bytes) -> None:
    """Replace the checkpoint of a repeat by the state after `epoch`."""
    header = _MARK + epoch.to_bytes(_EPOCH_BYTES, "little", signed=True)
    payload = np.frombuffer(header + state, "uint8")
    with writing(group):
        array = _find(group, repeat)
        if array is None or array.shape != payload.shape:
            array = zarr.create_array(
                _place(group, repeat),
                shape=payload.shape,
                chunks=payload.shape,
                dtype="uint8",
                dimension_names=(f"byte of {_name(repeat)}",),  # xarray.open_datatree asks for one
                overwrite=array is not None,
            )
        array[...] = payload


def load_checkpoint(group: zarr.Group, repeat: int) -> tuple[int, bytes] | None:
    """Return epoch and state of the last checkpoint of a repeat, or None if it has none."""
    array = _find(group, repeat)
    if array is None:
        return None
    payload = np.asarray(array[...]).tobytes()
    if not payload.startswith(_MARK):  # created, but killed before its bytes were written
        return None
    start, stop = len(_MARK), len(_MARK) + _EPOCH_BYTES
    return int.from_bytes(payload[start:stop], "little", signed=True), payload[stop:]


def delete_checkpoint(group: zarr.Group, repeat: int) -> None:
    """Delete the checkpoint of a repeat if it has one."""
    if _find(group, repeat) is not None:
        with writing(group):
            del _open(group, GROUP)[_name(repeat)]


def delete_checkpoints(group: zarr.Group) -> None:
    """Delete all that was kept for resuming: nothing is left to resume."""
    if open_checkpoints(group) is not None:
        with writing(group):
            del _open(group)[GROUP]


def _find(group: zarr.Group, repeat: int) -> "zarr.Array[Any] | None":
    try:
        return zarr.open_array(_place(group, repeat), mode="r+", zarr_format=3)
    except ArrayNotFoundError:
        return None


def _place(group: zarr.Group, repeat: int) -> StorePath:
    return group.store_path / GROUP / _name(repeat)


def _name(repeat: int) -> str:
    return f"repeat-{repeat}"


def _open(group: zarr.Group, name: str = "") -> zarr.Group:
    place = group.store_path / name if name else group.store_path
    return zarr.open_group(place, mode="r+", zarr_format=3, use_consolidated=False)
