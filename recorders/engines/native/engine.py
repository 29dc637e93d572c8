"""Engine `native`: what `fit` does, in machine code of our own."""

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import islice

from ibtools.recorders.engines.keras.quantise import TappedModel
from ibtools.recorders.engines.keras.state import pack_state
from ibtools.recorders.engines.keras.trainers import (
    MAX_STEPS,
    Trainer,
    TrainerEngine,
    n_steps,
    report_between,
    stops,
)
from ibtools.recorders.engines.native.arrays import State
from ibtools.recorders.engines.native.program import NativeProgram
from ibtools.recorders.engines.protocol import EpochReport, Training
from ibtools.store.snapshots import History


class NativeTrainer(Trainer):
    """A model, and the machine code of its training."""

    def __init__(self, tapped: TappedModel, training: Training) -> None:
        super().__init__(tapped, training)
        self._program = NativeProgram(tapped, training)

    def train(self, training: Training, start: int) -> Generator[EpochReport, None, None]:
        """Train the epochs after `start`, from the state of the model, and report each.

        While a snapshot is taken and handed over, a second thread trains the epochs after it.
        """
        state = self._program.load()
        with ThreadPoolExecutor(1) as pool:
            jobs = (
                pool.submit(self._advance, training, epochs, state)
                for epochs in _chunks(training, start)
            )
            ahead = list(islice(jobs, 1))
            while ahead:
                reached = ahead.pop().result()
                ahead.extend(islice(jobs, 1))
                yield from self._reports(training, *reached)

    def _advance(
        self, training: Training, epochs: range, state: State
    ) -> tuple[range, list[History], State]:
        """Train some epochs; return them, their histories, and a copy of the state after them."""
        n_evaluated = sum(not training.is_recorded(epoch) for epoch in epochs)
        histories = self._program.run(training, epochs, n_evaluated, state)
        return epochs, histories, State._make(array.copy() for array in state)

    def _reports(
        self, training: Training, epochs: range, histories: list[History], state: State
    ) -> Iterator[EpochReport]:
        for epoch, history in zip(epochs, histories, strict=False):
            yield report_between(epoch, history)
        if training.is_recorded(epochs[-1]):
            self._program.store(state)
            report = self.report(training, epochs[-1])
            yield replace(report, state=partial(self._pack, state))

    def _pack(self, state: State) -> bytes:
        self._program.store_moments(state)
        return pack_state(self.model)


class NativeEngine(TrainerEngine):
    """Trains convolutions, pools and dense layers: `ibtools.recorders.engines.native.training`.

    `ibtools.recorders.engines.keras.trainers.TrainerEngine` says what it guarantees. Every snapshot
    is taken of the tfmot model itself, with the weights that the training has then.
    """

    _trainer_type = NativeTrainer


def _chunks(training: Training, start: int) -> Iterator[range]:
    """Cut the epochs after `start` at those that are recorded, and where a call gets long."""
    longest, first = max(1, MAX_STEPS // n_steps(training)), start + 1
    for stop in stops(training):
        while first <= stop:
            length = min(longest, stop - first + 1)
            yield range(first, first + length)
            first += length
