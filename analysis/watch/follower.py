"""Looks at a store that may still grow, and analyses what is new in it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

import xarray as xr
import zarr

from ibtools.analysis.estimators import EstimatorLike, get_estimators
from ibtools.analysis.passes.results import analyze_store, open_results
from ibtools.analysis.watch.figures import draw
from ibtools.errors import InputError, StoreError
from ibtools.shown import counted
from ibtools.store.counts import counts_of
from ibtools.store.datasets import open_store
from ibtools.store.groups import find_group, read_array
from ibtools.store.schema import CUBE
from ibtools.store.storage import StorePath, absolute, storage_errors


@dataclass(frozen=True)
class View:
    """What there is to see.

    Parameters
    ----------
    version : int
        Grows whenever the figures change.
    title, status : str
        What is watched, and how far it is.
    figures : mapping of str to dict
        By name, as JSON for Plotly; none before the first snapshot.
    """

    version: int
    title: str
    status: str
    figures: Mapping[str, dict[str, Any]] = field(default_factory=dict)


class Follower:
    """Analyses a store again and again, each time what is new, and keeps the results elsewhere.

    Use it as a context manager, which removes the results in the end.

    Parameters
    ----------
    path : path or URL
        The store; it need not be there yet.
    estimator : str or Estimator
        One whose results have a plane.

    Raises
    ------
    InputError
        If the estimator has no plane.
    UnknownNameError
        If there is no such estimator.
    """

    def __init__(self, path: StorePath, estimator: EstimatorLike) -> None:
        (self._estimator,) = get_estimators(estimator)
        if not any(
            one.name == "mi_xt" and one.dims == CUBE[:3] for one in self._estimator.variables
        ):
            raise InputError(
                f"what is watched is a plane, which {self._estimator.specification} does not have; "
                "choose another estimator, such as exact, or resolution-2"
            )
        self._path = absolute(path)
        self._seen: tuple[object, ...] = ()
        self._folder = TemporaryDirectory(prefix="ibtools-watch-", ignore_cleanup_errors=True)
        self.view = View(0, self._path, "waiting: nothing is there yet")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        err: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove the results."""
        self._folder.cleanup()

    def look(self) -> bool:
        """Analyse what is new; returns whether there was anything.

        What keeps the store from being read, such as a network that is down, becomes the status.
        """
        try:
            group = find_group(self._path, "r")
            mark = () if group is None or "complete" not in group else _mark(group)
            if mark == self._seen or not mark:
                return False
            self._show(group)
        except _passing() as err:
            self.view = View(self.view.version, self.view.title, f"{err}", self.view.figures)
            return False
        self._seen = mark
        return True

    def _show(self, group: zarr.Group | None) -> None:
        store = open_store(self._path)
        complete = store["complete"].values
        if not complete.any():
            status, figures = "waiting for the first snapshot", dict[str, dict[str, Any]]()
        else:
            # a store that takes the place of another has results of its own
            output = f"{self._folder.name}/{store.attrs.get('store_id', 'store')}"
            analyze_store(self._path, estimator=self._estimator, output=output, quiet=True)
            results = open_results(output, estimator=self._estimator)
            status, figures = _describe(store), draw(results, store)
        title = str(store.attrs.get("experiment", ""))
        self.view = View(self.view.version + 1, f"{title}: {self._path}", status, figures)


def _passing() -> tuple[type[Exception], ...]:
    """Return what may be over at the next look; asked when all libraries are loaded."""
    return StoreError, *storage_errors()


def _mark(group: zarr.Group) -> tuple[object, ...]:
    """Return what changes when there is something new."""
    complete, outcome = read_array(group, "complete"), read_array(group, "outcome")
    return group.attrs.get("store_id"), complete.shape, complete.tobytes(), tuple(outcome)


def _describe(store: xr.Dataset) -> str:
    """Say how far a recording is."""
    complete = store["complete"].compute()
    last = int(store["epoch"][complete.any("repeat")].max())
    outcomes = store["outcome"].values.tolist()
    finished = sum(one != "pending" for one in outcomes)
    return (
        f"{counted(int(complete.sum()), 'snapshot')}, up to {counts_of(store.attrs)} {last}; "
        f"{finished} of {counted(len(outcomes), 'repeat')} finished"
    )
