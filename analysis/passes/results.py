"""Analyse a store and keep the results beside the recording, nothing computed twice."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import cast, overload

import numpy as np
import xarray as xr
import zarr
from numpy.typing import NDArray

from ibtools.analysis.estimators import (
    Estimator,
    EstimatorLike,
    get_estimators,
    known_estimator,
    parse_estimator,
    variables_of,
)
from ibtools.analysis.estimators.chosen_layers import (
    NETWORK_LAYERS,
    OfLayers,
    by_layers,
    choose_layers,
)
from ibtools.analysis.estimators.resolution import select_resolution, whole_of
from ibtools.analysis.kernels.chance import SATURATED
from ibtools.analysis.measures.derived_variables import with_derived
from ibtools.analysis.passes.analysis_report import AnalysisReport
from ibtools.analysis.passes.joining import join_results
from ibtools.analysis.passes.kept_results import find_damaged
from ibtools.analysis.passes.outdated import up_to_date
from ibtools.analysis.passes.recording import Recording
from ibtools.analysis.passes.result_checksums import CHECKSUM
from ibtools.analysis.passes.result_groups import (
    GROUP,
    MARKS,
    open_results_group,
)
from ibtools.analysis.passes.result_identity import content_beside, current_marks, why_not_current
from ibtools.analysis.passes.result_places import validate_places
from ibtools.analysis.passes.result_rows import read_marks
from ibtools.analysis.passes.rounds import Rounds
from ibtools.analysis.passes.stacking import stack_estimators
from ibtools.analysis.passes.store_blocks import close_stores, open_unchunked
from ibtools.analysis.passes.store_pass import Pass
from ibtools.analysis.passes.verified import mask_results
from ibtools.analysis.passes.writing import write_pending
from ibtools.errors import IbtoolsError, StoreError, UnknownResultsError
from ibtools.shown import analyze_command
from ibtools.store.datasets import SOURCE, open_raw_results
from ibtools.store.groups import find_group, read_array
from ibtools.store.identity import Content, is_store
from ibtools.store.opened import open_group
from ibtools.store.schema import CUBE
from ibtools.store.storage import StorePath, absolute
from ibtools.tasks.memory import DEFAULT_MEMORY, LIBRARIES, parse_memory
from ibtools.tasks.workers import open_workers


@overload
def analyze_store(  # type: ignore[overload-overlap]  # a str is a sequence too
    path: StorePath,
    *,
    estimator: EstimatorLike = ...,
    layers: Iterable[str] | None = ...,
    output: StorePath | None = ...,
    memory: str | int = ...,
    scheduler: str | None = ...,
    quiet: bool = ...,
) -> AnalysisReport: ...


@overload
def analyze_store(
    path: StorePath,
    *,
    estimator: Sequence[EstimatorLike],
    layers: Iterable[str] | None = ...,
    output: StorePath | None = ...,
    memory: str | int = ...,
    scheduler: str | None = ...,
    quiet: bool = ...,
) -> tuple[AnalysisReport, ...]: ...


def analyze_store(
    path: StorePath,
    *,
    estimator: EstimatorLike | Sequence[EstimatorLike] = "exact",
    layers: Iterable[str] | None = None,
    output: StorePath | None = None,
    memory: str | int = DEFAULT_MEMORY,
    scheduler: str | None = None,
    quiet: bool = False,
) -> AnalysisReport | tuple[AnalysisReport, ...]:
    """Analyse a store and write the results, block by block.

    Parameters
    ----------
    path : path or URL
        An ibtools store.
    estimator : str or Estimator, or sequence of them, optional
        As for `ibtools.analyze`. What several have to do anew is done in one pass.
    layers : iterable of str, optional
        The layers to analyse; all by default. The results of some are a group of their own, such as
        ``information/exact-layers-hidden_1-output``, which hold these layers only, with the numbers
        that an analysis of all has of them: global bounds are over all layers of the store still.
    output : path or URL, optional
        Where the groups ``information/<specification>`` go; into the store itself by default.
    memory : str or int, optional
        What each process may use at its peak, such as "512MiB"; Python and the libraries take 256
        MiB of it. Blocks are cut to fit. A layer of which one snapshot does not fit is counted by
        digests of its rows: see `ibtools.analysis.kernels.digests.RowDigests`.
    scheduler : str, optional
        "threads", "processes", "synchronous", or the address of a dask.distributed scheduler; by
        default a distributed Client that is open in this process, else threads. See
        `ibtools.tasks.workers.open_workers`.
    quiet : bool, optional
        Show no progress.

    Returns
    -------
    AnalysisReport, or tuple of AnalysisReport
        How much was computed, and how much was there from an earlier, perhaps killed, analysis; one
        report per estimator for a sequence.

    Raises
    ------
    UnknownNameError
        If there is no such estimator, or no such layer.
    InputError
        If an option is out of range, if no layer is chosen, if the store keeps the partition only
        and an estimator needs values, if `memory` is too little for a layer, or if the cluster does
        not answer.
    StoreError
        If the store is none or has no complete snapshot, if `output` holds results of another
        store, or if results can't be written.

    Notes
    -----
    Earlier results are kept unless they are out of date: those of a repeat that was begun anew
    since, and all of an estimator that computes something else now (its `revision`), if labels,
    inputs or layers of the store were changed, or with global bounds if what was recorded since
    widened them. The report says what is computed anew, and why.
    """
    asked = get_estimators(estimator)
    budget = parse_memory(memory) - LIBRARIES
    target = path if output is None else output
    group = open_group(path)
    names = layer_names(group)
    wanted = layers if layers is None or isinstance(layers, str) else tuple(layers)
    chosen = get_estimators([choose_layers(one, wanted, names) for one in asked])
    validate_places(target, [f"{GROUP}/{one.specification}" for one in chosen])
    dataset = open_unchunked(group)
    recording = Recording.of(dataset, chosen)
    reports: dict[int, AnalysisReport] = {}
    try:
        with open_workers(scheduler) as workers:
            groups = by_layers(chosen, names)
            walks = [
                Pass.of(
                    absolute(path),
                    group,
                    dataset,
                    [chosen[index] for index in indices],
                    workers,
                    budget=budget,
                    global_range=recording.global_range,
                    layers=positions,
                )
                for positions, indices in groups.items()
            ]
            for walk, indices in zip(walks, groups.values(), strict=True):
                here = [chosen[index] for index in indices]
                found = _write(target, walk, recording, here, quiet=quiet)
                reports.update(zip(indices, found, strict=True))
    finally:
        close_stores()
    several = isinstance(estimator, Sequence) and not isinstance(estimator, str)
    return tuple(reports[index] for index in sorted(reports)) if several else reports[0]


def layer_names(group: zarr.Group) -> list[str]:
    """Return the names of the layers of a store."""
    return [str(name) for name in read_array(group, "layer")]


def _write(
    target: StorePath,
    walk: Pass,
    recording: Recording,
    estimators: Sequence[Estimator],
    *,
    quiet: bool,
) -> tuple[AnalysisReport, ...]:
    """Compute what is to do and write it; one report for each estimator."""
    opened = [
        open_results_group(target, one, walk.chosen, recording.attributes(one))
        for one in estimators
    ]
    kept, anew = zip(*opened, strict=True)
    rounds = Rounds(recording.header.complete, kept)
    names = ", ".join(one.specification for one in estimators)
    write_pending(walk, rounds, names, quiet=quiet)
    digested = walk.plan.layers_in_parts
    incomplete = n_incomplete(recording.header.complete)
    there = result_names(target) if any(isinstance(one, OfLayers) for one in estimators) else ()
    return _reports(estimators, rounds, anew, digested, incomplete, there)


def n_incomplete(complete: NDArray[np.bool_]) -> int:
    """Count the snapshots that are not recorded yet."""
    return int((~complete).sum())


def _reports(
    estimators: Sequence[Estimator],
    rounds: Rounds,
    anew: Sequence[tuple[str, ...]],
    digested: tuple[str, ...],
    incomplete: int,
    there: Collection[str],
) -> tuple[AnalysisReport, ...]:
    reports = []
    for index, (one, kept, why) in enumerate(zip(estimators, rounds.kept, anew, strict=True)):
        computed, skipped = rounds.count(index)
        clipped, values = _clipped(kept.group)
        why = (*why, *rounds.describe_damaged(index))
        done = computed, skipped, incomplete
        reports.append(
            AnalysisReport(
                one.specification,
                *done,
                clipped,
                values,
                digested if computed else (),
                why,
                _figure_of(one),
                _is_saturated(kept.group),
                _whole_results(one, there),
            )
        )
    return tuple(reports)


def _whole_results(estimator: Estimator, there: Collection[str]) -> str:
    """Return the results of all layers that have those of an estimator of some, if they are."""
    whole = estimator.base.specification if isinstance(estimator, OfLayers) else ""
    return whole if whole in there else ""


def _figure_of(estimator: Estimator) -> str | None:
    """Return the name of the figure that shows the results of an estimator best."""
    planes = [one for one in estimator.variables if one.name == "mi_xt"]
    if not planes:
        return None
    return "information-plane" if planes[0].dims == CUBE[:3] else "resolution-profile"


def _clipped(group: zarr.Group) -> tuple[int, int] | tuple[None, None]:
    """Return how many values lay outside of given bounds, and how many there are."""
    if "n_clipped" not in group:
        return None, None
    analysed = read_array(group, "analysed")
    n_samples = cast(int, group.attrs["n_samples"])
    n_values = int(analysed.sum()) * n_samples * int(read_array(group, "n_units").sum())
    return int(read_array(group, "n_clipped")[analysed].sum()), n_values


def _is_saturated(group: zarr.Group) -> bool:
    """Tell whether every layer is saturated in every snapshot that is analysed."""
    if "saturation" not in group:
        return False
    found = read_array(group, "saturation")[read_array(group, "analysed")]
    return found.size > 0 and bool((found >= SATURATED).all())


def open_results(
    path: StorePath | Sequence[StorePath] | Mapping[str, StorePath],
    *,
    estimator: EstimatorLike | Sequence[EstimatorLike] | None = "exact",
) -> xr.Dataset:
    """Open the results of a store, or of several of one experiment, as a Dataset.

    Parameters
    ----------
    path : path or URL, or sequence or mapping of them
        A store that was analysed, or the separate output of an analysis; or several of the same
        network, samples and epochs, named by the keys of a mapping, which are put together along
        `repeat`.
    estimator : str or Estimator, or sequence of them, or None, optional
        Which results: the name that `ibtools analyze` printed, or an abbreviation such as "binned"
        that stands for it. None for all that are up to date.

    Returns
    -------
    Dataset
        As `ibtools.analyze` describes it. What is not analysed yet is NaN (0 in `n_states`).
        Coordinates are in memory, all else is lazy whatever its size, so that what is damaged
        hinders only who reads it; ``.load()`` reads everything. Displayed as ``results.ib``, it
        shows of each layer the peak and the end of I(X;T) and I(T;Y), and chance. For a sequence of
        estimators, even of one, and for None, the first dimension is `estimator`.
        Of several stores, the coordinate `store` (repeat,) says which is whose.

    Raises
    ------
    StoreError
        If there are no such results, or none at all, or if they are out of date: of other labels,
        inputs or layers than the store has now, or computed by a version of ibtools that computed
        something else under this name. If several stores are of other samples, layers, epochs or
        settings than the first.
    InputError
        If no store is given.

    Notes
    -----
    None leaves out what is out of date, and names it in the attribute `out_of_date`.
    """
    if not isinstance(path, str | os.PathLike):
        named = path if isinstance(path, Mapping) else {str(one): one for one in path}
        opened = {name: open_results(one, estimator=estimator) for name, one in named.items()}
        found = join_results(opened)
        found.encoding[SOURCE] = ", ".join(opened)
        return found
    if estimator is None:
        found = _open_all(path)
    elif isinstance(estimator, Sequence) and not isinstance(estimator, str):
        root = _find_root(path)
        found = stack_estimators([_open_one(path, root, one) for one in estimator])
    else:
        found = _open_one(path, _find_root(path), estimator)
    found.encoding[SOURCE] = absolute(path)
    return found


def _open_all(path: StorePath) -> xr.Dataset:
    """Open all results that are up to date, and name the others."""
    root = _find_root(path)
    names = [name for name, _ in _result_groups(root)]
    if not names:
        raise StoreError(
            f"{path}: no results to open yet; compute them with: {analyze_command(path)}"
        )
    outdated = outdated_among(root, content_beside(root))
    opened = stack_estimators([_open_one(path, root, name) for name in up_to_date(names, outdated)])
    return opened.assign_attrs({"out_of_date": ", ".join(outdated)} if outdated else {})


def _open_one(
    path: StorePath,
    root: zarr.Group,
    estimator: EstimatorLike,
    damaged: xr.DataArray | None = None,
) -> xr.Dataset:
    name, part = _find_results(path, root, estimator)
    if part is not None:
        return select_resolution(_open_one(path, root, name, damaged), part)
    key = f"{GROUP}/{name}"
    group = cast("zarr.Group", root[key])
    results = open_raw_results(group, f"{path}: {key}")
    known = known_estimator(name) if isinstance(estimator, str) else estimator
    declared = variables_of(name)
    what, command = f"the results of {name}", _analyze_command(path, root, name)
    analysed = current_marks(path, root, key, results, known, what=what, command=command)
    kept = mask_results(
        results,
        group,
        analysed,
        {one.name: one.fill for one in declared.values() if one not in (CHECKSUM, MARKS)},
        where=f"{path}: {what}",
        command=command,
        damaged=damaged,
    )
    derived = with_derived(kept)
    if isinstance(known, OfLayers) and is_store(root):
        return derived.assign_attrs({NETWORK_LAYERS: layer_names(root)})
    return derived


def open_right_results(path: StorePath, name: str) -> tuple[xr.Dataset, xr.Dataset]:
    """Open the results of an estimator without what is damaged, and say what that is.

    Parameters
    ----------
    path : path or URL
        As for `open_results`.
    name : str
        One of `result_names`.

    Returns
    -------
    results : Dataset
        As from `open_results`; what does not match its checksum is missing.
    marks : Dataset, (repeat, epoch), bool
        What is `analysed`, and what of it is `damaged`; not of repeats that were begun anew since.
    """
    root = _find_root(path)
    group, content = cast("zarr.Group", root[f"{GROUP}/{name}"]), content_beside(root)
    analysed = read_marks(group)
    if content is not None:
        analysed &= content.current_repeats(group)[:, np.newaxis]
    damaged = find_damaged(group) & analysed
    dims = ("repeat", "epoch")
    marks = xr.Dataset({"analysed": (dims, analysed), "damaged": (dims, damaged)})
    return _open_one(path, root, name, marks["damaged"]), marks


def _find_results(
    path: StorePath, root: zarr.Group, estimator: EstimatorLike
) -> tuple[str, Estimator | None]:
    """Return the name of the results that an estimator, a name or an abbreviation stands for.

    If they are among those of all resolutions, it is the name of these; and the estimator.
    """
    available = [one for one, _ in _result_groups(root)]
    asked = estimator if isinstance(estimator, str) else estimator.specification
    if asked in available:
        return asked, None
    try:
        known = named_in(root, parse_estimator(asked))
    except IbtoolsError as err:
        raise StoreError(f"{_lacking(path, asked, available)}; {err}") from err
    if known.specification in available:
        return known.specification, None
    whole = whole_of(known)
    if whole is not None and whole.specification in available:
        return whole.specification, known
    raise _no_results(path, root, known.specification, available)


def named_in(root: zarr.Group, estimator: Estimator) -> Estimator:
    """Return the estimator whose name results have: that of a store goes by its layers."""
    if not is_store(root):
        return estimator
    found: Estimator = choose_layers(estimator, None, layer_names(root))
    return found


def _no_results(
    path: StorePath, root: zarr.Group, name: str, available: Sequence[str]
) -> StoreError:
    command = _analyze_command(path, root, name)
    choice = "name one of these as the estimator, or " if available else ""
    return StoreError(f"{_lacking(path, name, available)}; {choice}compute them with: {command}")


def _lacking(path: StorePath, name: str, available: Sequence[str]) -> str:
    there = f"there are results of {', '.join(available)}" if available else "it has no results yet"
    return f"{path}: no results of estimator {name!r}; {there}"


def _analyze_command(path: StorePath, root: zarr.Group, name: str) -> str:
    """Return the command that computes results at `path`, which may be kept outside the store."""
    if is_store(root):
        return analyze_command(path, name)
    return analyze_command("STORE", name, output=path)


def outdated_results(path: StorePath) -> dict[str, str]:
    """Return which results at `path` are out of date, and why.

    Returns
    -------
    dict of str to str
        Names of results, sorted; of each a clause, as from
        `ibtools.analysis.passes.result_identity.why_not_current`.

    Raises
    ------
    StoreError
        If nothing is at `path`.
    """
    root = _find_root(path)
    return outdated_among(root, content_beside(root))


def outdated_among(root: zarr.Group, content: Content | None) -> dict[str, str]:
    """Return as `outdated_results` which results are out of date of what was opened."""
    found = {}
    for name, group in _result_groups(root):
        with suppress(UnknownResultsError):  # said by whoever opens them
            found[name] = why_not_current(group, content, known_estimator(name))
    return {name: why for name, why in found.items() if why}


def result_names(path: StorePath) -> tuple[str, ...]:
    """Return the estimators whose results are at `path`, sorted.

    Raises
    ------
    StoreError
        If nothing is at `path`.
    """
    return tuple(name for name, _ in _result_groups(_find_root(path)))


def _find_root(path: StorePath) -> zarr.Group:
    root = find_group(path, "r")
    if root is None:
        raise StoreError(f"{path}: there must be a store, but nothing is there; check the path")
    return root


def _result_groups(root: zarr.Group) -> list[tuple[str, zarr.Group]]:
    if GROUP not in root:
        return []
    groups = cast("zarr.Group", root[GROUP]).groups()
    return sorted((name, group) for name, group in groups if "analysed" in group)
