"""Information against epoch: the coordinates of the information plane as functions of time."""

from collections.abc import Iterable, Sequence

import xarray as xr
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from ibtools.analysis.plots.epoch_scale import EpochScale
from ibtools.analysis.plots.repeats import RepeatSummary, summarise_repeats
from ibtools.analysis.plots.style import (
    PREFIT_COLOR,
    LayerStyle,
    create_axes,
    draw_ceiling,
    draw_legend_below,
    drawing_style,
    layer_styles,
    variable_label,
)

SIZE = (5.4, 5.6)
MARKER_SPACING = 0.12
"""Distance between the markers of a line, as a fraction of the diagonal of the axes."""


def information_epochs(
    results: xr.Dataset,
    *,
    axes: Sequence[Axes] | None = None,
    layers: Iterable[str] | None = None,
) -> tuple[Axes, Axes]:
    """Draw I(X;T) and I(T;Y) of every layer against epoch: mean over repeats and a band.

    Bands are the mean plus and minus the standard deviation between repeats (n - 1 in the
    denominator); there is none where fewer than two repeats have a value. Dashed lines are the
    ceilings H(X) and H(Y); a random-label prefit has a grey ground.

    Parameters
    ----------
    results : Dataset, (repeat, epoch, layer)
        From `ibtools.analyze` or `ibtools.open_results`, lazy or not; `mi_xt` and `mi_ty` in bits.
        Repeats that failed are left out and counted in the title.
    axes : sequence of two Axes, optional
        Where to draw I(X;T) and I(T;Y), in the caller's style. By default one above the other in a
        new figure in the style of ibtools, unknown to pyplot.
    layers : iterable of str, optional
        The layers to draw. All by default.

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
    ValueError
        If `axes` are not two.

    Notes
    -----
    Epochs are spaced logarithmically from 1 on, in trainings of more than 30 epochs. Markers are
    spread along the lines at different places, so that layers that coincide can be seen.
    """
    if axes is not None and len(axes) != 2:
        raise ValueError(
            f"axes must be two, for I(X;T) and for I(T;Y), got {len(axes)}; "
            "make them with figure.subplots(2, 1)"
        )
    summary = summarise_repeats(results, layers)
    styles = layer_styles(results["layer"].values)
    with drawing_style(axes):
        upper, lower = create_axes(2, size=SIZE) if axes is None else axes
        _draw_pair(upper, lower, summary, [styles[name] for name in summary.layers])
        if axes is None:
            upper.label_outer()
    return upper, lower


def _draw_pair(upper: Axes, lower: Axes, summary: RepeatSummary, styles: list[LayerStyle]) -> None:
    _draw_variable(upper, summary, "mi_xt", styles)
    _draw_variable(lower, summary, "mi_ty", styles)
    draw_ceiling(upper, "y", summary.mean.attrs["entropy_x"], "H(X)")
    draw_ceiling(lower, "y", summary.mean.attrs["entropy_y"], "H(Y)")
    upper.set_title(summary.caption)
    draw_legend_below(lower, [line for line in lower.lines if line.get_label() in summary.layers])


def _draw_variable(
    ax: Axes, summary: RepeatSummary, variable: str, styles: list[LayerStyle]
) -> None:
    for position, (name, style) in enumerate(zip(summary.layers, styles, strict=True)):
        offset = MARKER_SPACING * position / len(styles)
        _draw_layer(ax, summary, variable, name, style, marker_offset=offset)
    scale = EpochScale.of(summary.epochs)
    scale.apply_to_x_axis(ax)
    if scale.has_prefit:
        ax.axvspan(scale.first, 0, color=PREFIT_COLOR, alpha=0.25, linewidth=0, zorder=0)
    ax.margins(x=0.02, y=0.12)
    ax.set_ylabel(variable_label(summary.mean[variable]))


def _draw_layer(
    ax: Axes,
    summary: RepeatSummary,
    variable: str,
    layer: str,
    style: LayerStyle,
    *,
    marker_offset: float,
) -> Line2D:
    mean = summary.mean[variable].sel(layer=layer).values
    deviation = summary.deviation[variable].sel(layer=layer).values
    (line,) = ax.plot(
        summary.epochs,
        mean,
        color=style.color,
        marker=style.marker,
        markevery=(marker_offset, MARKER_SPACING),
        markersize=4,
        linewidth=1.2,
        label=layer,
    )
    ax.fill_between(
        summary.epochs,
        mean - deviation,
        mean + deviation,
        color=style.color,
        alpha=0.2,
        linewidth=0,
    )
    return line
