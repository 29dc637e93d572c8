"""What a store must agree with itself on, seen from its metadata."""

import json
from collections.abc import Mapping
from textwrap import shorten
from typing import Any

import zarr

from ibtools.errors import StoreError
from ibtools.schema import STORE_VARIABLES
from ibtools.storage import StorePath


def validate_sizes(arrays: Mapping[str, "zarr.Array[Any]"], path: StorePath) -> None:
    """Check that all variables of a store agree on the length of every dimension.

    Raises
    ------
    StoreError
        If two do not.
    """
    known: dict[str, tuple[int, str]] = {}
    for variable in STORE_VARIABLES:
        if variable.name in arrays:
            for dim, size in zip(variable.dims, arrays[variable.name].shape, strict=True):
                length, first = known.setdefault(dim, (size, variable.name))
                if length != size:
                    raise StoreError(
                        f"{path}: variable {variable.name!r} must have {length} along {dim}, as "
                        f"{first!r} has, found {size}; the store was changed since it was recorded"
                    )


def validate_configuration(group: zarr.Group, path: StorePath) -> None:
    """Check that the settings of a recording, if there are any, can be read.

    Raises
    ------
    StoreError
        If they can't.
    """
    text = group.attrs.get("configuration", "{}")
    try:
        readable = isinstance(json.loads(str(text)), dict)
    except ValueError:
        readable = False
    if not readable:
        raise StoreError(
            f"{path}: the attribute configuration must be a JSON object, found "
            f"{shorten(str(text), 40)!r}; it was changed since the recording: set it right, or "
            "delete it"
        )
