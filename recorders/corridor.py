"""The one way into a store: what is recorded is checked at once, and written by a second thread.

`ibtools.Recorder`, `ibtools.record_arrays` and ibtools' own trainings are doors to it.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Literal, Protocol

import numpy as np

from ibtools.recorders.training.background import Background
from ibtools.store.layout import BLOCK_BYTES
from ibtools.store.schema import Keep
from ibtools.store.snapshots import LayerSpec, LayerValues
from ibtools.store.writer import Kept, validate_snapshot


class Writer(Protocol):
    """Where the corridor leads: the writer of one repeat, of a store that grows or not."""

    @property
    def layers(self) -> tuple[LayerSpec, ...]:
        """The layers of the store."""

    @property
    def n_samples(self) -> int:
        """Samples of every snapshot."""

    @property
    def keep(self) -> Keep:
        """What the store keeps of a snapshot."""

    @property
    def takes_unit_grids(self) -> bool:
        """Whether layers may have grids of single units."""

    def validate_epoch(self, epoch: int) -> None:
        """Check that the store has, or can get, a place for a snapshot of an epoch."""

    def validate_trained_epoch(self, trained_epoch: int) -> None:
        """Check the same for numbers after an epoch of training."""

    def add_kept(self, epoch: int, layers: Mapping[str, Kept], /) -> object:
        """Add a snapshot, validated and reduced to what is kept."""

    def add_scalars(self, trained_epoch: int, numbers: Mapping[str, float], /) -> None:
        """Add numbers after an epoch of training."""

    def commit(self) -> None:
        """Write what has gathered, then mark it complete."""

    def finish(self, outcome: Literal["trained", "failed"], /) -> None:
        """Write what is left and the outcome of the repeat."""


class Corridor:
    """Takes what is recorded of one repeat to its writer.

    What is wrong with a snapshot is raised when it comes, before anything of it is computed. What
    fails in the second thread is raised by the next call. Numbers travel with the next snapshot.

    Parameters
    ----------
    writer : Writer
        Of the repeat.
    background : Background
        The second thread; several repeats may share it.
    copies : bool
        Whether snapshots are copied, because who gives them may write to the arrays afterwards.
    """

    def __init__(self, writer: Writer, background: Background, *, copies: bool) -> None:
        self._writer, self._background, self._copies = writer, background, copies
        self._numbers: list[tuple[int, Mapping[str, float]]] = []

    def validate_epoch(self, epoch: int) -> None:
        """Check that there is, or can be, a place for a snapshot of an epoch."""
        self._writer.validate_epoch(epoch)

    def add_scalars(self, trained_epoch: int, numbers: Mapping[str, float]) -> None:
        """Add numbers after an epoch of training, by name."""
        self._background.require_sound()
        self._writer.validate_trained_epoch(trained_epoch)
        self._numbers.append((trained_epoch, numbers))

    def add_snapshot(
        self,
        epoch: int,
        layers: Mapping[str, LayerValues],
        *,
        before: Callable[[], None] | None = None,
        after: Callable[[], None] | None = None,
    ) -> None:
        """Add a snapshot, with what the second thread is to do before and after it.

        Raises
        ------
        StoreError
            If the store has no place for the epoch, or the layers are not those of the store.
        """
        writer = self._writer
        writer.validate_epoch(epoch)
        validate_snapshot(
            writer.layers, layers, writer.n_samples, unit_grids=writer.takes_unit_grids
        )
        taken = {name: _copied(one) for name, one in layers.items()} if self._copies else layers
        jobs = (before, self._number_job(), partial(self._write, epoch, taken), after)
        self._background.run(partial(_do, [job for job in jobs if job is not None]))

    def wait(self) -> None:
        """Wait until all that came has reached the writer."""
        numbers = self._number_job()
        if numbers is not None:
            self._background.run(numbers)
        self._background.wait()

    def flush(self) -> None:
        """Have all that came on disk when this returns."""
        self._finally(self._writer.commit)

    def finish(self, outcome: Literal["trained", "failed"]) -> None:
        """Have all that came on disk, and the outcome of the repeat."""
        self._finally(partial(self._writer.finish, outcome))

    def _finally(self, job: Callable[[], None]) -> None:
        self.wait()
        self._background.run(job)
        self._background.wait()

    def _number_job(self) -> Callable[[], None] | None:
        """Take the numbers that came; return what adds them in the second thread, if any came."""
        numbers, self._numbers = self._numbers, []
        return partial(self._add_numbers, numbers) if numbers else None

    def _add_numbers(self, numbers: list[tuple[int, Mapping[str, float]]]) -> None:
        for epoch, one in numbers:
            self._writer.add_scalars(epoch, one)

    def _write(self, epoch: int, layers: Mapping[str, LayerValues]) -> None:
        keep = self._writer.keep
        self._writer.add_kept(
            epoch, {one.name: Kept.of(layers[one.name], one, keep) for one in self._writer.layers}
        )


def most_waiting(writer: Writer, *, most: int) -> int:
    """Return how many snapshots may wait for a writer: `most`, but of bounded bytes."""
    snapshot_bytes = writer.n_samples * sum(one.row_bytes("codes") for one in writer.layers)
    return max(1, min(most, BLOCK_BYTES // snapshot_bytes))


def _do(jobs: list[Callable[[], None]]) -> None:
    for job in jobs:
        job()


def _copied(layer: LayerValues) -> LayerValues:
    copies: dict[str, Any] = {"values": np.array(layer.values)}
    if layer.has_unit_grids:
        copies |= {name: np.array(getattr(layer, name)) for name in ("scale", "zero_point")}
    return replace(layer, **copies)
