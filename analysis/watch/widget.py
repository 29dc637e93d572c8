"""A recording that is still being made, in a notebook: the figures of the page, as widgets."""

import html
from collections.abc import Mapping
from threading import Event, Thread
from typing import Any

import plotly.graph_objects as go
from ipywidgets import HTML, VBox

from ibtools.analysis.estimators import EstimatorLike
from ibtools.analysis.watch import SECONDS
from ibtools.analysis.watch.follower import Follower, View
from ibtools.errors import IbtoolsError
from ibtools.shown import visible
from ibtools.store.storage import StorePath


class WatchWidget(VBox):  # type: ignore[misc]  # ipywidgets has no types
    """Plane and curves of a store, drawn anew whenever it has more, until `stop`.

    A second thread looks, so that the notebook goes on.

    Parameters
    ----------
    path : path or URL
        The store.
    estimator : str or Estimator
        One whose results have a plane.
    """

    def __init__(self, path: StorePath, estimator: EstimatorLike) -> None:
        self._follower = Follower(path, estimator)
        self._status, self._figures = HTML(), dict[str, go.FigureWidget]()
        self._ended = Event()
        super().__init__([self._status])
        self._show(self._follower.view)
        self._thread = Thread(target=self._follow, name="ibtools-watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more; what is shown stays."""
        self._ended.set()
        self._thread.join()
        self._follower.close()

    def close(self) -> None:
        """Stop, and remove the figures from the notebook."""
        self.stop()
        super().close()

    def _follow(self) -> None:
        while not self._ended.is_set():
            try:
                self._follower.look()
            except IbtoolsError as err:
                self._status.value = _as_html(f"{err}")
                return
            self._show(self._follower.view)
            self._ended.wait(SECONDS)

    def _show(self, view: View) -> None:
        self._status.value = _as_html(f"{view.title}: {view.status}")
        for name, figure in view.figures.items():
            shown = self._figures.get(name)
            if shown is None or len(shown.data) != len(figure["data"]):
                self._figures[name] = go.FigureWidget(figure)
            else:
                _update(shown, figure)
        self.children = [self._status, *self._figures.values()]


def _update(shown: go.FigureWidget, figure: Mapping[str, Any]) -> None:
    with shown.batch_update():
        for trace, new in zip(shown.data, figure["data"], strict=True):
            trace.update(new, overwrite=True)
        shown.layout.update(figure["layout"], overwrite=True)


def _as_html(text: str) -> str:
    """Write text as text: names of layers and paths are anybody's."""
    return html.escape(visible(text))
