"""Details on disk: one group per estimator and detail, written block by block, none twice."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

import dask
import numpy as np
import xarray as xr
import zarr
from numpy.typing import NDArray

from ibtools.analysis.details.graph import data_variables, details_each, validate_counting
from ibtools.analysis.details.kinds import Detail, DetailLike, get_details
from ibtools.analysis.estimators import CountingEstimator, EstimatorLike, get_estimator
from ibtools.analysis.outdated import DEPENDS_ON, dependencies, forget_outdated
from ibtools.analysis.result_groups import find_or_create, write_epochs
from ibtools.analysis.result_identity import current_marks
from ibtools.analysis.result_variables import RESULT_COORDINATES
from ibtools.detail_schema import DETAIL_VARIABLES
from ibtools.errors import StoreError
from ibtools.progress import progress_bar
from ibtools.schema import CUBE, Variable
from ibtools.shown import shell_command
from ibtools.store import (
    RECORDED,
    StorePath,
    dtype_name,
    find_group,
    get_array,
    open_group,
    open_raw,
    read_array,
    writing,
)

GROUP = "details"
"""The group of a store that holds a group per estimator, with a group per detail in it."""

CHUNKS_PER_WRITE = 8
"""Chunks that are analysed before their details are written."""

_DEPENDS_ON = (*DEPENDS_ON, "label_checksum")
"""Attributes that details are out of date without."""


@dataclass(frozen=True)
class DetailsReport:
    """What was done for one detail.

    Parameters
    ----------
    group : str
        Where in the store it is.
    computed, skipped, incomplete : int
        Snapshots that were analysed now, that were there already, and that are not recorded yet.
    anew : tuple of str, optional
        What of earlier details was out of date and is computed anew, and why.
    """

    group: str
    computed: int
    skipped: int
    incomplete: int
    anew: tuple[str, ...] = ()

    def __str__(self) -> str:
        incomplete = f", {self.incomplete} not recorded yet" if self.incomplete else ""
        return (
            f"{self.group}: {self.computed} snapshots analysed, {self.skipped} skipped "
            f"(analysed before){incomplete}" + "".join(f"; {phrase}" for phrase in self.anew)
        )


def details_store(
    path: StorePath,
    what: DetailLike | Sequence[DetailLike],
    *,
    estimator: EstimatorLike = "exact",
    output: StorePath | None = None,
    quiet: bool = False,
) -> tuple[DetailsReport, ...]:
    """Compute details of a store and write them, block by block.

    Parameters
    ----------
    path : path or URL
        An ibtools store.
    what : str or Detail, or sequence of them
        As for `ibtools.details`.
    estimator : str or CountingEstimator, optional
        What a state is.
    output : path or URL, optional
        Where the groups ``details/<estimator>/<detail>`` go; into the store itself by default.
    quiet : bool, optional
        Show no progress.

    Returns
    -------
    tuple of DetailsReport
        One per detail.

    Raises
    ------
    UnknownNameError, InputError
        As `ibtools.details`.
    StoreError
        If the store is none or has no complete snapshot, if `output` holds details of another
        store, or if they can't be written.

    Notes
    -----
    Earlier details are kept unless they are out of date: those of a repeat that was begun anew
    since, and all if the estimator computes something else now (its `revision`), if labels, inputs
    or layers of the store were changed, if the bounds of an estimator with global bounds grew, or
    if another label has the same name.
    """
    kinds = get_details(what)
    counting = validate_counting(get_estimator(estimator))
    open_group(path)
    dataset = open_raw(path)
    lazy = details_each(dataset, kinds, counting)
    target = path if output is None else output
    keys = [f"{GROUP}/{counting.specification}/{kind.name}" for kind in kinds]
    opened = [
        _open_details_group(target, key, kind, one, counting)
        for key, kind, one in zip(keys, kinds, lazy, strict=True)
    ]
    groups, anew = zip(*opened, strict=True)
    complete = np.asarray(dataset["complete"].values, bool)
    analysed = np.stack([read_array(group, "analysed") for group in groups])
    pending = complete & ~analysed
    names = ", ".join(kind.name for kind in kinds)
    done = int((complete & analysed).all(axis=0).sum())
    with progress_bar(int(complete.sum()), names, unit="snapshot", done=done, quiet=quiet) as bar:
        for row, epochs in _pending_blocks(pending.any(axis=0), _block_epochs(dataset)):
            chosen = np.flatnonzero(pending[:, row, epochs].any(axis=1))
            _write_block([groups[i] for i in chosen], [lazy[i] for i in chosen], row, epochs)
            bar.update(len(epochs))
    incomplete = int((~complete).sum())
    return tuple(
        DetailsReport(key, int(new.sum()), int((complete & old).sum()), incomplete, why)
        for key, new, old, why in zip(keys, pending, analysed, anew, strict=True)
    )


def open_details(
    path: StorePath, what: DetailLike, *, estimator: EstimatorLike = "exact"
) -> xr.Dataset:
    """Open the details of a store as a Dataset.

    Parameters
    ----------
    path : path or URL
        A store, or the separate output of `ibtools.details_store`.
    what : str or Detail
        Which: the name that `ibtools details` printed, such as "classes" or "by-popcount".
    estimator : str or CountingEstimator, optional
        Of which estimator.

    Returns
    -------
    Dataset
        As `ibtools.details` describes it; lazy. What is not analysed yet is missing.

    Raises
    ------
    StoreError
        If there are no such details, or they are out of date.
    """
    name = what if isinstance(what, str) else what.name
    chosen = get_estimator(estimator)
    specification = chosen.specification
    key = f"{GROUP}/{specification}/{name}"
    words = shell_command("details", path, name, "--estimator", specification)
    command = f"{words}, or see --by and --permutations"
    root = find_group(path, "r")
    if root is None or key not in root:
        raise StoreError(
            f"{path}: no details {name!r} of {specification}; compute them with: {command}"
        )
    found = open_raw(path, group=key)
    what = f"the details {name!r} of {specification}"
    analysed = current_marks(path, key, found, chosen, what=what, command=command)
    fills = {one.name: one.fill for one in itertools.chain(*DETAIL_VARIABLES.values())}
    masked = {
        name: found[name].where(analysed, fills[str(name)]).assign_attrs(found[name].attrs)
        for name in found.data_vars
        if name != "analysed"
    }
    return found.drop_vars("analysed").assign(masked)


def _open_details_group(
    target: StorePath, key: str, kind: Detail, lazy: xr.Dataset, estimator: CountingEstimator
) -> tuple[zarr.Group, tuple[str, ...]]:
    """Open the details to go on with, or create them; coordinates are brought up to date."""
    own = (variable for variable in DETAIL_VARIABLES[kind.kind] if variable.coordinate)
    coordinates = (*RESULT_COORDINATES, *own)
    attributes = {**lazy.attrs, "coordinates": " ".join(one.name for one in coordinates)}
    variables = tuple(_as_given(one, lazy) for one in (*coordinates, *data_variables(kind)))
    _delete_misshapen(target, key, variables, lazy)
    group = find_or_create(target, key, variables, lazy, attributes, what="details")
    depends = dependencies(lazy.attrs, _DEPENDS_ON)
    kept = ("created", "coordinates")
    with writing(group):
        anew = forget_outdated(group, estimator, seed=lazy["seed"].values, depends=depends)
        group.attrs.update({name: value for name, value in lazy.attrs.items() if name not in kept})
        for variable in coordinates:
            get_array(group, variable.name)[...] = lazy[variable.name].values
    return group, anew


def _as_given(variable: Variable, lazy: xr.Dataset) -> Variable:
    """Return the declaration with the dtype that a coordinate has here: classes may be words."""
    is_word = variable.coordinate and lazy[variable.name].dtype.kind in "UTO"
    return replace(variable, dtypes=("str",), fill="") if is_word else variable


def _delete_misshapen(
    target: StorePath, key: str, variables: Sequence[Variable], lazy: xr.Dataset
) -> None:
    """Delete details of this store whose arrays have no place for the classes that it has now.

    Repeats and epochs that were added since get places of their own.
    """
    root = find_group(target, "r+")
    group = None if root is None else root.get(key)
    if root is None or not isinstance(group, zarr.Group) or "analysed" not in group:
        return
    if group.attrs.get("store_id") != lazy.attrs.get("store_id"):
        return
    for variable in variables:
        array = get_array(group, variable.name)
        known = zip(variable.dims, array.shape, strict=True)
        fits = all(lazy.sizes[dim] == n for dim, n in known if dim not in CUBE[:2])
        if not fits or dtype_name(array) != variable.dtypes[0]:
            with writing(root):
                del root[key]
            return


def _write_block(
    groups: Sequence[zarr.Group], lazy: Sequence[xr.Dataset], row: int, epochs: NDArray[np.intp]
) -> None:
    """Compute some snapshots of one repeat, write their details, then mark them."""
    computed = dask.compute(*(one.isel(repeat=[row], epoch=epochs) for one in lazy))
    for group, found in zip(groups, computed, strict=True):
        with writing(group):
            for name, variable in found.data_vars.items():
                write_epochs(get_array(group, str(name)), row, epochs, variable.values[0])
            write_epochs(get_array(group, "analysed"), row, epochs, True)


def _pending_blocks(pending: NDArray[np.bool_], block: int) -> list[tuple[int, NDArray[np.intp]]]:
    """Return what is still to do, (repeat, epoch), whole blocks of the store at a time."""
    n_repeats, n_epochs = pending.shape
    blocks = [
        (row, np.flatnonzero(pending[row, start : start + block]) + start)
        for row in range(n_repeats)
        for start in range(0, n_epochs, block)
    ]
    return [(row, epochs) for row, epochs in blocks if epochs.size]


def _block_epochs(dataset: xr.Dataset) -> int:
    """Return how many epochs to analyse before writing: a multiple of the store's chunks."""
    cube = dataset[next(name for name in RECORDED if name in dataset)]
    chunks = cast("tuple[int, ...]", cube.encoding["chunks"])
    return int(chunks[cube.get_axis_num("epoch")]) * CHUNKS_PER_WRITE
