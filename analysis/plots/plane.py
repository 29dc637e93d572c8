"""The information plane: what the layers know of the input against what they know of the label."""

from collections.abc import Iterable

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import Colormap, Normalize
from matplotlib.lines import Line2D

from ibtools.analysis.plots.epoch_scale import EpochScale
from ibtools.analysis.plots.repeats import RepeatSummary, summarise_repeats
from ibtools.analysis.plots.style import (
    LayerStyle,
    create_axes,
    create_epoch_colormap,
    draw_ceiling,
    draw_legend_below,
    drawing_style,
    layer_styles,
    variable_label,
)

SIZE = (5.4, 4.6)
LAST_EPOCH_COLOR = "0.15"
FIRST_AREA, LAST_AREA = 34.0, 14.0
"""Marker areas of the first and the last layer (square points): layers that coincide show."""


def information_plane(
    results: xr.Dataset,
    *,
    ax: Axes | None = None,
    layers: Iterable[str] | None = None,
    colorbar: bool = True,
) -> Axes:
    """Draw the information plane: one point per layer and epoch, the mean over repeats.

    The points of one epoch are joined by a thin line, those of the last epoch are outlined. The
    colour is the epoch, on the same norm as the colour bar; a random-label prefit is grey. Dashed
    lines are the ceilings H(X) and H(Y).

    Parameters
    ----------
    results : Dataset, (repeat, epoch, layer)
        From `ibtools.analyze` or `ibtools.open_results`, lazy or not; `mi_xt` and `mi_ty` in bits.
        Repeats that failed are left out and counted in the title.
    ax : Axes, optional
        Where to draw, in the caller's style. By default a new figure in the style of ibtools,
        unknown to pyplot.
    layers : iterable of str, optional
        The layers to draw, joined in this order. All by default.
    colorbar : bool
        Whether to add a colour bar, which takes its space from `ax`.

    Returns
    -------
    Axes
        What was drawn on; its `figure` saves and displays.

    Raises
    ------
    UnknownNameError
        If the results have no such layer.
    StoreError
        If something that is needed is missing from the results, or they have no complete snapshot.

    Notes
    -----
    Markers and their legend tell layers apart; the legend is below the axes, for which figures of
    the caller should have ``layout="constrained"``.

    References
    ----------
    Shwartz-Ziv and Tishby, Opening the Black Box of Deep Neural Networks via Information, arXiv
    1703.00810.

    Examples
    --------
    Two experiments side by side::

        figure = matplotlib.figure.Figure(figsize=(10, 4.5), layout="constrained")
        left, right = figure.subplots(1, 2)
        information_plane(tanh, ax=left, colorbar=False)
        information_plane(relu, ax=right)
        figure.savefig("planes.pdf")
    """
    summary = summarise_repeats(results, layers)
    styles = layer_styles(results["layer"].values)
    with drawing_style(ax):
        ax = create_axes(size=SIZE)[0] if ax is None else ax
        _draw_plane(ax, summary, [styles[name] for name in summary.layers], colorbar=colorbar)
    return ax


def _draw_plane(
    ax: Axes, summary: RepeatSummary, styles: list[LayerStyle], *, colorbar: bool
) -> None:
    scale = EpochScale.of(summary.epochs)
    norm, colormap = scale.norm(), create_epoch_colormap()
    _draw_epoch_lines(ax, summary, norm, colormap)
    points = _draw_points(ax, summary, styles, norm, colormap)
    draw_ceiling(ax, "x", summary.mean.attrs["entropy_x"], "H(X)")
    draw_ceiling(ax, "y", summary.mean.attrs["entropy_y"], "H(Y)")
    ax.margins(x=0.07, y=0.1)
    ax.set_xlabel(variable_label(summary.mean["mi_xt"]))
    ax.set_ylabel(variable_label(summary.mean["mi_ty"]))
    ax.set_title(summary.caption)
    draw_legend_below(ax, _legend_handles(summary.layers, styles))
    if colorbar:
        extend = "min" if scale.has_prefit else "neither"
        scale.apply_to_colorbar(ax.figure.colorbar(points, ax=ax, extend=extend))


def _draw_epoch_lines(
    ax: Axes, summary: RepeatSummary, norm: Normalize, colormap: Colormap
) -> None:
    """Join the layers of each epoch, all epochs in one collection."""
    coordinates = [
        summary.mean[name].transpose("epoch", "layer").values for name in ("mi_xt", "mi_ty")
    ]
    lines = LineCollection(
        list(np.stack(coordinates, axis=-1)),
        norm=norm,
        cmap=colormap,
        linewidths=0.4,
        alpha=0.35,
        zorder=2,
    )
    lines.set_array(summary.epochs)
    ax.add_collection(lines)


def _draw_points(
    ax: Axes,
    summary: RepeatSummary,
    styles: list[LayerStyle],
    norm: Normalize,
    colormap: Colormap,
) -> PathCollection:
    """Draw one collection of points per layer, later epochs above earlier ones; return the last."""
    areas = np.linspace(FIRST_AREA, LAST_AREA, len(styles))
    outlines = ["none"] * (summary.epochs.size - 1) + [LAST_EPOCH_COLOR]
    for name, style, area in zip(summary.layers, styles, areas, strict=True):
        layer = summary.mean.sel(layer=name)
        points = ax.scatter(
            layer["mi_xt"].values,
            layer["mi_ty"].values,
            c=summary.epochs,
            s=area,
            marker=style.marker,
            norm=norm,
            cmap=colormap,
            linewidths=0.7,
            edgecolors=outlines,
            zorder=3,
            label=name,
        )
    return points


def _legend_handles(names: list[str], styles: list[LayerStyle]) -> list[Line2D]:
    """Stand for the layers by their markers, in a colour that is no epoch's."""
    return [
        Line2D(
            [], [], color="0.25", marker=style.marker, linestyle="none", markersize=5, label=name
        )
        for name, style in zip(names, styles, strict=True)
    ]
