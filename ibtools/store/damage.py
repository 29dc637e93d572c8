"""The files of a recording that are not as they were recorded, found by looking at every one."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.abc.store import Store
from zarr.buffer import default_buffer_prototype
from zarr.core.sync import sync  # there is no public way to read a key of any store from here

from ibtools.errors import StoreError
from ibtools.progress import progress_bar
from ibtools.store.checksums import NONE, TABLE, ChecksumLayout, Place, bytes_of, find_checksums
from ibtools.store.groups import get_array
from ibtools.store.guarded import GuardedStore, describe
from ibtools.store.presence import Presence
from ibtools.store.storage import decoding
from ibtools.store.validation.stored import local_root, why_unreadable

_MOST_BYTES = 2**32
"""What no file of a recording has."""


@dataclass(frozen=True)
class Damage:
    """A file that can't be read as it was recorded.

    Parameters
    ----------
    place : Place
        Which.
    why : str
        What is wrong with it.
    holds : str
        Its variable, repeat, epochs and layers.
    """

    place: Place
    why: str
    holds: str


def find_damage(group: zarr.Group, *, quiet: bool = False) -> tuple[tuple[Damage, ...], int]:
    """Read every file of a recording and compare it with its checksums.

    Parameters
    ----------
    group : zarr.Group
        A store, as `ibtools.store.opened.open_group` opens it.
    quiet : bool, optional
        Show no progress.

    Returns
    -------
    damage : tuple of Damage
        What is damaged, in the order of the table.
    n_files : int
        How many there are. Of a store without checksums only the files of what was recorded are
        looked at: whether they are there, and can be decoded.
    """
    beside = find_checksums(group)
    store = bare(group.store)
    if beside is None:
        presence = sync(Presence.of(store))
        places = [
            place
            for grid in presence.grids.values()
            for row in range(grid.files[0])
            for place in grid.places(row)
        ]
        found = _look_without(group, places)
    else:
        layout = ChecksumLayout.from_attributes(beside.attrs)
        places = [one for row in range(layout.n_repeats) for one in layout.places(row)]
        found = _look(store, places, np.asarray(get_array(beside, TABLE)[...]))
    damage = []
    with progress_bar(len(places), "files", unit="file", quiet=quiet) as progress:
        for place, why in found:
            progress.update()
            if why:
                damage.append(Damage(place, why, sync(describe(store, place))))
    return tuple(damage), len(places)


def bare(store: Store) -> Store:
    """Return a store without the checks of a `GuardedStore`."""
    return store._store if isinstance(store, GuardedStore) else store


def _look(
    store: Store, places: list[Place], table: NDArray[np.int64]
) -> Iterator[tuple[Place, str]]:
    for place in places:
        yield place, find_fault(store, place, table[place.repeat, place.entries])


def find_fault(store: Store, place: Place, known: NDArray[np.int64]) -> str:
    """Say what is wrong with a file, by its rows of the table; empty if nothing is."""
    if (known[:, 0] == NONE).all():
        return ""
    root = local_root(store)
    if root is not None and (why := why_unreadable(root / place.key, _MOST_BYTES)):
        return why
    raw = sync(store.get(place.key, default_buffer_prototype()))
    return place.find_fault(None if raw is None else bytes_of(raw), known)


def _look_without(group: zarr.Group, places: list[Place]) -> Iterator[tuple[Place, str]]:
    for place in places:
        array = get_array(group, place.grid.name)
        try:
            with decoding(place.key):
                array[tuple(place.covers(axis) for axis in range(array.ndim))]
        except StoreError as err:
            yield place, str(err)
        else:
            yield place, ""
