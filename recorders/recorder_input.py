"""What a `Recorder` is given beside arrays: whole numbers, scalars, attributes; checked."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ibtools.errors import InputError, StoreError
from ibtools.store.layout import whole_numbers
from ibtools.store.schema import OWN_ATTRIBUTES, validate_scalar_name
from ibtools.store.snapshots import HISTORY
from ibtools.store.validation.attributes import KNOWN


def natural(name: str, number: Any, *, most: int = 2**63 - 1) -> int:
    """Return a setting that counts from 0."""
    (whole,) = whole_numbers(name, [number], np.int64)
    if not 0 <= whole <= most:
        raise InputError(f"{name} must be a whole number from 0 to {most}, found {number!r}")
    return whole


def epoch_number(number: Any) -> int:
    """Return the number of an epoch or step as a store has it."""
    (whole,) = whole_numbers("epoch", [number], np.int32)
    return whole


def scalar(name: str, value: Any) -> float:
    """Return a number of an epoch, by a name that a store can give it."""
    if name not in HISTORY:
        validate_scalar_name(name)
    try:
        number = float(value.detach() if hasattr(value, "detach") else value)
    except (TypeError, ValueError, OverflowError) as err:
        raise StoreError(f"{name} must be a number, found {value!r:.60}") from err
    if isinstance(value, str):
        raise StoreError(f"{name} must be a number, found the text {value!r:.60}")
    if name in HISTORY and "accuracy" in name and not (np.isnan(number) or 0 <= number <= 1):
        raise StoreError(
            f"{name} must be a fraction, 0 to 1, found {number}; divide per cent by 100"
        )
    return number


def own_attributes(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return root attributes of the user's own, and their names, after checking these."""
    taken = [name for name in attributes if name in KNOWN and name != "experiment"]
    if taken:
        raise InputError(
            f"attributes must have names of your own, found {', '.join(taken)}, which ibtools says "
            "of a store itself; call them something else"
        )
    own = [name for name in attributes if name != "experiment"]
    return {**({OWN_ATTRIBUTES: own} if own else {}), **attributes}
