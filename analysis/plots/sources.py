"""What a figure of a store is drawn from: its results, its recording, or both."""

from collections.abc import Mapping, Sequence
from typing import Any

import xarray as xr

from ibtools.analysis.figures import get_figure
from ibtools.analysis.passes.results import open_results
from ibtools.analysis.passes.saturated import ADVICE, WORDS, is_saturated
from ibtools.analysis.repeats.controls import above_control, beside_control
from ibtools.errors import InputError
from ibtools.store.datasets import open_store
from ibtools.store.storage import StorePath


def open_sources(
    path: StorePath,
    figure: str,
    estimator: str | None = None,
    *,
    control: StorePath | None = None,
    subtract: bool = False,
) -> tuple[xr.Dataset, ...]:
    """Open the Datasets that a figure of a store takes, in order.

    The first holds the control, if there is one, or is what is above it: of a figure of results
    and of the recording, the results.

    Raises
    ------
    UnknownNameError, StoreError
        If there is no such figure, store or results.
    InputError
        If an estimator is named of a figure that is not drawn from results.
    """
    kind = get_figure(figure)
    source = kind.source
    if source == "store" and estimator is not None:
        raise InputError(
            f"figure {figure!r} is drawn from the recording, not from results, so it has no "
            f"estimator; leave out {estimator!r}"
        )
    first, *further = _open_sources(path, source, estimator or kind.estimator)
    if control is not None:
        partner = _open_sources(control, source, estimator or kind.estimator)[0]
        first = (above_control if subtract else beside_control)(first, partner)
    return first, *further


def _open_sources(path: StorePath, source: str, estimator: str) -> tuple[xr.Dataset, ...]:
    if source == "store":
        return (open_store(path),)
    results = (open_results(path, estimator=estimator),)
    return results if source == "results" else (*results, open_store(path))


def describe_saturated(
    paths: Sequence[StorePath], figure: str, estimator: str | None = None
) -> list[str]:
    """Say of which stores a figure of results can show nothing, and what to do; nothing if none."""
    kind = get_figure(figure)
    if kind.source == "store":
        return []
    opened = ((path, open_results(path, estimator=estimator or kind.estimator)) for path in paths)
    return [f"{path}: {WORDS}; {ADVICE}" for path, one in opened if is_saturated(one)]


def open_options(figure: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Open the stores among the options of a figure.

    Raises
    ------
    UnknownNameError, StoreError
        If there is no such figure or store.
    """
    stores = {one.name for one in get_figure(figure).command_options if one.opens == "store"}
    return {
        name: open_store(value) if name in stores and value is not None else value
        for name, value in options.items()
    }
