"""Recording an experiment: train every repeat, write every snapshot, resume what stopped."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from typing import Any

import zarr
from numpy.typing import NDArray

from ibtools.errors import InputError, RecordingError, StoreError
from ibtools.progress import progress_bar, write_line
from ibtools.recorders.data import load_data_set
from ibtools.recorders.engines import load_engine, present_name
from ibtools.recorders.training.checkpoint import delete_checkpoints, prepare_checkpoints
from ibtools.recorders.training.compiling import warn_of_compiling
from ibtools.recorders.training.forecast import Forecast, forecast
from ibtools.recorders.training.recording import Recording, choose_data_set, choose_settings
from ibtools.recorders.training.workers import record_repeats
from ibtools.shown import counted, size
from ibtools.store.configuration import configuration_of
from ibtools.store.creation import create_store
from ibtools.store.groups import (
    consolidate,
    delete_partial_files,
    find_group,
    is_unfinished,
    read_array,
)
from ibtools.store.opened import open_group
from ibtools.store.storage import StorePath
from ibtools.tasks.linked import open_cluster
from ibtools.tasks.processes import validate_main

LARGE_BYTES = 10**10
"""From how much on a recording says how much it is, before compression."""


@dataclass(frozen=True)
class RecordReport:
    """What a recording came to.

    Parameters
    ----------
    trained, failed : int
        Repeats in the store with that outcome.
    failed_attempts : int
        Trainings that were given up, of all repeats.
    """

    trained: int
    failed: int
    failed_attempts: int


def record(
    experiment: str,
    output: StorePath,
    *,
    overwrite: bool = False,
    resume: bool = False,
    jobs: int | None = None,
    scheduler: str | None = None,
    quiet: bool = False,
    data: str | None = None,
    data_folder: str | Path | None = None,
    engine: str | None = None,
    **settings: Any,
) -> RecordReport:
    """Train the repeats of a named experiment and write their snapshots to a store.

    Parameters
    ----------
    experiment : str
        Name in `ibtools.recorders.experiments.EXPERIMENTS`, such as "SYN-Tanh"; "custom" leaves
        network and data to you.
    output : path or URL
        The store; nothing may be there, unless `overwrite` or `resume`.
    overwrite : bool, optional
        Replace the ibtools store that is at `output`.
    resume : bool, optional
        Finish the recording that is at `output`, which must have the same settings; it gets the
        same bytes that an uninterrupted one would have had.
    jobs : int, optional
        Repeats to record side by side: by as many processes of this machine (one by default), or
        workers of a cluster (all by default). The store is the same for any number. As with all of
        Python's multiprocessing, a script that asks for more than one process needs
        ``if __name__ == "__main__":``.
    scheduler : str, optional
        Address of a Dask scheduler, such as ``tcp://10.0.0.1:8786``: the workers of its cluster
        record, each its own repeats, and must all be able to reach `output`. Without one, the
        `distributed.Client` that this process works with is used if `jobs` is more than 1, and
        this machine if there is none.
    quiet : bool, optional
        Show no progress.
    data : str, optional
        Name in `ibtools.recorders.data.DATA_SETS`, or the path of an .npz file, or of a folder
        of images.
    data_folder : path, optional
        Where the files of a data set are; else IBTOOLS_DATA, Keras' cache, or a download.
    engine : {"native", "compiled", "fit"}, optional
        What trains: machine code for networks of convolutions, max pools and dense layers,
        TensorFlow's whole epochs as one compiled program, or `Model.fit`, which is slower. They
        agree but for rounding. By default that of the store that is resumed, else "native" where it
        is the fastest or TensorFlow is not installed, or "compiled".
    **settings
        What else differs from the experiment: any setting of `ibtools.settings.Settings`, and
        `schedule`: "every:N" (default "every:5"), "log:N" (fewer where epochs fall together),
        "paper", or a list, such as "0,1,10" or ``[0, 1, 10]``.

    Returns
    -------
    RecordReport
        Outcomes of all repeats in the store.

    Raises
    ------
    UnknownNameError
        If a name is in none of the tables.
    InputError
        If a setting is out of its range, the data can't be found or read, or no scheduler answers.
    StoreError
        If the store can't be created, resumed, or written to.
    RecordingError
        If TensorFlow is needed and not installed, every repeat failed (they are in the store), or
        the cluster has no workers, or keeps losing them.
    IbtoolsError
        If worker processes can't be started, because the script that starts them has no main guard.
    """
    validate_main()
    chosen = {"engine": engine, "snapshots": settings.pop("snapshots", None)}
    if resume:
        chosen = _as_recorded(output, **chosen)
    recording = plan(experiment, data=data, data_folder=data_folder, **chosen, **settings)
    target = recording.engine_target
    load_engine(target)
    _warn_of_merged_inputs(recording)
    with open_cluster(jobs, scheduler) as client:
        group = _open_or_create(recording, output, overwrite=overwrite, resume=resume)
        _warn_of_size(recording)
        warn_of_compiling(recording)
        prepare_checkpoints(group)
        _record_pending(
            recording, output, group, engine=target, jobs=jobs, client=client, quiet=quiet
        )
    delete_checkpoints(group)
    delete_partial_files(output)
    consolidate(output)
    return _report(group, output)


def _warn_of_merged_inputs(recording: Recording) -> None:
    """Say on standard error what no layer can know because of the input quantiser."""
    inputs = recording.quantised_inputs
    if inputs is not None and inputs.loses:
        write_line(
            f"{recording.data.name}: {inputs}, for it has one range for all; layers can't know "
            "more, which is no compression: bring the features to similar ranges"
        )


def _warn_of_size(recording: Recording) -> None:
    """Say on standard error how much a large recording is, and what makes it smaller."""
    repeats, n_bytes = recording.settings.repeats, recording.repeat_bytes()
    if n_bytes * repeats >= LARGE_BYTES:
        write_line(
            f"{recording.settings.experiment}: {size(n_bytes * repeats)} before compression, "
            f"{size(n_bytes)} of each of {counted(repeats, 'repeat')}; --dry-run says what that "
            "takes on disk; fewer epochs (--schedule log:200), --samples, or --keep partition make "
            "it smaller"
        )


def _record_pending(
    recording: Recording, output: StorePath, group: zarr.Group, *, quiet: bool, **how: Any
) -> None:
    """Record the repeats that have no outcome yet, and show the progress of all."""
    repeats = read_array(group, "repeat")
    pending = [int(k) for k in repeats[read_array(group, "outcome") == "pending"]]
    epochs = recording.settings.epochs + recording.settings.prefit
    with progress_bar(
        epochs * len(repeats),
        recording.settings.experiment,
        unit="epoch",
        done=epochs * (len(repeats) - len(pending)),
        quiet=quiet,
    ) as progress:
        record_repeats(recording, output, pending, progress=progress, **how)


def plan(
    experiment: str,
    *,
    data: str | None = None,
    data_folder: str | Path | None = None,
    engine: str | None = None,
    **settings: Any,
) -> Recording:
    """Resolve every name and check every setting of a recording; nothing is trained or written.

    Parameters are those of `record`.
    """
    loaded = load_data_set(choose_data_set(experiment, data), folder=data_folder)
    return Recording(choose_settings(experiment, loaded, engine=engine, **settings), loaded)


def forecast_recording(
    experiment: str, *, jobs: int | None = None, quiet: bool = False, **settings: Any
) -> Forecast:
    """Return size and time of a recording on this machine; nothing is kept.

    Parameters are those of `record`. The first epochs are recorded to a temporary folder, for some
    seconds after all is loaded and compiled.
    """
    recording = plan(experiment, **settings)
    return forecast(recording, jobs=jobs or 1, quiet=quiet)


def _as_recorded(
    output: StorePath, engine: str | None, snapshots: str | None
) -> dict[str, str | None]:
    """Choose the engine that a store was recorded with, and its snapshots, if none are given."""
    found: dict[str, str] = {}
    if not _is_unfinished(output):
        found = _present_choices(configuration_of(open_group(output).attrs))
    if engine in (None, found.get("engine")):
        engine, snapshots = found.get("engine"), snapshots or found.get("snapshots")
    return {"engine": engine, "snapshots": snapshots}


def _present_choices(configuration: Mapping[str, Any]) -> dict[str, str]:
    """Name an engine as it is called now; stores say of snapshots only what is not `keras`."""
    if "engine" not in configuration:
        return {}
    engine = present_name(str(configuration["engine"]))
    if engine != "native":
        return {"engine": engine}
    return {"engine": engine, "snapshots": str(configuration.get("snapshots", "keras"))}


def _is_unfinished(output: StorePath) -> bool:
    """Whether nothing is there but a store whose creation was interrupted."""
    group = find_group(output, "r")
    return group is not None and is_unfinished(group)


def _report(group: zarr.Group, output: StorePath) -> RecordReport:
    outcome = read_array(group, "outcome")
    attempts = int(read_array(group, "failed_attempts").sum())
    report = RecordReport(
        int((outcome == "trained").sum()), int((outcome == "failed").sum()), attempts
    )
    if not report.trained:
        all_ = "all " * (report.failed > 1)
        raise RecordingError(
            f"{output}: {all_}{counted(report.failed, 'repeat')} failed: no attempt reached the "
            "required training accuracy (see --patience, --required-gain, --max-attempts); what "
            "they came to is in the store"
        )
    return report


def _open_or_create(
    recording: Recording, output: StorePath, *, overwrite: bool, resume: bool
) -> zarr.Group:
    if overwrite and resume:
        raise InputError("choose either to overwrite or to resume, not both")
    spec = recording.store_spec()
    if not resume or _is_unfinished(output):
        return create_store(output, spec, overwrite=overwrite)
    group = open_group(output, "r+")
    found = configuration_of(group.attrs)
    found |= _present_choices(found)
    found |= {
        "data": group.attrs.get("data_checksum"),
        "layers": read_array(group, "layer").tolist(),
        "split": _describe_split(read_array(group, "split")),
    }
    asked = json.loads(spec.configuration_json())
    wanted = (
        asked
        | _present_choices(asked)
        | {
            "data": recording.data.checksum,
            "layers": [layer.name for layer in spec.layers],
            "split": _describe_split(spec.coordinates()["split"]),
        }
    )
    _validate_same(found, wanted, output)
    return group


def _describe_split(split: NDArray[Any]) -> str:
    """Say how samples are split, differently for different splits: no checksum of data tells."""
    is_test = split == "test"
    digest = hashlib.sha256(is_test.tobytes()).hexdigest()
    return f"{int(is_test.sum())} test samples ({digest[:16]})"


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
