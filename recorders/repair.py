"""Marking what is damaged as not recorded, so that it can be recorded anew."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.abc.store import Store
from zarr.core.sync import sync  # there is no public way to delete a key of any store from here

from ibtools.recorders.training.checkpoint import delete_checkpoint, delete_checkpoints
from ibtools.recorders.training.claim import claim_repeat
from ibtools.shown import counted
from ibtools.store.checksums import Place
from ibtools.store.configuration import is_training
from ibtools.store.damage import Damage, bare, find_damage
from ibtools.store.groups import get_array, read_array, writing
from ibtools.store.opened import open_group
from ibtools.store.schema import RECORDED, STORE_VARIABLES, UNIT_GRIDS
from ibtools.store.staged import Staging
from ibtools.store.storage import StorePath

_PER_SNAPSHOT = tuple(one.name for one in STORE_VARIABLES if one.rhythm == "snapshot")


@dataclass(frozen=True)
class RepairReport:
    """What was marked as not recorded.

    Parameters
    ----------
    damage : tuple of Damage
        The files that were damaged, and are deleted now.
    unmarked : dict of int to int
        By number of the repeat, snapshots that count as not recorded now.
    to_resume : tuple of int
        Repeats that `ibtools record --resume` records anew.
    lost : tuple of int
        Repeats of which something is lost unless whoever recorded them does so again.
    """

    damage: tuple[Damage, ...]
    unmarked: dict[int, int]
    to_resume: tuple[int, ...]
    lost: tuple[int, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON can hold it."""
        damage = [{"file": one.place.key, "why": one.why, "held": one.holds} for one in self.damage]
        return {
            "damage": damage,
            "unmarked": {str(number): n for number, n in self.unmarked.items()},
            "to_resume": list(self.to_resume),
            "lost": list(self.lost),
        }

    def __str__(self) -> str:
        if not self.damage:
            return "nothing is damaged"
        lines = [f"{one.place.key}: {one.why}; it held {one.holds}" for one in self.damage]
        lines += [
            f"repeat {k}: {counted(n, 'snapshot')} not recorded now"
            for k, n in self.unmarked.items()
        ]
        if self.to_resume:
            lines.append(f"repeats {_listed(self.to_resume)}: ibtools record ... --resume")
        if self.lost:
            lines.append(
                f"repeats {_listed(self.lost)}: lost for good, unless what recorded them does again"
            )
        return "\n".join(lines)


def repair_store(path: StorePath, *, quiet: bool = False) -> RepairReport:
    """Mark the snapshots of damaged files as not recorded, and delete these files.

    All other snapshots stay as they are, and so do results. A repeat of ibtools' own trainings
    counts as pending again if any of it is damaged: `ibtools record --resume` records it anew, to
    the same bytes. A recording of such a repeat that is under way elsewhere stops.

    Parameters
    ----------
    path : path or URL
        An ibtools store.
    quiet : bool, optional
        Show no progress.

    Raises
    ------
    StoreError
        If there is no store at `path`, or it can't be written to.
    """
    group = open_group(path, "r+", values=False)  # some of them may be what is damaged
    damage, _ = find_damage(group, quiet=quiet)
    by_repeat: dict[int, list[Place]] = defaultdict(list)
    for one in damage:
        for row in range(*one.place.covers(0).indices(one.place.grid.files[0])):
            by_repeat[row].append(one.place)
    numbers = read_array(group, "repeat")
    trained = is_training(group.attrs)
    unmarked = {}
    for row, places in by_repeat.items():
        number = int(numbers[row])
        unmarked[number] = _repair_repeat(group, row, number, places, is_training=trained)
    touched = tuple(unmarked)
    if touched and not trained:
        delete_checkpoints(group)
    return RepairReport(damage, unmarked, touched if trained else (), () if trained else touched)


def _repair_repeat(
    group: zarr.Group, row: int, number: int, places: Sequence[Place], *, is_training: bool
) -> int:
    """Delete the damaged files of a repeat, and take back what is marked of them."""
    claimed = claim_repeat(_without_checks(group), number)
    delete_checkpoint(claimed, number)
    with writing(claimed):
        for place in places:
            sync(claimed.store.delete(place.key))
        staging = Staging(claimed, row)
        staging.begin()
        staging.forget_files(places)
        complete = get_array(staging.group, "complete")
        marks = np.asarray(complete[row])
        n_before = int(marks.sum())
        if any(place.grid.name == "complete" for place in places):  # which were is not known
            n_before = len(marks)
        marks[_damaged_epochs(places, len(marks))] = False
        complete[row] = marks
        if is_training:
            get_array(staging.group, "outcome")[row] = "pending"
        staging.commit()
    return n_before - int(marks.sum())


def _without_checks(group: zarr.Group) -> zarr.Group:
    store: Store = bare(group.store)
    return zarr.open_group(store, mode="r+", zarr_format=3, use_consolidated=False)


def _damaged_epochs(places: Sequence[Place], n_epochs: int) -> NDArray[np.bool_]:
    """Return of which epochs something is lost, (epoch,), bool."""
    lost = np.zeros(n_epochs, np.bool_)
    for place in places:
        if place.grid.name in (*RECORDED, *UNIT_GRIDS):
            lost[place.covers(1)] = True
        elif place.grid.name in _PER_SNAPSHOT:
            lost[:] = True
    return lost


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))
