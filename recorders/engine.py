"""What a training is, and what an engine reports of it, whichever library does the work."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from ibtools.errors import InputError
from ibtools.recorders.datasets import DataSet
from ibtools.recorders.networks import Network, validate_activation, validate_bits
from ibtools.recorders.seeds import SeedStreams
from ibtools.snapshots import History, LayerValues


@dataclass(frozen=True)
class Training:
    """One training of one network: everything that decides its outcome.

    The optimiser is Adam and the loss is the categorical cross-entropy of the softmax output. Each
    epoch visits the training samples once, in the order of `seeds`; a last batch that is smaller is
    kept.

    Parameters
    ----------
    network : Network
        What is trained.
    activation : str
        Of the hidden layers.
    bits : int
        2 to 8, or 32 for a network that is not quantised.
    data : DataSet
        Trained on its training samples; recorded and evaluated on all.
    seeds : SeedStreams
        Initial weights and batch orders.
    epochs : int
        How many to train.
    learning_rate : float
        Of Adam.
    batch_size : int
        Samples per step.

    Raises
    ------
    InputError
        If a number is out of range or the data do not fit the network.
    """

    network: Network
    activation: str
    bits: int
    data: DataSet
    seeds: SeedStreams
    epochs: int
    learning_rate: float = 1e-4
    batch_size: int = 256

    def __post_init__(self) -> None:
        validate_activation(self.activation)
        validate_bits(self.bits)
        if self.epochs < 0:
            raise InputError(f"epochs must not be negative, but is {self.epochs}")
        if self.batch_size < 1:
            raise InputError(f"batch_size must be at least 1, but is {self.batch_size}")
        if not self.learning_rate > 0:
            raise InputError(f"learning_rate must be positive, but is {self.learning_rate}")
        self._validate_data()

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
        How many epochs have been trained; 0 is the untrained network.
    history : History or None
        Loss and accuracy of the network after the epoch; None at epoch 0.
    snapshot : callable
        Returns the values of all recorded layers for all samples, by the layer's name.
    state : callable
        Returns all that a training needs to go on from here, as bytes.
    """

    epoch: int
    history: History | None
    snapshot: Callable[[], dict[str, LayerValues]]
    state: Callable[[], bytes]


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
