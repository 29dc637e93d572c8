"""Results on disk: one group per estimator, filled window by window."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, cast

import numpy as np
import xarray as xr
import zarr
from numpy.typing import NDArray
from zarr.errors import ContainsArrayError

from ibtools.analysis.estimators import Estimator
from ibtools.analysis.measures.protocol import own_coordinates
from ibtools.analysis.measures.registry import DETAILS, ESTIMATORS
from ibtools.analysis.passes.kept_results import KeptResults
from ibtools.analysis.passes.outdated import dependencies, forget_outdated
from ibtools.analysis.passes.result_checksums import CHECKSUM, NAMES, Binding, checked_names
from ibtools.analysis.passes.result_identity import resize_results, take_results, validate_target
from ibtools.analysis.passes.result_places import (
    create_folder,
    create_results,
    mark_of_results,
    open_results_root,
    validate_free,
)
from ibtools.analysis.passes.result_rows import read_marks, read_row
from ibtools.analysis.passes.result_variables import RESULT_COORDINATES, numbered_coordinates
from ibtools.analysis.passes.windows import Window
from ibtools.provenance import provenance
from ibtools.store.creation import create_variable
from ibtools.store.groups import consolidate, get_array, writing
from ibtools.store.header import Header
from ibtools.store.identity import Content
from ibtools.store.locking import changing
from ibtools.store.schema import RESULT_VARIABLES, Variable
from ibtools.store.storage import StorePath
from ibtools.store.validation.attributes import PACKAGE

MARKS: Variable = next(one for one in RESULT_VARIABLES if one.name == "analysed")
"""The commit marks, (repeat, epoch)."""

GROUP = "information"
"""The group of a store that holds one group of results per estimator."""

_DIGESTED = "digested_layers"


def open_results_group(
    target: StorePath, estimator: Estimator, dataset: xr.Dataset, attributes: dict[str, Any]
) -> tuple[KeptResults, tuple[str, ...]]:
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
    kept : KeptResults
        The results.
    anew : tuple of str
        What of earlier results is to be computed anew and why, as from `forget_outdated`.

    Raises
    ------
    StoreError
        If results of another store are there, or what is no results, or nothing can be written.
    """
    key = f"{GROUP}/{estimator.specification}"
    own = estimator.variables
    coordinates = (*RESULT_COORDINATES, *own_coordinates(estimator))
    dataset = dataset.assign_coords(numbered_coordinates(estimator, Header.of(dataset)))
    create_folder(target)
    with changing(target):
        group = find_or_create(
            target, key, (*coordinates, *own), dataset, attributes, what="results"
        )
        lacking = [one for one in own if one.name not in group]
        with writing(group):
            anew = bring_up_to_date(
                group,
                estimator,
                dataset,
                coordinates=coordinates,
                depends=dependencies(attributes),
                lacking=[one.name for one in lacking],
            )
            _add_variables(group, lacking, dataset)
            if add_checksums(group, [one.name for one in own]) or lacking:
                consolidate(target)
        return KeptResults.of(target, group, dependencies(attributes)), anew


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
        The store, or where else results go; kept from changing.
    key : str
        Of the group in `target`.
    variables : sequence of Variable
        What a new group holds beside checksums and marks.
    dataset : Dataset
        With the sizes of all their dims.
    attributes : dict
        Of a new group; `store_id` says of which store the results are.
    what : str
        "results" or "details", for the error.

    Raises
    ------
    StoreError
        If results of another store are there, or what is no results, or nothing can be written.
    """
    root = open_results_root(target)
    content = Content.behind(dataset, attributes)
    validate_target(target, root, content, attributes)
    validate_free(target, root, key)
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
    package = _package_of(key)
    group = create_results(root, key, attributes | ({PACKAGE: package} if package else {}))
    checked = [one.name for one in variables if not one.coordinate]
    sizes = {**{str(dim): n for dim, n in dataset.sizes.items()}, CHECKSUM.dims[-1]: len(checked)}
    for variable in (*variables, CHECKSUM, MARKS):
        with suppress(ContainsArrayError):  # another analysis may have results in it already
            create_variable(group, variable, sizes)
        if variable.coordinate:
            get_array(group, variable.name)[...] = dataset[variable.name].values
        elif variable is CHECKSUM:
            get_array(group, CHECKSUM.name).attrs[NAMES] = checked
    return group


def _package_of(key: str) -> str:
    """Return which other package the estimator or detail of a group is from; empty if none."""
    estimator, *detail = (name.partition("-")[0] for name in key.split("/")[1:])
    return ESTIMATORS.package_of(estimator) or "".join(map(DETAILS.package_of, detail))


def bring_up_to_date(
    group: zarr.Group,
    estimator: Estimator,
    dataset: xr.Dataset,
    *,
    coordinates: Sequence[Variable],
    depends: Mapping[str, Any],
    lacking: Sequence[str] = (),
) -> tuple[str, ...]:
    """Unmark what is out of date, then write what results depend on, and their coordinates.

    Parameters
    ----------
    group : zarr.Group
        Results, kept from changing.
    estimator : Estimator
        Whose.
    dataset : Dataset
        With the coordinates as they are now.
    coordinates : sequence of Variable
        Which.
    depends, lacking
        As for `forget_outdated`.

    Returns
    -------
    tuple of str
        From `forget_outdated`.
    """
    anew = forget_outdated(
        group, estimator, seed=dataset["seed"].values, depends=depends, lacking=lacking
    )
    known = {**depends, **mark_of_results(), **(provenance() if anew else {})}
    if any(group.attrs.get(name) != value for name, value in known.items()):
        group.attrs.update(known)
    for variable in coordinates:
        get_array(group, variable.name)[...] = dataset[variable.name].values
    return anew


def _add_variables(group: zarr.Group, lacking: Sequence[Variable], dataset: xr.Dataset) -> None:
    """Add what results of an earlier version of ibtools lack, of which none is marked any more."""
    sizes = {str(dim): n for dim, n in dataset.sizes.items()}
    for variable in lacking:
        create_variable(group, variable, sizes)


def add_checksums(group: zarr.Group, names: Sequence[str]) -> bool:
    """Add the checksums that results of an earlier version lack; whether they did.

    What is marked there is taken as it is, but for what is plainly not there.
    """
    if checked_names(group) == tuple(names):
        return False
    marks = read_marks(group)
    n_repeats, n_epochs = marks.shape
    if CHECKSUM.name in group:
        del group[CHECKSUM.name]
    sizes = {"repeat": n_repeats, "epoch": n_epochs, CHECKSUM.dims[-1]: len(names)}
    create_variable(group, CHECKSUM, sizes)
    binding, sums = Binding.of(group), get_array(group, CHECKSUM.name)
    for row in np.flatnonzero(marks.any(axis=1)):
        _add_row(group, names, int(row), marks[row], binding, sums)
    sums.attrs[NAMES] = list(names)
    return True


def _add_row(
    group: zarr.Group,
    names: Sequence[str],
    row: int,
    marks: NDArray[np.bool_],
    binding: Binding,
    sums: "zarr.Array[Any]",
) -> None:
    values = {name: read_row(get_array(group, name), row) for name in names}
    plane = [values[name] for name in ("mi_xt", "mi_ty") if name in values]
    missing = [np.isnan(of).any(axis=-1) for of in plane if of.ndim == 2]
    there = marks & ~np.any(missing, axis=0) if missing else marks
    if (there != marks).any():
        get_array(group, MARKS.name)[row] = there
    epochs = np.flatnonzero(there)
    found = np.zeros((len(marks), len(names)), np.uint32)
    for index, name in enumerate(names):
        found[epochs, index] = binding.checksums(row, epochs, name, values[name][epochs])
    sums[row] = found


def note_digested(kept: KeptResults, layers: Sequence[str]) -> None:
    """Write down of which layers the partition comes from digests, and is not verified.

    Parameters
    ----------
    kept : KeptResults
        Results.
    layers : sequence of str
        Layers that are too large for memory now. Those of earlier runs stay noted.
    """
    if not layers:
        return
    with changing(kept.target), writing(kept.group):
        group = kept.reopen().group
        known = str(group.attrs.get(_DIGESTED, ""))
        names = list(dict.fromkeys([*filter(None, known.split(", ")), *layers]))
        if ", ".join(names) != known:
            n_samples = cast(int, group.attrs["n_samples"])
            probability = float(n_samples) ** 2 / 2.0**129
            group.attrs.update(
                {_DIGESTED: ", ".join(names), "false_merge_probability": probability}
            )


def is_done(window: Window, kept: Sequence[KeptResults]) -> bool:
    """Whether other analyses have marked all of a window since it was found to be to do."""
    return all(kept[index].marked(window.repeat)[window.epochs].all() for index in window.measures)


def write_window(kept: Sequence[KeptResults], window: Window) -> None:
    """Write the results of some snapshots of one repeat, then mark them.

    What another analysis wrote meanwhile is left as it is.

    Parameters
    ----------
    kept : sequence of KeptResults
        The results of all measures of the pass.
    window : Window
        With all values.

    Raises
    ------
    StoreError
        If the disk is full or can't be written to, or the results are those of something else now.
    """
    for index, values in zip(window.measures, window.values, strict=True):
        kept[index].write(window.repeat, window.epochs, values)
