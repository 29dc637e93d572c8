"""A trial: the first epochs of a recording, made for nothing but to see what they take."""

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from ibtools.progress import Progress
from ibtools.recorders.engines import load_engine
from ibtools.recorders.engines.protocol import EpochReport
from ibtools.recorders.training.checkpoint import delete_checkpoints, prepare_checkpoints
from ibtools.recorders.training.compiling import warn_of_compiling
from ibtools.recorders.training.recording import Recording
from ibtools.recorders.training.repeat import RepeatRecorder
from ibtools.store.creation import create_store
from ibtools.store.storage import stored_bytes

TRIED_SECONDS = 4.0
"""How long a trial goes on after what is only compiled once, unless a block ends before."""

_MOST_SNAPSHOTS = 257
"""Enough to fill some blocks, so that what is done once counts for little."""

_LARGEST_STEP = 10  # epochs between tried snapshots: a sparse schedule need not be waited for


@dataclass(frozen=True)
class Trial:
    """What a trial took.

    Parameters
    ----------
    start_seconds : float
        Until all was loaded and compiled.
    epoch_seconds : float
        Per epoch after that, snapshots and their writing included.
    epoch_processor_seconds : float
        The same of all threads, by the processor's clock.
    snapshots : int
        How many were written.
    stored_bytes : int
        What they take on disk.
    """

    start_seconds: float
    epoch_seconds: float
    epoch_processor_seconds: float
    snapshots: int
    stored_bytes: int

    def seconds(self, *, epochs: int, repeats: int, jobs: int) -> float:
        """Return how long repeats take side by side, until the processor has no more cores."""
        alone = self.epoch_seconds * epochs * -(-repeats // jobs)
        shared = self.epoch_processor_seconds * epochs * repeats / (os.cpu_count() or 1)
        return self.start_seconds + max(alone, shared)


@contextmanager
def trial_store() -> Iterator[Path]:
    """Return where a trial can be recorded to; it is deleted afterwards."""
    with tempfile.TemporaryDirectory(prefix="ibtools-trial-") as folder:
        yield Path(folder) / "trial.zarr"


def try_recording(recording: Recording, store: Path, progress: Progress) -> Trial:
    """Record the first epochs of one repeat with its engine.

    Snapshots are as far apart as those of the recording are on the average, at most ten epochs.
    """
    tried = _first_epochs(recording)
    warn_of_compiling(tried)
    begun = time.perf_counter()
    group = create_store(store, tried.store_spec())
    prepare_checkpoints(group)
    recorder = _TrialRecorder(tried, group, tried.settings.first_repeat, progress)
    recorder.run(load_engine(recording.engine_target))
    delete_checkpoints(group)
    return recorder.report(begun, stored_bytes(store))


def tried_epochs(recording: Recording) -> int:
    """Return how many epochs a trial has at the most."""
    return _first_epochs(recording).settings.epochs


def _first_epochs(recording: Recording) -> Recording:
    settings = recording.settings
    epochs = settings.epochs + settings.prefit
    step = min(max(1, round(epochs / len(settings.recorded_epochs))), _LARGEST_STEP)
    recorded = tuple(range(1, 2 + step * len(settings.recorded_epochs), step))[:_MOST_SNAPSHOTS]
    short = replace(
        settings, epochs=recorded[-1], prefit=0, repeats=1, recorded_epochs=recorded, patience=2**30
    )
    return Recording(short, recording.data)


class _TrialRecorder(RepeatRecorder):
    """Records a repeat until it took long enough; clocks begin with the second snapshot."""

    _began: tuple[int, float, float] | None = None
    _last_epoch = 0
    _snapshots = 0

    def _on_epoch(self, report: EpochReport) -> bool:
        super()._on_epoch(report)
        self._last_epoch = report.epoch
        self._snapshots += report.epoch in self._scheduled
        if self._began is None:
            if self._snapshots == 2:
                self._corridor.wait()
                self._began = report.epoch, time.perf_counter(), time.process_time()
            return True
        return time.perf_counter() - self._began[1] < TRIED_SECONDS

    def report(self, begun: float, n_bytes: int) -> Trial:
        """Say what it took, after it has run."""
        if self._began is None:
            raise RuntimeError("a trial has two snapshots at least")
        first, wall, processor = self._began
        epochs = max(1, self._last_epoch - first)
        return Trial(
            wall - begun,
            (time.perf_counter() - wall) / epochs,
            (time.process_time() - processor) / epochs,
            self._snapshots,
            n_bytes,
        )
