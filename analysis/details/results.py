"""Details on disk: one group per estimator and detail, written block by block, none twice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import cast

import xarray as xr
import zarr

from ibtools.analysis.details.graph import (
    detail_measures,
    details_each,
    range_of_details,
    validate_counting,
)
from ibtools.analysis.details.kinds import (
    DetailLike,
    detail_class,
    full_name,
    get_details,
    validate_named,
)
from ibtools.analysis.details.protocol import Detail, data_variables
from ibtools.analysis.estimators import Estimator, EstimatorLike, get_estimator
from ibtools.analysis.estimators.chosen_layers import choose_layers, chosen_positions
from ibtools.analysis.passes.kept_results import KeptResults
from ibtools.analysis.passes.outdated import DETAILS_DEPEND_ON, dependencies
from ibtools.analysis.passes.result_checksums import CHECKSUM
from ibtools.analysis.passes.result_groups import (
    MARKS,
    add_checksums,
    bring_up_to_date,
    find_or_create,
)
from ibtools.analysis.passes.result_identity import current_marks
from ibtools.analysis.passes.result_places import (
    create_folder,
    validate_free,
    validate_only,
    validate_places,
)
from ibtools.analysis.passes.result_variables import RESULT_COORDINATES
from ibtools.analysis.passes.results import layer_names, named_in
from ibtools.analysis.passes.rounds import Rounds
from ibtools.analysis.passes.store_blocks import close_stores
from ibtools.analysis.passes.store_pass import Pass
from ibtools.analysis.passes.verified import mask_results
from ibtools.analysis.passes.writing import write_pending
from ibtools.errors import StoreError
from ibtools.shown import counted, shell_command
from ibtools.store.datasets import open_raw_results, raw_dataset
from ibtools.store.groups import consolidate, find_group, get_array, writing
from ibtools.store.header import Header
from ibtools.store.locking import changing
from ibtools.store.opened import open_group
from ibtools.store.schema import CUBE, Variable
from ibtools.store.storage import StorePath, absolute
from ibtools.store.validation.declared import dtype_name
from ibtools.tasks.memory import DEFAULT_MEMORY, LIBRARIES, parse_memory
from ibtools.tasks.workers import open_workers

GROUP = "details"
"""The group of a store that holds a group per estimator, with a group per detail in it."""


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
            f"{self.group}: {counted(self.computed, 'snapshot')} analysed, {self.skipped} skipped "
            f"(analysed before){incomplete}" + "".join(f"; {phrase}" for phrase in self.anew)
        )


def details_store(
    path: StorePath,
    what: DetailLike | Sequence[DetailLike],
    *,
    estimator: EstimatorLike = "exact",
    layers: Iterable[str] | None = None,
    output: StorePath | None = None,
    memory: str | int = DEFAULT_MEMORY,
    scheduler: str | None = None,
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
    layers : iterable of str, optional
        The layers to look at; all by default. As for `ibtools.analyze_store`, details of some are a
        group of their own; what a snapshot is of is these layers then, so that "layers" compares
        them with each other, and "prediction" needs the last layer of the network among them.
    output : path or URL, optional
        Where the groups ``details/<estimator>/<detail>`` go; into the store itself by default.
    memory, scheduler : optional
        As for `ibtools.analyze_store`. Snapshots are read whole, layer after layer; a layer that
        does not fit is partitioned some units at a time.
    quiet : bool, optional
        Show no progress.

    Returns
    -------
    tuple of DetailsReport
        One per detail.

    Raises
    ------
    UnknownNameError, InputError
        As `ibtools.details`; also if a detail is in no registry, so that nobody could open it.
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
    validate_named(kinds)
    budget = parse_memory(memory) - LIBRARIES
    group = open_group(path)
    names = layer_names(group)
    counting = validate_counting(get_estimator(estimator))
    counting = choose_layers(counting, layers, names)
    target = path if output is None else output
    keys = [f"{GROUP}/{counting.specification}/{kind.name}" for kind in kinds]
    validate_places(target, keys)
    dataset = raw_dataset(group, path)
    # read once, before all else: a recording may go on, and what is complete later does not count
    dataset = dataset.assign(complete=dataset["complete"].load())
    lazy = details_each(dataset, kinds, counting)
    header = Header.of(dataset)
    measures = detail_measures(kinds, counting, header)
    complete = header.complete
    try:
        with open_workers(scheduler) as workers:
            walk = Pass.of(
                absolute(path),
                group,
                dataset,
                measures,
                workers,
                budget=budget,
                global_range=range_of_details(dataset, measures, header),
                layers=chosen_positions(counting, names),
            )
            opened = [
                _open_details_group(target, key, kind, one, counting)
                for key, kind, one in zip(keys, kinds, lazy, strict=True)
            ]
            kept, anew = zip(*opened, strict=True)
            rounds = Rounds(complete, kept)
            title = ", ".join(kind.name for kind in kinds)
            write_pending(walk, rounds, title, quiet=quiet)
    finally:
        close_stores()
    incomplete = int((~complete).sum())
    return tuple(
        DetailsReport(
            key, *rounds.count(index), incomplete, (*why, *rounds.describe_damaged(index))
        )
        for index, (key, why) in enumerate(zip(keys, anew, strict=True))
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
        Which: the name that `ibtools details` printed, such as "classes" or "by-popcount"; options
        that are left out at its end have their defaults.
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
    name = full_name(what)
    root = find_group(path, "r")
    chosen = get_estimator(estimator)
    chosen = chosen if root is None else named_in(root, chosen)
    specification = chosen.specification
    key = f"{GROUP}/{specification}/{name}"
    words = shell_command("details", path, name, "--estimator", specification)
    command = f"{words}, or see --by and --permutations"
    if root is None or key not in root:
        raise StoreError(
            f"{path}: no details {name!r} of {specification}; compute them with: {command}"
        )
    group = cast("zarr.Group", root[key])
    found = open_raw_results(group, f"{path}: {key}")
    what = f"the details {name!r} of {specification}"
    analysed = current_marks(path, root, key, found, chosen, what=what, command=command)
    declared = detail_class(name).variables
    return mask_results(
        found,
        group,
        analysed,
        {one.name: one.fill for one in declared if one.name in found.data_vars},
        where=f"{path}: {what}",
        command=command,
    )


def _open_details_group(
    target: StorePath, key: str, kind: Detail, lazy: xr.Dataset, estimator: Estimator
) -> tuple[KeptResults, tuple[str, ...]]:
    """Open the details to go on with, or create them; coordinates are brought up to date."""
    own = (variable for variable in kind.variables if variable.coordinate)
    coordinates = (*RESULT_COORDINATES, *own)
    attributes = {**lazy.attrs, "coordinates": " ".join(one.name for one in coordinates)}
    variables = tuple(_as_given(one, lazy) for one in (*coordinates, *data_variables(kind)))
    depends = dependencies(lazy.attrs, DETAILS_DEPEND_ON)
    kept = ("created", "coordinates")
    create_folder(target)
    with changing(target):
        _delete_misshapen(target, key, variables, lazy)
        group = find_or_create(target, key, variables, lazy, attributes, what="details")
        with writing(group):
            anew = bring_up_to_date(
                group, estimator, lazy, coordinates=coordinates, depends=depends
            )
            group.attrs.update(
                {name: value for name, value in lazy.attrs.items() if name not in kept}
            )
            if add_checksums(group, [one.name for one in variables if not one.coordinate]):
                consolidate(target)
        return KeptResults.of(target, group, depends), anew


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
    if root is None:
        return
    validate_free(target, root, key)
    group = root.get(key)
    if not isinstance(group, zarr.Group) or all(_fits(group, one, lazy) for one in variables):
        return
    if group.attrs.get("store_id") != lazy.attrs.get("store_id"):
        return
    names = {CHECKSUM.name, MARKS.name, *(variable.name for variable in variables)}
    validate_only(target, key, names)
    with writing(root):
        del root[key]


def _fits(group: zarr.Group, variable: Variable, lazy: xr.Dataset) -> bool:
    """Whether an array has the dtype that it needs, and the sizes but for repeats and epochs."""
    if variable.name not in group:  # created by nobody yet
        return True
    array = get_array(group, variable.name)
    known = zip(variable.dims, array.shape, strict=True)
    sized = all(lazy.sizes[dim] == n for dim, n in known if dim not in CUBE[:2])
    return sized and dtype_name(array) == variable.dtypes[0]
