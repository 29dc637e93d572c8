"""What a figure of a store is drawn from: its results, its recording, or both."""

from collections.abc import Mapping
from typing import Any

import xarray as xr

from ibtools.analysis.figures import CONTROL_STORE, get_figure
from ibtools.analysis.passes.results import open_results
from ibtools.errors import InputError
from ibtools.store.datasets import open_store
from ibtools.store.storage import StorePath


def open_sources(
    path: StorePath, figure: str, estimator: str | None = None
) -> tuple[xr.Dataset, ...]:
    """Open the Datasets that a figure of a store takes, in order.

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
    if source == "store":
        return (open_store(path),)
    results = (open_results(path, estimator=estimator or kind.estimator),)
    return results if source == "results" else (*results, open_store(path))


def open_control(options: Mapping[str, Any], estimator: str | None = None) -> dict[str, Any]:
    """Open the control among the options of a figure, if there is any: results of a store."""
    path = options.get(CONTROL_STORE.name)
    if path is None:
        return dict(options)
    return {**options, CONTROL_STORE.name: open_results(path, estimator=estimator or "exact")}
