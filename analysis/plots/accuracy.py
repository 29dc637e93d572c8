"""Accuracy against epoch, from the history of a store."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from ibtools.analysis.figures import FigureKind
from ibtools.analysis.plots.canvas import Canvas, Grid, share_y
from ibtools.analysis.plots.epoch_scale import EpochScale
from ibtools.analysis.plots.facets import Several, arrange_facets
from ibtools.analysis.plots.labels import set_y_label
from ibtools.analysis.plots.legends import draw_legend_below
from ibtools.analysis.plots.limits import Span, paper_limits
from ibtools.analysis.plots.names import figure_text
from ibtools.analysis.plots.reference import CHANCE_LINE, CONTROL_LINE, control_handles
from ibtools.analysis.plots.sheets import drawing_style
from ibtools.analysis.plots.spread import CONFIDENCE, band, draw_singles, spread_handles
from ibtools.analysis.plots.titles import set_title
from ibtools.analysis.repeats.accuracy import SUBSETS, accuracies, majority_share
from ibtools.analysis.repeats.controls import measure_beside, split_control
from ibtools.analysis.repeats.intervals import confidence_half_width
from ibtools.analysis.repeats.shown import RepeatSummary, summarise_variables
from ibtools.errors import InputError

ALONE = Grid(panel=(5.4, 3.8))
LOOKS: Mapping[str, dict[str, Any]] = MappingProxyType(
    {
        "train": {"color": "#0072B2", "linestyle": "-", "label": "training"},
        "test": {"color": "#D55E00", "linestyle": (0, (5, 1.5)), "label": "test"},
        "all": {"color": "#000000", "linestyle": (0, (3, 1, 1, 1)), "label": "all samples"},
    }
)
CHANCE_LOOK: Mapping[str, Any] = MappingProxyType(
    {**CHANCE_LINE, "color": "0.25", "label": "chance: the most frequent label", "zorder": 1}
)
ROOM_ABOVE = 1.01
"""Where the axis ends when accuracies reach 1."""


def accuracy(
    dataset: xr.Dataset,
    *,
    ax: Axes | None = None,
    limits: Span | Literal["paper"] | None = None,
) -> Axes:
    """Draw training, test and all-sample accuracy against epoch: mean and 95 % confidence.

    Of two repeats each is drawn instead of an interval.
    The dotted line is the chance level: the accuracy of always answering the most frequent label.

    Parameters
    ----------
    dataset : Dataset
        From `ibtools.open_store`. Repeats that failed are left out and counted in the title. Of a
        control that is beside it (`ibtools.beside_control`) the means are broad, pale lines.
    ax : Axes, optional
        Where to draw, in the caller's style. By default a new figure in the style of ibtools,
        unknown to pyplot.
    limits : (y0, y1) or "paper" or None, optional
        What is shown. "paper" is the paper's axis for its data sets; None, and "paper" for other
        data, shows all.

    Returns
    -------
    Axes

    Raises
    ------
    StoreError
        If something that is needed is missing, or no accuracy was recorded.
    InputError
        If `limits` are none.

    Notes
    -----
    Bands are mean +- t s / sqrt(n), with s the standard deviation between n repeats (n - 1 in the
    denominator) and t the 97.5 % quantile of Student's distribution with n - 1 degrees of freedom,
    cut at 0 and 1, which the legend says. During a random-label prefit, accuracies refer to the
    random labels, so that the lines break where the true labels come in.
    """
    chance = majority_share(dataset)
    summary = summarise_accuracy(measure_beside(accuracies, dataset))
    span = _validate_span(limits, str(dataset.attrs.get("experiment", "")))
    with drawing_style(ax):
        ax = ax or ALONE.create_axes(1)[0]
        draw_accuracy(ax, summary, span, chance)
        set_title(ax, figure_text(summary.caption))
        spread = confidence_handles([summary])
        beside = control_handles([summary], CONTROL_LINE)
        draw_legend_below(ax, [*accuracy_handles(ax), *spread, *beside])
    return ax


def accuracy_facets(
    datasets: Several,
    *,
    row: str | None = None,
    col: str | None = None,
    axes: Sequence[Axes] | None = None,
    ncols: int = 3,
) -> tuple[Axes, ...]:
    """Draw the accuracies of several stores against epoch, in facets with shared axes.

    Parameters
    ----------
    datasets : mapping of str to Dataset, or Dataset
        From `ibtools.open_store`, by the title of their facet, or over further dimensions.
    row, col : str, optional
        As of `information_facets`.
    axes : sequence of Axes, optional
        Where to draw, one for each facet, row by row, in the caller's style. By default a grid in a
        new figure in the style of ibtools, unknown to pyplot.
    ncols : int, optional
        How many side by side, where `row` and `col` do not say it.

    Returns
    -------
    tuple of Axes
        Row by row.

    Raises
    ------
    StoreError
        If something that is needed is missing, or no accuracy was recorded.
    InputError
        As of `information_facets`.
    """
    with drawing_style(axes):
        facets = arrange_facets(datasets, row, col, ncols)
        given = facets.given(axes)
        summaries = [
            summarise_accuracy(measure_beside(accuracies, one)) for one in facets.by_title.values()
        ]
        chance = [majority_share(one) for one in facets.by_title.values()]
        canvas = Canvas.of(given, facets.grid(), len(summaries))
        for ax, title, summary, level in zip(
            canvas.axes, facets.by_title, summaries, chance, strict=True
        ):
            draw_accuracy(ax, summary, None, level)
            set_title(ax, f"{title}\n{summary.repeats}")
        share_y(canvas.axes)
        spread = confidence_handles(summaries)
        beside = control_handles(summaries, CONTROL_LINE)
        canvas.draw_legend([*accuracy_handles(canvas.axes[0]), *spread, *beside])
        canvas.label_outer()
    return tuple(canvas.axes)


def summarise_accuracy(accuracies: xr.Dataset) -> RepeatSummary:
    """Average the accuracies of a store, those that it has, over the repeats that count."""
    names = [str(name) for name in split_control(accuracies)[0]]
    return summarise_variables(accuracies, names, epoch_dim="trained_epoch", any_of=names)


def confidence_handles(summaries: Sequence[RepeatSummary]) -> list[Artist]:
    """Say in a legend what the bands of `draw_course` are."""
    halves = [{str(name): _half_width(one, str(name)) for name in one.mean} for one in summaries]
    names = dict.fromkeys(name for half in halves for name in half)
    return spread_handles(summaries, names, halves, CONFIDENCE)


def _half_width(summary: RepeatSummary, name: str) -> NDArray[np.float64]:
    """Return half of the 95 % confidence of a mean, (epoch, ...)."""
    deviation = summary.deviation[name].values
    n_repeats = summary.n_repeats.reshape(-1, *[1] * (deviation.ndim - 1))
    return confidence_half_width(deviation, n_repeats)


def accuracy_handles(ax: Axes) -> list[Line2D]:
    """Return the lines of `draw_accuracy` that a legend lists."""
    return [line for line in ax.lines if not str(line.get_label()).startswith("_")]


def draw_accuracy(ax: Axes, summary: RepeatSummary, span: Span | None, chance: float) -> None:
    """Draw accuracies and their chance level, without title and legend."""
    for subset in SUBSETS:
        if subset in summary.mean:
            draw_course(ax, summary, subset, LOOKS[subset])
    EpochScale.of(summary.epochs, summary.counts).apply_to_x_axis(ax)
    ax.margins(x=0.02)
    ax.axhline(chance, **CHANCE_LOOK)
    if span is None:
        ax.set_ylim(top=min(ax.get_ylim()[1], ROOM_ABOVE))
    else:
        ax.set_ylim(span[0], ROOM_ABOVE if span[1] == 1 else span[1])
    set_y_label(ax, "accuracy")


def draw_course(ax: Axes, summary: RepeatSummary, name: str, look: Mapping[str, Any]) -> None:
    """Draw the mean of a variable and its 95 % confidence, through the epochs that have a value.

    Of two repeats each is a thin line instead. The mean of a control that is beside it is broad and
    pale.
    """
    mean = summary.mean[name].values
    low, high, _ = band(summary, summary.mean[name], _half_width(summary, name))
    there = np.isfinite(mean)
    for phase in _phases(summary.epochs):
        phase = phase & there
        ax.plot(summary.epochs[phase], mean[phase], linewidth=1.2, **look)
        look = {**look, "label": f"_{name}"}
        ax.fill_between(
            summary.epochs[phase],
            low[phase],
            high[phase],
            facecolor=(look["color"], 0.12),
            edgecolor=(look["color"], 0.45),
            linewidth=0.5,
        )
    if summary.singles is not None:
        draw_singles(ax, summary, summary.singles[name], look["color"])
    if summary.control is not None and name in summary.control.mean:
        values = summary.control.mean[name].values
        there = np.isfinite(values)
        pale = {**look, "label": "_control", "zorder": 1, **CONTROL_LINE}
        ax.plot(summary.control.epochs[there], values[there], **pale)


def _phases(epochs: NDArray[np.int64]) -> list[NDArray[np.bool_]]:
    """Tell the epochs of training from those of a prefit, which end with epoch 0."""
    if (epochs >= 0).all():
        return [np.ones(epochs.size, bool)]
    return [phase for phase in (epochs > 0, epochs <= 0) if phase.any()]


def _validate_span(limits: Span | Literal["paper"] | None, experiment: str) -> Span | None:
    if limits is None:
        return None
    if limits == "paper":
        known = paper_limits(experiment)
        return None if known is None else known.accuracy
    if np.shape(limits) != (2,) or not limits[0] < limits[1]:
        raise InputError(f"limits must be (y0, y1) with y0 < y1, got {limits!r}")
    return limits


FIGURE = FigureKind(
    accuracy,
    "store",
    shows="mean and 95 % confidence: training, test and all samples",
    read_against="always answering the most frequent label",
    facets=accuracy_facets,
    control=("beside",),
    no_control="it is not in bits, and read against chance",
)
