"""Results on disk: one group per estimator, filled window by window."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, cast

import numpy as np
import xarray as xr
import zarr
from numpy.typing import NDArray
from zarr.errors import ContainsArrayError, ContainsGroupError

from ibtools.analysis.estimators import Estimator
from ibtools.analysis.outdated import dependencies, forget_outdated
from ibtools.analysis.result_identity import resize_results, take_results, validate_target
from ibtools.analysis.result_variables import (
    RESULT_COORDINATES,
    from_statistic,
    result_variables,
)
from ibtools.analysis.windows import Window
from ibtools.identity import Content
from ibtools.provenance import provenance
from ibtools.schema import CUBE, RESULT_VARIABLES, Variable
from ibtools.store import (
    StorePath,
    consolidate,
    create_results_root,
    create_variable,
    find_group,
    get_array,
    writing,
)

GROUP = "information"
"""The group of a store that holds one group of results per estimator."""

_DIGESTED = "digested_layers"


def open_results_group(
    target: StorePath, estimator: Estimator, dataset: xr.Dataset, attributes: dict[str, Any]
) -> tuple[zarr.Group, tuple[str, ...]]:
    """Open the results to go on with, or create them; coordinates are brought up to date.

    Parameters
    ----------
    target : path or URL
        The store, or where else results go.
    estimator : Estimator
        Whose results.
    dataset : Dataset
        Of the store, for the coordinates.
    attributes : dict
        Of the results.

    Returns
    -------
    group : zarr.Group
        The results.
    anew : tuple of str
        What of earlier results is to be computed anew and why, as from `forget_outdated`.

    Raises
    ------
    StoreError
        If results of another store are there, or nothing can be written.
    """
    key = f"{GROUP}/{estimator.specification}"
    variables = (*RESULT_COORDINATES, *result_variables(estimator))
    group = find_or_create(target, key, variables, dataset, attributes, what="results")
    depends = dependencies(attributes)
    lacking = [one for one in result_variables(estimator) if one.name not in group]
    with writing(group):
        anew = forget_outdated(
            group,
            estimator,
            seed=dataset["seed"].values,
            depends=depends,
            lacking=[one.name for one in lacking],
        )
        _add_variables(target, group, lacking)
        group.attrs.update({**depends, **(provenance() if anew else {})})
        for variable in RESULT_COORDINATES:
            get_array(group, variable.name)[...] = dataset[variable.name].values
    return group, anew


def find_or_create(
    target: StorePath,
    key: str,
    variables: Sequence[Variable],
    dataset: xr.Dataset,
    attributes: dict[str, Any],
    *,
    what: str,
) -> zarr.Group:
    """Find a group that results of a store go to, or create it with nothing marked as analysed.

    Parameters
    ----------
    target : path or URL
        The store, or where else results go.
    key : str
        Of the group in `target`.
    variables : sequence of Variable
        What a new group holds beside the marks.
    dataset : Dataset
        With the sizes of all their dims.
    attributes : dict
        Of a new group; `store_id` says of which store the results are.
    what : str
        "results" or "details", for the error.

    Raises
    ------
    StoreError
        If results of another store are there, or nothing can be written.
    """
    root = find_group(target, "r+") or create_results_root(target)
    content = Content.behind(dataset, attributes)
    validate_target(target, root, content, attributes)
    sizes = {str(dim): n for dim, n in dataset.sizes.items()}
    with writing(root):
        group = root.get(key)
        if isinstance(group, zarr.Group) and "analysed" in group:
            take_results(target, root, group, content, attributes, what=what)
            changed = False
        else:
            group = _create(root, key, variables, dataset, attributes)
            changed = True
        if resize_results(group, sizes) or changed:
            consolidate(target)
    return group


def _create(
    root: zarr.Group,
    key: str,
    variables: Sequence[Variable],
    dataset: xr.Dataset,
    attributes: dict[str, Any],
) -> zarr.Group:
    """Create what is not there yet: several analyses that begin at once all create the same.

    The marks come last: whoever sees them sees all else.
    """
    try:
        group = root.require_group(key)
    except ContainsGroupError:
        group = cast("zarr.Group", root[key])
    group.attrs.update(attributes)
    sizes = {str(dim): n for dim, n in dataset.sizes.items()}
    for variable in (*variables, RESULT_VARIABLES[-1]):
        with suppress(ContainsArrayError):  # another analysis may have results in it already
            create_variable(group, variable, sizes)
        if variable.coordinate:
            get_array(group, variable.name)[...] = dataset[variable.name].values
    return group


def _add_variables(target: StorePath, group: zarr.Group, lacking: Sequence[Variable]) -> None:
    """Add what results of an earlier version of ibtools lack, of which none is marked any more."""
    if not lacking:
        return
    sizes = dict(zip(CUBE, get_array(group, "mi_ty").shape, strict=False))
    for variable in lacking:
        create_variable(group, variable, sizes)
    consolidate(target)


def note_digested(group: zarr.Group, layers: Sequence[str]) -> None:
    """Write down of which layers the partition comes from digests, and is not verified.

    Parameters
    ----------
    group : zarr.Group
        Results.
    layers : sequence of str
        Layers that are too large for memory now. Those of earlier runs stay noted.
    """
    known = str(group.attrs.get(_DIGESTED, ""))
    names = list(dict.fromkeys([*filter(None, known.split(", ")), *layers]))
    if ", ".join(names) != known:
        n_samples = cast(int, group.attrs["n_samples"])
        probability = float(n_samples) ** 2 / 2.0**129
        with writing(group):
            group.attrs.update(
                {_DIGESTED: ", ".join(names), "false_merge_probability": probability}
            )


def write_window(
    groups: Sequence[zarr.Group], estimators: Sequence[Estimator], window: Window
) -> None:
    """Write the results of some snapshots of one repeat, then mark them.

    Parameters
    ----------
    groups : sequence of zarr.Group
        The results of all estimators of the analysis.
    estimators : sequence of Estimator
        The same estimators.
    window : Window
        With all statistics.

    Raises
    ------
    StoreError
        If the disk is full or can't be written to.
    """
    start = 0
    for index in window.estimators:
        group, variables = groups[index], result_variables(estimators[index])
        with writing(group):
            for position, variable in enumerate(variables, start):
                values = from_statistic(variable, window.statistics[..., position])
                write_epochs(get_array(group, variable.name), window.repeat, window.epochs, values)
            write_epochs(get_array(group, "analysed"), window.repeat, window.epochs, True)
        start += len(variables)


def write_epochs(
    array: "zarr.Array[Any]", repeat: int, epochs: NDArray[np.intp], values: NDArray[Any] | bool
) -> None:
    """Write some epochs of one repeat (positions), and leave what is between them."""
    start, stop = int(epochs[0]), int(epochs[-1]) + 1
    region = np.asarray(array[repeat, start:stop])
    region[epochs - start] = values
    array[repeat, start:stop] = region
