"""Trainers: a model and programs that are made once, and serve all repeats of a network."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator
from contextlib import closing, suppress
from typing import ClassVar

import tensorflow as tf

from ibtools.recorders.capture.keras.snapshot import Output, SnapshotTaker
from ibtools.recorders.engines.between import differ_in_seeds, report_between
from ibtools.recorders.engines.keras.calibration import start_ranges
from ibtools.recorders.engines.keras.fit import create_retaker, create_trainable, evaluate
from ibtools.recorders.engines.keras.quantise import TappedModel
from ibtools.recorders.engines.keras.state import copy_state, pack_state, unpack_state
from ibtools.recorders.engines.protocol import EpochReport, Training
from ibtools.store.snapshots import History, LayerValues


class Trainer(ABC):
    """A model, and the programs that train and record it.

    Parameters
    ----------
    tapped : TappedModel
        Compiled by Keras.
    training : Training
        What is trained. Its seeds are not part of the programs.
    """

    def __init__(self, tapped: TappedModel, training: Training) -> None:
        self.model = tapped.model
        self._training = training
        self._x = tf.constant(training.data.x)
        self._taker = SnapshotTaker(tapped)
        self._retaker = create_retaker(tapped, training)

    @abstractmethod
    def train(self, training: Training, start: int) -> Generator[EpochReport, None, None]:
        """Train the epochs after `start`, from the state of the model, and report each."""

    def fits(self, training: Training) -> bool:
        """Whether the programs are those of another training too."""
        return differ_in_seeds(training, self._training)

    def report_untrained(self, training: Training) -> EpochReport:
        """Report the network as it is before the first epoch."""
        epoch = -training.prefit
        if training.is_recorded(epoch):
            layers, _ = self._look(training)
            return self._report(training, epoch, None, layers)
        return report_between(epoch, None)

    def report(self, training: Training, epoch: int) -> EpochReport:
        """Report the network as it is now, after an epoch that is recorded."""
        layers, output = self._look(training)
        history = evaluate(*output, training.trained_label(epoch), training.data.is_test)
        return self._report(training, epoch, history, layers)

    def _report(
        self,
        training: Training,
        epoch: int,
        history: History | None,
        layers: dict[str, LayerValues],
    ) -> EpochReport:
        return EpochReport(
            epoch,
            history,
            snapshot=lambda: layers,
            state=lambda: pack_state(self.model),
            recompute=lambda: self._retaker.take(training.recorded_x),
        )

    def _look(self, training: Training) -> tuple[dict[str, LayerValues], Output]:
        """Take the snapshot, and compute the output for all samples: in one pass if it can be."""
        if training.recorded is None:
            return self._taker.take_and_predict(self._x)
        return self._taker.take(training.recorded_x), self._taker.predict(self._x)


class TrainerEngine:
    """Trains with one `Trainer` for each network, which all its repeats share.

    Notes
    -----
    Seeds, initial weights and batches are those of engine `fit`. On one machine, the weights are
    the same to the last bit in every process, interrupted or not.

    Snapshots are taken by the same pass as in `fit`, and so is the history of a recorded epoch; the
    history of the epochs between comes out of the program.

    The engine asks TensorFlow for a single thread: networks of this size do not gain by more, and
    processes side by side then do not disturb each other.
    """

    _trainer_type: ClassVar[type[Trainer]]

    def __init__(self) -> None:
        _use_one_thread()
        self._trainer: Trainer | None = None

    def train(
        self,
        training: Training,
        on_epoch: Callable[[EpochReport], bool],
        *,
        resume: tuple[int, bytes] | None = None,
    ) -> None:
        """Train, calling `on_epoch` after every epoch and, unless resumed, before the first."""
        trainer = self._prepare(training)
        if resume is None:
            start = -training.prefit
            start_ranges(trainer.model, training)
            if not on_epoch(trainer.report_untrained(training)):
                return
        else:
            start, state = resume
            unpack_state(trainer.model, state)
        with closing(trainer.train(training, start)) as reports:
            all(on_epoch(report) for report in reports)

    def _prepare(self, training: Training) -> Trainer:
        """Find or create the trainer of a network, with the model in its initial state."""
        tapped = create_trainable(training)
        if self._trainer is None or not self._trainer.fits(training):
            self._trainer = self._trainer_type(tapped, training)
        else:
            copy_state(tapped.model, self._trainer.model)
        return self._trainer


def _use_one_thread() -> None:
    """Ask for one thread, unless TensorFlow already runs, as in a notebook."""
    with suppress(RuntimeError):
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
