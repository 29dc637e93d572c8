"""Results and details that are opened: what they hold, against each other and the declarations."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import zarr

from ibtools.errors import StoreError, UnknownResultsError
from ibtools.store.schema import CUBE, RESULT_VARIABLES, STORE_VARIABLES, Variable
from ibtools.store.validation.attributes import KNOWN_OF_RESULTS, PACKAGE, validate_known
from ibtools.store.validation.declared import validate_declared
from ibtools.store.validation.sizes import validate_sizes

_AGAIN = "; delete this group, and analyse again"


def _coordinates() -> Iterable[Variable]:
    return (one for one in STORE_VARIABLES if one.coordinate and set(one.dims) <= set(CUBE[:3]))


_OF_ALL = (*_coordinates(), *RESULT_VARIABLES)
"""What any results may hold."""


def _declared(group: zarr.Group, names: Iterable[str]) -> dict[str, tuple[Variable, ...]]:
    """Return what a group may hold, by name: what all results may, and what the measure declares.

    That is looked up, and perhaps imported from another package, only where there is more.
    """
    declared: dict[str, tuple[Variable, ...]] = {}
    for one in (*_OF_ALL, *_of_detail(group.path)):
        declared[one.name] = (*declared.get(one.name, ()), one)
    if any(name not in declared for name in names):
        for one in _of_estimator(group.attrs):
            declared[one.name] = (one, *declared.get(one.name, ()))
    return declared


def _of_detail(path: str) -> Iterator[Variable]:
    """Yield what the detail of a place declares; other layers, classes and splits may be words."""
    place = path.split("/")
    if place[0] != "details" or len(place) != 3:
        return
    from ibtools.analysis.details.kinds import known_detail_class  # noqa: TID251

    known = known_detail_class(place[2])
    for one in known.variables if known else ():
        yield replace(one, dtypes=(*one.dtypes, "str")) if one.coordinate else one


def _of_estimator(attributes: Mapping[str, Any]) -> tuple[Variable, ...]:
    """Return what the estimator of results declares."""
    specification = attributes.get("estimator")
    if not isinstance(specification, str):
        return ()
    from ibtools.analysis.estimators import known_estimator  # noqa: TID251
    from ibtools.analysis.measures.protocol import own_coordinates  # noqa: TID251

    known = known_estimator(specification)
    return (*own_coordinates(known), *known.variables) if known else ()


def declared_variables(group: zarr.Group) -> tuple[Variable, ...]:
    """Return what results or details may hold, without what an estimator declares."""
    return (*_OF_ALL, *_of_detail(group.path))


RESULT_COORDINATES = tuple(one.name for one in _coordinates())
"""The coordinates of a store that its results carry too."""


def validate_results(
    group: zarr.Group, arrays: Mapping[str, "zarr.Array[Any]"], where: str
) -> None:
    """Check a group of results or details, by its metadata.

    No variable is unknown, or declared with other dims or another dtype; sizes agree and are within
    their bounds, attributes are of their types, and marks and coordinates are there. What a package
    declares that is not installed here is unknown.
    """
    for name in ("analysed", *RESULT_COORDINATES):
        if name not in arrays:
            raise StoreError(f"{where}: variable {name!r} must be there, but is not{_AGAIN}")
    declared = _declared(group, arrays)
    for name in arrays:
        if name not in declared:
            package = str(group.attrs.get(PACKAGE, "that computed it"))
            raise UnknownResultsError(
                f"{where}: must hold results only, found a variable {name!r:.60}, which neither "
                f"ibtools nor a package that is installed here declares; install the package "
                f"{package:.60}, take it elsewhere, or delete this group and analyse again"
            )
    found = [validate_declared(array, declared[name], where) for name, array in arrays.items()]
    validate_sizes(arrays, found, where)
    validate_known(group.attrs, KNOWN_OF_RESULTS, where)
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
