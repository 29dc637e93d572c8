"""Recording an experiment: train every repeat, write every snapshot, resume what stopped."""

import importlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from textwrap import shorten
from typing import Literal, cast

import numpy as np
import zarr

from ibtools.errors import InputError, RecordingError, StoreError, unknown_name
from ibtools.layout import StoreSpec
from ibtools.progress import Progress, progress_bar
from ibtools.recorders.checkpoint import (
    delete_checkpoint,
    delete_checkpoints,
    load_checkpoint,
    save_checkpoint,
)
from ibtools.recorders.datasets import DataSet, load_data_set
from ibtools.recorders.engine import Engine, EpochReport, Training
from ibtools.recorders.experiments import Experiment, get_experiment
from ibtools.recorders.networks import get_network
from ibtools.recorders.seeds import SeedStreams
from ibtools.schedule import parse_schedule
from ibtools.store import StorePath, consolidate, create_store, open_group, read_array
from ibtools.writer import RepeatWriter

ENGINES = {"fit": "ibtools.recorders.keras.fit:FitEngine"}
"""Where each engine is found; imported when it is used, because it brings TensorFlow."""

MAX_ATTEMPTS = 5
"""Trainings of one repeat, at the most, before it counts as failed."""

PATIENCE_EPOCHS = 1000
"""From this epoch on a training must be better than guessing."""

REQUIRED_GAIN = 0.07
"""Part of the way from the majority class to 1 that training accuracy must have come by then.

For SYN this asks for an accuracy of 0.55, the paper's threshold.
"""


@dataclass(frozen=True)
class Recording:
    """Everything that decides what a recording holds; kept in the store as JSON.

    Parameters
    ----------
    experiment, network, data_set, activation : str
        Names in their tables.
    bits : int
        2 to 8, or 32 for a float network.
    epochs, repeats, seed : int
        As on the command line.
    recorded_epochs : tuple of int
        The schedule, spelled out.
    engine : str
        Name in `ENGINES`.
    learning_rate : float
        Of Adam.
    batch_size : int
        Samples per step.
    """

    experiment: str
    network: str
    data_set: str
    activation: str
    bits: int
    epochs: int
    repeats: int
    seed: int
    recorded_epochs: tuple[int, ...]
    engine: str
    learning_rate: float = 1e-4
    batch_size: int = 256

    def training(self, data: DataSet, repeat: int, attempt: int) -> Training:
        """Return one training of this recording."""
        return Training(
            network=get_network(self.network),
            activation=self.activation,
            bits=self.bits,
            data=data,
            seeds=SeedStreams(self.seed, repeat, attempt),
            epochs=self.epochs,
            learning_rate=self.learning_rate,
            batch_size=self.batch_size,
        )

    def store_spec(self, data: DataSet) -> StoreSpec:
        """Return what a store of this recording holds."""
        return StoreSpec(
            layers=get_network(self.network).layer_specs(self.activation, self.bits),
            repeats=tuple(range(self.repeats)),
            epochs=self.recorded_epochs,
            trained_epochs=tuple(range(1, self.epochs + 1)),
            label=data.y,
            split=np.where(data.is_test, "test", "train"),
            configuration=asdict(self),
            attributes={"experiment": self.experiment, "data_checksum": data.checksum},
        )


def record(
    experiment: str,
    output: StorePath,
    *,
    bits: int | None = None,
    epochs: int | None = None,
    repeats: int | None = None,
    schedule: str = "every:5",
    seed: int = 0,
    engine: Literal["fit"] = "fit",
    overwrite: bool = False,
    resume: bool = False,
    quiet: bool = False,
) -> None:
    """Train the repeats of a named experiment and write their snapshots to a store.

    Parameters
    ----------
    experiment : str
        Name in `ibtools.recorders.experiments.EXPERIMENTS`, such as "SYN-Tanh".
    output : path or URL
        The store; nothing may be there, unless `overwrite` or `resume`.
    bits : int, optional
        2 to 8 for a quantised network, 32 for float32; the paper's number by default.
    epochs, repeats : int, optional
        The paper's numbers by default.
    schedule : str, optional
        Which epochs to record: "every:N", "log:N", a list such as "0,1,10", "paper"; see
        `ibtools.schedule.parse_schedule`. Epoch 0 is the untrained network.
    seed : int, optional
        Base of all random streams; repeat k of a seed is the same whatever else is recorded.
    engine : {"fit"}, optional
        What trains.
    overwrite : bool, optional
        Replace the ibtools store that is at `output`.
    resume : bool, optional
        Finish the recording that is at `output`, which must have the same settings; it gets the
        same bytes that an uninterrupted one would have had.
    quiet : bool, optional
        Show no progress.

    Raises
    ------
    UnknownNameError
        If experiment or engine is none that there is.
    InputError
        If a setting is out of its range.
    StoreError
        If the store can't be created, resumed, or written to.
    RecordingError
        If TensorFlow is not installed.
    """
    recording = plan_recording(
        get_experiment(experiment), bits, epochs, repeats, schedule, seed, engine
    )
    data = load_data_set(recording.data_set)
    recording.training(data, repeat=0, attempt=0)  # checks every setting before anything is written
    train = load_engine(engine)
    group = _open_or_create(recording, data, output, overwrite=overwrite, resume=resume)
    pending = [k for k in range(recording.repeats) if read_array(group, "outcome")[k] == "pending"]
    total, done = recording.repeats * recording.epochs, recording.repeats - len(pending)
    with progress_bar(
        total, recording.experiment, unit="epoch", done=done * recording.epochs, quiet=quiet
    ) as progress:
        for repeat in pending:
            _RepeatRecorder(recording, data, group, repeat, progress).run(train)
    delete_checkpoints(group)
    consolidate(output)


def plan_recording(
    experiment: Experiment,
    bits: int | None,
    epochs: int | None,
    repeats: int | None,
    schedule: str,
    seed: int,
    engine: str,
) -> Recording:
    """Fill in the paper's numbers where none are given, and spell the schedule out."""
    epochs = experiment.epochs if epochs is None else epochs
    repeats = experiment.repeats if repeats is None else repeats
    if repeats < 1:
        raise InputError(f"repeats must be 1 or more, found {repeats}")
    return Recording(
        experiment=experiment.name,
        network=experiment.network,
        data_set=experiment.data_set,
        activation=experiment.activation,
        bits=experiment.bits if bits is None else bits,
        epochs=epochs,
        repeats=repeats,
        seed=seed,
        recorded_epochs=parse_schedule(schedule, epochs=epochs, paper_step=experiment.paper_step),
        engine=engine,
    )


def load_engine(name: str) -> Engine:
    """Import an engine.

    Raises
    ------
    UnknownNameError
        If there is none of that name.
    RecordingError
        If its libraries are not installed.
    """
    if name not in ENGINES:
        raise unknown_name("engine", name, ENGINES)
    module, _, attribute = ENGINES[name].partition(":")
    try:
        return cast("Engine", getattr(importlib.import_module(module), attribute)())
    except ModuleNotFoundError as err:
        raise RecordingError(
            f"recording trains with TensorFlow, but {err.name} is not installed; "
            "install it with: pip install 'ibtools-nn[record]'"
        ) from err


def required_accuracy(label: np.ndarray[tuple[int], np.dtype[np.int64]]) -> float:
    """Return the training accuracy that counts as learning something.

    Parameters
    ----------
    label : ndarray, (sample,), int64
        Classes of all samples.

    Returns
    -------
    float
        The share of the largest class, plus `REQUIRED_GAIN` of what it lacks to 1.

    Examples
    --------
    >>> round(required_accuracy(np.repeat([0, 1], [1978, 2118])), 3)
    0.551
    """
    majority = np.bincount(label).max() / len(label)
    return float(majority + REQUIRED_GAIN * (1 - majority))


class _RepeatRecorder:
    """Records one repeat: retries failed trainings, checkpoints after each block."""

    def __init__(
        self,
        recording: Recording,
        data: DataSet,
        group: zarr.Group,
        repeat: int,
        progress: Progress,
    ) -> None:
        self._recording = recording
        self._data = data
        self._group = group
        self._repeat = repeat
        self._progress = progress
        self._writer = RepeatWriter(group, repeat)
        self._required = required_accuracy(data.y)
        self._failed = False

    def run(self, engine: Engine) -> None:
        """Record the repeat from where it stands to its outcome."""
        checkpoint = load_checkpoint(self._group, self._repeat)
        first = int(read_array(self._group, "failed_attempts")[self._repeat])
        if checkpoint is not None:
            self._progress.update(checkpoint[0])
        for attempt in range(first, MAX_ATTEMPTS):
            training = self._recording.training(self._data, self._repeat, attempt)
            if checkpoint is None:
                self._writer.start_attempt(seed=training.seeds.model, failed_attempts=attempt)
            self._failed = False
            engine.train(training, self._on_epoch, resume=checkpoint)
            if not self._failed:
                break
            checkpoint = None
            delete_checkpoint(self._group, self._repeat)
        self._writer.finish("failed" if self._failed else "trained")
        delete_checkpoint(self._group, self._repeat)

    def _on_epoch(self, report: EpochReport) -> bool:
        """Write what an epoch brings; return whether to go on."""
        if report.history is not None:
            self._writer.add_history(report.epoch, report.history)
            self._progress.update()
            self._failed = (
                report.epoch >= PATIENCE_EPOCHS and report.history.train_accuracy < self._required
            )
        if report.epoch in self._recording.recorded_epochs and self._writer.add_snapshot(
            report.epoch, report.snapshot()
        ):
            save_checkpoint(self._group, self._repeat, report.epoch, report.state())
        return not self._failed


def _open_or_create(
    recording: Recording, data: DataSet, output: StorePath, *, overwrite: bool, resume: bool
) -> zarr.Group:
    if overwrite and resume:
        raise InputError("choose either to overwrite or to resume, not both")
    spec = recording.store_spec(data)
    if not resume:
        return create_store(output, spec, overwrite=overwrite)
    group = open_group(output, "r+")
    found = json.loads(str(group.attrs["configuration"]))
    _validate_same(found, json.loads(spec.configuration_json()), output)
    checksums = ({"data": group.attrs.get("data_checksum")}, {"data": data.checksum})
    _validate_same(*checksums, output)
    return group


def _validate_same(
    found: Mapping[str, object], wanted: Mapping[str, object], output: StorePath
) -> None:
    changed = [key for key in {**found, **wanted} if found.get(key) != wanted.get(key)]
    if changed:
        listed = "; ".join(
            f"{key} is {shorten(str(found.get(key)), 40)} in the store, "
            f"{shorten(str(wanted.get(key)), 40)} was asked for"
            for key in changed
        )
        raise StoreError(
            f"{output}: a recording is resumed with the settings that it was started with, but "
            f"{listed}; ask for the same, or choose another output"
        )
