"""Figures: functions that take and return matplotlib axes, and `plot`, which draws them by name.

`plot_store` is what the command ``ibtools plot`` calls; the functions compose into a user's own
figures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ibtools.analysis.figures import (
    FIGURES,
    FigureKind,
    Option,
    figure_kinds,
    get_figure,
    option_names,
)
from ibtools.analysis.plots.accuracy import accuracy, accuracy_facets
from ibtools.analysis.plots.animation import animate_information_plane
from ibtools.analysis.plots.animation_files import animate_store, save_animation
from ibtools.analysis.plots.comparison import estimator_comparison
from ibtools.analysis.plots.controlled import match_controls, validate_control, with_control
from ibtools.analysis.plots.epochs import epochs_facets, information_epochs
from ibtools.analysis.plots.files import format_of, make_figure, save_figure, validate_output
from ibtools.analysis.plots.names import figure_names
from ibtools.analysis.plots.plane import information_plane
from ibtools.analysis.plots.planes import information_facets, information_planes, ranked_repeats
from ibtools.analysis.plots.profile import label_resolution_epochs, resolution_profile
from ibtools.analysis.plots.ranges import activation_ranges
from ibtools.analysis.plots.scalars import scalars, scalars_facets
from ibtools.analysis.plots.scatter import scatter
from ibtools.analysis.plots.sheets import Format, figure_format, sheets_applied
from ibtools.analysis.plots.sources import open_options, open_sources
from ibtools.analysis.plots.titles import LONGEST_FACET, facet_titles
from ibtools.errors import InputError
from ibtools.store.schema import CUBE
from ibtools.store.storage import StorePath

__all__ = [
    "FIGURES",
    "FigureKind",
    "Option",
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
    "label_resolution_epochs",
    "plot",
    "plot_store",
    "plot_stores",
    "ranked_repeats",
    "resolution_profile",
    "save_animation",
    "save_figure",
    "scalars",
    "scalars_facets",
    "scatter",
    "write_figure",
]


def plot(
    dataset: xr.Dataset | Mapping[str, xr.Dataset],
    figure: str,
    *,
    output: str | Path | None = None,
    format: Format | None = None,
    width: float | None = None,
    height: float | None = None,
    title: str | None = None,
    control: xr.Dataset | Mapping[str, xr.Dataset] | None = None,
    subtract: bool = False,
    **options: Any,
) -> Figure:
    """Draw a figure by its name, and write it to a file if one is given.

    Parameters
    ----------
    dataset : Dataset, or mapping of str to Dataset
        Results, from `ibtools.analyze` or `ibtools.open_results`, or a store, from
        `ibtools.open_store`: what the figure is drawn from. Lazy or not. Of results of several
        estimators, select one, as in ``results.sel(estimator="exact")``. Of a mapping, each is a
        facet under its title; so is each store of ``open_store([...], dim="run")``.
    figure : str
        A name in `ibtools.analysis.figures.FIGURES`, such as "information-plane".
    output : str or Path, optional
        The file to write, as PNG, SVG, PDF or PGF by its suffix. A file that is there is replaced.
    format : "latex" or None, optional
        "latex" is for LaTeX documents: Computer Modern at 8 points, at most 6.5 inches wide. Its
        default is "latex" if `output` ends in .pgf, which needs LaTeX installed.
    width : float, optional
        The width of the figure in inches, such as that of the column; fonts keep their size.
    height : float, optional
        The height of the figure in inches, in proportion to the width by default.
    title : str, optional
        What is above the figure, instead of what it says itself; it may hold mathematics.
    control : Dataset, or mapping of str to Dataset, optional
        The same of a control of the same recording, or of each by its title: it is drawn beside, as
        of `ibtools.beside_control`. Only repeats that both have are drawn.
    subtract : bool, optional
        Draw what is above the control instead, repeat by repeat, as of `ibtools.above_control`.
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
        If the figure has no such option, an option is out of its range, there are results of
        several estimators to choose from, the control is another recording, or the figure can do
        nothing with it.
    StoreError
        If something that is needed is missing from the Dataset, or there is no complete snapshot.
    OSError
        If the file cannot be written.
    TypeError
        If it is no Dataset, but the path of one.
    """
    if not isinstance(dataset, xr.Dataset | Mapping):
        raise TypeError(
            f"a figure is drawn from a Dataset, found {type(dataset).__name__} {dataset!r:.60}; "
            "open it with ibtools.open_results or ibtools.open_store, or draw from its path: "
            "ibtools.plot_store(path, figure, output=...)"
        )
    validate_control(figure, control, subtract=subtract)
    own = get_figure(figure).dims
    several = not isinstance(dataset, xr.Dataset) or _holds_several(dataset, own)
    draw = _get_drawing(figure, output, options, several=several)
    if not several and get_figure(figure).source == "both":
        raise InputError(
            f"figure {figure!r} is drawn from results and from the recording; draw it from the "
            "store: ibtools.plot_store"
        )
    drawn = with_control(dataset, control, several=several, subtract=subtract)
    return make_figure(
        partial(draw, drawn, **options),
        output=output,
        format=format,
        width=width,
        height=height,
        title=title,
        facets=several,
    )


def _holds_several(dataset: xr.Dataset, own: tuple[str, ...]) -> bool:
    """Whether a Dataset is of several stores, along a dimension that is not the figure's own."""
    dims = {dim for name in ("mi_ty", "complete") if name in dataset for dim in dataset[name].dims}
    return bool(dims - {*CUBE, "estimator", *own})


def plot_store(
    path: StorePath,
    figure: str,
    *,
    output: str | Path | None = None,
    estimator: str | None = None,
    format: Format | None = None,
    width: float | None = None,
    height: float | None = None,
    title: str | None = None,
    control: StorePath | None = None,
    subtract: bool = False,
    **options: Any,
) -> Figure:
    """Draw a figure of a store by its name, from its results or from the recording.

    Parameters
    ----------
    path : path or URL
        A store; for figures of results, one that was analysed, or the output of an analysis.
    figure, output, format, width, height, title, subtract, **options
        As of `plot`. An ``other`` is the path or URL of its store.
    estimator : str, optional
        Which results to draw, "exact" by default. Only for figures of results.
    control : path or URL, optional
        The store of the control; it must be analysed as the other is.

    Returns
    -------
    Figure
        New, and unknown to pyplot.

    Raises
    ------
    UnknownNameError, InputError, StoreError, OSError
        As of `plot`; also if there is no store, or it has no such results.
    """
    validate_control(figure, control, subtract=subtract)
    draw = _get_drawing(figure, output, options)
    datasets = open_sources(path, figure, estimator, control=control, subtract=subtract)
    draw = partial(draw, *datasets, **open_options(figure, options))
    return make_figure(draw, output=output, format=format, width=width, height=height, title=title)


def plot_stores(
    paths: Sequence[StorePath],
    figure: str,
    *,
    output: str | Path | None = None,
    estimator: str | None = None,
    format: Format | None = None,
    width: float | None = None,
    height: float | None = None,
    title: str | None = None,
    control: Sequence[StorePath] | None = None,
    subtract: bool = False,
    **options: Any,
) -> Figure:
    """Draw a figure of several stores in facets with shared axes, titled by what differs.

    Parameters
    ----------
    paths : sequence of path or URL
        Stores; for figures of results, such that were analysed.
    figure, output, estimator, format, width, height, title, subtract, **options
        As of `plot_store`, for one of the figures that can be drawn in facets: "information-plane",
        "information-epochs", "accuracy", "scalars".
    control : sequence of path or URL, optional
        The stores of the controls, one for each store, in the same order.

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
    validate_control(figure, control, subtract=subtract)
    controls = None if control is None else match_controls(control, len(paths))
    _get_drawing(figure, output, options, several=True)
    datasets = [open_sources(path, figure, estimator)[0] for path in paths]
    titles = facet_titles(datasets, [str(path) for path in paths])
    if len(set(titles)) < len(titles):
        raise InputError(f"stores must be different to be compared, got {', '.join(titles)}")
    with figure_format(format or format_of(output), width=width, height=height):
        with sheets_applied():
            titles = figure_names(titles, LONGEST_FACET)
        drawn = dict(zip(titles, datasets, strict=True))
        beside = None
        if controls is not None:
            opened = (open_sources(one, figure, estimator)[0] for one in controls)
            beside = dict(zip(titles, opened, strict=True))
        options |= {"control": beside, "subtract": subtract, "title": title}
        return plot(drawn, figure, output=output, **options)


def write_figure(
    paths: Sequence[StorePath],
    figure: str,
    *,
    output: str | Path,
    quiet: bool = False,
    control: Sequence[StorePath] = (),
    **options: Any,
) -> None:
    """Draw a figure of one store, or of several in facets, and write it: what the command does.

    Parameters
    ----------
    paths : sequence of path or URL
        As of `plot_stores`; one for a figure that moves.
    figure : str
        Its name.
    output : str or Path
        The file to write.
    quiet : bool, optional
        Show no progress of a figure that moves.
    control : sequence of path or URL, optional
        The stores of the controls, one for each, in the same order.
    **options
        As of `plot_store`, `plot_stores` or `animate_store`.

    Raises
    ------
    UnknownNameError, InputError, StoreError, OSError
        As of these.
    """
    if len(paths) != 1:
        plot_stores(paths, figure, output=output, control=control or None, **options)
        return
    of_one = match_controls(control, 1)[0] if control else None
    if get_figure(figure).film:
        animate_store(paths[0], figure, output=output, quiet=quiet, control=of_one, **options)
    else:
        plot_store(paths[0], figure, output=output, control=of_one, **options)


def _get_drawing(
    figure: str,
    output: str | Path | None,
    options: Mapping[str, Any],
    *,
    several: bool = False,
) -> Callable[..., Axes | Sequence[Axes]]:
    """Return what draws a figure, after checking all that is asked for, before drawing."""
    kind = get_figure(figure)
    draw = kind.facets if several else kind.draw
    if draw is None:
        known = [name for name, one in figure_kinds().items() if one.facets is not None]
        raise InputError(
            f"figure {figure!r} is of one store; of several there are: {', '.join(known)}"
        )
    if kind.film:
        raise InputError("an animation is a file of its own; use ibtools.animate_store")
    unknown = [name for name in options if name not in option_names(draw)]
    if unknown:
        raise InputError(
            f"figure {figure!r} has no option {', '.join(unknown)}; it takes: "
            f"{', '.join(option_names(draw))}"
        )
    if output is not None:
        validate_output(output)
    return draw
