"""Engine `native`: what `fit` does, in machine code of our own, without TensorFlow."""

from collections.abc import Callable
from contextlib import closing
from functools import partial

import numpy as np

from ibtools.errors import InputError
from ibtools.recorders.engines.between import differ_in_seeds, report_between
from ibtools.recorders.engines.native.arrays import State
from ibtools.recorders.engines.native.machine import Machine
from ibtools.recorders.engines.native.samples import choose_samples, encode_samples
from ibtools.recorders.engines.native.snapshot import BLOCK, SnapshotMachine
from ibtools.recorders.engines.native.stages import describe, plan_stages
from ibtools.recorders.engines.native.state import begin, pack, unpack
from ibtools.recorders.engines.protocol import EpochReport, Training
from ibtools.recorders.networks import Network
from ibtools.store.snapshots import History

OTHER_BLOCK = BLOCK * 2 // 5
"""Samples that are computed at once when a snapshot is taken again."""


class NativeProgram:
    """A network and samples as machine code takes them; they serve all repeats.

    Parameters
    ----------
    training : Training
        Of a `Network`. Its seeds are not part of the program.

    Raises
    ------
    InputError
        If the network is a model of the user's.
    """

    def __init__(self, training: Training) -> None:
        if not isinstance(training.network, Network):
            raise InputError(
                f"{training.network.name} is a model that Keras builds; choose snapshots 'keras'"
            )
        self._training, self._network = training, training.network
        self._stages = plan_stages(self._network, training, ranges=training.ranges)
        layers = describe(self._stages, training)
        self.machine = Machine(layers, encode_samples(training, self._stages[0].inputs))
        self._recorded = self.machine.samples
        if training.recorded is not None:
            shape = self._stages[0].inputs
            self._recorded = choose_samples(self._recorded, training.recorded_rows, shape)
        specs = training.network.layer_specs(training.activation, training.bits, training.scheme)
        self._snapshots = SnapshotMachine(layers, specs)

    def fits(self, training: Training) -> bool:
        """Whether another training differs in its seeds only."""
        rows, others = training.recorded_rows, self._training.recorded_rows
        return differ_in_seeds(training, self._training) and np.array_equal(rows, others)

    def begin(self, training: Training) -> State:
        """Return the state that a training starts with."""
        return begin(self._network, training, self._stages, self.machine.samples)

    def report(
        self, training: Training, epoch: int, history: History | None, state: State
    ) -> EpochReport:
        """Report the network as it is after an epoch; of a recorded one, all of it."""
        if not training.is_recorded(epoch):
            return report_between(epoch, history)
        take = partial(self._snapshots.take, self._recorded, state)
        return EpochReport(
            epoch,
            history,
            snapshot=take,
            state=partial(pack, state),
            recompute=partial(take, block=OTHER_BLOCK),
        )


class NativeEngine:
    """Trains convolutions, pools and dense layers: `ibtools.recorders.engines.native.training`.

    Notes
    -----
    Seeds, initial weights and batches are those of engine `fit`. On one machine, the weights are
    the same to the last bit in every process, interrupted or not.

    Snapshots and histories are computed in machine code too. They differ from what the tfmot model
    computes where a sum that is rounded in another order falls on the other side of an edge.
    """

    def __init__(self) -> None:
        self._program: NativeProgram | None = None

    def train(
        self,
        training: Training,
        on_epoch: Callable[[EpochReport], bool],
        *,
        resume: tuple[int, bytes] | None = None,
    ) -> None:
        """Train, calling `on_epoch` after every epoch and, unless resumed, before the first."""
        if self._program is None or not self._program.fits(training):
            self._program = NativeProgram(training)
        program, start = self._program, -training.prefit
        state = program.begin(training)
        if resume is not None:
            start, state = resume[0], unpack(resume[1], like=state)
        elif not on_epoch(program.report(training, start, None, state)):
            return
        chunks = program.machine.train(training, start, state, evaluates_recorded=True)
        with closing(chunks):
            all(
                on_epoch(program.report(training, epoch, history, reached))
                for epochs, histories, reached in chunks
                for epoch, history in zip(epochs, histories, strict=True)
            )
