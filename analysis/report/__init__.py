"""The report: one self-contained HTML file of a store, its results and its audit."""

from __future__ import annotations

import os
import uuid
from collections.abc import Sequence
from pathlib import Path

from ibtools.analysis.estimators import EstimatorLike
from ibtools.extras import require
from ibtools.store.storage import StorePath, local_file
from ibtools.tasks.memory import DEFAULT_MEMORY

__all__ = ["report"]

SUFFIXES = (".html", ".htm")

LIBRARIES = ("plotly", "jinja2")


def report(
    path: StorePath,
    *,
    output: str | Path,
    estimator: EstimatorLike | Sequence[EstimatorLike] | None = None,
    control: StorePath | None = None,
    memory: str | int = DEFAULT_MEMORY,
    scheduler: str | None = None,
    quiet: bool = False,
) -> Path:
    """Write a report of a store: one HTML file that needs no network and no other file.

    It holds where the recording comes from, its repeats, accuracy, information planes and
    information against epoch of every estimator, an interactive plane, the dynamics as numbers, and
    the audit.

    Parameters
    ----------
    path : path or URL
        A store that was analysed.
    output : str or Path
        The file to write, .html. A file that is there is replaced, when all of the new one is
        written.
    estimator : str or Estimator, or sequence of them, optional
        Which results. All that the store has by default.
    control : path or URL, optional
        A store of the same recording with ``control="frozen"`` or ``labels="random"``, analysed by
        the same estimators: figures and plane draw it beside, with the repeats that both have, and
        a table says what is above it.
    memory, scheduler : optional
        Of the audit, which reads the whole recording once: as for `ibtools.check`.
    quiet : bool, optional
        Show no progress of the audit.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputError
        If Plotly or Jinja is not installed, `output` is a URL or in a folder that does not exist,
        no estimator is named, or the control is another recording.
    UnknownNameError
        If `output` has another suffix.
    StoreError
        If there is no store at `path`, or it has no such results.
    OSError
        If the file cannot be written.

    See Also
    --------
    ibtools.plot : The figures alone.
    ibtools.check : The audit alone.
    ibtools.summary : The dynamics alone.
    """
    require("a page of figures", LIBRARIES, "report")
    place = local_file(output, "a report", SUFFIXES)
    from ibtools.analysis.report.contents import collect
    from ibtools.analysis.report.page import render

    found = collect(
        path, estimator, control=control, memory=memory, scheduler=scheduler, quiet=quiet
    )
    text = render(found)
    _replace(place, text)
    return place


def _replace(place: Path, text: str) -> None:
    """Write a file as a whole or not at all."""
    part = place.with_name(f".{place.name}.{uuid.uuid4().hex}.part")
    try:
        part.write_text(text, encoding="utf-8")
        os.replace(part, place)
    finally:
        part.unlink(missing_ok=True)
