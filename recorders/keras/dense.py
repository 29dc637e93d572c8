"""Engine `dense`: what `fit` does to a network of dense layers, in machine code of our own."""

from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import islice

from ibtools.recorders.dense_arrays import State
from ibtools.recorders.engine import EpochReport, Training
from ibtools.recorders.keras.dense_program import DenseProgram
from ibtools.recorders.keras.quantise import TappedModel
from ibtools.recorders.keras.runs import (
    MAX_STEPS,
    Run,
    RunEngine,
    n_steps,
    report_between,
    stops,
)
from ibtools.recorders.keras.state import pack_state
from ibtools.snapshots import History


class DenseRun(Run):
    """A model, and the machine code of its training."""

    def __init__(self, tapped: TappedModel, training: Training) -> None:
        super().__init__(tapped, training)
        self._program = DenseProgram(tapped, training)

    def train(self, training: Training, start: int) -> Generator[EpochReport, None, None]:
        """Train the epochs after `start`, from the state of the model, and report each.

        While a snapshot is taken and handed over, a second thread trains the epochs after it.
        """
        state, chunks = self._program.load(), _chunks(training, start)
        with ThreadPoolExecutor(1) as pool:
            ahead: deque[tuple[range, Future[list[History]]]] = deque()

            def begin_next() -> None:
                for epochs in islice(chunks, 1):
                    ahead.append((epochs, pool.submit(self._advance, training, epochs, state)))

            begin_next()
            while ahead:
                epochs, histories = ahead.popleft()
                reported, reached = histories.result(), _copy(state)
                begin_next()
                yield from self._reports(training, epochs, reported, reached)

    def _advance(self, training: Training, epochs: range, state: State) -> list[History]:
        n_evaluated = sum(not training.is_recorded(epoch) for epoch in epochs)
        return self._program.run(training, epochs, n_evaluated, state)

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


class DenseEngine(RunEngine):
    """Trains networks of dense layers with `ibtools.recorders.dense_kernel`.

    See `ibtools.recorders.keras.runs.RunEngine` for what it guarantees. Every snapshot is taken of
    the tfmot model itself, with the weights that the training has then.
    """

    _run_type = DenseRun


def _copy(state: State) -> State:
    return State._make(array.copy() for array in state)


def _chunks(training: Training, start: int) -> Iterator[range]:
    """Cut the epochs after `start` at those that are recorded, and where a call gets long."""
    longest, first = max(1, MAX_STEPS // n_steps(training)), start + 1
    for stop in stops(training):
        while first <= stop:
            length = min(longest, stop - first + 1)
            yield range(first, first + length)
            first += length
