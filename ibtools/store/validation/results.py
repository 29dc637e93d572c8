"""Results and details that are opened: what they hold, against each other and the declarations."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import chain
from typing import Any

import zarr

from ibtools.errors import StoreError
from ibtools.store.detail_schema import DETAIL_VARIABLES
from ibtools.store.schema import CUBE, RESULT_VARIABLES, STORE_VARIABLES, Variable
from ibtools.store.validation.attributes import KNOWN_OF_RESULTS, validate_known
from ibtools.store.validation.declared import validate_declared
from ibtools.store.validation.sizes import validate_sizes

_AGAIN = "; delete this group, and analyse again"


def _coordinates() -> Iterable[Variable]:
    return (one for one in STORE_VARIABLES if one.coordinate and set(one.dims) <= set(CUBE[:3]))


def _of_details() -> Iterable[Variable]:
    """Yield what details may hold; other layers, classes and splits are words or numbers there."""
    for one in chain(*DETAIL_VARIABLES.values()):
        yield replace(one, dtypes=(*one.dtypes, "str")) if one.coordinate else one


def _by_name(variables: Iterable[Variable]) -> dict[str, tuple[Variable, ...]]:
    found: dict[str, tuple[Variable, ...]] = {}
    for one in variables:
        found[one.name] = (*found.get(one.name, ()), one)
    return found


_DECLARED = _by_name(chain(_coordinates(), RESULT_VARIABLES, _of_details()))


def _of_estimator(
    attributes: Mapping[str, Any], arrays: Mapping[str, "zarr.Array[Any]"]
) -> dict[str, tuple[Variable, ...]]:
    """Return what the estimator of results declares itself, if it is asked for."""
    specification = attributes.get("estimator")
    if set(arrays) <= set(_DECLARED) or not isinstance(specification, str):
        return {}
    from ibtools.analysis.estimators import known_estimator  # noqa: TID251

    known = known_estimator(specification)
    return _by_name(known.variables) if known else {}


RESULT_COORDINATES = tuple(one.name for one in _coordinates())
"""The coordinates of a store that its results carry too."""


def validate_results(
    arrays: Mapping[str, "zarr.Array[Any]"], attributes: Mapping[str, Any], where: str
) -> None:
    """Check a group of results or details, by its metadata.

    No variable is unknown, or declared with other dims or another dtype; sizes agree and are within
    their bounds, attributes are of their types, and marks and coordinates are there.
    """
    for name in ("analysed", *RESULT_COORDINATES):
        if name not in arrays:
            raise StoreError(f"{where}: variable {name!r} must be there, but is not{_AGAIN}")
    declared = {**_of_estimator(attributes, arrays), **_DECLARED}
    for name in arrays:
        if name not in declared:
            raise StoreError(
                f"{where}: must hold results only, found a variable {name!r:.60}, which no version "
                f"of ibtools writes{_AGAIN}, or take it elsewhere"
            )
    found = [validate_declared(array, declared[name], where) for name, array in arrays.items()]
    validate_sizes(arrays, found, where)
    validate_known(attributes, KNOWN_OF_RESULTS, where)
    for one in found:
        _validate_labels(one, arrays[one.name].attrs, where)


def _validate_labels(declared: Variable, attributes: Mapping[str, Any], where: str) -> None:
    """Check what figures and tables call a variable."""
    for name in declared.attributes():
        if not isinstance(attributes.get(name, ""), str):
            raise StoreError(
                f"{where}: the attribute {name} of {declared.name!r} must be a text, found "
                f"{attributes[name]!r:.60}{_AGAIN}"
            )
