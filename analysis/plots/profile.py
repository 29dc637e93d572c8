"""The profile of layers: information against the resolution that the codes are cut to."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import xarray as xr
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from ibtools.analysis.estimators.resolution import DIM
from ibtools.analysis.figures import LAYERS, FigureKind, Option
from ibtools.analysis.passes.stacking import select_estimator
from ibtools.analysis.plots.accuracy import confidence_handles, draw_course
from ibtools.analysis.plots.canvas import Canvas, Grid, given_axes, share_y
from ibtools.analysis.plots.epoch_scale import EpochScale
from ibtools.analysis.plots.labels import mathematical, set_y_label, variable_label
from ibtools.analysis.plots.legends import draw_legend_below
from ibtools.analysis.plots.names import figure_names, figure_text
from ibtools.analysis.plots.panels import draw_colorbar
from ibtools.analysis.plots.reference import (
    CEILING_LINE,
    CEILINGS,
    CHANCE_LINE,
    CONTROL_COLOR,
    CONTROL_LINE,
    control_handles,
    draw_ceiling,
    draw_nothing_learned,
)
from ibtools.analysis.plots.sheets import current_format, drawing_style
from ibtools.analysis.plots.style import create_epoch_colormap, layer_styles, network_layers
from ibtools.analysis.plots.titles import set_figure_title, set_title
from ibtools.analysis.repeats.controls import CONTROL, measure_beside
from ibtools.analysis.repeats.resolution import SHARE, label_resolution, summarise_resolutions
from ibtools.analysis.repeats.shown import (
    CHANCE,
    Axis,
    RepeatSummary,
    select_layers,
    summarise_variables,
)

COLUMN = Grid(panel=(2.3, 2.2), furniture=(1.1, 0.9))
"""Room beside for the colour bar, and below for the legend."""

NARROWEST_COLUMN = 1.0
"""Inches for each layer side by side, at least: the label of the x axis is nearly as long."""

ALONE = Grid(panel=(5.4, 3.8))

DRAWN_EPOCHS = 9
"""Epochs that are drawn, at most: lines of one panel must be told apart."""


def resolution_profile(
    results: xr.Dataset,
    *,
    axes: Sequence[Axes] | None = None,
    layers: Iterable[str] | None = None,
) -> tuple[Axes, ...]:
    """Draw I(X;T_r) and I(T_r;Y) of every layer against the resolution r, a column for each layer.

    Where so many columns would be too narrow, as in a column of an article, a layer is a row.

    A line is the mean over repeats at one epoch, whose colour tells which; some epochs are drawn,
    spread as on the axis of `information_epochs`, the last among them. Dotted lines are the chance
    level of I(T_r;Y), dashed ones the ceilings H(X) and H(Y). A layer is drawn up to its own bits.

    Parameters
    ----------
    results : Dataset, (repeat, epoch, layer, resolution)
        Of the estimator `resolution`, from `ibtools.analyze` or `ibtools.open_results`, in bits.
        Repeats that failed are left out and counted in the title. Of a control that is beside them
        (`ibtools.beside_control`), the means at the last epoch are a broad, pale line.
    axes : sequence of Axes, optional
        Where to draw, two rows of one for each layer, row by row, of one figure and in the caller's
        style. By default a new figure in the style of ibtools, unknown to pyplot.
    layers : iterable of str, optional
        The layers to draw. All by default.

    Returns
    -------
    tuple of Axes
        Those of I(X;T_r), then those of I(T_r;Y).

    Raises
    ------
    UnknownNameError
        If the results have no such layer.
    StoreError
        If they are not of all resolutions, or have no complete snapshot.
    InputError
        If `axes` are not two for each layer.
    """
    summary = summarise_resolutions(results, layers)
    n = len(summary.layers)
    given = given_axes(axes, (2, n), f"{2 * n}, two rows of {n} layers")
    with drawing_style(axes):
        in_rows = axes is None and _column_width(n) < NARROWEST_COLUMN
        canvas = Canvas.of(given, replace(COLUMN, ncols=2 if in_rows else n), 2 * n)
        scale = EpochScale.of(summary.epochs, summary.counts)
        upper, lower = (
            (canvas.axes[::2], canvas.axes[1::2]) if in_rows else (canvas.axes[:n], canvas.axes[n:])
        )
        rows: tuple[tuple[list[Axes], str, Axis], ...] = (
            (upper, "mi_xt", "x"),
            (lower, "mi_ty", "y"),
        )
        for row, variable, axis in rows:
            for ax, name in zip(row, summary.layers, strict=True):
                _draw_profile(ax, summary, variable, name, scale)
                if summary.control is not None:
                    last = _of_layer(summary.control, name).isel(epoch=-1)
                    look = {"color": CONTROL_COLOR, "zorder": 1, **CONTROL_LINE}
                    ax.plot(last[DIM], last[variable], label="_control", **look)
            _frame_row(row, summary, variable, axis)
            if in_rows:
                _label_rows(row)
        for ax, label in zip(upper, figure_names(summary.layers), strict=True):
            set_title(ax, label)
        if canvas.is_ours:
            set_figure_title(canvas.figure, figure_text(summary.caption))
            if not in_rows:
                canvas.label_outer()
        canvas.draw_legend(_handles(summary))
        colors = ScalarMappable(scale.norm, create_epoch_colormap())
        draw_colorbar(colors, canvas.axes, scale)
    return (*upper, *lower)


def _draw_profile(
    ax: Axes, summary: RepeatSummary, variable: str, layer: str, scale: EpochScale
) -> None:
    """Draw one variable of one layer, up to the bits that the layer has."""
    mean = _of_layer(summary, layer)
    colors = create_epoch_colormap()
    for epoch in summary.epochs[scale.thin(summary.epochs, DRAWN_EPOCHS)]:
        line, color = mean.sel(epoch=epoch), colors(scale.norm(epoch))
        look: dict[str, Any] = {"color": color, "marker": "o", "markersize": 2.5, "linewidth": 1.0}
        ax.plot(line[DIM], line[variable], label=f"{scale.counts} {epoch}", **look)
        if variable == "mi_ty" and CONTROL not in mean.attrs:
            ax.plot(line[DIM], line[CHANCE], color=color, label=f"_{CHANCE}", **CHANCE_LINE)


def _of_layer(summary: RepeatSummary, layer: str) -> xr.Dataset:
    """Return the means of a layer, (epoch, resolution), up to the bits that it has."""
    mean = summary.mean.sel(layer=layer)
    return mean.isel({DIM: slice(int(mean["bits"]) + 1)})


def _frame_row(axes: Sequence[Axes], summary: RepeatSummary, variable: str, axis: Axis) -> None:
    """Give the panels of a variable one axis that holds its ceiling, and name it."""
    share_y(axes)
    for ax in axes:
        ax.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
        ax.set_xlabel(mathematical("resolution r [bit]"))
        if CONTROL in summary.mean.attrs:
            draw_nothing_learned(ax, "y")
            continue
        ceiling = summary.ceilings[axis]
        ax.set_ylim(-0.04 * ceiling, 1.1 * ceiling)
        draw_ceiling(ax, "y", ceiling, CEILINGS[axis] if ax is axes[0] else None)
    set_y_label(axes[0], variable_label(summary.mean[variable]))


def _column_width(n_layers: int) -> float:
    """Return the inches that each of some layers gets side by side."""
    width, _ = current_format().size((n_layers * COLUMN.panel[0], 1.0))
    return width / n_layers


def _label_rows(axes: Sequence[Axes]) -> None:
    """Label panels below each other: every y axis, and the last x axis."""
    for ax in axes[:-1]:
        ax.set_xlabel("")
    for ax in axes[1:]:
        set_y_label(ax, axes[0].get_ylabel().replace("\n", " "))


def _handles(summary: RepeatSummary) -> list[Line2D]:
    handles = []
    if CONTROL not in summary.mean.attrs:
        handles.append(Line2D([], [], color="0.25", label="chance level", **CHANCE_LINE))
    if summary.ceilings:
        handles.append(Line2D([], [], label="ceiling", **CEILING_LINE))
    look = {**CONTROL_LINE, "color": CONTROL_COLOR}
    return [*handles, *control_handles([summary], look, f", last {summary.counts}")]


def label_resolution_epochs(
    results: xr.Dataset,
    *,
    ax: Axes | None = None,
    layers: Iterable[str] | None = None,
    share: float = SHARE,
) -> Axes:
    """Draw against epoch the coarsest resolution at which a layer tells most of its I(T;Y).

    Lines are means over repeats; bands are their 95 % confidence (Student), cut at the resolutions
    that there are, which the legend says. Of two repeats each is drawn instead.

    Parameters
    ----------
    results : Dataset, (repeat, epoch, layer, resolution)
        As of `resolution_profile`; the means of a control are a broad, pale line for each layer.
    ax : Axes, optional
        Where to draw, in the caller's style. By default a new figure in the style of ibtools.
    layers : iterable of str, optional
        The layers to draw. All by default.
    share : float, optional
        How much of I(T;Y): see `ibtools.analysis.repeats.resolution.label_resolution`.

    Returns
    -------
    Axes

    Raises
    ------
    UnknownNameError, StoreError
        As of `resolution_profile`.
    InputError
        If the share is out of range.
    """
    summary = _summarise_label_resolution(results, layers, share)
    (name_of_it,) = map(str, summary.mean)
    styles = layer_styles(network_layers(results))
    with drawing_style(ax):
        canvas = Canvas.of(None if ax is None else [ax], ALONE)
        (drawn,) = canvas.axes
        for name in summary.layers:
            of_layer = summary.select_layer(name)
            look: dict[str, Any] = {"color": styles[name].color, "label": f"_{name}"}
            draw_course(drawn, of_layer, name_of_it, look)
        EpochScale.of(summary.epochs, summary.counts).apply_to_x_axis(drawn)
        drawn.yaxis.set_major_locator(MaxNLocator(integer=True))
        most = int(summary.mean["bits"].max())
        drawn.set_ylim(-0.02 * most, 1.02 * most)
        drawn.margins(x=0.02)
        set_y_label(drawn, variable_label(summary.mean[name_of_it]))
        set_title(drawn, figure_text(summary.caption))
        labels = zip(figure_names(summary.layers), summary.layers, strict=True)
        handles = [
            Line2D([], [], color=styles[name].color, linewidth=1.2, label=label)
            for label, name in labels
        ]
        look = {**CONTROL_LINE, "color": CONTROL_COLOR}
        spread = confidence_handles([summary])
        draw_legend_below(drawn, [*handles, *spread, *control_handles([summary], look)])
    return drawn


def _summarise_label_resolution(
    results: xr.Dataset, layers: Iterable[str] | None, share: float
) -> RepeatSummary:
    """Average `label_resolution` over the repeats that count."""

    def measure(one: xr.Dataset) -> xr.Dataset:
        found = label_resolution(select_layers(one, layers), share=share)
        return found.to_dataset().assign_attrs(one.attrs)

    found = measure_beside(measure, select_estimator(results))
    return summarise_variables(found, ["label_resolution"])


PROFILE = FigureKind(
    resolution_profile,
    "results",
    shows="I(X;T_r) and I(T_r;Y) against the resolution r that codes are cut to, layer by layer",
    read_against="ceilings H(X) and H(Y), chance level of I(T_r;Y)",
    command_options=(LAYERS,),
    estimator="resolution",
    dims=(DIM,),
    control=("beside", "subtract"),
)

LABEL_RESOLUTION = FigureKind(
    label_resolution_epochs,
    "results",
    shows="the coarsest resolution that still tells most of I(T;Y), against epoch",
    command_options=(
        LAYERS,
        Option("share", f"how much of I(T;Y).  [default: {SHARE}]", float),
    ),
    estimator="resolution",
    dims=(DIM,),
    control=("beside",),
    no_control="a difference of resolutions is no resolution that anything is told at",
)
