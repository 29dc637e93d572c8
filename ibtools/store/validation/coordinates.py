"""What the coordinates of a store say: each value, and all against each other."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ibtools.errors import StoreError
from ibtools.shown import shortened
from ibtools.store.layout import SPLITS
from ibtools.store.schema import kept
from ibtools.store.snapshots import FLOAT_BITS, MAX_CODE_BITS

PHASES = ("prefit", "training")
OUTCOMES = ("pending", "trained", "failed")

Coordinates = Mapping[str, NDArray[Any]]

_SET_RIGHT = "; the store was changed since it was recorded: restore it from a copy"
_LONGEST_NAME = 2**16


def validate_coordinates(
    values: Coordinates, where: str, *, n_units: int | None = None, dtypes: Mapping[str, str]
) -> None:
    """Check the values of the coordinates that there are.

    Parameters
    ----------
    values : mapping of str to ndarray
        Of a store, or of results of one: some or all.
    where : str
        The store, for the error.
    n_units : int, optional
        Length of the axis of units, if the store keeps the cube.
    dtypes : mapping of str to str
        Of `code`, `activation` and `partition`: what there is of these. Empty for results.

    Raises
    ------
    StoreError
        At the first that breaks the contract: what it is, where, and what must hold.

    Notes
    -----
    What people do to their stores is allowed: numbers of repeats may occur twice, since stores are
    concatenated, and labels may have gaps. `ibtools check` makes notes of these.
    """
    for name, (holds, wanted) in _EACH.items():
        if name in values:
            _validate_each(name, values[name], holds(values[name]), wanted, where)
    for name in ("epoch", "trained_epoch"):
        if name in values:
            _validate_ascending(name, values[name], where)
    if "layer" in values:
        _validate_different(values["layer"], where)
    if {"n_units", "bits"} <= set(values) and dtypes:
        _validate_layers(values, where, n_units, dtypes)


def _is_in(words: tuple[str, ...]) -> Callable[[NDArray[Any]], NDArray[np.bool_]]:
    return lambda values: np.isin(values, words)


def _is_name(values: NDArray[Any]) -> NDArray[np.bool_]:
    names = [str(name) for name in values.tolist()]
    return np.array(
        [bool(name.strip()) and "\0" not in name and len(name) < _LONGEST_NAME for name in names]
    )


def _is_width(values: NDArray[Any]) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = (values >= 1) & (values <= MAX_CODE_BITS) | (values == FLOAT_BITS)
    return found


def _is_short(values: NDArray[Any]) -> NDArray[np.bool_]:
    return np.array([len(str(text)) < _LONGEST_NAME for text in values.tolist()])


_EACH: dict[str, tuple[Callable[[NDArray[Any]], NDArray[np.bool_]], str]] = {
    "layer": (_is_name, "a name that can be seen, without null characters"),
    "activation_function": (_is_short, "a word"),
    "n_units": (lambda values: values >= 1, "1 or more"),
    "bits": (_is_width, f"1 to {MAX_CODE_BITS}, or {FLOAT_BITS} for floats"),
    "label": (lambda values: values >= 0, "a class numbered from 0"),
    "split": (_is_in(SPLITS), " or ".join(SPLITS)),
    "phase": (_is_in(PHASES), " or ".join(PHASES)),
    "outcome": (_is_in(OUTCOMES), ", ".join(OUTCOMES)),
    "failed_attempts": (lambda values: values >= 0, "0 or more"),
}


def _validate_each(
    name: str, values: NDArray[Any], holds: NDArray[np.bool_], wanted: str, where: str
) -> None:
    if not holds.all():
        first = int(holds.argmin())
        raise StoreError(
            f"{where}: every {name} must be {wanted}, found {_show(values[first])} at position "
            f"{first}{_SET_RIGHT}"
        )


def _validate_ascending(name: str, values: NDArray[Any], where: str) -> None:
    falls = values[1:] <= values[:-1]
    if falls.any():
        first = int(falls.argmax())
        raise StoreError(
            f"{where}: {name} must be ascending and without duplicates, found {values[first]}, "
            f"{values[first + 1]} at position {first}{_SET_RIGHT}"
        )


def _validate_different(names: NDArray[Any], where: str) -> None:
    seen = set()
    for name in names.tolist():
        if name in seen:
            raise StoreError(
                f"{where}: every layer must have a name of its own, found {_show(name)} twice"
                f"{_SET_RIGHT}"
            )
        seen.add(name)


def _validate_layers(
    values: Coordinates, where: str, n_units: int | None, dtypes: Mapping[str, str]
) -> None:
    """Check that what is stored has room for every layer."""
    if n_units is not None:
        fits = values["n_units"] <= n_units
        _validate_each("n_units", values["n_units"], fits, f"at most {n_units}, as unit is", where)
    if kept(dtypes) == "partition":
        return
    bits = values["bits"]
    floating = bits == FLOAT_BITS
    widest = 8 * np.dtype(dtypes["code"]).itemsize if "code" in dtypes else 0
    fits = np.where(floating, "activation" in dtypes, bits <= widest)
    of_codes = f"at most {widest}, as code has" if widest else f"{FLOAT_BITS}, as there is no code"
    of_floats = f", or {FLOAT_BITS} for floats" if widest and "activation" in dtypes else ""
    _validate_each("bits", bits, fits, of_codes + of_floats, where)


def _show(found: Any) -> str:
    value = found.item() if isinstance(found, np.generic) else found
    return shortened(repr(value))
