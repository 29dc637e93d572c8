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
from ibtools.analysis.figures import CONTROL_STORE, LAYERS, FigureKind, Option
from ibtools.analysis.plots.accuracy import draw_course
from ibtools.analysis.plots.canvas import Canvas, Grid, given_axes
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
    draw_ceiling,
)
from ibtools.analysis.plots.sheets import drawing_style
from ibtools.analysis.plots.style import create_epoch_colormap, layer_styles
from ibtools.analysis.plots.titles import set_figure_title, set_title
from ibtools.analysis.repeats.controls import describe_control, pair_repeats
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

ALONE = Grid(panel=(5.4, 3.8))

DRAWN_EPOCHS = 9
"""Epochs that are drawn, at most: lines of one panel must be told apart."""


def resolution_profile(
    results: xr.Dataset,
    *,
    axes: Sequence[Axes] | None = None,
    layers: Iterable[str] | None = None,
    control: xr.Dataset | None = None,
) -> tuple[Axes, ...]:
    """Draw I(X;T_r) and I(T_r;Y) of every layer against the resolution r, a column for each layer.

    A line is the mean over repeats at one epoch, whose colour tells which; some epochs are drawn,
    spread as on the axis of `information_epochs`, the last among them. Dotted lines are the chance
    level of I(T_r;Y), dashed ones the ceilings H(X) and H(Y). A layer is drawn up to its own bits.

    Parameters
    ----------
    results : Dataset, (repeat, epoch, layer, resolution)
        Of the estimator `resolution`, from `ibtools.analyze` or `ibtools.open_results`, in bits.
        Repeats that failed are left out and counted in the title.
    axes : sequence of Axes, optional
        Where to draw, two rows of one for each layer, row by row, of one figure and in the caller's
        style. By default a new figure in the style of ibtools, unknown to pyplot.
    layers : iterable of str, optional
        The layers to draw. All by default.
    control : Dataset, (repeat, epoch, layer, resolution), optional
        Results of a control of the same recording, by the same estimator: at the last epoch, the
        means over the repeats that both have are a broad, pale line.

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
        If `axes` are not two for each layer, or the control is another recording.
    """
    summary = summarise_resolutions(results, layers)
    beside = None
    if control is not None:
        beside = summarise_resolutions(pair_repeats(results, control)[1], layers)
    n = len(summary.layers)
    given = given_axes(axes, (2, n), f"{2 * n}, two rows of {n} layers")
    with drawing_style(axes):
        canvas = Canvas.of(given, replace(COLUMN, ncols=n), 2 * n)
        scale = EpochScale.of(summary.epochs, summary.counts)
        upper, lower = canvas.axes[:n], canvas.axes[n:]
        rows: tuple[tuple[list[Axes], str, Axis], ...] = (
            (upper, "mi_xt", "x"),
            (lower, "mi_ty", "y"),
        )
        for row, variable, axis in rows:
            for ax, name in zip(row, summary.layers, strict=True):
                _draw_profile(ax, summary, variable, name, scale)
                if beside is not None:
                    last = _of_layer(beside, name).isel(epoch=-1)
                    look = {"color": CONTROL_COLOR, "zorder": 1, **CONTROL_LINE}
                    ax.plot(last[DIM], last[variable], label="_control", **look)
            _frame_row(row, summary, variable, axis)
        for ax, label in zip(upper, figure_names(summary.layers), strict=True):
            set_title(ax, label)
        if canvas.is_ours:
            set_figure_title(canvas.figure, figure_text(summary.caption))
            canvas.label_outer()
        canvas.draw_legend(_handles(summary, beside))
        colors = ScalarMappable(scale.norm, create_epoch_colormap())
        draw_colorbar(colors, canvas.axes, scale)
    return tuple(canvas.axes)


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
        if variable == "mi_ty":
            ax.plot(line[DIM], line[CHANCE], color=color, label=f"_{CHANCE}", **CHANCE_LINE)


def _of_layer(summary: RepeatSummary, layer: str) -> xr.Dataset:
    """Return the means of a layer, (epoch, resolution), up to the bits that it has."""
    mean = summary.mean.sel(layer=layer)
    return mean.isel({DIM: slice(int(mean["bits"]) + 1)})


def _frame_row(axes: Sequence[Axes], summary: RepeatSummary, variable: str, axis: Axis) -> None:
    """Give the panels of a variable one axis that holds its ceiling, and name it."""
    ceiling = summary.ceilings[axis]
    for ax in axes:
        ax.set_ylim(-0.04 * ceiling, 1.1 * ceiling)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.set_xlabel(mathematical("resolution r [bit]"))
        draw_ceiling(ax, "y", ceiling, CEILINGS[axis] if ax is axes[0] else None)
    set_y_label(axes[0], variable_label(summary.mean[variable]))


def _handles(summary: RepeatSummary, beside: RepeatSummary | None) -> list[Line2D]:
    handles = [Line2D([], [], color="0.25", label="chance level", **CHANCE_LINE)]
    if summary.ceilings:
        handles.append(Line2D([], [], label="ceiling", **CEILING_LINE))
    return handles + _control_handles(beside, f", last {summary.counts}")


def _control_handles(beside: RepeatSummary | None, when: str = "") -> list[Line2D]:
    """Stand for a control, if there is one."""
    if beside is None:
        return []
    label = figure_text(f"{describe_control(beside.mean)}{when}")
    return [Line2D([], [], color=CONTROL_COLOR, label=label, **CONTROL_LINE)]


def label_resolution_epochs(
    results: xr.Dataset,
    *,
    ax: Axes | None = None,
    layers: Iterable[str] | None = None,
    share: float = SHARE,
    control: xr.Dataset | None = None,
) -> Axes:
    """Draw against epoch the coarsest resolution at which a layer tells most of its I(T;Y).

    Lines are means over repeats; bands are their 95 % confidence (Student), where there are two
    repeats or more, cut off where there are no resolutions.

    Parameters
    ----------
    results : Dataset, (repeat, epoch, layer, resolution)
        As of `resolution_profile`.
    ax : Axes, optional
        Where to draw, in the caller's style. By default a new figure in the style of ibtools.
    layers : iterable of str, optional
        The layers to draw. All by default.
    share : float, optional
        How much of I(T;Y): see `ibtools.analysis.repeats.resolution.label_resolution`.
    control : Dataset, (repeat, epoch, layer, resolution), optional
        As of `resolution_profile`: the means of each layer are a broad, pale line.

    Returns
    -------
    Axes

    Raises
    ------
    UnknownNameError, StoreError
        As of `resolution_profile`.
    InputError
        If the share is out of range, or the control is another recording.
    """
    summary = _summarise_label_resolution(results, layers, share)
    (name_of_it,) = map(str, summary.mean)
    beside = None
    if control is not None:
        paired = pair_repeats(results, control)[1]
        beside = _summarise_label_resolution(paired, layers, share)
    styles = layer_styles(results["layer"].values)
    with drawing_style(ax):
        canvas = Canvas.of(None if ax is None else [ax], ALONE)
        (drawn,) = canvas.axes
        for name in summary.layers:
            of_layer = replace(
                summary,
                mean=summary.mean.sel(layer=name),
                deviation=summary.deviation.sel(layer=name),
            )
            look: dict[str, Any] = {"color": styles[name].color, "label": f"_{name}"}
            draw_course(drawn, of_layer, name_of_it, look)
            if beside is not None:
                line = beside.mean[name_of_it].sel(layer=name)
                look |= {"label": "_control", "zorder": 1, **CONTROL_LINE}
                drawn.plot(beside.epochs, line, **look)
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
        draw_legend_below(drawn, handles + _control_handles(beside))
    return drawn


def _summarise_label_resolution(
    results: xr.Dataset, layers: Iterable[str] | None, share: float
) -> RepeatSummary:
    """Average `label_resolution` over the repeats that count."""
    found = label_resolution(select_layers(results, layers), share=share)
    dataset = found.to_dataset().assign_attrs(results.attrs)
    return summarise_variables(dataset, [str(found.name)])


PROFILE = FigureKind(
    resolution_profile,
    "results",
    shows="I(X;T_r) and I(T_r;Y) against the resolution r that codes are cut to, layer by layer",
    read_against="ceilings H(X) and H(Y), chance level of I(T_r;Y)",
    command_options=(LAYERS, CONTROL_STORE),
    estimator="resolution",
    dims=(DIM,),
)

LABEL_RESOLUTION = FigureKind(
    label_resolution_epochs,
    "results",
    shows="the coarsest resolution that still tells most of I(T;Y), against epoch",
    command_options=(
        LAYERS,
        Option("share", f"label-resolution: how much of I(T;Y).  [default: {SHARE}]", float),
        CONTROL_STORE,
    ),
    estimator="resolution",
    dims=(DIM,),
)
