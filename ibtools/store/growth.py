"""Appending repeats, epochs and scalars to a store that grows."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import zarr
from numpy.typing import NDArray

from ibtools.errors import StoreError
from ibtools.store.checksums import (
    TABLE,
    ChecksumLayout,
    digest_of,
    find_checksums,
)
from ibtools.store.creation import create_variable
from ibtools.store.groups import consolidate_grown, get_array
from ibtools.store.growing import (
    AXES,
    EPOCH_AXES,
    ROW_EPOCHS,
    axis_arrays,
    is_growing,
    read_root,
    repeated_nodes,
    resize,
)
from ibtools.store.layout import whole_numbers
from ibtools.store.locking import changing
from ibtools.store.opened import open_checked, open_group
from ibtools.store.schema import SCALARS, scalar_variable, scalars_of, validate_scalar_name
from ibtools.store.storage import StorePath, reaching


def grow_store(
    path: StorePath,
    *,
    repeat: int | None = None,
    epochs: Sequence[int] = (),
    trained_epochs: Sequence[int] = (),
    scalars: Sequence[str] = (),
) -> tuple[zarr.Group, dict[str, NDArray[Any]]]:
    """Append to a store what it does not have yet.

    Readers see all of it or nothing, and so do they after a crash. Several processes may append at
    the same time, on file systems that lock folders.

    Parameters
    ----------
    path : path or URL
        A store that grows: `StoreSpec(growing=True)`.
    repeat : int, optional
        Number of a repeat; all from the last one to it are appended, as not recorded.
    epochs, trained_epochs : sequence of int, optional
        Epochs that are to be recorded, and that were trained, ascending.
    scalars : sequence of str, optional
        Names of numbers of each epoch trained.

    Returns
    -------
    group : zarr.Group
        The store as it is now, open for writing.
    coordinates : dict of str to ndarray
        Those of it, as from `ibtools.store.opened.open_checked`.

    Raises
    ------
    StoreError
        If there is no store that grows, an epoch comes before the last one and is not there, or
        nothing can be written.
    """
    for name in scalars:
        validate_scalar_name(name)
    with changing(path):
        group, coordinates = open_checked(path, "r+")
        if not is_growing(group.attrs):
            raise StoreError(
                f"{path}: repeats and epochs can be appended only to a store that was created to "
                "grow, as ibtools.Recorder does; this one was created with all that it holds"
            )
        known = {axis: coordinates[axis] for axis in AXES}
        added: dict[str, NDArray[Any]] = {
            "repeat": _new_repeats(path, known["repeat"], repeat),
            "epoch": _new_epochs(path, "epoch", known["epoch"], epochs),
            "trained_epoch": _new_epochs(
                path, "trained_epoch", known["trained_epoch"], trained_epochs
            ),
        }
        names = {one.name for one in scalars_of(group.attrs)}
        lacking = [name for name in dict.fromkeys(scalars) if name not in names]
        if not lacking and not any(len(values) for values in added.values()):
            return group, coordinates
        if not repeated_nodes(read_root(group.store)):
            consolidate_grown(path)  # so that there is what counts, whatever happens now
        whole = {axis: np.concatenate([known[axis], added[axis]]) for axis in AXES}
        with reaching(path, "the store can't grow"):
            # arrays as they are, not as the root says, which in a bucket is what was opened
            bare = zarr.open_group(group.store, mode="r+", zarr_format=3, use_consolidated=False)
            _grow(bare, known, whole, lacking)
            consolidate_grown(path)
            _note_coordinates(bare, whole)
        if len(added["repeat"]):  # there are coordinates of repeats, too
            return open_checked(path, "r+")
        return open_group(path, "r+", values=False), coordinates | whole | _phase(whole["epoch"])


def _phase(epochs: NDArray[np.integer]) -> dict[str, NDArray[Any]]:
    """Return the coordinate of epochs that says which of them are of a training."""
    return {"phase": np.where(epochs < 0, "prefit", "training")}


def _new_repeats(path: StorePath, known: NDArray[Any], repeat: int | None) -> NDArray[np.int64]:
    if repeat is None:
        return np.array([], np.int64)
    (number,) = whole_numbers("repeat", [repeat], np.int64)
    if number < known[0]:
        raise StoreError(f"{path}: begins with repeat {known[0]}, found repeat {number}; count on")
    return np.arange(known[-1] + 1, max(known[-1], number) + 1)


def _new_epochs(
    path: StorePath, axis: str, known: NDArray[Any], epochs: Sequence[int]
) -> NDArray[np.int32]:
    wanted = np.array(whole_numbers("epochs", sorted(set(epochs)), np.int32), np.int32)
    last = known[-1] if len(known) else np.iinfo(np.int32).min
    for epoch in wanted[wanted <= last]:
        validate_new_epoch(path, axis, known, int(epoch))
    return wanted[wanted > last]


def validate_new_epoch(path: StorePath, axis: str, known: NDArray[Any], epoch: int) -> None:
    """Check that an epoch is there, or comes after all that are.

    Parameters
    ----------
    path : path or URL
        The store, for the error.
    axis : {"epoch", "trained_epoch"}
        Which epochs are meant: of snapshots, or of training.
    known : ndarray, (epoch,), int32
        Those that are there, ascending.
    epoch : int
        The epoch.

    Raises
    ------
    StoreError
        If it lies between them.
    """
    if len(known) and epoch <= known[-1] and not (known == epoch).any():
        raise StoreError(
            f"{path}: {axis.replace('_', ' ')} {epoch} must come after those that are there, the "
            f"last of which is {known[-1]}: all repeats must have the same epochs; give them the "
            "same schedule"
        )


def _grow(
    group: zarr.Group,
    known: Mapping[str, NDArray[Any]],
    whole: Mapping[str, NDArray[Any]],
    scalars: Sequence[str],
) -> None:
    """Make room in the table of checksums, then on the axes, and write the coordinates."""
    lengths = {axis: len(values) for axis, values in whole.items()}
    _make_room(group, lengths)
    for array in axis_arrays(group):
        resize(array, lengths)
    for axis, values in whole.items():
        start = len(known[axis])
        if len(values) > start:
            get_array(group, axis)[start:] = values[start:]
            if axis == "epoch":
                get_array(group, "phase")[start:] = _phase(values[start:])["phase"].tolist()
    chunk_sizes = {**lengths, **dict.fromkeys(EPOCH_AXES, ROW_EPOCHS)}
    for name in scalars:
        if name not in group:
            create_variable(group, scalar_variable(name), lengths, chunk_sizes=chunk_sizes)
    if scalars:
        group.attrs[SCALARS] = [one.name for one in scalars_of(group.attrs)] + list(scalars)


def _make_room(group: zarr.Group, lengths: Mapping[str, int]) -> None:
    beside = find_checksums(group)
    if beside is None:
        return
    layout = ChecksumLayout.from_attributes(beside.attrs)
    n_epochs = max(lengths[axis] for axis in EPOCH_AXES)
    room = layout.with_room(n_repeats=lengths["repeat"], n_epochs=n_epochs)
    if (room.n_repeats, room.rooms) == (layout.n_repeats, layout.rooms):
        return
    table = cast("zarr.Array[Any]", beside[TABLE])
    table.resize((room.n_repeats, room.n_entries, 2))
    beside.attrs.update(room.attributes())


def _note_coordinates(group: zarr.Group, whole: Mapping[str, NDArray[Any]]) -> None:
    """Write down what the coordinates are now, by which a later change of them is found.

    Readers compare as many as are noted, so that it is done when they see all.
    """
    beside = find_checksums(group)
    if beside is not None:
        digests = cast("dict[str, Any]", beside.attrs["coordinates"])
        grown = {axis: digest_of(values) for axis, values in whole.items() if axis in digests}
        beside.attrs["coordinates"] = {**digests, **grown}
