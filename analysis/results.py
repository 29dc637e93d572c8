"""Results on disk: written block by block beside the recording, nothing computed twice."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import numpy as np
import xarray as xr
import zarr
from numpy.typing import NDArray

from ibtools.analysis.estimators import get_estimator
from ibtools.analysis.graph import RESULT_COORDINATES, STATISTICS, analyze
from ibtools.errors import StoreError
from ibtools.progress import progress_bar
from ibtools.schema import RESULT_VARIABLES
from ibtools.store import (
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
    """

    estimator: str
    computed: int
    skipped: int
    incomplete: int


def analyze_store(
    path: StorePath,
    *,
    estimator: str = "exact",
    output: StorePath | None = None,
    quiet: bool = False,
) -> AnalysisReport:
    """Analyse a store and write the results, block by block.

    Parameters
    ----------
    path : path or URL
        An ibtools store.
    estimator : str, optional
        Name in `ibtools.analysis.estimators.ESTIMATORS`.
    output : path or URL, optional
        Where the group ``information/<estimator>`` goes; into the store itself by default.
    quiet : bool, optional
        Show no progress.

    Returns
    -------
    AnalysisReport
        How much was computed, and how much was there from an earlier, perhaps killed, analysis.

    Raises
    ------
    UnknownNameError
        If there is no such estimator.
    StoreError
        If the store is none or has no complete snapshot, if `output` holds results of another
        store, or if results can't be written.
    """
    name = get_estimator(estimator).specification
    open_group(path)
    dataset = open_raw(path)
    lazy = analyze(dataset, estimator=estimator)
    target = path if output is None else output
    group = _open_results_group(target, name, lazy)
    complete = np.asarray(dataset["complete"].values, bool)
    analysed = read_array(group, "analysed")
    pending = complete & ~analysed
    block = _block_epochs(dataset)
    with progress_bar(
        int(complete.sum()),
        name,
        unit="snapshot",
        done=int((complete & analysed).sum()),
        quiet=quiet,
    ) as progress:
        for row, epochs in _pending_blocks(pending, block):
            _write_block(group, lazy, analysed, row, epochs)
            progress.update(len(epochs))
    return AnalysisReport(
        name, int(pending.sum()), int((complete & ~pending).sum()), int((~complete).sum())
    )


def open_results(path: StorePath, *, estimator: str = "exact") -> xr.Dataset:
    """Open the results of a store as a Dataset.

    Parameters
    ----------
    path : path or URL
        A store that was analysed, or the separate output of an analysis.
    estimator : str, optional
        Which results: the name that `ibtools analyze` printed.

    Returns
    -------
    Dataset
        As `ibtools.analyze` describes it; lazy. What is not analysed yet is NaN (0 in `n_states`).

    Raises
    ------
    StoreError
        If there are no such results.
    """
    available = result_names(path)
    if estimator not in available:
        there = (
            f"there are results of {', '.join(available)}" if available else "it has no results yet"
        )
        raise StoreError(
            f"{path}: no results of estimator {estimator!r}; {there}; compute them with: "
            f"ibtools analyze {path} --estimator {estimator}"
        )
    results = open_raw(path, group=f"{GROUP}/{estimator}")
    done = results["analysed"]
    masked = {
        variable.name: results[variable.name]
        .where(done, variable.fill)
        .assign_attrs(results[variable.name].attrs)
        for variable in STATISTICS
    }
    return results.drop_vars("analysed").assign(masked)


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


def _open_results_group(target: StorePath, name: str, lazy: xr.Dataset) -> zarr.Group:
    """Open the results to go on with, or create them; coordinates are brought up to date."""
    root = find_group(target, "r+") or create_results_root(target)
    key = f"{GROUP}/{name}"
    with writing(root):
        group = root.get(key)
        if not isinstance(group, zarr.Group) or "analysed" not in group:
            group = _create_results_group(root, key, lazy)
            consolidate(target)
        elif group.attrs.get("store_id") != lazy.attrs.get("store_id"):
            raise StoreError(
                f"{target}: holds results of another store; choose another --output, or delete them"
            )
        for variable in RESULT_COORDINATES:
            get_array(group, variable.name)[...] = lazy[variable.name].values
    return group


def _create_results_group(root: zarr.Group, key: str, lazy: xr.Dataset) -> zarr.Group:
    group = root.create_group(key, overwrite=True, attributes=dict(lazy.attrs))
    sizes = {str(dim): size for dim, size in lazy.sizes.items()}
    for variable in (*RESULT_COORDINATES, *RESULT_VARIABLES):
        create_variable(group, variable, sizes)
    return group


def _write_block(
    group: zarr.Group,
    lazy: xr.Dataset,
    analysed: NDArray[np.bool_],
    row: int,
    epochs: NDArray[np.intp],
) -> None:
    """Compute some snapshots of one repeat, write their results, then mark them."""
    computed = lazy.isel(repeat=row, epoch=epochs).compute()
    start, stop = int(epochs[0]), int(epochs[-1]) + 1
    with writing(group):
        for variable in STATISTICS:
            array = get_array(group, variable.name)
            region = np.asarray(array[row, start:stop])
            region[epochs - start] = computed[variable.name].values
            array[row, start:stop] = region
        analysed[row, epochs] = True
        get_array(group, "analysed")[row] = analysed[row]


def _pending_blocks(
    pending: NDArray[np.bool_], block: int
) -> Iterator[tuple[int, NDArray[np.intp]]]:
    """Yield the repeats and epochs (positions) still to do, whole blocks of the store at a time."""
    n_epochs = pending.shape[1]
    for row in range(pending.shape[0]):
        for start in range(0, n_epochs, block):
            epochs = np.flatnonzero(pending[row, start : start + block]) + start
            if epochs.size:
                yield row, epochs


def _block_epochs(dataset: xr.Dataset) -> int:
    """Return how many epochs to analyse before writing: a multiple of the store's chunks."""
    cube = dataset["code" if "code" in dataset else "activation"]
    chunk = int(cube.encoding["chunks"][cube.get_axis_num("epoch")])
    return chunk * max(1, TASKS_PER_WRITE // dataset.sizes["layer"])
