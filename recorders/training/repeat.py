"""Recording one repeat: write what an engine reports, retry failures, checkpoint after blocks.

The engine goes on while a second thread encodes and writes what it reported.
"""

from collections.abc import Mapping
from functools import partial

import numpy as np
import zarr

from ibtools.progress import Progress
from ibtools.recorders.corridor import Corridor, most_waiting
from ibtools.recorders.engines.protocol import Engine, EpochReport, Training
from ibtools.recorders.training.background import Background
from ibtools.recorders.training.checkpoint import (
    delete_checkpoint,
    load_checkpoint,
    save_checkpoint,
)
from ibtools.recorders.training.recording import Recording
from ibtools.store.groups import read_array
from ibtools.store.snapshots import HISTORY, LayerValues
from ibtools.store.writer import RepeatWriter


class RepeatRecorder:
    """Records one repeat, from where it stands to its outcome.

    Parameters
    ----------
    recording : Recording
        What is recorded.
    group : zarr.Group
        Its store, open for writing.
    repeat : int
        Number of the repeat.
    progress : Progress
        Told of every epoch.
    """

    def __init__(
        self, recording: Recording, group: zarr.Group, repeat: int, progress: Progress
    ) -> None:
        self._recording = recording
        self._scheduled = frozenset(recording.settings.recorded_epochs)
        self._last = max(self._scheduled)
        self._group = group
        self._repeat = repeat
        self._progress = progress
        self._writer = RepeatWriter(group, repeat)
        most = most_waiting(self._writer, most=self._writer.block_size)
        self._background = Background(most)
        self._corridor = Corridor(self._writer, self._background, copies=False)
        self._required = recording.required_accuracy()
        self._failed = False

    def run(self, engine: Engine) -> None:
        """Train until an attempt succeeds or all have failed."""
        settings = self._recording.settings
        checkpoint = load_checkpoint(self._group, self._repeat)
        if checkpoint is not None:
            self._progress.update(checkpoint[0] + settings.prefit)
        with self._background:
            for attempt in range(self._first_attempt(), settings.max_attempts):
                self._attempt(engine, attempt, checkpoint)
                if not self._failed:
                    break
                checkpoint = None
                delete_checkpoint(self._group, self._repeat)
            self._corridor.finish("failed" if self._failed else "trained")
        delete_checkpoint(self._group, self._repeat)

    def _attempt(self, engine: Engine, attempt: int, checkpoint: tuple[int, bytes] | None) -> None:
        """Train once; all that it reported has been handed to the writer when this returns."""
        training = self._recording.training(self._repeat, attempt)
        if checkpoint is None:
            self._start(training, attempt)
        self._failed = False
        engine.train(training, self._on_epoch, resume=checkpoint)
        self._corridor.wait()

    def _first_attempt(self) -> int:
        row = self._repeat - self._recording.settings.first_repeat
        return int(read_array(self._group, "failed_attempts")[row])

    def _start(self, training: Training, attempt: int) -> None:
        self._writer.start_attempt(seed=training.seeds.model, failed_attempts=attempt)
        if training.has_random_labels:
            self._writer.set_random_label(training.random_label[self._recording.recorded_samples()])

    def _on_epoch(self, report: EpochReport) -> bool:
        """Write what an epoch brings; return whether to go on."""
        if report.history is not None:
            numbers = {name: getattr(report.history, name) for name in HISTORY}
            self._corridor.add_scalars(report.epoch, numbers)
            self._progress.update()
            self._failed = (
                report.epoch >= self._recording.settings.patience
                and report.history.train_accuracy < self._required
            )
        if report.epoch in self._scheduled:
            self._hand_over(report)
        return not self._failed

    def _hand_over(self, report: EpochReport) -> None:
        """Take of a report what is only there now, and let the second thread write it.

        The checkpoint is written once the block of the snapshot is on disk.
        """
        epoch, snapshot = report.epoch, report.snapshot()
        count = save = None
        if epoch == self._last:
            differences = count_differences(snapshot, report.recompute())
            count = partial(
                self._writer.set_numbers, n_recomputed=1, n_recomputed_differences=differences
            )
        if self._writer.ends_block(epoch):
            save = partial(save_checkpoint, self._group, self._repeat, epoch, report.state())
        self._corridor.add_snapshot(epoch, snapshot, before=count, after=save)


def count_differences(first: Mapping[str, LayerValues], second: Mapping[str, LayerValues]) -> int:
    """Count the codes (or float values) of two snapshots that differ, in all layers.

    Codes on different grids all count as different.
    """
    return sum(_count_differences(layer, second[name]) for name, layer in first.items())


def _count_differences(first: LayerValues, second: LayerValues) -> int:
    grids = zip(first.grid, second.grid, strict=True)
    if not all(np.array_equal(here, there, equal_nan=True) for here, there in grids):
        return int(first.values.size)
    return int((first.values != second.values).sum())
