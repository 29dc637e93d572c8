"""Information against epoch: the coordinates of the information plane as functions of time."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Literal

import xarray as xr
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from ibtools.analysis.figures import LAYERS, FigureKind
from ibtools.analysis.plots.canvas import Canvas, Grid, given_axes, share_y
from ibtools.analysis.plots.epoch_scale import EpochScale
from ibtools.analysis.plots.facets import FACET, Several, arrange_facets, summarise_by_title
from ibtools.analysis.plots.labels import set_y_label, variable_label
from ibtools.analysis.plots.legends import draw_legend_below
from ibtools.analysis.plots.names import figure_names, figure_text
from ibtools.analysis.plots.reference import (
    BOUND_LINE,
    CEILING_ROOM,
    CEILINGS,
    CHANCE_LINE,
    CONTROL_LINE,
    HOLLOW_COLOR,
    control_handles,
    draw_ceiling,
    draw_nothing_learned,
    reference_handles,
)
from ibtools.analysis.plots.sheets import drawing_style
from ibtools.analysis.plots.spread import (
    DEVIATION,
    SHADE,
    band,
    draw_singles,
    spread_handles,
)
from ibtools.analysis.plots.style import LayerStyle, layer_styles, network_layers
from ibtools.analysis.plots.titles import set_title
from ibtools.analysis.repeats.controls import CONTROL
from ibtools.analysis.repeats.ranks import middle_repeat
from ibtools.analysis.repeats.shown import (
    CHANCE,
    Axis,
    RepeatSummary,
    summarise_repeats,
)

PAIR = Grid(panel=(5.4, 2.8), share_x=True)
ALONE = Grid(panel=(5.4, 3.8))
"""Of one variable."""
MARKER_SPACING = 0.12
"""Distance between the markers of a line, as a fraction of the diagonal of the axes."""
MIDDLE_LINE: Mapping[str, Any] = MappingProxyType({"linewidth": 0.8, "linestyle": (0, (3, 2))})


def information_epochs(
    results: xr.Dataset,
    *,
    axes: Sequence[Axes] | None = None,
    layers: Iterable[str] | None = None,
    median: bool = True,
) -> tuple[Axes, Axes]:
    """Draw I(X;T) and I(T;Y) of every layer against epoch: mean over repeats and a band.

    Bands are the mean plus and minus the standard deviation between repeats (n - 1 in the
    denominator), cut at 0 and at the ceiling, which the legend says; where fewer than three repeats
    have a value, there is none, and of two repeats each is a thin line. Thin dashed lines in the
    layers' colours are one real repeat, the one of median rank; dotted lines are the chance level
    of I(T;Y), dash-dotted ones the bounds of an estimator that has some. Markers are hollow where a
    layer is saturated: nearly every input has a state of its own
    (`ibtools.analysis.kernels.chance.SATURATED`). Grey dashed lines are the ceilings H(X) and H(Y);
    a random-label prefit has a grey ground.

    Parameters
    ----------
    results : Dataset, (repeat, epoch, layer)
        From `ibtools.analyze` or `ibtools.open_results`, lazy or not; `mi_xt`, `mi_ty` and, if it
        is there, `mi_ty_null`, in bits. Repeats that failed are left out and counted in the title.
        Of a control that is beside them (`ibtools.beside_control`) the means are broad pale lines.
        What is above a control (`ibtools.above_control`) has no chance level and no ceiling, but a
        grey line at 0.
    axes : sequence of two Axes, optional
        Where to draw I(X;T) and I(T;Y), in the caller's style. By default one above the other in a
        new figure in the style of ibtools, unknown to pyplot.
    layers : iterable of str, optional
        The layers to draw. All by default.
    median : bool, optional
        Whether to draw the repeat of median rank, if three repeats or more have all epochs.

    Returns
    -------
    (Axes, Axes)
        Those of I(X;T) and of I(T;Y). The title is on the first, the legend below the second.

    Raises
    ------
    UnknownNameError
        If the results have no such layer.
    StoreError
        If something that is needed is missing from the results, or they have no complete snapshot.
    InputError
        If `axes` are not two.

    See Also
    --------
    ibtools.analysis.repeats.ranks.rank_repeats : The ranks and their definition.

    Notes
    -----
    Epochs are spaced logarithmically from 1 on, in trainings of more than 30 epochs. Markers are
    spread along the lines at different places, so that layers that coincide can be seen.
    """
    given = given_axes(axes, (2, 1), "two, for I(X;T) and for I(T;Y)")
    summary = summarise_repeats(results, layers)
    styles = layer_styles(network_layers(results))
    with drawing_style(axes):
        canvas = Canvas.of(given, PAIR, 2)
        upper, lower = canvas.axes
        chosen = {name: styles[name] for name in summary.layers}
        middle = middle_repeat(results) if median else None
        _draw_pair(upper, lower, summary, chosen, middle)
        if canvas.is_ours:
            upper.label_outer()
    return upper, lower


def epochs_facets(
    results: Several,
    *,
    col: str | None = None,
    axes: Sequence[Axes] | None = None,
    layers: Iterable[str] | None = None,
) -> tuple[Axes, ...]:
    """Draw I(X;T) and I(T;Y) of several stores against epoch, a column for each store.

    The first row is I(X;T), the second I(T;Y), each on one axis; lines and bands are those of
    `information_epochs`.

    Parameters
    ----------
    results : mapping of str to Dataset, or Dataset, (repeat, epoch, layer, ...)
        As of `information_facets`, over one further dimension.
    col : str, optional
        The further dimension.
    axes : sequence of Axes, optional
        Where to draw, two for each store, row by row, in the caller's style. By default a grid in a
        new figure in the style of ibtools, unknown to pyplot.
    layers : iterable of str, optional
        The layers to draw. All by default.

    Returns
    -------
    tuple of Axes
        Row by row.

    Raises
    ------
    UnknownNameError, StoreError, InputError
        As of `information_facets`.
    """
    with drawing_style(axes):
        by_title = arrange_facets(results, None, col, ncols=1).by_title
        n = len(by_title)
        given = given_axes(axes, (2, n), f"{2 * n}, two rows of {n} stores")
        summaries, styles = summarise_by_title(by_title, layers)
        canvas = Canvas.of(given, replace(FACET, ncols=n), 2 * n)
        _draw_row(canvas.axes[:n], summaries, "mi_xt", styles)
        _draw_row(canvas.axes[n:], summaries, "mi_ty", styles)
        for ax, (title, summary) in zip(canvas.axes, summaries.items(), strict=False):
            set_title(ax, f"{title}\n{summary.repeats}")
        canvas.draw_legend(epoch_handles(list(summaries.values()), styles))
        canvas.label_outer()
    return tuple(canvas.axes)


def _draw_row(
    axes: Sequence[Axes],
    summaries: Mapping[str, RepeatSummary],
    variable: Literal["mi_xt", "mi_ty"],
    styles: Mapping[str, LayerStyle],
) -> None:
    """Draw one variable of several stores, on one scale."""
    for ax, summary in zip(axes, summaries.values(), strict=True):
        draw_variable(ax, summary, variable, {name: styles[name] for name in summary.layers})
    share_y(axes)


def label_information_epochs(results: xr.Dataset) -> Axes:
    """Draw I(T;Y) of every layer against epoch, of results that have no I(X;T)."""
    summary = summarise_repeats(results, variables=("mi_ty",))
    every = layer_styles(network_layers(summary.mean))
    styles = {name: every[name] for name in summary.layers}
    with drawing_style(None):
        (ax,) = ALONE.create_axes(1)
        lines = draw_variable(ax, summary, "mi_ty", styles)
        set_title(ax, figure_text(summary.caption))
        draw_legend_below(ax, _legend_handles(lines, summary))
    return ax


def _draw_pair(
    upper: Axes,
    lower: Axes,
    summary: RepeatSummary,
    styles: dict[str, LayerStyle],
    middle: xr.Dataset | None,
) -> None:
    draw_variable(upper, summary, "mi_xt", styles, middle=middle)
    lines = draw_variable(lower, summary, "mi_ty", styles, middle=middle)
    set_title(upper, figure_text(summary.caption))
    draw_legend_below(lower, _legend_handles(lines, summary, middle))


def _legend_handles(
    lines: Sequence[Line2D],
    summary: RepeatSummary,
    middle: xr.Dataset | None = None,
) -> list[Artist]:
    spread = deviation_handles([summary])
    handles: list[Artist] = [*lines, *spread, *reference_handles([summary], bounds=True)]
    if middle is not None:
        label = f"repeat {int(middle['repeat'])} (median rank)"
        handles.append(Line2D([], [], color="0.25", label=label, **MIDDLE_LINE))
    return [*handles, *control_handles([summary], CONTROL_LINE)]


def epoch_handles(
    summaries: Sequence[RepeatSummary], styles: Mapping[str, LayerStyle]
) -> list[Artist]:
    """Stand for the layers, in their colours where epochs have an axis, and for what is read."""
    handles: list[Artist] = [
        Line2D([], [], color=style.color, marker=style.marker, markersize=4, label=label)
        for label, style in zip(figure_names(styles), styles.values(), strict=True)
    ]
    beside = control_handles(summaries, CONTROL_LINE)
    handles += deviation_handles(summaries)
    return [*handles, *reference_handles(summaries, bounds=True), *beside]


def deviation_handles(summaries: Sequence[RepeatSummary]) -> list[Artist]:
    """Say what the bands of `draw_variable` are."""
    halves = [
        {name: one.deviation[name].values for name in ("mi_xt", "mi_ty") if name in one.mean}
        for one in summaries
    ]
    return spread_handles(summaries, ("mi_xt", "mi_ty"), halves, DEVIATION)


def _height(ax: Axes) -> float:
    low, high = ax.get_ylim()
    return high - low


def draw_variable(
    ax: Axes,
    summary: RepeatSummary,
    variable: Literal["mi_xt", "mi_ty"],
    styles: Mapping[str, LayerStyle],
    *,
    middle: xr.Dataset | None = None,
) -> list[Line2D]:
    """Draw one variable of some layers against epoch, with what it is read against.

    One repeat, `middle` (epoch, layer), is thin and dashed, a control broad and pale. The means are
    returned, labelled with the names of their layers.
    """
    lines = []
    for position, (name, style) in enumerate(styles.items()):
        offset = MARKER_SPACING * position / len(styles)
        lines.append(_draw_layer(ax, summary, variable, name, style, marker_offset=offset))
    for line, label in zip(lines, figure_names(styles), strict=True):
        line.set_label(label)
    EpochScale.of(summary.epochs, summary.counts).apply_to_x_axis(ax)
    ax.margins(x=0.02, y=0.12)
    set_y_label(ax, variable_label(summary.mean[variable]))
    if middle is not None:
        _draw_lines(ax, middle[variable].sel(epoch=summary.epochs), styles, MIDDLE_LINE)
    if summary.control is not None:
        _draw_lines(ax, summary.control.mean[variable], styles, CONTROL_LINE)
    if variable == "mi_ty" and CHANCE in summary.mean:
        _draw_lines(ax, summary.mean[CHANCE], styles, CHANCE_LINE)
    for bound in (f"{variable}_lower", f"{variable}_upper"):
        if bound in summary.mean:
            _draw_lines(ax, summary.mean[bound], styles, BOUND_LINE)
    if CONTROL in summary.mean.attrs:
        draw_nothing_learned(ax, "y")
    axis: Axis = "x" if variable == "mi_xt" else "y"
    if axis in summary.ceilings:
        _draw_level(ax, summary.ceilings[axis], CEILINGS[axis])
    return lines


def _draw_level(ax: Axes, ceiling: float, symbol: str) -> None:
    """Draw what the coordinate of a plane cannot exceed, as a level."""
    ax.set_ylim(top=max(ax.get_ylim()[1], ceiling + CEILING_ROOM * _height(ax)))
    draw_ceiling(ax, "y", ceiling, symbol)


def _draw_lines(
    ax: Axes, values: xr.DataArray, styles: Mapping[str, LayerStyle], look: Mapping[str, Any]
) -> None:
    """Draw one thin line per layer, (epoch, layer), which the legend explains once for all."""
    for name, style in styles.items():
        line = values.sel(layer=name)
        label = f"_{values.name} {name}"
        ax.plot(line["epoch"], line, color=style.color, label=label, **look)


def _draw_layer(
    ax: Axes,
    summary: RepeatSummary,
    variable: str,
    layer: str,
    style: LayerStyle,
    *,
    marker_offset: float,
) -> Line2D:
    values = summary.mean[variable].sel(layer=layer)
    mean, deviation = values.values, summary.deviation[variable].sel(layer=layer).values
    look: dict[str, Any] = {"color": style.color, "marker": style.marker, "markersize": 4}
    (line,) = ax.plot(summary.epochs, mean, markevery=[], linewidth=1.2, label=layer, **look)
    hollow = summary.saturated.sel(layer=layer).values
    for drawn, face in ((~hollow, style.color), (hollow, HOLLOW_COLOR)):
        if drawn.any():
            ax.plot(
                summary.epochs[drawn],
                mean[drawn],
                linestyle="none",
                markevery=(marker_offset, MARKER_SPACING),
                markerfacecolor=face,
                label=f"_markers {layer}",
                **look,
            )
    low, high, _ = band(summary, values, deviation)
    ax.fill_between(summary.epochs, low, high, color=style.color, alpha=SHADE, linewidth=0)
    if summary.singles is not None:
        draw_singles(ax, summary, summary.singles[variable].sel(layer=layer), style.color)
    return line


FIGURE = FigureKind(
    information_epochs,
    "results",
    shows="the same against epoch: mean, deviation, median-rank repeat",
    read_against="the same",
    command_options=(LAYERS,),
    facets=epochs_facets,
    control=("beside", "subtract"),
)
