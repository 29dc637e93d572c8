"""A recording before it is begun: its settings, the store that it needs, its single trainings."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ibtools.errors import InputError, unknown_name
from ibtools.recorders.data import DataSet
from ibtools.recorders.engines import choose_engine, choose_snapshots, find_engine
from ibtools.recorders.engines.protocol import Training
from ibtools.recorders.experiments import Experiment, get_experiment
from ibtools.recorders.resolve import AnyNetwork, resolve_network
from ibtools.recorders.training.input_quantiser import measure_inputs
from ibtools.recorders.training.seeds import SeedStreams
from ibtools.recorders.user_network import UserNetwork
from ibtools.schedule import parse_schedule
from ibtools.settings import SETTINGS, Settings, validate_setting
from ibtools.store.inputs import number_inputs
from ibtools.store.layout import StoreSpec
from ibtools.store.quantised_inputs import QuantisedInputs
from ibtools.store.snapshots import FLOAT_BITS

_OF_EXPERIMENTS = ("activation", "bits", "epochs", "repeats")
_MADE = ("experiment", "data_set", "recorded_epochs")


def choose_settings(
    experiment: str, data: DataSet, *, schedule: str | Iterable[int] | None = None, **given: Any
) -> Settings:
    """Fill in the experiment's numbers where none are given, and spell the schedule out."""
    _validate_names(given)
    found = get_experiment(experiment)
    chosen = {name: _plain(value) for name, value in given.items() if value not in (None, "")}
    chosen["network"] = _chosen("network", given.get("network"), found.network, found)
    for name in _OF_EXPERIMENTS:
        chosen.setdefault(name, getattr(found, name))
    for name in ("epochs", "prefit"):
        validate_setting(name, chosen.setdefault(name, SETTINGS[name].default))
    if schedule is None or (isinstance(schedule, str) and not schedule):
        schedule = str(SETTINGS["recorded_epochs"].option_default)
    recorded = parse_schedule(
        schedule,
        epochs=chosen["epochs"],
        prefit=chosen["prefit"],
        paper_step=found.paper_step,
    )
    return Settings(
        **chosen | {"experiment": found.name, "data_set": data.name, "recorded_epochs": recorded}
    )


def _validate_names(given: Iterable[str]) -> None:
    known = [name for name in SETTINGS if name not in _MADE]
    for name in given:
        if name not in known:
            raise TypeError(str(unknown_name("setting", name, [*known, "schedule"])))


def _plain(value: Any) -> Any:
    """Return a number of numpy as one of Python, which JSON can hold."""
    return value.item() if isinstance(value, np.generic) else value


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
    snapshots: str | None = field(init=False)

    def __post_init__(self) -> None:
        network = resolve_network(
            self.settings.network,
            input_shape=self.data.x.shape[1:],
            n_classes=self.data.n_classes,
        )
        object.__setattr__(self, "network", network)
        settings, engine = self.settings, choose_engine(network, self.settings.engine)
        object.__setattr__(self, "engine", engine)
        snapshots = choose_snapshots(network, engine, settings.initializer, settings.snapshots)
        object.__setattr__(self, "snapshots", snapshots)
        self._validate_trainings()

    @property
    def engine_target(self) -> str:
        """Where the engine is, as `ibtools.recorders.engines.load_engine` takes it."""
        return find_engine(self.engine, self.snapshots)

    def training(self, repeat: int, attempt: int) -> Training:
        """Return one training of this recording."""
        settings = self.settings
        return Training(
            **settings.of_training(),
            network=self.network,
            data=self.data,
            seeds=SeedStreams(settings.seed, repeat, attempt),
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

    def repeat_bytes(self) -> int:
        """Return what is recorded of one repeat, before compression and without padding."""
        spec = self.store_spec()
        row = sum(layer.row_bytes(spec.keep) for layer in spec.layers)
        return spec.n_samples * row * len(spec.epochs)

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
            configuration=self._configuration(),
            attributes=self._attributes(),
            keep=settings.keep,
            prefit=settings.has_random_labels,
            recomputed=True,
            inputs="population" if population else "sample",
            is_chain=self.network.is_chain,
            input=self._input_numbers[chosen],
        )

    def _configuration(self) -> dict[str, Any]:
        """Return the settings, with what was chosen."""
        return replace(self.settings, engine=self.engine, snapshots=self.snapshots).configuration()

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

        It is the share of the largest class, plus `required_gain` of what that lacks to 1. Nothing
        is asked of a network that is frozen, nor of one that has random labels to learn.
        """
        if self.settings.control == "frozen" or self.settings.labels == "random":
            return 0.0
        majority = np.unique(self.data.y, return_counts=True)[1].max() / len(self.data.y)
        return float(majority + self.settings.required_gain * (1 - majority))
