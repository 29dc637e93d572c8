"""JSON for scripts: one document on standard output, alone."""

import json
import math
from dataclasses import fields, is_dataclass
from datetime import date
from pathlib import Path
from typing import Any

import click
import numpy as np

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON for a script instead of text."
)


def print_json(value: object) -> None:
    """Print a value as JSON on standard output.

    Parameters
    ----------
    value : object
        What `to_json` takes.
    """
    text = json.dumps(to_json(value), indent=1, allow_nan=False)  # ASCII
    click.echo(text)  # noqa: TID251  # nothing in it is obeyed by a terminal


def to_json(value: object) -> Any:
    """Return a value as JSON can hold it.

    Parameters
    ----------
    value : object
        Dataclasses, mappings, sequences, numpy's arrays and scalars, paths, dates, plain values.

    Returns
    -------
    dict, list, str, int, float, bool or None
        Keys are the names of fields in the order of their declaration, dates ISO 8601. NaN and
        infinity, which JSON lacks, are None.

    Raises
    ------
    TypeError
        If there is no JSON for a value.

    Examples
    --------
    >>> to_json({"mi_xt": np.array([1.5, np.nan]), "store": Path("syn.zarr")})
    {'mi_xt': [1.5, None], 'store': 'syn.zarr'}
    """
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_json(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, dict):
        return {str(key): to_json(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(one) for one in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return to_json(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    if value is None or isinstance(value, (str, int)):
        return value
    raise TypeError(f"no JSON for a {type(value).__name__}: {value!r}")
