"""What a figure of a store is drawn from: its results, its recording, or both."""

from collections.abc import Mapping
from typing import Any

import xarray as xr

from ibtools.analysis.figures import get_figure
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


def open_options(
    figure: str, options: Mapping[str, Any], estimator: str | None = None
) -> dict[str, Any]:
    """Open the stores among the options of a figure, each as what the figure takes for it.

    Raises
    ------
    UnknownNameError, StoreError
        If there is no such figure, store or results.
    """
    kind = get_figure(figure)
    opens = {one.name: one.opens for one in kind.command_options}
    chosen = estimator or kind.estimator
    return {
        name: _open_as(opens.get(name), value, chosen) if value is not None else None
        for name, value in options.items()
    }


def _open_as(opens: str | None, value: Any, estimator: str) -> Any:
    """Open a store as results or as it is; return what is no store."""
    if opens == "results":
        return open_results(value, estimator=estimator)
    return open_store(value) if opens == "store" else value
