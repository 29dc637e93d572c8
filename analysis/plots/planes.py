"""Information planes that are compared: bin counts, architectures, activations, repeats."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Literal, cast

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ibtools.analysis.figures import LAYERS, FigureKind
from ibtools.analysis.passes.stacking import select_estimator
from ibtools.analysis.plots.canvas import Canvas, Grid, given_axes
from ibtools.analysis.plots.facets import Several, arrange_facets, summarise_by_title
from ibtools.analysis.plots.limits import Limits, plane_limits
from ibtools.analysis.plots.names import figure_text
from ibtools.analysis.plots.panels import (
    Panel,
    draw_colorbar,
    draw_panel,
    legend_handles,
    panels_scale,
)
from ibtools.analysis.plots.sheets import drawing_style
from ibtools.analysis.plots.style import LayerStyle
from ibtools.analysis.plots.titles import set_figure_title
from ibtools.analysis.plots.zoom import zoom_limits
from ibtools.analysis.repeats.plane_axes import X_AXES, Y_AXES, choose_axes
from ibtools.analysis.repeats.ranks import notable_ranks, rank_repeats
from ibtools.analysis.repeats.shown import (
    RepeatSummary,
    describe_left_out,
    describe_source,
    summarise_repeats,
)
from ibtools.errors import InputError
from ibtools.shown import counted

PLANES = Grid(panel=(3.7, 3.2), furniture=(1.0, 0.6))
"""Room beside for the colour bar, and below for the legend."""


def information_planes(
    results_by_title: Mapping[str, xr.Dataset],
    *,
    axes: Sequence[Axes] | None = None,
    ncols: int = 2,
    layers: Iterable[str] | None = None,
    limits: Limits | Literal["paper"] | None = "paper",
    zoom: Limits | Literal["auto"] | None = None,
) -> tuple[Axes, ...]:
    """Draw information planes side by side, with one colour bar and one legend.

    A colour is the same epoch, and a marker the same layer, in every panel. Panels with the same
    ceilings H(X) and H(Y) have the same axes. Otherwise each is what `information_plane` draws.

    Parameters
    ----------
    results_by_title : mapping of str to Dataset
        Results (repeat, epoch, layer) by what to call them, such as "30 bins" or "ReLU", which may
        hold mathematics as in matplotlib. The title of each panel counts its repeats and those that
        failed.
    axes : sequence of Axes, optional
        Where to draw, one for each, of one figure and in the caller's style. By default a grid in a
        new figure in the style of ibtools, unknown to pyplot.
    ncols : int, optional
        How many planes side by side.
    layers : iterable of str, optional
        The layers to draw. All by default.
    limits : ((x0, x1), (y0, y1)) or "paper" or None, optional
        As of `information_plane`, for all panels.
    zoom : ((x0, x1), (y0, y1)) or "auto" or None, optional
        As of `information_plane`, each below its plane. None by default; not on the caller's axes.

    Returns
    -------
    tuple of Axes
        Those of the whole planes, in the order of `results_by_title`.

    Raises
    ------
    UnknownNameError
        If some results have no such layer.
    StoreError
        If something that is needed is missing from the results, or they have no complete snapshot.
    InputError
        If there are no results, not as many `axes`, a `zoom` on the caller's axes, or `ncols` < 1.

    Examples
    --------
    One panel per number of bins::

        information_planes({f"{n} bins": results[n] for n in (30, 100, 256)}, ncols=3)
    """
    _validate(results_by_title, axes, ncols, zoom)
    n = len(results_by_title)
    given = given_axes(axes, (1, n), f"{n}, one for each plane")
    grid = replace(PLANES, ncols=ncols).fitting(n)
    with drawing_style(axes):
        return tuple(_draw(results_by_title, given, grid, layers, limits, zoom).axes)


def information_facets(
    results: Several,
    *,
    row: str | None = None,
    col: str | None = None,
    axes: Sequence[Axes] | None = None,
    ncols: int = 3,
    layers: Iterable[str] | None = None,
    limits: Limits | Literal["paper"] | None = "paper",
    x: str = X_AXES[0],
    y: str = Y_AXES[0],
) -> tuple[Axes, ...]:
    """Draw the information planes of several stores in facets with shared axes.

    A colour is the same epoch, and a marker the same layer, in every facet; there is one colour bar
    and one legend. Facets with the same ceilings H(X) and H(Y) have the same axes. Otherwise each
    is what `information_plane` draws.

    Parameters
    ----------
    results : mapping of str to Dataset, or Dataset, (repeat, epoch, layer, ...)
        Results by the title of their facet, which may hold mathematics as in matplotlib, or
        results over one or two further dimensions, such as
        those of `xarray.concat` with ``coords="different"``; lazy or not. Layers and repeats that a
        facet does not have are left out of it. Of one Dataset the ceilings are those of its
        attributes, so give stores of different data as a mapping.
    row, col : str, optional
        The further dimensions to lay out in rows and in columns. A single one is in rows of
        `ncols` by default.
    axes : sequence of Axes, optional
        Where to draw, one for each facet, row by row, of one figure and in the caller's style. By
        default a grid in a new figure in the style of ibtools, unknown to pyplot.
    ncols : int, optional
        How many side by side, where `row` and `col` do not say it.
    layers : iterable of str, optional
        The layers to draw. All by default.
    limits : ((x0, x1), (y0, y1)) or "paper" or None, optional
        As of `information_plane`, for all facets.
    x, y : str, optional
        As of `information_plane`.

    Returns
    -------
    tuple of Axes
        Row by row.

    Raises
    ------
    UnknownNameError
        If some results have no such layer.
    StoreError
        If something that is needed is missing from the results, or they have no complete snapshot.
    InputError
        If there are no results, a further dimension is neither `row` nor `col`, or `axes` are not
        as many as the facets.

    Examples
    --------
    Activations and numbers of bits::

        information_facets(results, row="activation", col="n_bits")
    """
    with drawing_style(axes):
        facets = arrange_facets(results, row, col, ncols)
        chosen = {
            title: choose_axes(select_estimator(one), x, y)
            for title, one in facets.by_title.items()
        }
        canvas = _draw(chosen, facets.given(axes), facets.grid(), layers, limits)
        shared = len({(ax.get_xlim(), ax.get_ylim()) for ax in canvas.axes}) == 1
        canvas.label_outer(same_x=shared, same_y=shared)
    return tuple(canvas.axes)


def ranked_repeats(
    results: xr.Dataset,
    *,
    axes: Sequence[Axes] | None = None,
    layers: Iterable[str] | None = None,
    limits: Limits | Literal["paper"] | None = "paper",
) -> tuple[Axes, ...]:
    """Draw the planes of the best, the middle, the second-worst and the worst repeat.

    Repeats are ranked by the distance of their whole trajectory, all layers and epochs, to the mean
    trajectory: the best is the most typical, not the one that learned most. Of fewer than four
    repeats, all are drawn; of two, each is as far from their mean as the other.

    Parameters
    ----------
    results : Dataset, (repeat, epoch, layer)
        From `ibtools.analyze` or `ibtools.open_results`, lazy or not; `mi_xt` and `mi_ty` in bits.
        Repeats that failed are not ranked, but counted. Each has its control beside it, if the
        results hold any (`ibtools.beside_control`).
    axes : sequence of Axes, optional
        Where to draw, one for each repeat drawn, in the caller's style. By default a new figure in
        the style of ibtools, unknown to pyplot.
    layers : iterable of str, optional
        The layers to draw. All by default; ranks are of all layers in any case.
    limits : ((x0, x1), (y0, y1)) or "paper" or None, optional
        As of `information_plane`, for all panels.

    Returns
    -------
    tuple of Axes
        From the best repeat to the worst.

    Raises
    ------
    UnknownNameError
        If the results have no such layer.
    StoreError
        If something that is needed is missing from the results, or no repeat has all epochs.
    InputError
        If `axes` are not as many as the repeats that are drawn.

    See Also
    --------
    ibtools.analysis.repeats.ranks.rank_repeats : The order and its definition.
    """
    chosen = None if layers is None else list(layers)
    results = select_estimator(results)
    summarise_repeats(results, chosen)  # says what is wrong with results
    ranking = rank_repeats(results)
    by_title = _notable_repeats(results, ranking)
    drawn = information_planes(by_title, axes=axes, layers=chosen, limits=limits)
    for ax, title in zip(drawn, by_title, strict=True):
        ax.title.set_text(title)  # without the number of repeats, which is 1
    if axes is None:
        ranked = f"{counted(ranking.size, 'repeat')} ranked"
        words = ", ".join([ranked, *describe_left_out(results)])
        with drawing_style(axes):
            caption = figure_text(f"{describe_source(results)}\n{words}")
            set_figure_title(cast(Figure, drawn[0].figure), caption)
    return drawn


def _notable_repeats(results: xr.Dataset, ranking: xr.DataArray) -> dict[str, xr.Dataset]:
    """Select each repeat to draw, by what to call it."""
    selected = {}
    for name, rank in notable_ranks(ranking.size).items():
        number, distance = int(ranking[rank]), float(ranking["distance"][rank]) ** 0.5
        title = f"{name}: repeat {number}, distance {distance:.3g} bit"
        selected[title] = results.isel(repeat=(results["repeat"] == number).values)
    return selected


def _validate(
    results_by_title: Mapping[str, xr.Dataset],
    axes: Sequence[Axes] | None,
    ncols: int,
    zoom: Limits | Literal["auto"] | None,
) -> None:
    if not results_by_title:
        raise InputError("at least one plane must be drawn, no results were given")
    if ncols < 1:
        raise InputError(f"ncols must be at least 1, got {ncols}")
    if axes is not None and zoom is not None:
        raise InputError("zooms need axes of their own; draw them with information_plane(zoom_ax=)")


def _draw(
    by_title: Mapping[str, xr.Dataset],
    given: list[Axes] | None,
    grid: Grid,
    layers: Iterable[str] | None,
    limits: Limits | Literal["paper"] | None,
    zoom: Limits | Literal["auto"] | None = None,
) -> Canvas:
    """Draw planes with one colour bar and one legend; return them without their zooms."""
    summaries, styles = summarise_by_title(by_title, layers)
    panels = create_panels(summaries, limits, zoom)
    cells = _arrange(panels, grid.ncols) if given is None else panels
    canvas = Canvas.of(given, grid, len(cells))
    there = [(ax, cell) for ax, cell in zip(canvas.axes, cells, strict=True) if cell is not None]
    for ax in set(canvas.axes) - {ax for ax, _ in there}:
        ax.remove()
    draw_panels([cell for _, cell in there], [ax for ax, _ in there], styles)
    canvas.draw_legend(legend_handles(drawn_layers(panels, styles), styles, panels))
    return replace(canvas, axes=[ax for ax, cell in there if not cell.is_zoom])


def create_panels(
    summaries: Mapping[str, RepeatSummary],
    limits: Limits | Literal["paper"] | None,
    zoom: Limits | Literal["auto"] | None = None,
) -> list[Panel]:
    """Decide what each of several planes shows: those with the same ceilings the same part."""
    groups: dict[tuple[float, float], list[RepeatSummary]] = {}
    for summary in summaries.values():
        groups.setdefault(_entropies(summary), []).append(summary)
    shared = {entropies: plane_limits(group, limits) for entropies, group in groups.items()}
    panels = []
    for title, summary in summaries.items():
        shown = shared[_entropies(summary)]
        marked = zoom_limits(summary, zoom, shown)
        panels.append(Panel(summary, f"{title}\n{summary.repeats}", shown, marked))
    return panels


def _entropies(summary: RepeatSummary) -> tuple[float, float]:
    return summary.mean.attrs["entropy_x"], summary.mean.attrs["entropy_y"]


def _arrange(panels: list[Panel], ncols: int) -> list[Panel | None]:
    """Lay the panels out row by row, a row of zooms below each row that has any."""
    cells: list[Panel | None] = []
    for start in range(0, len(panels), ncols):
        row = panels[start : start + ncols]
        filling = [None] * (ncols - len(row))
        zooms = [panel.zoomed() for panel in row]
        cells += [*row, *filling]
        cells += [*zooms, *filling] if any(zooms) else []
    return cells


def draw_panels(panels: list[Panel], axes: list[Axes], styles: Mapping[str, LayerStyle]) -> None:
    """Draw planes on one scale of epochs, with one colour bar."""
    scale = panels_scale(panels)
    points = [draw_panel(ax, panel, styles, scale) for ax, panel in zip(axes, panels, strict=True)]
    last = int(np.argmax([panel.summary.epochs.max() for panel in panels]))
    draw_colorbar(points[last], axes, scale)


def drawn_layers(panels: Iterable[Panel], styles: Mapping[str, LayerStyle]) -> list[str]:
    """List the layers that are in any of the panels."""
    drawn = {name for panel in panels for name in panel.summary.layers}
    return [name for name in styles if name in drawn]


FIGURE = FigureKind(
    ranked_repeats,
    "results",
    shows="planes of the best, middle, second-worst and worst repeat",
    read_against="the same",
    command_options=(LAYERS,),
    control=("beside", "subtract"),
)
