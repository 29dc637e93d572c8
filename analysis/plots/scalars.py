"""Losses, accuracies and all other scalars of a store against epoch, a panel each."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from ibtools.analysis.figures import FigureKind, Option
from ibtools.analysis.plots.accuracy import LOOKS, confidence_handles, draw_course
from ibtools.analysis.plots.canvas import Canvas, Grid, given_axes, share_y
from ibtools.analysis.plots.epoch_scale import EpochScale
from ibtools.analysis.plots.facets import FACET, Several, arrange_facets
from ibtools.analysis.plots.labels import set_y_label
from ibtools.analysis.plots.names import figure_text
from ibtools.analysis.plots.reference import CONTROL_LINE, control_handles
from ibtools.analysis.plots.sheets import drawing_style
from ibtools.analysis.plots.titles import set_figure_title, set_title
from ibtools.analysis.repeats.controls import measure_beside, split_control
from ibtools.analysis.repeats.scalars import called, recorded_scalars, some_scalars
from ibtools.analysis.repeats.shown import (
    RepeatSummary,
    describe_left_out,
    describe_source,
    summarise_variables,
)
from ibtools.errors import InputError

PANELS = Grid(panel=(5.4, 1.5), furniture=(0.0, 0.8), share_x=True)
ROW = replace(FACET, panel=(3.0, 1.6))
MOST_IN_COLUMN = 6
"""Panels of one column; more go in two."""

OWN_LOOK: Mapping[str, Any] = MappingProxyType({"color": "#404040", "linestyle": "-"})
"""Of what is neither of training nor of test samples."""


def scalars(
    dataset: xr.Dataset,
    *,
    axes: Sequence[Axes] | None = None,
    names: Iterable[str] | None = None,
) -> tuple[Axes, ...]:
    """Draw losses, accuracies and scalars of the user's own against epoch, a panel for each.

    Lines are means over repeats, bands their 95 % confidence, as in `accuracy`; of two repeats each
    is drawn instead. A line joins the epochs that have a value.

    Parameters
    ----------
    dataset : Dataset
        From `ibtools.open_store`. Repeats that failed are left out and counted in the title. Of a
        control that is beside it (`ibtools.beside_control`) the means are broad, pale lines.
    axes : sequence of Axes, optional
        Where to draw, one for each scalar, in the caller's style. By default one above the other in
        a new figure in the style of ibtools, unknown to pyplot.
    names : iterable of str, optional
        The scalars to draw, such as "train_loss" or the user's own "grad_norm". All that have a
        value by default.

    Returns
    -------
    tuple of Axes
        In the order of the scalars.

    Raises
    ------
    UnknownNameError
        If the store has no such scalar.
    StoreError
        If something that is needed is missing, or there is no value to draw.
    InputError
        If `axes` are not one for each scalar, or no scalar is named.
    """
    wanted = _named(names)
    chosen = [str(name) for name in some_scalars(dataset, wanted)]
    summaries = _summarise(dataset, measure_beside(recorded_scalars, dataset))
    summaries = {name: summaries[name] for name in chosen}
    n = len(summaries)
    given = given_axes(axes, (n, 1), f"{n}, one for each scalar")
    with drawing_style(axes):
        canvas = Canvas.of(given, replace(PANELS, ncols=1 + (n > MOST_IN_COLUMN)).fitting(n), n)
        scale = _scale([summaries])
        for ax, (name, summary) in zip(canvas.axes, summaries.items(), strict=True):
            _draw(ax, summary, name, scale)
        _share_x(canvas.axes)
        caption = figure_text(f"{describe_source(dataset)}\n{_describe(dataset, summaries)}")
        _draw_legend(canvas, summaries.values())
        if canvas.is_ours:
            set_figure_title(canvas.figure, caption)
            canvas.label_outer(same_y=False)
            _label_all(canvas, summaries)
        else:
            set_title(canvas.axes[0], caption)
    return tuple(canvas.axes)


def scalars_facets(
    datasets: Several,
    *,
    col: str | None = None,
    axes: Sequence[Axes] | None = None,
    names: Iterable[str] | None = None,
) -> tuple[Axes, ...]:
    """Draw the scalars of several stores against epoch, a column for each store.

    A row is one scalar, on one axis; it is left empty where a store has no value of it.

    Parameters
    ----------
    datasets : mapping of str to Dataset, or Dataset
        From `ibtools.open_store`, by the title of their column, or over one further dimension.
    col : str, optional
        The further dimension.
    axes : sequence of Axes, optional
        Where to draw, row by row, in the caller's style. By default a grid in a new figure in the
        style of ibtools, unknown to pyplot.
    names : iterable of str, optional
        The scalars to draw, which any of the stores has. All that have a value by default.

    Returns
    -------
    tuple of Axes
        Row by row.

    Raises
    ------
    UnknownNameError, StoreError, InputError
        As of `scalars` and `information_facets`.
    """
    wanted = _named(names)
    with drawing_style(axes):
        by_title = arrange_facets(datasets, None, col, ncols=1).by_title
        columns = {
            title: _summarise(one, measure_beside(recorded_scalars, one))
            for title, one in by_title.items()
        }
        rows = _choose_rows(by_title, columns, wanted)
        n = len(columns)
        given = given_axes(axes, (len(rows), n), f"{len(rows) * n}, {len(rows)} rows of {n} stores")
        canvas = Canvas.of(given, replace(ROW, ncols=n), len(rows) * n)
        scale = _scale(list(columns.values()))
        for index, name in enumerate(rows):
            row = canvas.axes[index * n : (index + 1) * n]
            _draw_row(row, list(columns.values()), name, scale)
        _share_x(canvas.axes)
        for ax, (title, one) in zip(canvas.axes, by_title.items(), strict=False):
            set_title(ax, f"{title}\n{_describe(one, columns[title])}")
        canvas.label_outer()
        _draw_legend(canvas, [one for column in columns.values() for one in column.values()])
    return tuple(canvas.axes)


def _draw_legend(canvas: Canvas, summaries: Iterable[RepeatSummary]) -> None:
    """Explain bands, single repeats and the lines of controls, if there are any."""
    drawn = list(summaries)
    if handles := [*confidence_handles(drawn), *control_handles(drawn, CONTROL_LINE)]:
        canvas.draw_legend(handles)


def _named(names: Iterable[str] | None) -> list[str] | None:
    """List the scalars that are named, after checking that any is."""
    if names is None:
        return None
    listed = list(dict.fromkeys(names))
    if not listed:
        raise InputError("at least one scalar must be drawn, none was named; leave out names")
    return listed


def _choose_rows(
    by_title: Mapping[str, xr.Dataset],
    columns: Mapping[str, Mapping[str, RepeatSummary]],
    wanted: list[str] | None,
) -> list[str]:
    """List what any store has, or what is wanted; the first store says what none has."""
    there = list(dict.fromkeys(name for column in columns.values() for name in column))
    lacking = [name for name in wanted or () if name not in there]
    if lacking or not there:
        some_scalars(next(iter(by_title.values())), lacking or None)
    return there if wanted is None else wanted


def _summarise(dataset: xr.Dataset, recorded: xr.Dataset) -> dict[str, RepeatSummary]:
    """Average each scalar over the repeats that count and have it, at the epochs that it has."""
    whole = recorded.assign_attrs(dataset.attrs)
    return {
        str(name): summarise_variables(whole, [str(name)], epoch_dim="trained_epoch")
        for name in split_control(recorded)[0]
    }


def _describe(dataset: xr.Dataset, summaries: Mapping[str, RepeatSummary]) -> str:
    """Say how many repeats are behind the means."""
    numbers = [int(number) for one in summaries.values() for number in one.n_repeats]
    if not numbers:
        return "nothing recorded"
    fewest, most = min(numbers), max(numbers)
    span = f"{most}" if fewest == most else f"{fewest} to {most}"
    words = ["1 repeat" if most == 1 else f"mean of {span} repeats", *describe_left_out(dataset)]
    return ", ".join(words)


def _scale(columns: Sequence[Mapping[str, RepeatSummary]]) -> EpochScale:
    """Span the epochs of all scalars, which are drawn on one scale."""
    summaries = [one for column in columns for one in column.values()]
    counts = " or ".join(dict.fromkeys(one.counts for one in summaries))
    return EpochScale.of(np.concatenate([one.epochs for one in summaries]), counts)


def _draw_row(
    axes: Sequence[Axes],
    columns: Sequence[Mapping[str, RepeatSummary]],
    name: str,
    scale: EpochScale,
) -> None:
    """Draw one scalar of several stores, on one axis."""
    for ax, column in zip(axes, columns, strict=True):
        if name in column:
            _draw(ax, column[name], name, scale)
        else:
            scale.apply_to_x_axis(ax)
            ax.text(0.5, 0.5, "not recorded", ha="center", va="center", transform=ax.transAxes)
    there = [ax for ax, column in zip(axes, columns, strict=True) if name in column]
    share_y(there)
    for ax in axes:
        ax.set_ylim(there[0].get_ylim())
    set_y_label(axes[0], _label(name, next(one[name] for one in columns if name in one)))


def _draw(ax: Axes, summary: RepeatSummary, name: str, scale: EpochScale) -> None:
    draw_course(ax, summary, name, _look(name))
    scale.apply_to_x_axis(ax)
    ax.margins(x=0.02)
    set_y_label(ax, _label(name, summary))


def _look(name: str) -> dict[str, Any]:
    subset = name.split("_")[0]
    look = LOOKS[subset] if subset in ("train", "test") else OWN_LOOK
    return {**look, "label": figure_text(name)}


def _label(name: str, summary: RepeatSummary) -> str:
    unit = {"nat": " [nat]"}.get(str(summary.mean[name].attrs.get("units")), "")
    return figure_text(f"{called(name)}{unit}")


def _share_x(axes: Sequence[Axes]) -> None:
    """Give axes the same ends."""
    spans = [ax.get_xlim() for ax in axes if ax.lines]
    for ax in axes:
        ax.set_xlim(min(low for low, _ in spans), max(high for _, high in spans))


def _label_all(canvas: Canvas, summaries: Mapping[str, RepeatSummary]) -> None:
    """Label the y axes of both columns, which are different scalars."""
    for ax, (name, summary) in zip(canvas.axes, summaries.items(), strict=True):
        set_y_label(ax, _label(name, summary))


FIGURE = FigureKind(
    scalars,
    "store",
    shows="losses, accuracies and every scalar that was given, a panel each",
    command_options=(
        Option("names", "Scalars to draw, such as train_loss,grad_norm.  [default: all]", list),
    ),
    facets=scalars_facets,
    control=("beside",),
    no_control="they are not in bits",
)
