"""A recording that is still being made, watched in the browser or in a notebook; read-only."""

from __future__ import annotations

import time
import webbrowser

from ibtools.analysis.estimators import EstimatorLike
from ibtools.analysis.report import LIBRARIES
from ibtools.extras import require
from ibtools.progress import write_line
from ibtools.store.storage import StorePath

__all__ = ["watch"]

SECONDS = 2.0
"""Between two looks at the store."""


def watch(
    path: StorePath,
    *,
    estimator: EstimatorLike = "exact",
    port: int = 0,
    open_browser: bool = True,
) -> None:
    """Show plane and curves of a recording in the browser while it is made, until Ctrl-C.

    Only what is new is analysed. Nothing is written to the store: results are in a temporary
    folder, which goes at the end.

    Parameters
    ----------
    path : path or URL
        A store that any process or machine writes; it need not be there yet.
    estimator : str or Estimator, optional
        As for `ibtools.analyze`; one whose results have a plane.
    port : int, optional
        Of the page, on this machine only; 0 for any that is free.
    open_browser : bool, optional
        Open the page. Its address is written to standard error in any case.

    Raises
    ------
    InputError
        If Plotly or Jinja is not installed, the port is taken, or the estimator has no plane.
    UnknownNameError
        If there is no such estimator.
    """
    require("a page of figures", LIBRARIES, "report")
    from ibtools.analysis.watch.follower import Follower
    from ibtools.analysis.watch.page import render
    from ibtools.analysis.watch.server import serving

    with (
        Follower(path, estimator) as follower,
        serving(render(), lambda: follower.view, port) as url,
    ):
        write_line(f"Watching {path} at {url}; Ctrl-C ends it")
        if open_browser:
            webbrowser.open(url)
        try:
            while True:
                follower.look()
                time.sleep(SECONDS)
        except KeyboardInterrupt:
            write_line("")
