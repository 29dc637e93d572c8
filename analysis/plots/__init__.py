"""Figures of results: functions that take and return matplotlib axes, and a table of their names.

`plot` is what the command ``ibtools plot`` calls; the functions compose into a user's own figures.
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import cast

import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ibtools.analysis.plots.epochs import information_epochs
from ibtools.analysis.plots.plane import information_plane
from ibtools.analysis.plots.style import save_figure, validate_suffix
from ibtools.errors import unknown_name

__all__ = ["FIGURES", "information_epochs", "information_plane", "plot", "save_figure"]

FIGURES: Mapping[str, Callable[..., Axes | tuple[Axes, ...]]] = MappingProxyType(
    {
        "information-plane": information_plane,
        "information-epochs": information_epochs,
    }
)
"""The figures by their names on the command line."""


def plot(
    results: xr.Dataset,
    figure: str,
    *,
    output: str | Path | None = None,
    layers: Iterable[str] | None = None,
) -> Figure:
    """Draw a figure by its name, and write it to a file if one is given.

    Parameters
    ----------
    results : Dataset, (repeat, epoch, layer)
        From `ibtools.analyze` or `ibtools.open_results`, lazy or not.
    figure : str
        A name in `FIGURES`.
    output : str or Path, optional
        The file to write, as PNG, SVG or PDF by its suffix. A file that is there is replaced.
    layers : iterable of str, optional
        The layers to draw. All by default.

    Returns
    -------
    Figure
        New, and unknown to pyplot.

    Raises
    ------
    UnknownNameError
        If there is no such figure, no such layer, or `output` has another suffix.
    StoreError
        If something that is needed is missing from the results, or they have no complete snapshot.
    OSError
        If the file cannot be written.
    """
    if figure not in FIGURES:
        raise unknown_name("figure", figure, FIGURES)
    if output is not None:
        validate_suffix(output)
    drawn = FIGURES[figure](results, layers=layers)
    first = drawn if isinstance(drawn, Axes) else drawn[0]
    new_figure = cast(Figure, first.figure)  # its own, so not a part of another
    if output is not None:
        save_figure(new_figure, output)
    return new_figure
