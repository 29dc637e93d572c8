"""The contents of a report, collected before a page is made of them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import xarray as xr

from ibtools.analysis.check import check
from ibtools.analysis.estimators import EstimatorLike, listed
from ibtools.analysis.estimators.resolution import DIM as RESOLUTION
from ibtools.analysis.passes.outdated import up_to_date
from ibtools.analysis.passes.results import open_results
from ibtools.analysis.passes.saturated import ADVICE, WORDS, is_saturated
from ibtools.analysis.repeats.accuracy import has_accuracy
from ibtools.analysis.repeats.grid_ranges import grid_ranges, moving_ranges
from ibtools.analysis.repeats.scalars import ACCURACIES, recorded_scalars
from ibtools.analysis.repeats.summary import notes, summary
from ibtools.analysis.repeats.uncertainty import repeat_intervals
from ibtools.analysis.report.control import ReportControl
from ibtools.analysis.report.meaning import describe_meaning
from ibtools.analysis.report.plane_figure import plane_figure, resolution_planes
from ibtools.analysis.report.static_figures import (
    StaticFigure,
    accuracy_figure,
    information_figures,
    resolution_figures,
    scalars_figure,
)
from ibtools.analysis.report.tables import (
    Table,
    above_table,
    audit_table,
    audit_words,
    dynamics_table,
    layers_table,
    ranges_table,
    recording_table,
    repeats_table,
)
from ibtools.errors import InputError, StoreError
from ibtools.shown import analyze_command, counted, visible
from ibtools.store.counts import Counts
from ibtools.store.datasets import open_store
from ibtools.store.info import StoreInfo, store_info
from ibtools.store.storage import StorePath
from ibtools.tasks.memory import DEFAULT_MEMORY


@dataclass(frozen=True)
class EstimatorContents:
    """What a report says of the results of one estimator.

    Parameters
    ----------
    name : str
        Its specification.
    meaning : str
        What its numbers are.
    figures : tuple of StaticFigure
        Plane and information against epoch; none where nothing can be drawn.
    plane : dict or None
        The interactive plane, or one for each resolution, if there is any.
    dynamics : Table or None
        Of `ibtools.summary`, if there are any.
    above : Table or None
        Likewise of what is above the control, if there is one.
    notes : tuple of str
        What these do not have, and why.
    missing : tuple of str
        What is not there and why.
    """

    name: str
    meaning: str
    figures: tuple[StaticFigure, ...]
    plane: dict[str, Any] | None
    dynamics: Table | None
    above: Table | None
    notes: tuple[str, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True)
class Contents:
    """What a report says.

    Parameters
    ----------
    title, lead : str
        The experiment, and what the store holds in a sentence.
    notes : tuple of str
        What is incomplete.
    recording, layers, repeats : Table
        Of the recording.
    control : str
        What control is beside it, if any.
    counts : {"epoch", "step"}
        What the numbers of snapshots count.
    accuracy : StaticFigure or str
        The figure, or why there is none.
    scalars : StaticFigure or None
        Of losses and scalars of the user's own, if there are any.
    estimators : tuple of EstimatorContents
        In the order asked for.
    ranges : Table or None
        The layers whose quantiser's range moves against its values, if there are any.
    audit : Table
        One row per check.
    audit_words : tuple of tuple of str and str
        Checks, and what their outcome means.
    sound : bool
        Whether the audit found no violation.
    """

    title: str
    lead: str
    notes: tuple[str, ...]
    recording: Table
    layers: Table
    repeats: Table
    control: str
    counts: Counts
    accuracy: StaticFigure | str
    scalars: StaticFigure | None
    estimators: tuple[EstimatorContents, ...]
    ranges: Table | None
    audit: Table
    audit_words: tuple[tuple[str, str], ...]
    sound: bool


def collect(
    path: StorePath,
    estimator: EstimatorLike | Sequence[EstimatorLike] | None,
    *,
    control: StorePath | None = None,
    memory: str | int = DEFAULT_MEMORY,
    scheduler: str | None = None,
    quiet: bool = False,
) -> Contents:
    """Read a store, draw its figures and audit it."""
    info = store_info(path)
    results = _open_all(path, info, estimator)
    store = open_store(path)
    beside = None if control is None else ReportControl.of(control, store)
    audit = check(path, memory=memory, scheduler=scheduler, quiet=quiet)
    return Contents(
        title=visible(", ".join(filter(None, (info.experiment, info.training)))),
        lead=_describe(info, [one.attrs["estimator"] for one in results]),
        notes=_describe_saturated(results)
        + _describe_incomplete(path, info)
        + (() if beside is None else (beside.describe(),)),
        recording=recording_table(path, info, store.attrs),
        layers=layers_table(info),
        repeats=repeats_table(store),
        control="" if beside is None else beside.kind,
        counts=info.counts,
        accuracy=_draw_accuracy(store, beside),
        scalars=scalars_figure(_beside(store, beside, _has_scalars)),
        estimators=tuple(_collect_estimator(path, info, one, beside) for one in results),
        ranges=_find_moving_ranges(store),
        audit=audit_table(audit),
        audit_words=audit_words(audit),
        sound=audit.ok,
    )


def _open_all(
    path: StorePath,
    info: StoreInfo,
    estimator: EstimatorLike | Sequence[EstimatorLike] | None,
) -> list[xr.Dataset]:
    """Open the results that are asked for, or all up to date, after checking that there are any."""
    names = _exact_first(info.results)
    chosen = up_to_date(names, info.outdated) if estimator is None else listed(estimator)
    if estimator is not None and not chosen:
        raise InputError("a report needs at least one estimator, none was named; name one")
    opened = [open_results(path, estimator=one) for one in chosen]
    by_name = {str(one.attrs["estimator"]): one for one in opened}
    if not any(info.results.get(name) for name in by_name):
        raise StoreError(
            f"{path}: no results to report yet; compute them with: "
            f"{analyze_command(path, *by_name)}"
        )
    return [one.load() for one in by_name.values()]


def _exact_first(names: Iterable[str]) -> list[str]:
    return sorted(names, key=lambda name: (not name.startswith("exact"), name))


def _describe(info: StoreInfo, names: Sequence[str]) -> str:
    """Say in a sentence what the store holds."""
    repeats = counted(info.n_repeats, "repeat")
    first, last = info.epochs
    return (
        f"{repeats} of {visible(info.experiment)}: {counted(info.n_complete, 'snapshot')} of "
        f"{counted(len(info.layers), 'layer')}, at {counted(info.n_epochs, info.counts)} from "
        f"{first} to {last}, on {counted(info.n_samples, 'sample')} in "
        f"{counted(info.n_classes, 'class')}. "
        f"Information by {', '.join(names)}."
    )


def _describe_saturated(results: Iterable[xr.Dataset]) -> tuple[str, ...]:
    names = [str(one.attrs["estimator"]) for one in results if is_saturated(one)]
    return (f"By {', '.join(names)}, {WORDS}. To see it, {ADVICE}.",) if names else ()


def _describe_incomplete(path: StorePath, info: StoreInfo) -> tuple[str, ...]:
    total = info.n_repeats * info.n_epochs
    notes = []
    if info.n_complete < total:
        notes.append(
            f"Only {info.n_complete} of {total} scheduled snapshots are on disk: the recording is "
            "not finished, or trainings failed. Means are over what is there."
        )
    if info.outcomes["failed"]:
        notes.append(
            f"{info.outcomes['failed']} of {counted(info.n_repeats, 'repeat')} failed in "
            "training and count in no mean."
        )
    if info.outdated:
        notes.append(
            f"Results of {', '.join(info.outdated)} are out of date, and left out. Compute them "
            f"anew with: {analyze_command(path, *info.outdated)}"
        )
    return tuple(notes)


def _draw_accuracy(store: xr.Dataset, beside: ReportControl | None) -> StaticFigure | str:
    try:
        return accuracy_figure(_beside(store, beside, has_accuracy))
    except StoreError as err:
        return f"There is no figure of accuracy: {err}."


def _has_scalars(store: xr.Dataset) -> bool:
    return any(name not in ACCURACIES for name in recorded_scalars(store))


def _beside(
    store: xr.Dataset, beside: ReportControl | None, has_any: Callable[[xr.Dataset], bool]
) -> xr.Dataset:
    """Return a recording, and beside it the control, if there is one that has something to draw."""
    drawn = beside is not None and has_any(beside.store)
    return beside.recording if beside is not None and drawn else store


def _find_moving_ranges(store: xr.Dataset) -> Table | None:
    found = grid_ranges(store)
    moving = moving_ranges(repeat_intervals(found)) if found else ()
    return ranges_table(moving) if moving else None


def _collect_estimator(
    path: StorePath, info: StoreInfo, results: xr.Dataset, beside: ReportControl | None
) -> EstimatorContents:
    name = str(results.attrs["estimator"])
    missing = []
    control = None
    if beside is not None:
        try:
            results, control = beside.put_beside(results), beside.path
        except StoreError as err:
            missing.append(f"The control is not beside these: {err}.")
    n_analysed = info.results[name]
    if n_analysed < info.n_complete:
        missing.append(
            f"Analysed are {n_analysed} of {info.n_complete} complete snapshots; go on with: "
            f"{analyze_command(path, name)}"
        )
    figures: tuple[StaticFigure, ...] = ()
    said: tuple[str, ...] = ()
    plane = dynamics = above = None
    try:
        if RESOLUTION in results.dims:
            figures = resolution_figures(results)
            plane = resolution_planes(results)
            raise StoreError(
                "they are of one resolution; compute those of one to see them, as resolution-2"
            )
        figures = information_figures(results)
        plane = plane_figure(results)
        summarised = summary(path, estimator=name, control=control)
        dynamics, said = dynamics_table(summarised, results), tuple(notes(summarised))
        above = None if control is None else above_table(summarised, results)
    except StoreError as err:  # each needs more than the one before
        missing.append(f"{_first_missing(figures, plane)}: {err}.")
    return EstimatorContents(
        name, describe_meaning(results), figures, plane, dynamics, above, said, tuple(missing)
    )


def _first_missing(figures: tuple[StaticFigure, ...], plane: dict[str, Any] | None) -> str:
    if not figures:
        return "No figures and no dynamics"
    return "No interactive plane and no dynamics" if plane is None else "No dynamics"
