"""What engines share that train several epochs in one call: where they stop, what they report."""

from dataclasses import replace
from typing import NoReturn

import numpy as np

from ibtools.errors import InputError
from ibtools.recorders.engines.protocol import EpochReport, Training
from ibtools.recorders.networks import Network
from ibtools.store.snapshots import History

MAX_STEPS = 4096
"""Training steps of one call at the most, so that progress is shown and Ctrl-C is heard."""


def stops(training: Training) -> list[int]:
    """Return the epochs that no call may pass: those that are recorded, and the last."""
    epochs = range(1 - training.prefit, training.epochs + 1)
    return [epoch for epoch in epochs if training.is_recorded(epoch) or epoch == training.epochs]


def n_steps(training: Training) -> int:
    """Return the training steps of an epoch."""
    n_train = int((~training.data.is_test).sum())
    return -(-n_train // training.batch_size)


def differ_in_seeds(training: Training, other: Training) -> bool:
    """Whether two trainings are the same but for seeds, and for which samples are recorded.

    The programs of one then serve the other. A model of the user's own may have drawn seeds when it
    was built, which its program keeps.
    """
    data, other_data = training.data, other.data
    return (
        isinstance(training.network, Network)
        and data.checksum == other_data.checksum
        and np.array_equal(data.is_test, other_data.is_test)
        and replace(training, seeds=other.seeds, data=other_data, recorded=None)
        == replace(other, recorded=None)
    )


def report_between(epoch: int, history: History | None) -> EpochReport:
    """Report an epoch that is not recorded."""
    return EpochReport(epoch, history, _not_recorded, _not_recorded, _not_recorded)


def _not_recorded() -> NoReturn:
    raise InputError(
        "this epoch has neither snapshot nor state: it is none of the training's recorded_epochs"
    )
