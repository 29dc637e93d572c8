"""A recording that is still being made, watched in the browser or in a notebook; read-only."""

from __future__ import annotations

import importlib.util
import time
import webbrowser
from collections.abc import Sequence

from ibtools.analysis.estimators import EstimatorLike
from ibtools.analysis.report import LIBRARIES
from ibtools.errors import InputError
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
    require(LIBRARIES, "report")
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


def require(libraries: Sequence[str], extra: str) -> None:
    """Check that what is optional is installed.

    Raises
    ------
    InputError
        If it is not: which, and what installs it.
    """
    missing = [name for name in libraries if importlib.util.find_spec(name) is None]
    if missing:
        raise InputError(
            f"watching needs {' and '.join(libraries)}, not installed: {' and '.join(missing)}; "
            f"install with: pip install 'ibtools-nn[{extra}]'"
        )
