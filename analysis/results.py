"""Results on disk: written block by block beside the recording, nothing computed twice."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, cast, overload

import dask
import numpy as np
import xarray as xr
import zarr
from numpy.typing import NDArray

from ibtools.analysis.estimators import (
    Estimator,
    EstimatorLike,
    get_estimators,
    parse_estimator,
)
from ibtools.analysis.graph import analyze_each
from ibtools.analysis.result_variables import (
    RESULT_COORDINATES,
    result_variables,
    stack_estimators,
)
from ibtools.errors import IbtoolsError, StoreError
from ibtools.progress import progress_bar
from ibtools.schema import CUBE, RESULT_VARIABLES
from ibtools.store import (
    RECORDED,
    StorePath,
    consolidate,
    create_results_root,
    create_variable,
    find_group,
    get_array,
    open_group,
    open_raw,
    read_array,
    writing,
)

GROUP = "information"
"""The group of a store that holds one group of results per estimator."""

TASKS_PER_WRITE = 192
"""Chunks that are analysed before their results are written: enough to keep every core busy."""


@dataclass(frozen=True)
class AnalysisReport:
    """What an analysis did.

    Parameters
    ----------
    estimator : str
        Specification of the estimator, which is also the name of its results.
    computed : int
        Snapshots (repeat and epoch) that were analysed now.
    skipped : int
        Snapshots whose results were there already.
    incomplete : int
        Scheduled snapshots that are not recorded yet; analyse again after recording.
    n_clipped, n_values : int, optional
        Of an estimator with given bounds: how many values lay outside, of how many, in all results
        that are there now.
    added : tuple of str, optional
        Variables that the earlier results lacked, for which all were computed anew.
    """

    estimator: str
    computed: int
    skipped: int
    incomplete: int
    n_clipped: int | None = None
    n_values: int | None = None
    added: tuple[str, ...] = ()

    def __str__(self) -> str:
        added = ""
        if self.added:
            added = (
                "; all anew, because the results were those of an earlier version of ibtools, "
                f"without {', '.join(self.added)}"
            )
        incomplete = f", {self.incomplete} not recorded yet" if self.incomplete else ""
        clipped = ""
        if self.n_clipped and self.n_values:
            share = 100 * self.n_clipped / self.n_values
            clipped = (
                f"; {self.n_clipped} of {self.n_values} values ({share:.2g} %) lie outside of the "
                "bounds and are in the end bins"
            )
        return (
            f"information/{self.estimator}: {self.computed} snapshots analysed, "
            f"{self.skipped} skipped (analysed before){incomplete}{clipped}{added}"
        )


@overload
def analyze_store(  # type: ignore[overload-overlap]  # a str is a sequence too
    path: StorePath,
    *,
    estimator: EstimatorLike = ...,
    output: StorePath | None = ...,
    quiet: bool = ...,
) -> AnalysisReport: ...


@overload
def analyze_store(
    path: StorePath,
    *,
    estimator: Sequence[EstimatorLike],
    output: StorePath | None = ...,
    quiet: bool = ...,
) -> tuple[AnalysisReport, ...]: ...


def analyze_store(
    path: StorePath,
    *,
    estimator: EstimatorLike | Sequence[EstimatorLike] = "exact",
    output: StorePath | None = None,
    quiet: bool = False,
) -> AnalysisReport | tuple[AnalysisReport, ...]:
    """Analyse a store and write the results, block by block.

    Parameters
    ----------
    path : path or URL
        An ibtools store.
    estimator : str or Estimator, or sequence of them, optional
        As for `ibtools.analyze`. What several have to do anew is done in one pass.
    output : path or URL, optional
        Where the groups ``information/<specification>`` go; into the store itself by default.
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
        If there is no such estimator.
    InputError
        If an option is out of range, or the store keeps the partition only and an estimator
        needs values.
    StoreError
        If the store is none or has no complete snapshot, if `output` holds results of another
        store, or if results can't be written.

    Notes
    -----
    Earlier results are kept unless they are out of date: those of a repeat that was begun anew
    since, and all of an estimator with global bounds if what was recorded since widened them.
    """
    chosen = get_estimators(estimator)
    open_group(path)
    reports = _analyze_store(open_raw(path), chosen, path if output is None else output, quiet)
    several = isinstance(estimator, Sequence) and not isinstance(estimator, str)
    return reports if several else reports[0]


def _analyze_store(
    dataset: xr.Dataset, chosen: tuple[Estimator, ...], target: StorePath, quiet: bool
) -> tuple[AnalysisReport, ...]:
    @cache
    def lazily(estimators: tuple[Estimator, ...]) -> tuple[xr.Dataset, ...]:
        return analyze_each(dataset, estimators)

    opened = [_open_results_group(target, one, lazily(chosen)[i]) for i, one in enumerate(chosen)]
    groups, added = zip(*opened, strict=True)
    complete = np.asarray(dataset["complete"].values, bool)
    analysed = np.stack([read_array(group, "analysed") for group in groups])
    skipped = complete & analysed
    pending = complete & ~analysed
    names = ", ".join(one.specification for one in chosen)
    total, done = int(complete.sum()) * len(chosen), int(skipped.sum())
    with progress_bar(total, names, unit="snapshot", done=done, quiet=quiet) as progress:
        for row, epochs, which in _pending_blocks(pending, _block_epochs(dataset)):
            lazy = lazily(tuple(chosen[i] for i in which))
            _write_block([groups[i] for i in which], lazy, row, epochs)
            progress.update(len(epochs) * len(which))
    incomplete = int((~complete).sum())
    return tuple(
        AnalysisReport(
            one.specification,
            int(new.sum()),
            int(old.sum()),
            incomplete,
            *_clipped(group),
            added=names,
        )
        for one, new, old, group, names in zip(chosen, pending, skipped, groups, added, strict=True)
    )


def _clipped(group: zarr.Group) -> tuple[int | None, int | None]:
    """Return how many values lay outside of given bounds, and how many there are."""
    if "n_clipped" not in group:
        return None, None
    analysed = read_array(group, "analysed")
    n_samples = cast(int, group.attrs["n_samples"])
    n_values = int(analysed.sum()) * n_samples * int(read_array(group, "n_units").sum())
    return int(read_array(group, "n_clipped")[analysed].sum()), n_values


def open_results(
    path: StorePath, *, estimator: EstimatorLike | Sequence[EstimatorLike] = "exact"
) -> xr.Dataset:
    """Open the results of a store as a Dataset.

    Parameters
    ----------
    path : path or URL
        A store that was analysed, or the separate output of an analysis.
    estimator : str or Estimator, or sequence of them, optional
        Which results: the name that `ibtools analyze` printed, or an abbreviation such as "binned"
        that stands for it.

    Returns
    -------
    Dataset
        As `ibtools.analyze` describes it; lazy. What is not analysed yet is NaN (0 in `n_states`).

    Raises
    ------
    StoreError
        If there are no such results.
    """
    if isinstance(estimator, Sequence) and not isinstance(estimator, str):
        return stack_estimators([_open_one(path, one) for one in estimator])
    return _open_one(path, estimator)


def _open_one(path: StorePath, estimator: EstimatorLike) -> xr.Dataset:
    name = _find_results(path, estimator)
    results = open_raw(path, group=f"{GROUP}/{name}")
    masked = {
        variable.name: results[variable.name]
        .where(results["analysed"], variable.fill)
        .assign_attrs(results[variable.name].attrs)
        for variable in RESULT_VARIABLES
        if variable.name in results and variable.name != "analysed"
    }
    return results.drop_vars("analysed").assign(masked)


def _find_results(path: StorePath, estimator: EstimatorLike) -> str:
    """Return the name of the results that an estimator, a name or an abbreviation stands for."""
    available = result_names(path)
    asked = name = estimator if isinstance(estimator, str) else estimator.specification
    if name not in available:
        try:
            name = parse_estimator(name).specification
        except IbtoolsError as err:
            raise _no_results(path, asked, available) from err
    if name not in available:
        raise _no_results(path, name, available)
    return name


def _no_results(path: StorePath, name: str, available: Sequence[str]) -> StoreError:
    there = f"there are results of {', '.join(available)}" if available else "it has no results yet"
    return StoreError(
        f"{path}: no results of estimator {name!r}; {there}; compute them with: "
        f"ibtools analyze {path} --estimator {name}"
    )


def result_names(path: StorePath) -> tuple[str, ...]:
    """Return the estimators whose results are at `path`, sorted.

    Raises
    ------
    StoreError
        If nothing is at `path`.
    """
    root = find_group(path, "r")
    if root is None:
        raise StoreError(f"{path}: there must be a store, but nothing is there; check the path")
    if GROUP not in root:
        return ()
    return tuple(sorted(cast("zarr.Group", root[GROUP]).group_keys()))


def _open_results_group(
    target: StorePath, estimator: Estimator, lazy: xr.Dataset
) -> tuple[zarr.Group, tuple[str, ...]]:
    """Open the results to go on with, or create them; coordinates are brought up to date.

    Also returns the names of the variables that earlier results lacked.
    """
    root = find_group(target, "r+") or create_results_root(target)
    key = f"{GROUP}/{estimator.specification}"
    with writing(root):
        group = root.get(key)
        if not isinstance(group, zarr.Group) or "analysed" not in group:
            group = _create_results_group(root, key, estimator, lazy)
            consolidate(target)
        elif group.attrs.get("store_id") != lazy.attrs.get("store_id"):
            raise StoreError(
                f"{target}: holds results of another store; choose another --output, or delete them"
            )
        added = _add_variables(target, group, estimator)
        _forget_outdated(group, lazy)
        for variable in RESULT_COORDINATES:
            get_array(group, variable.name)[...] = lazy[variable.name].values
    return group, added


def _add_variables(target: StorePath, group: zarr.Group, estimator: Estimator) -> tuple[str, ...]:
    """Add what results of an earlier version of ibtools lack, after unmarking all of them."""
    lacking = [variable for variable in result_variables(estimator) if variable.name not in group]
    if lacking:
        analysed = get_array(group, "analysed")
        analysed[...] = False
        sizes = dict(zip(CUBE, get_array(group, "mi_xt").shape, strict=False))
        for variable in lacking:
            create_variable(group, variable, sizes)
        consolidate(target)
    return tuple(variable.name for variable in lacking)


def _forget_outdated(group: zarr.Group, lazy: xr.Dataset) -> None:
    """Unmark the results of what was recorded anew, and all if the bounds of the bins changed."""
    analysed = read_array(group, "analysed")
    outdated = read_array(group, "seed") != lazy["seed"].values
    bounds = {
        name: lazy.attrs[name] for name in ("bounds_low", "bounds_high") if name in lazy.attrs
    }
    if any(group.attrs.get(name) != bound for name, bound in bounds.items()):
        outdated[:] = True
    if analysed[outdated].any():
        analysed[outdated] = False
        get_array(group, "analysed")[...] = analysed
    group.attrs.update(bounds)


def _create_results_group(
    root: zarr.Group, key: str, estimator: Estimator, lazy: xr.Dataset
) -> zarr.Group:
    group = root.create_group(key, overwrite=True, attributes=dict(lazy.attrs))
    sizes = {str(dim): size for dim, size in lazy.sizes.items()}
    for variable in (*RESULT_COORDINATES, *result_variables(estimator), RESULT_VARIABLES[-1]):
        create_variable(group, variable, sizes)
    return group


def _write_block(
    groups: Sequence[zarr.Group],
    lazy: Sequence[xr.Dataset],
    row: int,
    epochs: NDArray[np.intp],
) -> None:
    """Compute some snapshots of one repeat, write their results, then mark them."""
    computed = dask.compute(*(one.isel(repeat=row, epoch=epochs) for one in lazy))
    for group, results in zip(groups, computed, strict=True):
        with writing(group):
            for name, variable in results.data_vars.items():
                _write_epochs(get_array(group, str(name)), row, epochs, variable.values)
            _write_epochs(get_array(group, "analysed"), row, epochs, True)


def _write_epochs(
    array: "zarr.Array[Any]", row: int, epochs: NDArray[np.intp], values: NDArray[Any] | bool
) -> None:
    """Write some epochs of one repeat, and leave what is between them."""
    start, stop = int(epochs[0]), int(epochs[-1]) + 1
    region = np.asarray(array[row, start:stop])
    region[epochs - start] = values
    array[row, start:stop] = region


def _pending_blocks(
    pending: NDArray[np.bool_], block: int
) -> Iterator[tuple[int, NDArray[np.intp], NDArray[np.intp]]]:
    """Yield what is still to do, whole blocks of the store at a time.

    Takes (estimator, repeat, epoch); yields a repeat, some epochs of a block, and the estimators
    that are to do there (all positions). An estimator that has less to do than others makes for a
    second visit to the block.
    """
    _, n_repeats, n_epochs = pending.shape
    for row in range(n_repeats):
        for start in range(0, n_epochs, block):
            todo = pending[:, row, start : start + block].T
            for which in np.unique(todo[todo.any(axis=1)], axis=0)[::-1]:
                epochs = np.flatnonzero((todo == which).all(axis=1)) + start
                yield row, epochs, np.flatnonzero(which)


def _block_epochs(dataset: xr.Dataset) -> int:
    """Return how many epochs to analyse before writing: a multiple of the store's chunks."""
    cube = dataset[next(name for name in RECORDED if name in dataset)]
    chunk = int(cube.encoding["chunks"][cube.get_axis_num("epoch")])
    return chunk * max(1, TASKS_PER_WRITE // dataset.sizes["layer"])
