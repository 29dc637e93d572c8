"""Figures: functions that take and return matplotlib axes, and a table of their names.

`plot_store` is what the command ``ibtools plot`` calls; the functions compose into a user's own
figures.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, cast

import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ibtools.analysis.plots.accuracy import accuracy
from ibtools.analysis.plots.animation import animate_information_plane
from ibtools.analysis.plots.animation_files import animate_store, save_animation
from ibtools.analysis.plots.comparison import estimator_comparison
from ibtools.analysis.plots.epochs import information_epochs
from ibtools.analysis.plots.facets import accuracy_facets, epochs_facets, information_facets
from ibtools.analysis.plots.files import format_of, save_figure, validate_output
from ibtools.analysis.plots.names import figure_names
from ibtools.analysis.plots.plane import information_plane
from ibtools.analysis.plots.planes import information_planes, ranked_repeats
from ibtools.analysis.plots.ranges import activation_ranges
from ibtools.analysis.plots.scatter import scatter
from ibtools.analysis.plots.sheets import Format, figure_format, sheets_applied
from ibtools.analysis.plots.titles import LONGEST_FACET, facet_titles
from ibtools.analysis.results import open_results
from ibtools.errors import InputError, unknown_name
from ibtools.store import StorePath, open_store

__all__ = [
    "FACETS",
    "FIGURES",
    "FigureKind",
    "accuracy",
    "accuracy_facets",
    "activation_ranges",
    "animate_information_plane",
    "animate_store",
    "epochs_facets",
    "estimator_comparison",
    "figure_format",
    "information_epochs",
    "information_facets",
    "information_plane",
    "information_planes",
    "plot",
    "plot_planes",
    "plot_store",
    "plot_stores",
    "ranked_repeats",
    "save_animation",
    "save_figure",
    "scatter",
]


@dataclass(frozen=True)
class FigureKind:
    """One figure of the table.

    Parameters
    ----------
    draw : callable
        Takes a Dataset and keyword options, returns axes.
    source : {"results", "store"}
        What the Dataset is: of `ibtools.open_results`, or of `ibtools.open_store`.
    """

    draw: Callable[..., Axes | tuple[Axes, ...]]
    source: Literal["results", "store"]

    @property
    def options(self) -> tuple[str, ...]:
        """The names of its options, without the axes that a caller may bring."""
        parameters = inspect.signature(self.draw).parameters
        return tuple(
            name
            for name in parameters
            if parameters[name].kind == inspect.Parameter.KEYWORD_ONLY
            and name not in ("ax", "axes", "zoom_ax")
        )


FIGURES: Mapping[str, FigureKind] = MappingProxyType(
    {
        "information-plane": FigureKind(information_plane, "results"),
        "information-epochs": FigureKind(information_epochs, "results"),
        "repeats": FigureKind(ranked_repeats, "results"),
        "accuracy": FigureKind(accuracy, "store"),
        "activation-ranges": FigureKind(activation_ranges, "store"),
        "scatter": FigureKind(scatter, "store"),
    }
)
"""The figures by their names on the command line."""

FACETS: Mapping[str, FigureKind] = MappingProxyType(
    {
        "information-plane": FigureKind(information_facets, "results"),
        "information-epochs": FigureKind(epochs_facets, "results"),
        "accuracy": FigureKind(accuracy_facets, "store"),
    }
)
"""The figures of several stores by their names on the command line."""


def plot(
    dataset: xr.Dataset,
    figure: str,
    *,
    output: str | Path | None = None,
    format: Format | None = None,
    width: float | None = None,
    **options: Any,
) -> Figure:
    """Draw a figure by its name, and write it to a file if one is given.

    Parameters
    ----------
    dataset : Dataset
        Results, from `ibtools.analyze` or `ibtools.open_results`, or a store, from
        `ibtools.open_store`: what the figure is drawn from. Lazy or not. Of results of several
        estimators, select one, as in ``results.sel(estimator="exact")``.
    figure : str
        A name in `FIGURES`.
    output : str or Path, optional
        The file to write, as PNG, SVG, PDF or PGF by its suffix. A file that is there is replaced.
    format : "latex" or None, optional
        "latex" is for LaTeX documents: Computer Modern at 8 points, at most 6.5 inches wide. Its
        default is "latex" if `output` ends in .pgf, which needs LaTeX installed.
    width : float, optional
        The width of the figure in inches, such as that of the column; fonts keep their size.
    **options
        Of the figure, such as ``layers=["output"]`` or ``epoch=10``: the keyword arguments of its
        function.

    Returns
    -------
    Figure
        New, and unknown to pyplot.

    Raises
    ------
    UnknownNameError
        If there is no such figure, no such layer, or `output` has another suffix.
    InputError
        If the figure has no such option, an option is out of its range, or there are results of
        several estimators to choose from.
    StoreError
        If something that is needed is missing from the Dataset, or there is no complete snapshot.
    OSError
        If the file cannot be written.
    TypeError
        If it is no Dataset, but the path of one.
    """
    if not isinstance(dataset, xr.Dataset):
        raise TypeError(
            f"a figure is drawn from a Dataset, found {type(dataset).__name__} {dataset!r:.60}; "
            "open it with ibtools.open_results or ibtools.open_store, or draw from its path: "
            "ibtools.plot_store(path, figure, output=...)"
        )
    kind = _get_figure(figure, output, options)
    return _draw(kind.draw, dataset, options, output, format, width)


def plot_planes(
    results_by_title: Mapping[str, xr.Dataset],
    *,
    output: str | Path | None = None,
    format: Format | None = None,
    width: float | None = None,
    **options: Any,
) -> Figure:
    """Draw the planes of several results side by side, and write them to a file if one is given.

    Parameters
    ----------
    results_by_title : mapping of str to Dataset
        Title of each panel, and what it shows.
    output : str or Path, optional
        The file to write, as PNG, SVG, PDF or PGF by its suffix.
    format : "latex" or None, optional
        "latex" is for LaTeX documents: Computer Modern at 8 points, at most 6.5 inches wide. Its
        default is "latex" if `output` ends in .pgf, which needs LaTeX installed.
    width : float, optional
        The width of the figure in inches, such as that of the column; fonts keep their size.
    **options
        Of `information_planes`.

    Returns
    -------
    Figure
        New, and unknown to pyplot.
    """
    if output is not None:
        validate_output(output)
    return _draw(information_planes, results_by_title, options, output, format, width)


def _draw(
    draw: Callable[..., Axes | tuple[Axes, ...]],
    data: xr.Dataset | Mapping[str, xr.Dataset],
    options: Mapping[str, Any],
    output: str | Path | None,
    format: Format | None,
    width: float | None,
) -> Figure:
    """Return the figure that is drawn, after writing it if a file is given."""
    with figure_format(format or format_of(output), width=width):
        drawn = draw(data, **options)
        first = drawn if isinstance(drawn, Axes) else drawn[0]
        figure = cast(Figure, first.figure)  # its own, so not a part of another
        if output is not None:
            save_figure(figure, output)
    return figure


def plot_store(
    path: StorePath,
    figure: str,
    *,
    output: str | Path | None = None,
    estimator: str | None = None,
    format: Format | None = None,
    width: float | None = None,
    **options: Any,
) -> Figure:
    """Draw a figure of a store by its name, from its results or from the recording.

    Parameters
    ----------
    path : path or URL
        A store; for figures of results, one that was analysed, or the output of an analysis.
    figure : str
        A name in `FIGURES`.
    output : str or Path, optional
        The file to write, as PNG, SVG, PDF or PGF by its suffix. A file that is there is replaced.
    estimator : str, optional
        Which results to draw, "exact" by default. Only for figures of results.
    format : "latex" or None, optional
        "latex" is for LaTeX documents: Computer Modern at 8 points, at most 6.5 inches wide. Its
        default is "latex" if `output` ends in .pgf, which needs LaTeX installed.
    width : float, optional
        The width of the figure in inches, such as that of the column; fonts keep their size.
    **options
        As of `plot`.

    Returns
    -------
    Figure
        New, and unknown to pyplot.

    Raises
    ------
    UnknownNameError
        If there is no such figure, no such layer, or `output` has another suffix.
    InputError
        If the figure has no such option, or an option is out of its range.
    StoreError
        If there is no store, or it has no such results or no complete snapshot.
    OSError
        If the file cannot be written.
    """
    kind = _get_figure(figure, output, options)
    _validate_estimator(figure, kind, estimator)
    dataset = _open(path, kind, estimator)
    return _draw(kind.draw, dataset, options, output, format, width)


def plot_stores(
    paths: Sequence[StorePath],
    figure: str,
    *,
    output: str | Path | None = None,
    estimator: str | None = None,
    format: Format | None = None,
    width: float | None = None,
    **options: Any,
) -> Figure:
    """Draw a figure of several stores in facets with shared axes, titled by what differs.

    Parameters
    ----------
    paths : sequence of path or URL
        Stores; for figures of results, such that were analysed.
    figure : {"information-plane", "information-epochs", "accuracy"}
        What each facet shows.
    output : str or Path, optional
        The file to write, as PNG, SVG, PDF or PGF by its suffix. A file that is there is replaced.
    estimator : str, optional
        Which results to draw, "exact" by default. Only for figures of results.
    format, width : optional
        As of `plot`.
    **options
        Of `information_facets`, `epochs_facets` or `accuracy_facets`.

    Returns
    -------
    Figure
        New, and unknown to pyplot.

    Raises
    ------
    UnknownNameError, InputError, StoreError, OSError
        As of `plot_store`.
    """
    if not paths:
        raise InputError("at least one store must be drawn, none was given")
    kind = _get_facets(figure, output, options)
    _validate_estimator(figure, kind, estimator)
    datasets = [_open(path, kind, estimator) for path in paths]
    titles = facet_titles(datasets, [str(path) for path in paths])
    if len(set(titles)) < len(titles):
        raise InputError(f"stores must be different to be compared, got {', '.join(titles)}")
    with figure_format(format or format_of(output), width=width), sheets_applied():
        drawn = figure_names(titles, LONGEST_FACET)
    by_title = dict(zip(drawn, datasets, strict=True))
    return _draw(kind.draw, by_title, options, output, format, width)


def _validate_estimator(figure: str, kind: FigureKind, estimator: str | None) -> None:
    if kind.source == "store" and estimator is not None:
        raise InputError(
            f"figure {figure!r} is drawn from the recording, not from results, so it has no "
            f"estimator; leave out {estimator!r}"
        )


def _open(path: StorePath, kind: FigureKind, estimator: str | None) -> xr.Dataset:
    if kind.source == "results":
        return open_results(path, estimator=estimator or "exact")
    return open_store(path)


def _get_figure(figure: str, output: str | Path | None, options: Mapping[str, Any]) -> FigureKind:
    """Check what is asked for, before anything is opened or drawn."""
    if figure == "animation":
        raise InputError("an animation is a file of its own; use ibtools.animate_store")
    if figure not in FIGURES:
        raise unknown_name("figure", figure, FIGURES)
    _validate(figure, FIGURES[figure], output, options)
    return FIGURES[figure]


def _get_facets(figure: str, output: str | Path | None, options: Mapping[str, Any]) -> FigureKind:
    """Likewise for several stores."""
    if figure in FIGURES and figure not in FACETS:
        raise InputError(
            f"figure {figure!r} is of one store; of several there are: {', '.join(FACETS)}"
        )
    if figure not in FACETS:
        raise unknown_name("figure", figure, FACETS)
    _validate(figure, FACETS[figure], output, options)
    return FACETS[figure]


def _validate(
    figure: str, kind: FigureKind, output: str | Path | None, options: Mapping[str, Any]
) -> None:
    unknown = [name for name in options if name not in kind.options]
    if unknown:
        raise InputError(
            f"figure {figure!r} has no option {', '.join(unknown)}; it takes: "
            f"{', '.join(kind.options)}"
        )
    if output is not None:
        validate_output(output)
