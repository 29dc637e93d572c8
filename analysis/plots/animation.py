"""The information plane as a film over epochs, with the accuracy beneath where there is one."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import xarray as xr
from matplotlib.animation import FuncAnimation
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from ibtools.analysis.figures import LAYERS, FigureKind, Option
from ibtools.analysis.plots.accuracy import (
    accuracy_handles,
    confidence_handles,
    draw_accuracy,
    summarise_accuracy,
)
from ibtools.analysis.plots.canvas import Canvas, Grid, given_axes
from ibtools.analysis.plots.epoch_scale import EpochScale
from ibtools.analysis.plots.legends import draw_legend_below
from ibtools.analysis.plots.limits import Limits, plane_limits
from ibtools.analysis.plots.names import figure_names, figure_text
from ibtools.analysis.plots.panels import TITLE_PAD, draw_frame
from ibtools.analysis.plots.reference import (
    CHANCE_LINE,
    CONTROL_PATH,
    HOLLOW_COLOR,
    control_handles,
    reference_handles,
)
from ibtools.analysis.plots.sheets import drawing_style
from ibtools.analysis.plots.style import LayerStyle, layer_styles, network_layers
from ibtools.analysis.plots.titles import set_title
from ibtools.analysis.repeats.accuracy import accuracies, has_accuracy, majority_share
from ibtools.analysis.repeats.shown import CHANCE, RepeatSummary, summarise_repeats
from ibtools.errors import InputError

PAIR = Grid(panel=(5.4, 3.5), height_ratios=(2.3, 1.0))
"""The plane and the accuracy."""

ALONE = Grid(panel=(5.4, 4.9))
"""The plane of a store without accuracies."""

_AXES = {
    True: "two, for the plane and for the accuracy",
    False: "one, for the plane: the store has no accuracy",
}

N_FRAMES = 120
FRAMES_PER_SECOND = 15
LAST_FRAME_SECONDS = 2
"""How long the last epoch stands before the film starts anew."""

FIRST_SIZE, LAST_SIZE = 13.0, 6.0
"""Markers of the first and the last layer, in points: layers that coincide show."""

ACCURACY_EPOCHS = 600
"""Epochs of the accuracy that are drawn, at most: more would not be seen at its size."""

LEVEL_EPOCHS = 150
"""Likewise of chance levels, whose dots would run together."""


def animate_information_plane(
    results: xr.Dataset,
    dataset: xr.Dataset,
    *,
    axes: Sequence[Axes] | None = None,
    layers: Iterable[str] | None = None,
    limits: Limits | Literal["paper"] | None = "paper",
    n_frames: int = N_FRAMES,
    fps: int = FRAMES_PER_SECOND,
) -> FuncAnimation:
    """Animate the information plane over epochs, with the accuracy and a cursor beneath.

    Every layer is a marker in its colour that draws its course behind it; the layers of the current
    epoch are joined. Markers are hollow where a layer is saturated. Dashed lines are the ceilings,
    dotted ones the course of the chance level of I(T;Y), where the results have it. The course is
    of all epochs also where the frames are of some.

    Parameters
    ----------
    results : Dataset, (repeat, epoch, layer)
        From `ibtools.analyze` or `ibtools.open_results`, lazy or not; `mi_xt` and `mi_ty` in bits.
        Repeats that failed are left out and counted in the title. A control that is beside them
        (`ibtools.beside_control`) goes along in grey.
    dataset : Dataset
        From `ibtools.open_store`: the recording that the results are of.
    axes : sequence of two Axes, optional
        Where to draw the plane and the accuracy, of one figure and in the caller's style. By
        default one above the other in a new figure in the style of ibtools, unknown to pyplot.
        One, for the plane, where the recording has no accuracy.
    layers : iterable of str, optional
        The layers to draw. All by default.
    limits : ((x0, x1), (y0, y1)) or "paper" or None, optional
        As of `information_plane`.
    n_frames : int, optional
        How many epochs are shown at most, spread evenly over the scale of the accuracy's axis.
    fps : int, optional
        Frames per second.

    Returns
    -------
    FuncAnimation
        Keep a reference to it while it is shown; `save_animation` writes it, and its
        ``to_jshtml()`` shows it in a notebook.

    Raises
    ------
    UnknownNameError
        If the results have no such layer.
    StoreError
        If something that is needed is missing, or there is no complete snapshot.
    InputError
        If `axes` are not as many, or `n_frames` or `fps` are out of range.

    Examples
    --------
    From a store that was analysed::

        film = animate_information_plane(open_results("syn.zarr"), open_store("syn.zarr"))
        save_animation(film, "plane.gif")
    """
    with_accuracy = has_accuracy(dataset)
    given = given_axes(axes, (1 + with_accuracy, 1), _AXES[with_accuracy])
    _validate_settings(n_frames, fps)
    summary = summarise_repeats(results, layers)
    every = layer_styles(network_layers(results))
    styles = {name: every[name] for name in summary.layers}
    shown = plane_limits([summary], limits)
    with drawing_style(axes):
        canvas = Canvas.of(given, PAIR if with_accuracy else ALONE, 1 + with_accuracy)
        plane, *below = canvas.axes
        film = _Film(plane, below, summary, styles, shown)
        for ax in below:
            _draw_accuracy(ax, dataset, summary.epochs)
        if canvas.is_ours:
            _fix_layout(canvas.figure)
    frames = EpochScale.of(summary.epochs).thin(summary.epochs, n_frames).tolist()
    return FuncAnimation(
        canvas.figure,
        film.show,
        frames=[*frames, *frames[-1:] * (LAST_FRAME_SECONDS * fps)],
        init_func=lambda: film.show(frames[0]),
        interval=1000 / fps,
        cache_frame_data=False,
    )


class _Film:
    """What moves: it is created once and moved from epoch to epoch."""

    def __init__(
        self,
        plane: Axes,
        below: Sequence[Axes],
        summary: RepeatSummary,
        styles: Mapping[str, LayerStyle],
        limits: Limits,
    ) -> None:
        self.summary = summary
        self.courses = {name: _course(summary.mean, name, "mi_ty") for name in styles}
        self.level_places = EpochScale.of(summary.epochs).thin(summary.epochs, LEVEL_EPOCHS)
        self.levels = {
            name: _course(summary.mean, name, CHANCE)[self.level_places]
            for name in styles
            if CHANCE in summary.mean
        }
        self.hollow = summary.saturated.transpose("epoch", "layer").values
        _draw_still(plane, summary, styles, limits)
        self.trails = {name: _line(plane, color=styles[name].color) for name in styles}
        dotted: dict[str, Any] = {**CHANCE_LINE, "color": "0.25"}
        self.chance = {name: _line(plane, **dotted) for name in self.levels}
        self.of_control = {}
        if summary.control is not None:
            mean = summary.control.mean.reindex(epoch=summary.epochs)
            self.of_control = {name: _course(mean, name, "mi_ty") for name in styles}
        self.controls = {
            name: _line(plane, **{**CONTROL_PATH, "marker": styles[name].marker, "markevery": [-1]})
            for name in self.of_control
        }
        self.joint = _line(plane, color="0.6", linewidth=0.8)
        sizes = np.linspace(FIRST_SIZE, LAST_SIZE, len(styles))
        self.markers = {
            name: _line(plane, color=one.color, marker=one.marker, markersize=size, zorder=4)
            for (name, one), size in zip(styles.items(), sizes, strict=True)
        }
        self.title = plane.set_title("", loc="right", pad=TITLE_PAD)
        look: dict[str, Any] = {"color": "0.25", "linewidth": 1, "label": "_cursor"}
        self.cursors = [ax.axvline(summary.epochs[0], **look) for ax in below]

    def show(self, position: int) -> list[Line2D]:
        """Show the epoch at a position."""
        for name, trail in self.trails.items():
            trail.set_data(*self.courses[name][: position + 1].T)
        for name, line in self.chance.items():
            line.set_data(*self.levels[name][self.level_places <= position].T)
        for name, line in self.controls.items():
            line.set_data(*self.of_control[name][: position + 1].T)
        now = np.array([course[position] for course in self.courses.values()])
        self.joint.set_data(*now.T)
        for place, (name, marker) in enumerate(self.markers.items()):
            marker.set_data(*self.courses[name][position : position + 1].T)
            hollow = self.hollow[position, place]
            marker.set_markerfacecolor(HOLLOW_COLOR if hollow else marker.get_color())
        epoch = self.summary.epochs[position]
        self.title.set_text(f"{self.summary.counts} {epoch}")
        for cursor in self.cursors:
            cursor.set_xdata([epoch, epoch])
        moving = (self.trails, self.chance, self.controls, self.markers)
        moved = [line for lines in moving for line in lines.values()]
        return [*moved, self.joint, *self.cursors]


def _validate_settings(n_frames: int, fps: int) -> None:
    if n_frames < 2:
        raise InputError(f"n_frames must be at least 2, got {n_frames}")
    if not 1 <= fps <= 100:
        raise InputError(f"fps must be 1 to 100 frames per second, got {fps}")


def _draw_accuracy(ax: Axes, dataset: xr.Dataset, epochs: NDArray[np.int64]) -> None:
    """Draw the accuracy over the epochs of the film, and its legend."""
    summary = summarise_accuracy(_thin_accuracies(dataset))
    draw_accuracy(ax, summary, None, majority_share(dataset))
    low, high = ax.get_xlim()
    ax.set_xlim(min(low, epochs[0]), max(high, epochs[-1]))
    draw_legend_below(ax, [*accuracy_handles(ax), *confidence_handles([summary])])


def _thin_accuracies(dataset: xr.Dataset) -> xr.Dataset:
    """Choose epochs of each accuracy that has a value there."""
    curves = accuracies(dataset)
    epochs = curves["trained_epoch"].values
    scale, chosen = EpochScale.of(epochs), []
    for curve in curves.data_vars.values():
        there = np.flatnonzero(curve.notnull().any("repeat"))
        chosen.append(there[scale.thin(epochs[there], ACCURACY_EPOCHS)])
    return curves.isel(trained_epoch=np.unique(np.concatenate(chosen)))


def _fix_layout(figure: Figure) -> None:
    """Lay a figure out once: it must not move between frames, and would take longest to draw."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")


def _course(mean: xr.Dataset, layer: str, variable: str) -> NDArray[np.float64]:
    """Return I(X;T) and another variable of a layer, (epoch, 2)."""
    values = mean.sel(layer=layer)
    return np.column_stack([values["mi_xt"].values, values[variable].values])


def _line(ax: Axes, **look: Any) -> Line2D:
    (line,) = ax.plot([], [], label="_moving", **look)
    return line


def _draw_still(
    ax: Axes, summary: RepeatSummary, styles: Mapping[str, LayerStyle], limits: Limits
) -> None:
    """Draw what does not move: axes, ceilings, legend."""
    draw_frame(ax, summary, limits)
    set_title(ax, figure_text(summary.caption), loc="left", pad=TITLE_PAD)
    look: dict[str, Any] = {"markersize": 5, "linewidth": 1.2}
    handles = [
        Line2D([], [], color=one.color, marker=one.marker, label=label, **look)
        for label, one in zip(figure_names(styles), styles.values(), strict=True)
    ]
    beside = control_handles([summary], CONTROL_PATH)
    draw_legend_below(ax, [*handles, *beside, *reference_handles([summary])])


FIGURE = FigureKind(
    animate_information_plane,
    "both",
    shows="the plane over epochs, the accuracy beneath (.gif or .mp4)",
    read_against="the same",
    command_options=(
        LAYERS,
        Option("n_frames", f"most frames.  [default: {N_FRAMES}]", int, flag="frames"),
        Option("fps", f"frames per second.  [default: {FRAMES_PER_SECOND}]", int),
    ),
    film=True,
    control=("beside", "subtract"),
)
