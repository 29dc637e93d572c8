"""The protocol of engines: a training, and the reports of it, whichever library does the work."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ibtools.errors import InputError
from ibtools.recorders.data import DataSet
from ibtools.recorders.resolve import AnyNetwork
from ibtools.recorders.training.seeds import SeedStreams
from ibtools.settings import TrainingSettings
from ibtools.store.snapshots import History, LayerValues


@dataclass(frozen=True, kw_only=True)
class Training(TrainingSettings):
    """One training of one network: everything that decides its outcome.

    The optimiser is Adam and the loss is the categorical cross-entropy of the softmax output. Each
    epoch visits the training samples once, in the order of `seeds`; a last batch that is smaller is
    kept.

    With a prefit, the network is first trained on labels that were shuffled once, training and test
    samples together: the epochs -prefit + 1 to 0. The true labels follow from epoch 1, and the
    optimiser goes on as it is. With random labels, those of the training samples are shuffled among
    these once, and all epochs train on them; test samples have their true ones.

    A frozen control goes through the same steps, with the same batches. It computes all that a step
    does before the weights change, by which ranges move, and changes no weight.

    Parameters
    ----------
    network : Network or UserNetwork
        What is trained; `ibtools.recorders.resolve.resolve_network` finds it by its name.
    data : DataSet
        Trained on its training samples; recorded and evaluated on all.
    seeds : SeedStreams
        Initial weights and batch orders.
    recorded : ndarray, (recorded sample,), int64, or None
        Positions of the samples that are recorded; None for all. Trained and evaluated are all.
    recorded_epochs : frozenset of int or None
        The epochs whose snapshots may be asked for; None for all.
    **settings
        All of `ibtools.settings.TrainingSettings`. A network of the user's own has its own
        activation functions.

    Raises
    ------
    InputError
        If a number is out of range or the data do not fit the network.
    """

    network: AnyNetwork
    data: DataSet
    seeds: SeedStreams
    recorded: NDArray[np.int64] | None = None
    recorded_epochs: frozenset[int] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.network.validate_initializer(self.initializer)
        self._validate_data()

    @property
    def recorded_rows(self) -> NDArray[np.int64]:
        """Positions of the recorded samples."""
        return np.arange(self.data.y.size) if self.recorded is None else self.recorded

    @property
    def recorded_x(self) -> NDArray[np.float32]:
        """Inputs of the recorded samples, (recorded sample, ...)."""
        return self.data.x if self.recorded is None else self.data.x[self.recorded]

    def is_recorded(self, epoch: int) -> bool:
        """Whether the snapshot after an epoch may be asked for."""
        return self.recorded_epochs is None or epoch in self.recorded_epochs

    @property
    def random_label(self) -> NDArray[np.int64]:
        """The random labels, (sample,): of a prefit those of all samples, shuffled by `seeds`.

        Without a prefit those of the training samples are shuffled, and the others are true.
        """
        chosen = np.arange(self.data.y.size)
        if self.labels == "random":
            chosen = np.flatnonzero(~self.data.is_test)
        label = self.data.y.copy()
        label[chosen] = label[chosen[self.seeds.label_order(chosen.size)]]
        return label

    def has_random_label(self, epoch: int) -> bool:
        """Whether an epoch trains on the random labels."""
        return epoch <= 0 or self.labels == "random"

    def trained_label(self, epoch: int) -> NDArray[np.int64]:
        """Return the labels that an epoch trains on.

        Parameters
        ----------
        epoch : int
            From -prefit + 1 on.

        Returns
        -------
        ndarray, (sample,), int64
            The random ones up to epoch 0, or throughout; else the true ones from epoch 1 on.
        """
        return self.random_label if self.has_random_label(epoch) else self.data.y

    def _validate_data(self) -> None:
        expected = (*self.network.input_shape, self.network.n_classes)
        found = (*self.data.x.shape[1:], self.data.n_classes)
        if found != expected:
            raise InputError(
                f"network {self.network.name!r} takes samples of shape {expected[:-1]} and tells "
                f"{expected[-1]} classes apart, but data set {self.data.name!r} has samples of "
                f"shape {found[:-1]} and {found[-1]} classes"
            )


@dataclass(frozen=True)
class EpochReport:
    """The network as it is after an epoch; valid until the callback that receives it returns.

    Parameters
    ----------
    epoch : int
        How many epochs have been trained on the true labels; -prefit is the untrained network.
    history : History or None
        Loss and accuracy of the network after the epoch, for the labels that it was trained on;
        None for the untrained network.
    snapshot : callable
        Returns the values of all recorded layers for all samples, by the layer's name; only of an
        epoch in the training's `recorded_epochs`.
    state : callable
        Returns all that a training needs to go on from here, as bytes; only of such an epoch.
    recompute : callable
        Takes the snapshot again, with the samples in other batches; only of such an epoch.
    """

    epoch: int
    history: History | None
    snapshot: Callable[[], dict[str, LayerValues]]
    state: Callable[[], bytes]
    recompute: Callable[[], dict[str, LayerValues]]


class Engine(Protocol):
    """Something that trains a network and reports after every epoch."""

    def train(
        self,
        training: Training,
        on_epoch: Callable[[EpochReport], bool],
        *,
        resume: tuple[int, bytes] | None = None,
    ) -> None:
        """Train, calling `on_epoch` after every epoch and, unless resumed, before the first.

        All settings of the training are followed; one that can't be is refused before any step.

        Parameters
        ----------
        training : Training
            What to train.
        on_epoch : callable
            Receives each report; the training ends early when it returns False.
        resume : tuple of int and bytes, optional
            An epoch and the state after it. The training goes on with the next epoch, and gives to
            the last bit what one that was never interrupted gives.
        """
