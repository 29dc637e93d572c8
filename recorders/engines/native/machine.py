"""Whole epochs in machine code, and what comes of them; nothing here knows of a framework."""

from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

import numpy as np

from ibtools.recorders.engines.between import MAX_STEPS, n_steps, stops
from ibtools.recorders.engines.native import training as machine_code
from ibtools.recorders.engines.native.arrays import Layers, Samples, State
from ibtools.recorders.engines.protocol import Training
from ibtools.store.snapshots import History


@dataclass(frozen=True)
class Machine:
    """What machine code trains.

    Parameters
    ----------
    layers : Layers
        The network.
    samples : Samples
        All samples.

    Notes
    -----
    Weights differ from those of `tf_keras.Model.fit` by the order in which sums round.
    """

    layers: Layers
    samples: Samples

    def run(
        self, training: Training, epochs: Sequence[int], n_evaluated: int, state: State
    ) -> list[History]:
        """Train some epochs, and `state` with them; return histories of the first `n_evaluated`.

        It does not need the GIL.
        """
        train = np.flatnonzero(~training.data.is_test)
        orders = [train[training.seeds.batch_order(epoch, train.size)] for epoch in epochs]
        labels = [training.trained_label(epoch) for epoch in epochs]
        found = machine_code.train(
            self.layers,
            self.samples,
            np.stack(orders),
            np.stack(labels),
            training.batch_size,
            training.learning_rate,
            n_evaluated,
            state,
        )
        return [History(*map(float, row)) for row in found]

    def train(
        self, training: Training, start: int, state: State, *, evaluates_recorded: bool
    ) -> Generator[tuple[range, list[History], State], None, None]:
        """Train the epochs after `start` up to the last, and `state` with them.

        While what was yielded is recorded, a second thread trains the epochs after it.

        Parameters
        ----------
        training : Training
            With the seeds.
        start : int
            The epoch that the state is of.
        state : State
            It is changed.
        evaluates_recorded : bool
            Whether recorded epochs have a history too, or only those between them.

        Yields
        ------
        epochs : range
            Epochs that were trained; only the last of them may be recorded.
        histories : list of History
            Of these, from the first on.
        state : State
            A copy of the state after the last.
        """

        def advance(epochs: range) -> tuple[range, list[History], State]:
            is_left_out = training.is_recorded(epochs[-1]) and not evaluates_recorded
            histories = self.run(training, epochs, len(epochs) - is_left_out, state)
            return epochs, histories, State._make(array.copy() for array in state)

        with ThreadPoolExecutor(1) as pool:
            jobs = (pool.submit(advance, epochs) for epochs in _chunks(training, start))
            ahead = list(islice(jobs, 1))
            while ahead:
                reached = ahead.pop().result()
                ahead.extend(islice(jobs, 1))
                yield reached


def _chunks(training: Training, start: int) -> Iterator[range]:
    """Cut the epochs after `start` at those that are recorded, and where a call gets long."""
    longest, first = max(1, MAX_STEPS // n_steps(training)), start + 1
    for stop in stops(training):
        while first <= stop:
            length = min(longest, stop - first + 1)
            yield range(first, first + length)
            first += length
