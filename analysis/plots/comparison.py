"""One network under several estimators: a column for each, its plane above its course in time."""

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Literal

import xarray as xr
from matplotlib.axes import Axes

from ibtools.analysis.estimators.resolution import split_resolutions
from ibtools.analysis.passes.stacking import select_estimator, split_estimators
from ibtools.analysis.plots.canvas import Canvas, Grid, given_axes, share_y
from ibtools.analysis.plots.epochs import draw_variable, epoch_handles
from ibtools.analysis.plots.limits import plane_limits
from ibtools.analysis.plots.names import figure_text
from ibtools.analysis.plots.panels import TITLE_PAD, Panel, draw_colorbar, draw_panel, panels_scale
from ibtools.analysis.plots.sheets import drawing_style
from ibtools.analysis.plots.style import LayerStyle, layer_styles, network_layers
from ibtools.analysis.plots.titles import set_figure_title
from ibtools.analysis.repeats.shown import VARIABLES, RepeatSummary, summarise_repeats
from ibtools.errors import InputError
from ibtools.shown import shortened, visible

COLUMNS = Grid(panel=(2.7, 2.5), furniture=(1.0, 1.0))
"""Room beside for the colour bar, and below for title and legend."""

NOTE_CHARACTERS = 34
"""How long the lines of a note are that fills an empty panel."""


def estimator_comparison(
    results: xr.Dataset | Sequence[xr.Dataset],
    *,
    axes: Sequence[Axes] | None = None,
    layers: Iterable[str] | None = None,
) -> tuple[tuple[Axes, ...], tuple[Axes, ...], tuple[Axes, ...]]:
    """Draw results of one store under several estimators, a column for each.

    The first row are information planes with the same axes; below are the two coordinates against
    epoch, each row with the same axis. Columns that would be too narrow side by side go on below.
    An axis is labelled with what the estimator measures: I(X;T) in one column may be the entropy of
    a binned layer in the next. An estimator without I(X;T) has a note instead of a plane. Lines and
    bands are those of `information_epochs`.

    Parameters
    ----------
    results : Dataset, (estimator, repeat, epoch, layer), or sequence of Dataset
        From `ibtools.analyze` or `ibtools.open_results`, lazy or not, in bits; those of a sequence
        each of one estimator. Those of all resolutions have a column for each.
        Repeats that failed are left out and counted in the titles.
    axes : sequence of Axes, optional
        Where to draw, three rows of one for each estimator, row by row, of one figure and in the
        caller's style. By default a new figure in the style of ibtools, unknown to pyplot.
    layers : iterable of str, optional
        The layers to draw. All by default.

    Returns
    -------
    tuple of three tuples of Axes
        Planes, I(X;T) against epoch, I(T;Y) against epoch.

    Raises
    ------
    UnknownNameError
        If the results have no such layer.
    StoreError
        If something that is needed is missing from the results, or they have no complete snapshot.
    InputError
        If there are no results, none of an estimator that has I(X;T), or not as many `axes`.
    """
    chosen = None if layers is None else list(layers)
    several = _by_estimator(results)
    summaries = [_summarise(one, chosen) for one in several]
    _validate(summaries)
    styles = layer_styles(network_layers(several[0]))
    styles = {name: styles[name] for name in summaries[0].layers}
    n = len(summaries)
    given = given_axes(axes, (3, n), f"{3 * n}, three rows of {n} estimators")
    with drawing_style(given):
        grid = replace(COLUMNS, ncols=n)
        n_stacks = 1 if given else -(-n // grid.fitting(n).ncols)
        grid = replace(grid, ncols=-(-n // n_stacks))
        canvas = Canvas.of(given, grid, 3 * grid.ncols * n_stacks)
        return _draw(canvas, _rows(canvas, n), summaries, styles)


def _rows(canvas: Canvas, n: int) -> tuple[list[Axes], list[Axes], list[Axes]]:
    """Return planes and both coordinates of all estimators; axes of none are taken away."""
    rows: tuple[list[Axes], list[Axes], list[Axes]] = ([], [], [])
    for index, ax in enumerate(canvas.axes):
        stack, place = divmod(index, 3 * canvas.ncols)
        row, column = divmod(place, canvas.ncols)
        if stack * canvas.ncols + column < n:
            rows[row].append(ax)
        else:
            ax.remove()
    return rows


def _by_estimator(results: xr.Dataset | Sequence[xr.Dataset]) -> list[xr.Dataset]:
    if not isinstance(results, xr.Dataset):
        return split_resolutions([select_estimator(one) for one in results])
    if "estimator" in results.dims:
        return split_estimators(results)
    return split_resolutions([select_estimator(results)])


def _summarise(results: xr.Dataset, layers: list[str] | None) -> RepeatSummary:
    has_none = "mi_xt" not in results and "note_mi_xt" in results.attrs
    variables = ("mi_ty",) if has_none else VARIABLES
    return summarise_repeats(results, layers, variables=variables)


def _validate(summaries: Sequence[RepeatSummary]) -> None:
    if not any("mi_xt" in summary.mean for summary in summaries):
        names = ", ".join(str(summary.mean.attrs["estimator"]) for summary in summaries)
        raise InputError(
            f"a comparison needs an estimator that has I(X;T), found {names or 'no results'}; add "
            "exact"
        )


def _draw(
    canvas: Canvas,
    rows: tuple[list[Axes], list[Axes], list[Axes]],
    summaries: Sequence[RepeatSummary],
    styles: Mapping[str, LayerStyle],
) -> tuple[tuple[Axes, ...], tuple[Axes, ...], tuple[Axes, ...]]:
    planes, upper, lower = rows
    _draw_planes(planes, summaries, styles)
    _draw_row(upper, summaries, "mi_xt", styles)
    _draw_row(lower, summaries, "mi_ty", styles)
    for ax in upper:
        ax.set_xlabel("")
    if canvas.is_ours:
        experiment = shortened(summaries[0].mean.attrs.get("experiment", ""))
        set_figure_title(canvas.figure, figure_text(experiment))
    canvas.draw_legend(epoch_handles(summaries, styles))
    return tuple(planes), tuple(upper), tuple(lower)


def _draw_planes(
    axes: Sequence[Axes], summaries: Sequence[RepeatSummary], styles: Mapping[str, LayerStyle]
) -> None:
    limits = plane_limits([one for one in summaries if "mi_xt" in one.mean], None)
    panels = [Panel(one, _title(one), limits) for one in summaries]
    scale = panels_scale(panels)
    points = [
        draw_panel(ax, panel, styles, scale)
        for ax, panel in zip(axes, panels, strict=True)
        if "mi_xt" in panel.summary.mean
    ]
    for ax, panel in zip(axes, panels, strict=True):
        if "mi_xt" not in panel.summary.mean:
            ax.set_title(panel.title, pad=TITLE_PAD)
            _write_note(ax, f"No plane. {panel.summary.mean.attrs['note_mi_xt']}.")
    draw_colorbar(points[-1], axes, scale)


def _title(summary: RepeatSummary) -> str:
    name = textwrap.fill(visible(summary.mean.attrs["estimator"]), NOTE_CHARACTERS)
    return figure_text(f"{name}\n{summary.repeats}")


def _draw_row(
    axes: Sequence[Axes],
    summaries: Sequence[RepeatSummary],
    variable: Literal["mi_xt", "mi_ty"],
    styles: Mapping[str, LayerStyle],
) -> None:
    """Draw one variable of all estimators against epoch, on one scale."""
    there = [pair for pair in zip(axes, summaries, strict=True) if variable in pair[1].mean]
    for ax, summary in there:
        draw_variable(ax, summary, variable, styles)
        ax.set_title(_meaning(summary, variable))
    share_y([ax for ax, _ in there])
    for ax in set(axes) - {ax for ax, _ in there}:
        ax.set_axis_off()


def _meaning(summary: RepeatSummary, variable: str) -> str:
    """Say what the lines are where they are bounds."""
    words = ["line: upper bound"] * (variable == "mi_xt" and "mi_xt_lower" in summary.mean)
    return "\n".join(words)


def _write_note(ax: Axes, note: str) -> None:
    ax.set_axis_off()
    text = figure_text(textwrap.fill(note, NOTE_CHARACTERS))
    ax.text(0.5, 0.5, text, transform=ax.transAxes, ha="center", va="center", fontsize="small")
