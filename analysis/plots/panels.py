"""Information planes side by side: one norm of colours, one legend, zooms."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from ibtools.analysis.plots.epoch_scale import EpochScale
from ibtools.analysis.plots.labels import set_y_label, variable_label
from ibtools.analysis.plots.limits import Limits
from ibtools.analysis.plots.names import figure_names
from ibtools.analysis.plots.reference import (
    CEILINGS,
    CHANCE_LINE,
    CONTROL_PATH,
    HOLLOW_COLOR,
    control_handles,
    draw_ceiling,
    draw_nothing_learned,
    reference_handles,
)
from ibtools.analysis.plots.style import LayerStyle, create_epoch_colormap
from ibtools.analysis.plots.titles import set_title
from ibtools.analysis.plots.zoom import near_pairs
from ibtools.analysis.repeats.controls import CONTROL
from ibtools.analysis.repeats.shown import CHANCE, RepeatSummary

LAST_EPOCH_COLOR = "0.15"
"""Of what surrounds the points of the last epoch, whose own colour is that of the epoch."""
EDGE_WIDTH, OUTLINE_WIDTH = 0.7, 0.7
"""Points: of the edge of a marker, and of what surrounds the edge in the last epoch."""
TITLE_PAD = 9
"""Points above the axes: the label of H(Y) may reach over them."""
JOINED_EPOCHS = 150
"""Epochs whose layers are joined, at most: more would cover the plane."""
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
        Above it, as a text of matplotlib.
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
    summaries = [panel.summary for panel in panels]
    counts = " or ".join(dict.fromkeys(one.counts for one in summaries))
    return EpochScale.of(np.concatenate([one.epochs for one in summaries]), counts)


def panels_layers(layers_by_panel: Iterable[Sequence[str]]) -> list[str]:
    """Merge the layers of several networks, those that end a network last.

    Examples
    --------
    >>> panels_layers([["hidden_1", "output"], ["hidden_1", "hidden_2", "output"]])
    ['hidden_1', 'hidden_2', 'output']
    """
    networks = sorted(layers_by_panel, key=len, reverse=True)
    names = dict.fromkeys(name for network in networks for name in network)
    ends = last_layers(networks)
    return [name for name in names if name not in ends] + [name for name in names if name in ends]


def last_layers(networks: Iterable[Sequence[str]]) -> set[str]:
    """Return what several networks end in."""
    return {network[-1] for network in networks}


def draw_panel(
    ax: Axes, panel: Panel, styles: Mapping[str, LayerStyle], scale: EpochScale
) -> PathCollection:
    """Draw one plane; return the points of its last layer, which a colour bar can be made for."""
    if panel.summary.control is not None:
        _draw_control(ax, panel.summary.control, styles)
    _draw_epoch_lines(ax, panel.summary, scale, panel.limits if panel.is_zoom else None)
    points = _draw_points(ax, panel.summary, styles, scale)
    _draw_chance_levels(ax, panel.summary, scale)
    # the names of ceilings once are enough, and a zoom has no room
    draw_frame(ax, panel.summary, panel.limits, name_ceilings=not panel.is_zoom)
    if panel.marked is not None:
        _mark(ax, panel.marked)
    set_title(ax, panel.title, pad=TITLE_PAD)
    return points


def draw_frame(
    ax: Axes, summary: RepeatSummary, limits: Limits, *, name_ceilings: bool = True
) -> None:
    """Draw what a plane has without a point: limits, ceilings and the names of its axes."""
    ax.set_xlim(limits[0])
    ax.set_ylim(limits[1])
    for axis, ceiling in summary.ceilings.items():
        draw_ceiling(ax, axis, ceiling, CEILINGS[axis] if name_ceilings else None)
    if CONTROL in summary.mean.attrs:
        draw_nothing_learned(ax, "x", "y")
    ax.set_xlabel(variable_label(summary.mean["mi_xt"]))
    set_y_label(ax, variable_label(summary.mean["mi_ty"]))


def draw_colorbar(points: ScalarMappable, axes: Sequence[Axes], scale: EpochScale) -> None:
    """Add one colour bar, which takes its space from all of `axes`."""
    extend = "min" if scale.has_prefit else "neither"
    figure = cast(Figure, axes[0].figure)
    ax = axes[0] if len(axes) == 1 else list(axes)
    above = len({round(one.get_position().y0, 3) for one in axes}) > 1
    aspect = 35 if above or len(axes) > 2 else 20
    scale.apply_to_colorbar(figure.colorbar(points, ax=ax, extend=extend, aspect=aspect))


def legend_handles(
    names: Iterable[str], styles: Mapping[str, LayerStyle], panels: Sequence[Panel]
) -> list[Artist]:
    """Stand for some layers by markers in a colour that is no epoch's, and for what is read."""
    look: dict[str, Any] = {"color": "0.25", "linestyle": "none", "markersize": 5}
    labels = dict(zip(styles, figure_names(styles), strict=True))
    handles: list[Artist] = [
        Line2D([], [], marker=styles[name].marker, label=labels[name], **look) for name in names
    ]
    scale = panels_scale(panels)
    color = create_epoch_colormap()(scale.norm(scale.last))
    look = {"facecolor": color, "edgecolor": LAST_EPOCH_COLOR, "linewidth": 2 * OUTLINE_WIDTH}
    handles.append(Patch(label=f"last {scale.counts}", **look))  # no marker: these are the layers'
    summaries = [panel.summary for panel in panels]
    return [*handles, *control_handles(summaries, CONTROL_PATH), *reference_handles(summaries)]


def _draw_control(ax: Axes, summary: RepeatSummary, styles: Mapping[str, LayerStyle]) -> None:
    """Draw the way of each layer of a control, and where it ends."""
    for name in summary.layers:
        layer = summary.mean.sel(layer=name)
        look = {**CONTROL_PATH, "marker": styles[name].marker, "markevery": [-1]}
        ax.plot(layer["mi_xt"], layer["mi_ty"], label=f"_control {name}", zorder=1.5, **look)


def _draw_epoch_lines(
    ax: Axes, summary: RepeatSummary, scale: EpochScale, within: Limits | None
) -> None:
    """Join the layers of each epoch, or of some spread over the scale, in one collection.

    In a zoom, layers within it that are near are joined: longer lines would cross all of it.
    """
    coordinates = [
        summary.mean[name].transpose("epoch", "layer").values for name in ("mi_xt", "mi_ty")
    ]
    joined = scale.thin(summary.epochs, JOINED_EPOCHS)
    points = np.stack(coordinates, axis=-1)[joined]
    if within is not None:
        points = near_pairs(points, within)
    lines = LineCollection(
        list(points),
        norm=scale.norm,
        cmap=create_epoch_colormap(),
        linewidths=0.4,
        alpha=0.35,
        zorder=2,
    )
    lines.set_array(summary.epochs[joined])
    ax.add_collection(lines)


def _draw_points(
    ax: Axes, summary: RepeatSummary, styles: Mapping[str, LayerStyle], scale: EpochScale
) -> PathCollection:
    """Draw one collection of points per layer, later epochs above earlier ones; return the last.

    As the colour is in the faces of full and in the edges of hollow points, matplotlib can't map
    it; the norm and the map are kept for the colour bar.
    """
    areas = np.linspace(FIRST_AREA, LAST_AREA, len(summary.layers))
    norm, colormap = scale.norm, create_epoch_colormap()
    colors = colormap(norm(summary.epochs))
    for name, area in zip(summary.layers, areas, strict=True):
        layer, marker = summary.mean.sel(layer=name), styles[name].marker
        x, y = layer["mi_xt"].values, layer["mi_ty"].values
        faces, edges = _face_and_edge_colors(colors, summary.saturated.sel(layer=name).values)
        look: dict[str, Any] = {"s": area, "marker": marker, "linewidths": EDGE_WIDTH}
        points = ax.scatter(x, y, zorder=3, label=name, **look)
        points.set(facecolors=faces, edgecolors=edges, norm=norm, cmap=colormap)
        outlined = _outlined(marker, area**0.5, colors[-1], faces[-1])
        ax.plot(x[-1:], y[-1:], zorder=3, label=f"_last epoch {name}", **outlined)
    return points


def _face_and_edge_colors(
    colors: NDArray[np.float64], hollow: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Colour the points of all epochs, (epoch, rgba)."""
    faces, edges = colors.copy(), colors.copy()
    faces[hollow] = to_rgba(HOLLOW_COLOR)
    edges[~hollow, 3] = 0.0
    return faces, edges


def _outlined(marker: str, size: float, color: Any, face: Any) -> dict[str, Any]:
    """Return the look of a point of the last epoch: its edge is outlined, not replaced."""
    stroke = withStroke(linewidth=EDGE_WIDTH + 2 * OUTLINE_WIDTH, foreground=LAST_EPOCH_COLOR)
    return {
        "linestyle": "none",
        "marker": marker,
        "markersize": size,
        "markeredgewidth": EDGE_WIDTH,
        "markeredgecolor": color,
        "markerfacecolor": face,
        "path_effects": [stroke],
    }


def _draw_chance_levels(ax: Axes, summary: RepeatSummary, scale: EpochScale) -> None:
    """Draw I(T;Y) of labels without any relation to the layer, over its course in I(X;T)."""
    if CHANCE not in summary.mean:
        return
    chosen = scale.thin(summary.epochs, JOINED_EPOCHS)
    for name in summary.layers:
        layer = summary.mean.sel(layer=name).isel(epoch=chosen)
        label = f"_{CHANCE} {name}"
        ax.plot(layer["mi_xt"], layer[CHANCE], color="0.25", label=label, **CHANCE_LINE)


def _mark(ax: Axes, limits: Limits) -> None:
    (x0, x1), (y0, y1) = limits
    look: dict[str, Any] = {
        "facecolor": "none",
        "edgecolor": "0.3",
        "linewidth": 0.7,
        "label": "_zoom",
    }
    ax.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, zorder=4, **look))
