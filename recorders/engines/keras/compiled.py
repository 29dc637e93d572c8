"""Engine `compiled`: what `fit` does, whole epochs at a time in one compiled program."""

from collections.abc import Generator, Iterator

import numpy as np

from ibtools.recorders.engines.between import MAX_STEPS, n_steps, report_between, stops
from ibtools.recorders.engines.keras.epochs import EpochProgram
from ibtools.recorders.engines.keras.quantise import TappedModel
from ibtools.recorders.engines.keras.trainers import Trainer, TrainerEngine
from ibtools.recorders.engines.protocol import EpochReport, Training

MAX_BYTES = 2**26
"""Inputs that are put in order for one call, at the most, unless those of an epoch are more."""


class CompiledTrainer(Trainer):
    """A model, and TensorFlow's program of its training."""

    def __init__(self, tapped: TappedModel, training: Training) -> None:
        super().__init__(tapped, training)
        self._program = EpochProgram(tapped, training, self._x, _usual_length(training))

    def train(self, training: Training, start: int) -> Generator[EpochReport, None, None]:
        """Train the epochs after `start`, from the state of the model, and report each."""
        for epochs in _chunks(training, start):
            between = [epoch for epoch in epochs if not training.is_recorded(epoch)]
            histories = self._program.run(training, epochs, n_evaluated=len(between))
            for epoch, history in zip(between, histories, strict=True):
                yield report_between(epoch, history)
            if training.is_recorded(epochs[-1]):
                yield self.report(training, epochs[-1])


class CompiledEngine(TrainerEngine):
    """Trains with TensorFlow's operations, compiled by XLA where that is faster.

    See `ibtools.recorders.engines.keras.trainers.TrainerEngine` for what it guarantees, and
    `ibtools.recorders.engines.keras.epochs.EpochProgram` for what differs by rounding.
    """

    _trainer_type = CompiledTrainer


def _chunks(training: Training, start: int) -> Iterator[range]:
    """Cut the epochs after `start` at those that are recorded.

    Chunks have one of two lengths, because XLA compiles the program for each length anew.
    """
    usual, first = _usual_length(training), start + 1
    for stop in stops(training):
        while first <= stop:
            length = usual if stop - first + 1 >= usual else 1
            yield range(first, first + length)
            first += length


def _usual_length(training: Training) -> int:
    """Return the most frequent distance of recorded epochs, if a program can be that long."""
    n_train = int((~training.data.is_test).sum())
    n_bytes = n_train * int(training.data.x[0].nbytes)
    distances = np.diff([-training.prefit, *stops(training)])
    lengths, times = np.unique(distances, return_counts=True)
    usual = int(lengths[times.argmax()]) if distances.size else 1
    return max(1, min(usual, MAX_STEPS // n_steps(training), MAX_BYTES // n_bytes))
