"""Writing one repeat of a store that grows: gather a block, make room for it, write it."""

import time
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ibtools.recorders.training.claim import Claim
from ibtools.store.groups import consolidate, read_array
from ibtools.store.growth import grow_store
from ibtools.store.locking import changing
from ibtools.store.opened import open_group
from ibtools.store.schema import Keep
from ibtools.store.snapshots import HISTORY, LayerSpec, LayerValues
from ibtools.store.storage import StorePath
from ibtools.store.writer import Kept, RepeatWriter

COMMIT_SECONDS = 10.0
"""How long what was recorded waits to be on disk at the most, unless writing takes very long."""

_PAUSES = 20
"""So many times as long as the last writing took nothing is written, unless a block is full."""


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

    Raises
    ------
    StoreError
        If the store can't be written to.
    """

    def __init__(self, path: StorePath, repeat: int, *, seed: int) -> None:
        self._path, self._repeat = path, repeat
        grow_store(path, repeat=repeat)
        group = open_group(path, "r+")
        self._claim = Claim.take(group, repeat)
        writer = RepeatWriter(self._claim.of(group), repeat)
        self._layers, self._keep = writer.layers, writer.keep
        self._takes_unit_grids = writer.takes_unit_grids
        self._epochs = read_array(group, "epoch")
        self.last_epoch = _last(self._epochs[writer.complete])
        if self.last_epoch is None:
            writer.start_attempt(seed=seed, failed_attempts=0)
        else:
            writer.go_on_after(self.last_epoch)
        self._block_size = writer.block_size
        self._last_trained = max(read_array(group, "trained_epoch"), default=_NEVER)
        self._gathered: dict[int, Mapping[str, Kept]] = {}
        self._scalars: dict[int, dict[str, float]] = {}
        self._next_commit = time.monotonic()

    @property
    def block_size(self) -> int:
        """How many snapshots are in a file."""
        return self._block_size

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
        """Add a snapshot that was validated; written when its block is full, or it is time to."""
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
            self._claim.release(open_group(self._path, "r+"))
            consolidate(self._path)

    def _grow(self) -> RepeatWriter:
        """Make room for what has gathered."""
        names = dict.fromkeys(name for numbers in self._scalars.values() for name in numbers)
        grow_store(
            self._path,
            epochs=list(self._gathered),
            trained_epochs=[*self._scalars, *(e for e in self._gathered if e > self._last_trained)],
            scalars=[name for name in names if name not in HISTORY],
        )
        group = open_group(self._path, "r+")
        self._epochs = read_array(group, "epoch")
        self._last_trained = max(read_array(group, "trained_epoch"), default=_NEVER)
        return RepeatWriter(self._claim.of(group), self._repeat)

    def _is_full(self) -> bool:
        """Whether the last snapshot is the last of its block."""
        there = np.flatnonzero(self._epochs == max(self._gathered))
        new = len(set(self._gathered) - set(self._epochs.tolist()))
        position = int(there[0]) if there.size else len(self._epochs) + new - 1
        return (position + 1) % self._block_size == 0


def _last(epochs: NDArray[np.integer]) -> int | None:
    return int(epochs[-1]) if len(epochs) else None
