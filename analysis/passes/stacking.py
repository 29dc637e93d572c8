"""Results of several estimators as one Dataset, and those of one of them out of it again.

What attributes say of the results of one estimator, coordinates along `estimator` say of several,
so that ``results.sel(estimator="exact")`` is again what every function of results takes.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ibtools.analysis.estimators import variables_of
from ibtools.analysis.estimators.resolution import as_selected, split_resolutions
from ibtools.analysis.passes.result_variables import RESULT_COORDINATES
from ibtools.errors import InputError
from ibtools.provenance import provenance
from ibtools.store.counts import counts_of, in_counts
from ibtools.store.schema import LONGEST_LABEL

HELD = "has_layer"
"""The coordinate (estimator, layer) that says which layers the results of each hold."""

MEANING = "_meaning"
"""What the name of a variable is followed by in that of the coordinate that says what it is."""


def stack_estimators(results: Sequence[xr.Dataset]) -> xr.Dataset:
    """Put the results of several estimators into one Dataset.

    Parameters
    ----------
    results : sequence of Dataset
        Results of one store, as of a single estimator each, over equal repeats and epochs. What
        they lack of the layers that others hold is missing. Those of all resolutions are taken one
        by one, as of "resolution-0", "resolution-1" and so on.

    Returns
    -------
    Dataset
        With the first dimension `estimator`, labelled with specifications. Every variable that any
        of them has, with its missing value where an estimator does not have it. Attributes in which
        they differ are coordinates (estimator): NaN, -1 in whole numbers or "" where an estimator
        has none. A `long_name` in which they differ names each, or the first if that were more than
        a few words; the coordinate ``<variable>_meaning`` (estimator) says which is whose, "" for
        an estimator that lacks the variable. If they hold different layers, the coordinate
        `has_layer` (estimator, layer) says which are whose. Lazy where they are.

    Raises
    ------
    InputError
        If there are none.
    """
    if not results:
        raise InputError("at least one estimator is needed, found none")
    results = split_resolutions(results)
    results, held = _with_all_layers(results)
    names = list(dict.fromkeys(str(name) for one in results for name in one.data_vars))
    specifications = _strings(one.attrs["estimator"] for one in results)
    stacked: xr.Dataset = xr.concat(
        [_completed(one, names, results) for one in results],
        xr.Variable("estimator", specifications, {"long_name": "estimator"}),
        data_vars=names,
        coords="minimal",
        compat="override",
        join="exact",
        combine_attrs="drop_conflicts",
    )
    for name in names:
        stacked[name].attrs.update(_joined_attributes(name, results))
    labels = {**_differing(results), **_meanings(names, results), **held}
    own = {"estimator", *labels}
    stacked.attrs = {key: value for key, value in stacked.attrs.items() if key not in own}
    return stacked.assign_coords(labels)


def select_estimator(results: xr.Dataset) -> xr.Dataset:
    """Return results as they are of a single estimator, if they are a selection from several.

    Parameters
    ----------
    results : Dataset
        Of one estimator; or of several, of which one is selected, as in
        ``results.sel(estimator="exact")``; or of all resolutions, likewise.

    Returns
    -------
    Dataset
        What `ibtools.open_results` returns for that estimator: without the variables that it lacks,
        with its attributes. Lazy where `results` are.

    Raises
    ------
    InputError
        If several are left to choose from.
    """
    if "estimator" in results.dims:
        names = [str(name) for name in results["estimator"].values]
        raise InputError(
            f"results of one estimator are needed here, found {len(names)}: {', '.join(names)}; "
            f"select one, as in results.sel(estimator={names[0]!r}); to see them side by side, use "
            "ibtools.analysis.plots.estimator_comparison or ibtools compare"
        )
    if "estimator" not in results.coords:
        return as_selected(results)
    if HELD in results.coords:
        held = np.flatnonzero(results[HELD].values)
        results = results.isel(layer=held).drop_vars(HELD)
    labels = {str(name): results[name].item() for name in _labels(results)}
    known = {name: label for name, label in labels.items() if not _is_missing(label)}
    meanings = {name.removesuffix(MEANING) for name in labels if name.endswith(MEANING)}
    lacking = [name for name in meanings if name + MEANING not in known and name in results]
    one = results.drop_vars([*labels, *lacking])
    named = {
        name: one[name].assign_attrs(long_name=known.pop(name + MEANING))
        for name in sorted(meanings)
        if name in one
    }
    return _described(one.assign(named).assign_attrs(known))


def _described(results: xr.Dataset) -> xr.Dataset:
    """Describe variables as their estimator declares them, not as all that were stacked did."""
    declared, counts = variables_of(str(results.attrs["estimator"])), counts_of(results.attrs)
    own = {
        name: one.assign_attrs(description=in_counts(declared[str(name)].description, counts))
        for name, one in results.data_vars.items()
        if name in declared and "description" in one.attrs
    }
    return results.assign(own)


def split_estimators(results: xr.Dataset) -> list[xr.Dataset]:
    """Return the results of each estimator by themselves: the inverse of `stack_estimators`.

    Parameters
    ----------
    results : Dataset
        With the dimension `estimator`.

    Returns
    -------
    list of Dataset
        As of `select_estimator`.
    """
    n_estimators = results.sizes["estimator"]
    return [select_estimator(results.isel(estimator=index)) for index in range(n_estimators)]


def _with_all_layers(
    results: Sequence[xr.Dataset],
) -> tuple[Sequence[xr.Dataset], dict[str, xr.Variable]]:
    """Give all results the layers of all, and say which hold which; as they are if all hold all."""
    names = [[str(name) for name in one["layer"].values] for one in results]
    if all(one == names[0] for one in names):
        return results, {}
    order = _merged(names)
    described = xr.concat([_layer_columns(one) for one in results], "layer")
    described = described.drop_duplicates("layer").sel(layer=order)

    def complete(variable: xr.DataArray) -> xr.DataArray:
        if "layer" not in variable.dims:
            return variable
        return variable.reindex(layer=order, fill_value=_fill(str(variable.name), results))

    own = [name for name in described.coords if name != "layer"]
    completed = [
        one.drop_vars(own).map(complete, keep_attrs=True).assign_coords(described.coords)
        for one in results
    ]
    held = np.array([[name in of for name in order] for of in names])
    words = {"long_name": "whether these results hold the layer"}
    return completed, {HELD: xr.Variable(("estimator", "layer"), held, words)}


def _merged(lists: Sequence[Sequence[str]]) -> list[str]:
    """Merge the names of layers, each in the order of the network.

    Examples
    --------
    >>> _merged([["c"], ["a", "b", "d"], ["b", "c"]])
    ['a', 'b', 'c', 'd']
    """
    first, *others = sorted(lists, key=len, reverse=True)
    order = list(first)
    for names in others:
        place = 0
        for name in names:
            if name not in order:
                order.insert(place, name)
            place = order.index(name) + 1
    return order


def _layer_columns(results: xr.Dataset) -> xr.Dataset:
    """Return the coordinates that describe layers."""
    described = results.coords.to_dataset()
    return described[[name for name in described.coords if described[name].dims == ("layer",)]]


def _completed(one: xr.Dataset, names: Sequence[str], results: Sequence[xr.Dataset]) -> xr.Dataset:
    """Add the variables that other estimators have, as missing."""
    lacking: dict[str, Any] = {
        name: xr.full_like(
            next(other[name] for other in results if name in other), _fill(name, results)
        )
        for name in names
        if name not in one
    }
    return one.assign(lacking)[list(names)]


def _fill(name: str, results: Sequence[xr.Dataset]) -> Any:
    """Return the missing value of a variable, as one of the estimators that have it declares it."""
    having = next(one for one in results if name in one)
    declared = variables_of(str(having.attrs["estimator"]))
    if name in declared:
        return declared[name].fill
    return np.nan if having[name].dtype.kind == "f" else -1


def _joined_attributes(name: str, results: Sequence[xr.Dataset]) -> dict[str, str]:
    """Return what the variable is called, and is, for each of the estimators that have it."""
    having = [one[name].attrs for one in results if name in one]
    joined = {
        key: " or ".join(dict.fromkeys(str(attributes[key]) for attributes in having))
        for key in ("long_name", "description")
        if all(key in attributes for attributes in having)
    }
    if len(joined.get("long_name", "")) > LONGEST_LABEL:
        joined["long_name"] = f"{having[0]['long_name']} or others"
    return joined


def _differing(results: Sequence[xr.Dataset]) -> dict[str, xr.Variable]:
    """Make coordinates of the attributes that are not the same for all, but for who wrote them."""
    names = dict.fromkeys(str(name) for one in results for name in one.attrs)
    options = [name for name in names if name not in ("estimator", *provenance())]
    columns = {name: [one.attrs.get(name) for one in results] for name in options}
    return {
        name: xr.Variable("estimator", _column(values), {"long_name": f"{name} of the estimator"})
        for name, values in columns.items()
        if any(value != values[0] for value in values)
    }


def _column(values: Sequence[Any]) -> NDArray[Any]:
    """Put attributes into an array, None as the missing value of what the others are."""
    there = [value for value in values if value is not None]
    if all(isinstance(value, int) and value >= 0 for value in there):
        return np.array([-1 if value is None else int(value) for value in values], np.int64)
    if all(isinstance(value, int | float) for value in there):
        return np.array([np.nan if value is None else float(value) for value in values])
    return _strings("" if value is None else str(value) for value in values)


def _strings(words: Iterable[str]) -> NDArray[Any]:
    """Return strings as stores hold them, which Zarr v3 can write."""
    return np.array(list(words), np.dtypes.StringDType())


def _meanings(names: Sequence[str], results: Sequence[xr.Dataset]) -> dict[str, xr.Variable]:
    """Say what each variable is that is not the same for all, or that not all have."""
    columns = {
        name: [
            str(one[name].attrs.get("long_name", name)) if name in one else "" for one in results
        ]
        for name in names
    }
    return {
        f"{name}{MEANING}": xr.Variable(
            "estimator", _strings(labels), {"long_name": f"what {name} is"}
        )
        for name, labels in columns.items()
        if len(set(labels)) > 1
    }


def _labels(results: xr.Dataset) -> list[Any]:
    """Name the coordinates that are of the estimator: scalars that no schema declares."""
    declared = {variable.name for variable in RESULT_COORDINATES}
    return [name for name in results.coords if not results[name].dims and name not in declared]


def _is_missing(label: Any) -> bool:
    if isinstance(label, float):  # -1 is a number like any other
        return math.isnan(label)
    return label in ("", -1)
