"""Writing one repeat of a store that grows: gather a block, make room for it, write it."""

import time
from collections.abc import Mapping
from typing import Literal

import numpy as np
import zarr

from ibtools.errors import StoreError
from ibtools.recorders.recorded_store import validate_not_begun
from ibtools.recorders.training.checkpoint import open_checkpoints
from ibtools.recorders.training.claim import Claim
from ibtools.store.groups import consolidate, delete_partial_files
from ibtools.store.growth import grow_store, validate_new_epoch
from ibtools.store.layout import BLOCK_BYTES
from ibtools.store.locking import changing
from ibtools.store.opened import open_checked, open_group
from ibtools.store.snapshots import HISTORY
from ibtools.store.storage import StorePath
from ibtools.store.writer import Kept, RepeatWriter

COMMIT_SECONDS = 10.0
"""How long what was recorded waits to be on disk at the most, unless writing takes very long."""

_PAUSES = 20
"""So many times as long as the last writing took nothing is written, unless much has gathered."""

MOST_GATHERED = 1024
"""Snapshots that are written together at the most: making room takes as long for one as for all."""


NEVER = int(np.iinfo(np.int32).min)
"""Before all epochs."""


class GrowingWriter:
    """Writes the snapshots and scalars of one repeat to a store that grows.

    Parameters
    ----------
    path : path or URL
        The store.
    repeat : int
        Number of the repeat; appended if it is not there.
    seed : int
        Of the repeat; -1 if it is not known.
    resume : bool
        Whether a repeat that was begun is gone on with, and taken over from whoever records it.

    Raises
    ------
    StoreExistsError
        If the repeat was begun, and is not to be resumed.
    StoreError
        If it was begun from another seed, or the store can't be written to.
    """

    def __init__(self, path: StorePath, repeat: int, *, seed: int, resume: bool) -> None:
        self._path, self._repeat = path, repeat
        with changing(path):
            self._group, _ = grow_store(path, repeat=repeat)
            if not resume:
                validate_not_begun(path, self._group, repeat)
            self._claim = Claim.take(self._group, repeat)
            # whoever recorded the repeat before may have written until now
            group, self._known = open_checked(path, "r+")
            self._validate_seed(group, seed)
            writer = RepeatWriter(self._claim.of(group), repeat, self._known)
        self.layers, self.n_samples, self.keep = writer.layers, writer.n_samples, writer.keep
        self.takes_unit_grids = writer.takes_unit_grids
        complete = self._known["epoch"][writer.complete]
        if len(complete):
            writer.go_on_after(int(complete[-1]))
        else:
            writer.start_attempt(seed=seed, failed_attempts=0)
        self._gathered: dict[int, Mapping[str, Kept]] = {}
        self._scalars: dict[int, dict[str, float]] = {}
        self._n_bytes = 0
        self._next_commit = time.monotonic()

    def validate_epoch(self, epoch: int) -> None:
        """Check that a snapshot of an epoch can be in the store, as far as that is known now."""
        validate_new_epoch(self._path, "epoch", self._known["epoch"], epoch)

    def validate_trained_epoch(self, trained_epoch: int) -> None:
        """Check the same of numbers after an epoch of training."""
        known = self._known["trained_epoch"]
        validate_new_epoch(self._path, "trained_epoch", known, trained_epoch)

    def add_scalars(self, epoch: int, numbers: Mapping[str, float]) -> None:
        """Add numbers of one epoch; written with the next block."""
        self._scalars.setdefault(epoch, {}).update(numbers)

    def add_kept(self, epoch: int, layers: Mapping[str, Kept]) -> None:
        """Add a snapshot that was validated; written when much has gathered, or it is time to."""
        self._gathered[epoch] = layers
        self._n_bytes += sum(one.nbytes for kept in layers.values() for one in kept.arrays.values())
        if self._is_full() or time.monotonic() >= self._next_commit:
            self.commit()

    def commit(self) -> None:
        """Write what has gathered, then mark it complete."""
        if not (self._gathered or self._scalars):
            return
        start = time.monotonic()
        writer = self._grow()
        for epoch, numbers in sorted(self._scalars.items()):
            writer.add_scalars(epoch, numbers)
        for epoch, layers in sorted(self._gathered.items()):
            writer.add_kept(epoch, layers)
        writer.commit()
        self._gathered, self._scalars, self._n_bytes = {}, {}, 0
        now = time.monotonic()
        self._next_commit = now + max(COMMIT_SECONDS, _PAUSES * (now - start))

    def finish(self, outcome: Literal["trained", "failed"]) -> None:
        """Write what has gathered, and the outcome of the repeat."""
        self.commit()
        group, coordinates = open_checked(self._path, "r+")
        RepeatWriter(self._claim.of(group), self._repeat, coordinates).finish(outcome)

    def release(self) -> None:
        """Let others go on with the repeat."""
        with changing(self._path):
            group = open_group(self._path, "r+")
            self._claim.release(group)
            consolidate(self._path)
            if open_checkpoints(group) is None:  # nobody else writes to the store
                delete_partial_files(self._path)

    def _validate_seed(self, group: zarr.Group, seed: int) -> None:
        """Check that a repeat goes on from the seed that it was begun from."""
        known = int(self._known["seed"][self._known["repeat"] == self._repeat][0])
        if -1 not in (known, seed) and known != seed:
            self._claim.release(group)
            raise StoreError(
                f"{self._path}: repeat {self._repeat} was begun from seed {known}, found seed "
                f"{seed}; give that seed, or record another repeat"
            )

    def _grow(self) -> RepeatWriter:
        """Make room for what has gathered, unless another has taken the repeat over."""
        names = dict.fromkeys(name for numbers in self._scalars.values() for name in numbers)
        last_trained = max(self._known["trained_epoch"], default=NEVER)
        with changing(self._path):
            self._claim.confirm(self._group)
            group, self._known = grow_store(
                self._path,
                epochs=list(self._gathered),
                trained_epochs=[
                    *self._scalars,
                    *(epoch for epoch in self._gathered if epoch > last_trained),
                ],
                scalars=[name for name in names if name not in HISTORY],
            )
            return RepeatWriter(self._claim.of(group), self._repeat, self._known)

    def _is_full(self) -> bool:
        """Whether so much has gathered that it must not wait."""
        return len(self._gathered) >= MOST_GATHERED or self._n_bytes >= BLOCK_BYTES
