"""Information planes side by side: one norm of colours, one legend, zooms."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from ibtools.analysis.plots.epoch_scale import EpochScale
from ibtools.analysis.plots.limits import Limits
from ibtools.analysis.plots.style import (
    LayerStyle,
    create_epoch_colormap,
    draw_ceiling,
    set_y_label,
    variable_label,
)
from ibtools.analysis.repeats import RepeatSummary

LAST_EPOCH_COLOR = "0.15"
TITLE_PAD = 9
"""Points above the axes: the label of H(Y) may reach over them."""
FIRST_AREA, LAST_AREA = 34.0, 14.0
"""Marker areas of the first and the last layer (square points): layers that coincide show."""


@dataclass(frozen=True)
class Panel:
    """One plane of a figure.

    Parameters
    ----------
    summary : RepeatSummary
        What is drawn.
    title : str
        Above it.
    limits : Limits
        What is shown, in bits.
    marked : Limits or None, optional
        The part that another panel shows larger.
    is_zoom : bool, optional
        Whether it is that other panel.
    """

    summary: RepeatSummary
    title: str
    limits: Limits
    marked: Limits | None = None
    is_zoom: bool = False

    def zoomed(self) -> "Panel | None":
        """Return the panel of the marked part, if there is one."""
        if self.marked is None:
            return None
        return replace(self, title="zoom", limits=self.marked, marked=None, is_zoom=True)


def panels_scale(panels: Iterable[Panel]) -> EpochScale:
    """Span the epochs of all panels, so that a colour is the same epoch in each."""
    return EpochScale.of(np.concatenate([panel.summary.epochs for panel in panels]))


def panels_layers(layers_by_panel: Iterable[Sequence[str]]) -> list[str]:
    """Merge the layers of several networks, those that end a network last.

    Examples
    --------
    >>> panels_layers([["hidden_1", "output"], ["hidden_1", "hidden_2", "output"]])
    ['hidden_1', 'hidden_2', 'output']
    """
    networks = sorted(layers_by_panel, key=len, reverse=True)
    names = dict.fromkeys(name for network in networks for name in network)
    ends = {network[-1] for network in networks}
    return [name for name in names if name not in ends] + [name for name in names if name in ends]


def draw_panel(
    ax: Axes, panel: Panel, styles: Mapping[str, LayerStyle], scale: EpochScale
) -> PathCollection:
    """Draw one plane without legend and colour bar.

    Returns
    -------
    PathCollection
        The points of the last layer, which a colour bar can be made for.
    """
    attributes = panel.summary.mean.attrs
    _draw_epoch_lines(ax, panel.summary, scale)
    points = _draw_points(ax, panel.summary, styles, scale)
    ax.set_xlim(panel.limits[0])
    ax.set_ylim(panel.limits[1])
    directions: tuple[tuple[Literal["x", "y"], str], ...] = (("x", "H(X)"), ("y", "H(Y)"))
    for direction, symbol in directions:
        label = None if panel.is_zoom else symbol  # once is enough, and a zoom has no room
        draw_ceiling(ax, direction, attributes[f"entropy_{direction}"], label)
    if panel.marked is not None:
        _mark(ax, panel.marked)
    ax.set_xlabel(variable_label(panel.summary.mean["mi_xt"]))
    set_y_label(ax, variable_label(panel.summary.mean["mi_ty"]))
    ax.set_title(panel.title, pad=TITLE_PAD)
    return points


def draw_colorbar(points: PathCollection, axes: Sequence[Axes], scale: EpochScale) -> None:
    """Add one colour bar, which takes its space from all of `axes`."""
    extend = "min" if scale.has_prefit else "neither"
    figure = cast(Figure, axes[0].figure)
    ax = axes[0] if len(axes) == 1 else list(axes)
    aspect = 20 if len(axes) <= 2 else 35
    scale.apply_to_colorbar(figure.colorbar(points, ax=ax, extend=extend, aspect=aspect))


def layer_handles(names: Iterable[str], styles: Mapping[str, LayerStyle]) -> list[Line2D]:
    """Stand for the layers by their markers, in a colour that is no epoch's."""
    look: dict[str, Any] = {"color": "0.25", "linestyle": "none", "markersize": 5}
    return [Line2D([], [], marker=styles[name].marker, label=name, **look) for name in names]


def _draw_epoch_lines(ax: Axes, summary: RepeatSummary, scale: EpochScale) -> None:
    """Join the layers of each epoch, all epochs in one collection."""
    coordinates = [
        summary.mean[name].transpose("epoch", "layer").values for name in ("mi_xt", "mi_ty")
    ]
    lines = LineCollection(
        list(np.stack(coordinates, axis=-1)),
        norm=scale.norm,
        cmap=create_epoch_colormap(),
        linewidths=0.4,
        alpha=0.35,
        zorder=2,
    )
    lines.set_array(summary.epochs)
    ax.add_collection(lines)


def _draw_points(
    ax: Axes, summary: RepeatSummary, styles: Mapping[str, LayerStyle], scale: EpochScale
) -> PathCollection:
    """Draw one collection of points per layer, later epochs above earlier ones; return the last."""
    areas = np.linspace(FIRST_AREA, LAST_AREA, len(summary.layers))
    outlines = ["none"] * (summary.epochs.size - 1) + [LAST_EPOCH_COLOR]
    norm, colormap = scale.norm, create_epoch_colormap()
    for name, area in zip(summary.layers, areas, strict=True):
        layer = summary.mean.sel(layer=name)
        points = ax.scatter(
            layer["mi_xt"].values,
            layer["mi_ty"].values,
            c=summary.epochs,
            s=area,
            marker=styles[name].marker,
            norm=norm,
            cmap=colormap,
            linewidths=0.7,
            edgecolors=outlines,
            zorder=3,
            label=name,
        )
    return points


def _mark(ax: Axes, limits: Limits) -> None:
    (x0, x1), (y0, y1) = limits
    look: dict[str, Any] = {
        "facecolor": "none",
        "edgecolor": "0.3",
        "linewidth": 0.7,
        "label": "_zoom",
    }
    ax.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, zorder=4, **look))
