"""Recording one repeat: write what an engine reports, retry failures, checkpoint after blocks."""

import importlib
from collections.abc import Mapping
from typing import cast

import numpy as np
import zarr

from ibtools.errors import RecordingError
from ibtools.progress import Progress
from ibtools.recorders.checkpoint import delete_checkpoint, load_checkpoint, save_checkpoint
from ibtools.recorders.engine import Engine, EpochReport, Training
from ibtools.recorders.recording import Recording
from ibtools.snapshots import LayerValues
from ibtools.store import read_array
from ibtools.writer import RepeatWriter


def load_engine(target: str) -> Engine:
    """Import an engine, "module:attribute", and with it what it trains with.

    Raises
    ------
    RecordingError
        If its libraries are not installed.
    """
    module, _, attribute = target.partition(":")
    try:
        return cast("Engine", getattr(importlib.import_module(module), attribute)())
    except ModuleNotFoundError as err:
        raise RecordingError(
            f"recording trains with TensorFlow, but {err.name} is not installed; "
            "install it with: pip install 'ibtools-nn[record]'"
        ) from err


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
        self._required = recording.required_accuracy()
        self._failed = False

    def run(self, engine: Engine) -> None:
        """Train until an attempt succeeds or all have failed."""
        settings = self._recording.settings
        checkpoint = load_checkpoint(self._group, self._repeat)
        if checkpoint is not None:
            self._progress.update(checkpoint[0] + settings.prefit)
        for attempt in range(self._first_attempt(), settings.max_attempts):
            training = self._recording.training(self._repeat, attempt)
            if checkpoint is None:
                self._start(training, attempt)
            self._failed = False
            engine.train(training, self._on_epoch, resume=checkpoint)
            if not self._failed:
                break
            checkpoint = None
            delete_checkpoint(self._group, self._repeat)
        self._writer.finish("failed" if self._failed else "trained")
        delete_checkpoint(self._group, self._repeat)

    def _first_attempt(self) -> int:
        row = self._repeat - self._recording.settings.first_repeat
        return int(read_array(self._group, "failed_attempts")[row])

    def _start(self, training: Training, attempt: int) -> None:
        self._writer.start_attempt(seed=training.seeds.model, failed_attempts=attempt)
        if training.prefit:
            self._writer.set_random_label(training.random_label[self._recording.recorded_samples()])

    def _on_epoch(self, report: EpochReport) -> bool:
        """Write what an epoch brings; return whether to go on."""
        if report.history is not None:
            self._writer.add_history(report.epoch, report.history)
            self._progress.update()
            self._failed = (
                report.epoch >= self._recording.settings.patience
                and report.history.train_accuracy < self._required
            )
        if report.epoch in self._scheduled:
            self._add_snapshot(report)
        return not self._failed

    def _add_snapshot(self, report: EpochReport) -> None:
        snapshot = report.snapshot()
        if report.epoch == self._last:
            self._writer.set_recomputed(count_differences(snapshot, report.recompute()))
        if self._writer.add_snapshot(report.epoch, snapshot):
            save_checkpoint(self._group, self._repeat, report.epoch, report.state())


def count_differences(first: Mapping[str, LayerValues], second: Mapping[str, LayerValues]) -> int:
    """Count the codes (or float values) of two snapshots that differ, in all layers.

    Codes on different grids all count as different.
    """
    return sum(_count_differences(layer, second[name]) for name, layer in first.items())


def _count_differences(first: LayerValues, second: LayerValues) -> int:
    here, there = ((layer.scale, layer.zero_point) for layer in (first, second))
    if not np.array_equal(here, there, equal_nan=True):
        return int(first.values.size)
    return int((first.values != second.values).sum())
