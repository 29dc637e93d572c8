"""The state of a training that is under way, kept inside the store so that it can be resumed.

One array of bytes per repeat, replaced as a whole (one file, one atomic write) after each block of
snapshots, and deleted when the repeat is finished.
"""

import numpy as np
import zarr

from ibtools.store import get_array, read_array, writing

_GROUP = "checkpoint"
_MARK = b"ibtools1"
_EPOCH_BYTES = 8


def prepare_checkpoints(group: zarr.Group) -> None:
    """Create the place of the checkpoints, before several processes write to it."""
    with writing(group):
        group.require_group(_GROUP)


def save_checkpoint(group: zarr.Group, repeat: int, epoch: int, state: bytes) -> None:
    """Replace the checkpoint of a repeat by the state after `epoch`."""
    header = _MARK + epoch.to_bytes(_EPOCH_BYTES, "little", signed=True)
    payload = np.frombuffer(header + state, "uint8")
    name = _name(repeat)
    with writing(group):
        if name in group and get_array(group, name).shape != payload.shape:
            del group[name]
        if name not in group:
            group.create_array(name, shape=payload.shape, chunks=payload.shape, dtype="uint8")
        get_array(group, name)[...] = payload


def load_checkpoint(group: zarr.Group, repeat: int) -> tuple[int, bytes] | None:
    """Return epoch and state of the last checkpoint of a repeat, or None if it has none."""
    name = _name(repeat)
    if name not in group:
        return None
    payload = read_array(group, name).tobytes()
    if not payload.startswith(_MARK):  # created, but killed before its bytes were written
        return None
    start, stop = len(_MARK), len(_MARK) + _EPOCH_BYTES
    return int.from_bytes(payload[start:stop], "little", signed=True), payload[stop:]


def delete_checkpoint(group: zarr.Group, repeat: int) -> None:
    """Delete the checkpoint of a repeat if it has one."""
    if _name(repeat) in group:
        with writing(group):
            del group[_name(repeat)]


def delete_checkpoints(group: zarr.Group) -> None:
    """Delete all that was kept for resuming: nothing is left to resume."""
    if _GROUP in group:
        with writing(group):
            del group[_GROUP]


def _name(repeat: int) -> str:
    return f"{_GROUP}/repeat-{repeat}"
