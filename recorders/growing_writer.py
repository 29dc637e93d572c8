"""Writing one repeat of a store that grows: gather a block, make room for it, write it."""

import time
from collections.abc import Mapping

import numpy as np
import zarr
from numpy.typing import NDArray

from ibtools.errors import StoreError
from ibtools.recorders.recorded_store import validate_not_begun
from ibtools.recorders.training.checkpoint import open_checkpoints
from ibtools.recorders.training.claim import Claim
from ibtools.store.groups import consolidate, delete_partial_files, read_array
from ibtools.store.growth import grow_store
from ibtools.store.layout import BLOCK_BYTES
from ibtools.store.locking import changing
from ibtools.store.opened import open_group
from ibtools.store.schema import Keep
from ibtools.store.snapshots import HISTORY, LayerSpec, LayerValues
from ibtools.store.storage import StorePath
from ibtools.store.writer import Kept, RepeatWriter

COMMIT_SECONDS = 10.0
"""How long what was recorded waits to be on disk at the most, unless writing takes very long."""

_PAUSES = 20
"""So many times as long as the last writing took nothing is written, unless much has gathered."""

MOST_GATHERED = 1024
"""Snapshots that are written together at the most: making room takes as long for one as for all."""


_NEVER = int(np.iinfo(np.int32).min)


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
            grow_store(path, repeat=repeat)
            group = open_group(path, "r+")
            if not resume:
                validate_not_begun(path, group, repeat)
            self._claim = Claim.take(group, repeat)
        self._validate_seed(group, seed)
        writer = RepeatWriter(self._claim.of(group), repeat)
        self._layers, self._keep = writer.layers, writer.keep
        self._takes_unit_grids = writer.takes_unit_grids
        self.last_epoch = _last(read_array(group, "epoch")[writer.complete])
        if self.last_epoch is None:
            writer.start_attempt(seed=seed, failed_attempts=0)
        else:
            writer.go_on_after(self.last_epoch)
        self._last_trained = max(read_array(group, "trained_epoch"), default=_NEVER)
        self._gathered: dict[int, Mapping[str, Kept]] = {}
        self._scalars: dict[int, dict[str, float]] = {}
        self._next_commit = time.monotonic()

    @property
    def layers(self) -> tuple[LayerSpec, ...]:
        """The layers of the store."""
        return self._layers

    @property
    def keep(self) -> Keep:
        """What the store keeps of a snapshot."""
        return self._keep

    @property
    def takes_unit_grids(self) -> bool:
        """Whether layers may have grids of single units."""
        return self._takes_unit_grids

    def add_scalars(self, epoch: int, numbers: Mapping[str, float]) -> None:
        """Add numbers of one epoch; written with the next block."""
        self._scalars.setdefault(epoch, {}).update(numbers)

    def add_snapshot(self, epoch: int, layers: Mapping[str, LayerValues]) -> None:
        """Add a snapshot that was validated; written when much has gathered, or it is time to."""
        self._gathered[epoch] = {
            spec.name: Kept.of(layers[spec.name], spec, self._keep) for spec in self._layers
        }
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
        self._gathered, self._scalars = {}, {}
        now = time.monotonic()
        self._next_commit = now + max(COMMIT_SECONDS, _PAUSES * (now - start))

    def finish(self) -> None:
        """Write what has gathered, and that the repeat is trained."""
        self.commit()
        RepeatWriter(self._claim.of(open_group(self._path, "r+")), self._repeat).finish("trained")

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
        known = int(read_array(group, "seed")[read_array(group, "repeat") == self._repeat][0])
        if -1 not in (known, seed) and known != seed:
            self._claim.release(group)
            raise StoreError(
                f"{self._path}: repeat {self._repeat} was begun from seed {known}, found seed "
                f"{seed}; give that seed, or record another repeat"
            )

    def _grow(self) -> RepeatWriter:
        """Make room for what has gathered, unless another has taken the repeat over."""
        self._claim.confirm(open_group(self._path))
        names = dict.fromkeys(name for numbers in self._scalars.values() for name in numbers)
        grow_store(
            self._path,
            epochs=list(self._gathered),
            trained_epochs=[*self._scalars, *(e for e in self._gathered if e > self._last_trained)],
            scalars=[name for name in names if name not in HISTORY],
        )
        group = open_group(self._path, "r+")
        self._last_trained = max(read_array(group, "trained_epoch"), default=_NEVER)
        return RepeatWriter(self._claim.of(group), self._repeat)

    def _is_full(self) -> bool:
        """Whether so much has gathered that it must not wait."""
        gathered = sum(
            array.nbytes
            for layers in self._gathered.values()
            for kept in layers.values()
            for array in kept.arrays.values()
        )
        return len(self._gathered) >= MOST_GATHERED or gathered >= BLOCK_BYTES


def _last(epochs: NDArray[np.integer]) -> int | None:
    return int(epochs[-1]) if len(epochs) else None
