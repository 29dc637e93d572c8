"""Machine code that trains a tf_keras model, of which the snapshots are taken."""

from collections.abc import Generator
from contextlib import closing
from dataclasses import replace
from functools import partial

from ibtools.recorders.engines.between import report_between
from ibtools.recorders.engines.keras.native_program import NativeProgram
from ibtools.recorders.engines.keras.quantise import TappedModel
from ibtools.recorders.engines.keras.state import pack_state
from ibtools.recorders.engines.keras.trainers import Trainer, TrainerEngine
from ibtools.recorders.engines.native.arrays import State
from ibtools.recorders.engines.protocol import EpochReport, Training


class NativeTrainer(Trainer):
    """A model, and the machine code of its training."""

    def __init__(self, tapped: TappedModel, training: Training) -> None:
        super().__init__(tapped, training)
        self._program = NativeProgram(tapped, training)

    def train(self, training: Training, start: int) -> Generator[EpochReport, None, None]:
        """Train the epochs after `start`, from the state of the model, and report each."""
        state = self._program.load()
        chunks = self._program.machine.train(training, start, state, evaluates_recorded=False)
        with closing(chunks):
            for epochs, histories, reached in chunks:
                for epoch, history in zip(epochs, histories, strict=False):
                    yield report_between(epoch, history)
                if training.is_recorded(epochs[-1]):
                    self._program.store(reached)
                    report = self.report(training, epochs[-1])
                    yield replace(report, state=partial(self._pack, reached))

    def _pack(self, state: State) -> bytes:
        self._program.store_moments(state)
        return pack_state(self.model)


class NativeKerasEngine(TrainerEngine):
    """Engine `native` with snapshots `keras`: trains models of convolutions, pools, dense layers.

    `ibtools.recorders.engines.keras.trainers.TrainerEngine` says what it guarantees. Every snapshot
    is taken of the tfmot model itself, with the weights that the training has then.
    """

    _trainer_type = NativeTrainer
