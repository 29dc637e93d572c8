"""What decides a recording: its settings, what a store of it holds, and its single trainings."""

import json
from dataclasses import asdict, dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ibtools.errors import InputError
from ibtools.inputs import number_inputs
from ibtools.layout import StoreSpec
from ibtools.quantised_inputs import QuantisedInputs
from ibtools.recorders.datasets import DataSet
from ibtools.recorders.engine import Training
from ibtools.recorders.engines import choose_engine
from ibtools.recorders.experiments import Experiment, get_experiment
from ibtools.recorders.input_quantiser import measure_inputs
from ibtools.recorders.resolve import AnyNetwork, resolve_network
from ibtools.recorders.seeds import SeedStreams
from ibtools.recorders.settings import Scheme
from ibtools.recorders.user_network import UserNetwork
from ibtools.schedule import parse_schedule
from ibtools.schema import Keep
from ibtools.snapshots import FLOAT_BITS


@dataclass(frozen=True)
class Settings:
    """Everything that decides what a recording holds; a store keeps it as JSON.

    Parameters
    ----------
    experiment, network, data_set, activation : str
        Names in their tables.
    bits : int
        2 to 8 or 16, or 32 for a float network.
    scheme : {"paper", "full"}
        What is quantised.
    initializer : str
        "paper", or the name of a Keras initialiser.
    epochs, prefit : int
        Epochs on the true labels, and before them on shuffled ones.
    recorded_epochs : tuple of int
        The schedule, spelled out.
    first_repeat, repeats : int
        Number of the first repeat, and how many there are.
    seed : int
        Base of all random streams.
    samples : int or None
        How many samples are recorded; None for all. The ranges of Tanh layers of scheme "paper" are
        those of the recorded samples.
    keep : {"codes", "partition"}
        What is kept of a snapshot.
    engine : str or None
        What trains; None leaves it to `ibtools.recorders.engines.choose_engine`.
    learning_rate : float
        Of Adam.
    batch_size : int
        Samples per step.
    patience : int
        From this epoch on a training must be better than guessing.
    required_gain : float
        Part of the way from the majority class to 1 that training accuracy must have come by then.
        The default asks for an accuracy of 0.55 on SYN, the paper's threshold.
    max_attempts : int
        Trainings of one repeat, at the most, before it counts as failed.
    """

    experiment: str
    network: str
    data_set: str
    activation: str
    bits: int
    epochs: int
    repeats: int
    recorded_epochs: tuple[int, ...]
    scheme: Scheme = "paper"
    initializer: str = "paper"
    prefit: int = 0
    first_repeat: int = 0
    seed: int = 0
    samples: int | None = None
    keep: Keep = "codes"
    engine: str | None = None
    learning_rate: float = 1e-4
    batch_size: int = 256
    patience: int = 1000
    required_gain: float = 0.07
    max_attempts: int = 5

    def __post_init__(self) -> None:
        for name in ("repeats", "max_attempts"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be 1 or more, found {getattr(self, name)}")
        if not 0 <= self.required_gain <= 1:
            raise InputError(f"required_gain must be 0 to 1, found {self.required_gain}")
        if self.first_repeat < 0:
            raise InputError(f"first_repeat must not be negative, found {self.first_repeat}")


def choose_settings(
    experiment: str,
    data: DataSet,
    *,
    network: str | None = None,
    epochs: int | None = None,
    repeats: int | None = None,
    bits: int | None = None,
    activation: str | None = None,
    schedule: str = "every:5",
    prefit: int = 0,
    **others: object,
) -> Settings:
    """Fill in the experiment's numbers where none are given, and spell the schedule out.

    Raises
    ------
    UnknownNameError
        If there is no such experiment.
    InputError
        If a setting is out of its range, or the experiment leaves the network to the user and none
        is given.
    """
    found = get_experiment(experiment)
    epochs = found.epochs if epochs is None else epochs
    recorded = parse_schedule(schedule, epochs=epochs, prefit=prefit, paper_step=found.paper_step)
    return Settings(
        experiment=found.name,
        network=_chosen("network", network, found.network, found),
        data_set=data.name,
        activation=activation or found.activation,
        bits=found.bits if bits is None else bits,
        epochs=epochs,
        repeats=found.repeats if repeats is None else repeats,
        recorded_epochs=recorded,
        prefit=prefit,
        **others,  # type: ignore[arg-type]
    )


def choose_data_set(experiment: str, data: str | None) -> str:
    """Return the name or path of the data set: the user's choice, else the experiment's."""
    found = get_experiment(experiment)
    return _chosen("data", data, found.data_set, found)


def _chosen(what: str, given: str | None, default: str | None, experiment: Experiment) -> str:
    chosen = given or default
    if chosen is None:
        raise InputError(
            f"the experiment {experiment.name!r} leaves the {what} to you: give --{what} ({what}=)"
        )
    return chosen


@dataclass(frozen=True)
class Recording:
    """Settings and the data that they are about.

    Parameters
    ----------
    settings : Settings
        What decides the recording.
    data : DataSet
        All samples, recorded or not.

    Raises
    ------
    InputError
        If a setting is out of its range, or network and data do not fit.
    """

    settings: Settings
    data: DataSet
    network: AnyNetwork = field(init=False)
    engine: str = field(init=False)

    def __post_init__(self) -> None:
        network = resolve_network(
            self.settings.network,
            input_shape=self.data.x.shape[1:],
            n_classes=self.data.n_classes,
        )
        object.__setattr__(self, "network", network)
        object.__setattr__(self, "engine", choose_engine(network, self.settings.engine))
        self._validate_trainings()

    def training(self, repeat: int, attempt: int) -> Training:
        """Return one training of this recording."""
        settings = self.settings
        return Training(
            network=self.network,
            activation=settings.activation,
            bits=settings.bits,
            data=self.data,
            seeds=SeedStreams(settings.seed, repeat, attempt),
            epochs=settings.epochs,
            learning_rate=settings.learning_rate,
            batch_size=settings.batch_size,
            scheme=settings.scheme,
            initializer=settings.initializer,
            prefit=settings.prefit,
            recorded=None if settings.samples is None else self.recorded_samples(),
            recorded_epochs=frozenset(settings.recorded_epochs),
        )

    def _validate_trainings(self) -> None:
        """Check what a training checks, and with what it would train a network of the user's."""
        first, are_repeats = self.settings.first_repeat, self.settings.repeats > 1
        training = self.training(first, attempt=0)
        if isinstance(self.network, UserNetwork):
            other = self.training(first + 1, 0) if are_repeats else self.training(first, 1)
            self.network.validate_training(training, other, are_repeats=are_repeats)

    def recorded_samples(self) -> NDArray[np.int64]:
        """Return the positions of the recorded samples, ascending; the same for every repeat."""
        total, wanted = len(self.data.y), self.settings.samples
        if wanted is None:
            return np.arange(total)
        if not 1 <= wanted <= total:
            raise InputError(f"samples must be 1 to the {total} of the data, found {wanted}")
        return np.sort(SeedStreams(self.settings.seed, 0).sample_order(total)[:wanted])

    @cached_property
    def quantised_inputs(self) -> QuantisedInputs | None:
        """What the network's input quantiser leaves of the recorded inputs; None if it has none."""
        if self.settings.bits == FLOAT_BITS or not self.network.quantises_input:
            return None
        return measure_inputs(self.data.x, self.data.is_test, self.recorded_samples())

    def store_spec(self) -> StoreSpec:
        """Return what a store of this recording holds."""
        settings, chosen = self.settings, self.recorded_samples()
        first = settings.first_repeat
        population = self.data.is_population and chosen.size == self.data.y.size
        return StoreSpec(
            layers=self.network.layer_specs(settings.activation, settings.bits, settings.scheme),
            repeats=tuple(range(first, first + settings.repeats)),
            epochs=settings.recorded_epochs,
            trained_epochs=tuple(range(1 - settings.prefit, settings.epochs + 1)),
            label=self.data.y[chosen],
            split=np.where(self.data.is_test, "test", "train")[chosen],
            configuration=asdict(settings) | {"engine": self.engine},
            attributes=self._attributes(),
            keep=settings.keep,
            prefit=settings.prefit > 0,
            recomputed=True,
            inputs="population" if population else "sample",
            is_chain=self.network.is_chain,
            input=self._input_numbers[chosen],
        )

    @cached_property
    def _input_numbers(self) -> NDArray[np.int64]:
        """The number of every sample's input, recorded or not."""
        return number_inputs(self.data.x)

    def _attributes(self) -> dict[str, str | int]:
        """Return what a store says of data and network, besides what decides the recording."""
        inputs = self.quantised_inputs
        return {
            "experiment": self.settings.experiment,
            "data": self.data.description,
            "data_checksum": self.data.checksum,
            "layers_left_out": json.dumps(dict(self.network.left_out)),
            **({} if inputs is None else inputs.attributes()),
        }

    def required_accuracy(self) -> float:
        """Return the training accuracy that counts as learning something.

        It is the share of the largest class, plus `required_gain` of what that lacks to 1.
        """
        majority = np.unique(self.data.y, return_counts=True)[1].max() / len(self.data.y)
        return float(majority + self.settings.required_gain * (1 - majority))
