"""The ranges of the layers' values against epoch, from a store."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

import xarray as xr
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from ibtools.analysis.figures import LAYERS, FigureKind
from ibtools.analysis.plots.canvas import Canvas, Grid, given_axes
from ibtools.analysis.plots.epoch_scale import EpochScale
from ibtools.analysis.plots.labels import set_y_label
from ibtools.analysis.plots.names import figure_names, figure_text
from ibtools.analysis.plots.reference import CONTROL_LINE, control_handles
from ibtools.analysis.plots.sheets import drawing_style
from ibtools.analysis.plots.spread import (
    DEVIATION,
    SHADE,
    band,
    draw_singles,
    spread_handles,
)
from ibtools.analysis.plots.titles import set_figure_title, set_title
from ibtools.analysis.repeats.shown import (
    RepeatSummary,
    select_layers,
    summarise_variables,
    validate_recording,
)
from ibtools.shown import shortened
from ibtools.store.snapshots import FLOAT_BITS

LONGEST_TITLE, LONGEST_NAME, LONGEST_WORD = 44, 36, 30
"""Characters of a title on one line, of the name of a layer, and of that of its function."""

PANELS = Grid(panel=(2.7, 2.0), furniture=(0.0, 0.9), ncols=3, least_width=4.0)
COLORS: Mapping[str, str] = MappingProxyType(
    {"activation_max": "#D55E00", "activation_min": "#0072B2"}
)
NAMES: Mapping[str, str] = MappingProxyType(
    {"activation_max": "largest value", "activation_min": "smallest value"}
)


def activation_ranges(
    dataset: xr.Dataset,
    *,
    axes: Sequence[Axes] | None = None,
    layers: Iterable[str] | None = None,
) -> tuple[Axes, ...]:
    """Draw the smallest and the largest value of every layer against epoch, a panel for each.

    Lines are means over repeats, bands one standard deviation between repeats (n - 1 in the
    denominator) up and down; of two repeats each is drawn instead. Between the lines lies what
    the layer's values span, over samples and units.

    Parameters
    ----------
    dataset : Dataset
        From `ibtools.open_store`. Repeats that failed are left out and counted in the title. Of a
        control that is beside it (`ibtools.beside_control`) the means are broad, pale lines.
    axes : sequence of Axes, optional
        Where to draw, one for each layer, in the caller's style. By default a new figure in the
        style of ibtools, unknown to pyplot.
    layers : iterable of str, optional
        The layers to draw. All by default.

    Returns
    -------
    tuple of Axes
        In the order of the layers.

    Raises
    ------
    UnknownNameError
        If the store has no such layer.
    StoreError
        If something that is needed is missing, or there is no complete snapshot.
    InputError
        If `axes` are not as many as the layers.

    Notes
    -----
    Of a softmax layer that is stored as the codes of its logits, the ranges are of the logits; its
    title says so.
    """
    validate_recording(dataset, (*COLORS, "epoch", "layer", "activation_function", "bits"))
    selected = select_layers(dataset, layers)
    summary = summarise_variables(selected, list(COLORS))
    n = selected.sizes["layer"]
    given = given_axes(axes, (1, n), f"{n}, one for each layer")
    with drawing_style(axes):
        canvas = Canvas.of(given, PANELS.fitting(n), n)
        titles, caption = _layer_titles(selected), figure_text(summary.caption)
        _draw_panels(canvas.axes, summary, titles)
        canvas.label_outer(same_y=False)
        if canvas.is_ours:
            set_figure_title(canvas.figure, caption)
        else:
            set_title(canvas.axes[0], f"{caption}\n{titles[0]}")
        deviations = {name: summary.deviation[name].values for name in COLORS}
        spread = spread_handles([summary], COLORS, [deviations], DEVIATION)
        canvas.draw_legend([*_handles(), *spread, *control_handles([summary], CONTROL_LINE)])
    return tuple(canvas.axes)


def _layer_titles(dataset: xr.Dataset) -> list[str]:
    """Name each layer and its function, and where ranges are of something else."""
    functions, bits = (dataset[name].values for name in ("activation_function", "bits"))
    of_logits = (functions == "softmax") & (bits < FLOAT_BITS)
    titles = []
    for name, function, is_special in zip(
        figure_names(dataset["layer"].values, LONGEST_NAME), functions, of_logits, strict=True
    ):
        said = "logits of softmax" if is_special else figure_text(shortened(function, LONGEST_WORD))
        gap = "\n" if len(name) + len(said) > LONGEST_TITLE else " "
        titles.append(f"{name}{gap}({said})")
    return titles


def _draw_panels(axes: list[Axes], summary: RepeatSummary, titles: list[str]) -> None:
    scale = EpochScale.of(summary.epochs, summary.counts)
    for index, (ax, title) in enumerate(zip(axes, titles, strict=True)):
        for variable in COLORS:
            _draw_end(ax, summary, variable, index)
        scale.apply_to_x_axis(ax)
        ax.margins(x=0.02, y=0.1)
        set_title(ax, title)
        set_y_label(ax, "range of values")


def _draw_end(ax: Axes, summary: RepeatSummary, variable: str, layer: int) -> None:
    values = summary.mean[variable].isel(layer=layer)
    deviation = summary.deviation[variable].isel(layer=layer).values
    color = COLORS[variable]
    ax.plot(summary.epochs, values, color=color, linewidth=1.2, label=NAMES[variable])
    if summary.control is not None:
        control = summary.control.mean[variable].isel(layer=layer)
        ax.plot(control["epoch"], control, color=color, label="_control", **CONTROL_LINE)
    low, high, _ = band(summary, values, deviation)
    ax.fill_between(summary.epochs, low, high, color=color, alpha=SHADE, linewidth=0)
    if summary.singles is not None:
        draw_singles(ax, summary, summary.singles[variable].isel(layer=layer), color)


def _handles() -> list[Line2D]:
    return [Line2D([], [], color=COLORS[name], label=NAMES[name]) for name in COLORS]


FIGURE = FigureKind(
    activation_ranges,
    "store",
    shows="smallest and largest value of every layer against epoch",
    command_options=(LAYERS,),
    control=("beside",),
    no_control="a difference of ranges is no range",
)
