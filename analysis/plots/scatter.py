"""The values of a layer of two units as points in the plane, from a store."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from ibtools.analysis.figures import FigureKind, Option
from ibtools.analysis.plots.canvas import Grid
from ibtools.analysis.plots.labels import set_y_label
from ibtools.analysis.plots.legends import draw_legend_below
from ibtools.analysis.plots.names import figure_text
from ibtools.analysis.plots.sheets import drawing_style
from ibtools.analysis.plots.titles import set_title
from ibtools.analysis.repeats.shown import (
    FAILED,
    describe_left_out,
    describe_source,
    validate_recording,
)
from ibtools.errors import InputError, StoreError, unknown_name
from ibtools.shown import short_names, shortened
from ibtools.store.counts import counts_of
from ibtools.store.labels import name_classes, number_classes

ALONE = Grid(panel=(5.0, 4.9))
LABEL_COLORS = (
    "#332288",
    "#DDAA33",
    "#117733",
    "#CC6677",
    "#88CCEE",
    "#882255",
    "#44AA99",
    "#999933",
    "#AA4499",
    "#000000",
)
"""Tol's muted colours for colour-blind readers, with a stronger sand, and black."""

LARGEST_AREA, SAMPLE_AREA, SMALLEST_AREA = 150.0, 6.0, 4.0
"""Areas (square points) of the most crowded point, of a sample where that allows it, of any."""

RASTER_FROM = 5000
"""Points from which PDF and SVG hold them as an image, so that readers open them."""


@dataclass(frozen=True)
class _Snapshot:
    """What is drawn: distinct points, their classes and numbers of samples, and words for it."""

    points: NDArray[np.float32]
    label: NDArray[np.int64]
    classes: NDArray[Any]
    n_samples: NDArray[np.int64]
    caption: str
    axis_label: str


def scatter(
    dataset: xr.Dataset,
    *,
    ax: Axes | None = None,
    layer: str | None = None,
    epoch: int | None = None,
    repeat: int | None = None,
) -> Axes:
    """Draw the values of a layer of two units, one point per state, coloured by label.

    Samples with the same values and the same label are one point, whose area grows with their
    number; small points lie above large ones, so that no label hides another. Nothing is jittered.

    Parameters
    ----------
    dataset : Dataset
        From `ibtools.open_store`. One snapshot of one layer is read.
    ax : Axes, optional
        Where to draw, in the caller's style. By default a new figure in the style of ibtools,
        unknown to pyplot.
    layer : str, optional
        A layer of two units. The last one by default.
    epoch : int, optional
        A recorded epoch. The last complete one by default.
    repeat : int, optional
        The number of a repeat. By default the first that did not fail and has such a snapshot.

    Returns
    -------
    Axes

    Raises
    ------
    UnknownNameError
        If the store has no such layer.
    InputError
        If the layer does not have two units, or repeat and epoch are no complete snapshot.
    StoreError
        If something that is needed is missing, such as values in a store that keeps partitions.

    Notes
    -----
    Areas are proportional to numbers of samples, but for the smallest, which stay visible. A
    softmax layer shows probabilities, also where its logits' codes are stored.
    """
    validate_recording(dataset, ("epoch", "layer", "n_units", "label", "complete"))
    if "activation" not in dataset:
        raise StoreError(
            "a scatter is drawn from values, but the store has none; record with --keep codes, and "
            "pass the Dataset that ibtools.open_store returns"
        )
    name = _choose_layer(dataset, layer)
    row, column = choose_snapshot(dataset, repeat, epoch)
    snapshot = _load(dataset, name, row, column)
    with drawing_style(ax):
        ax = ax or ALONE.create_axes(1)[0]
        _draw(ax, snapshot)
    return ax


def _choose_layer(dataset: xr.Dataset, layer: str | None) -> str:
    n_units = {
        str(name): int(n)
        for name, n in zip(dataset["layer"].values, dataset["n_units"].values, strict=True)
    }
    flat = [name for name, n in n_units.items() if n == 2]
    if layer is not None and layer not in n_units:
        raise unknown_name("layer", layer, n_units)
    if layer in flat:
        return layer
    found = f"{layer} has {n_units[layer]}" if layer else "the store has no such layer"
    if layer is None and flat:
        return flat[-1]
    there = f"layers that have: {', '.join(flat)}" if flat else "no layer of this store has"
    raise InputError(f"a scatter needs a layer of 2 units, but {found}; {there}")


def choose_snapshot(dataset: xr.Dataset, repeat: int | None, epoch: int | None) -> tuple[int, int]:
    """Return the positions of repeat and epoch: as given, or of the first and last that there are.

    Raises
    ------
    InputError
        If there is no such complete snapshot.
    """
    complete = np.asarray(dataset["complete"].transpose("repeat", "epoch").values, bool)
    numbers = [int(number) for number in dataset["repeat"].values]
    epochs = [int(number) for number in dataset["epoch"].values]
    counts = counts_of(dataset.attrs)
    if repeat is not None and repeat not in numbers:
        raise InputError(f"there is no repeat {repeat}; the store has {_list(numbers)}")
    if epoch is not None and epoch not in epochs:
        nearest = sorted(sorted(epochs, key=lambda other: abs(other - epoch))[:4])
        raise InputError(f"{counts} {epoch} is not recorded; the nearest are {_list(nearest)}")
    wanted = np.ones_like(complete)
    if repeat is not None:
        wanted &= (np.array(numbers) == repeat)[:, None]
    if epoch is not None:
        wanted &= np.array(epochs) == epoch
    found = complete & wanted
    if not found.any():
        of = "" if repeat is None else f" of repeat {repeat}"
        at = "" if epoch is None else f" at {counts} {epoch}"
        raise InputError(f"there is no complete snapshot{of}{at} to draw; record it first")
    failed = dataset["outcome"].values == FAILED
    order = np.argsort(failed, kind="stable")  # failed ones are drawn only if there is no other
    row = int(next(row for row in order if found[row].any()))
    return row, int(np.flatnonzero(found[row])[-1])


def _load(dataset: xr.Dataset, layer: str, row: int, column: int) -> _Snapshot:
    """Read one snapshot of one layer, and merge the samples that coincide."""
    position = [str(name) for name in dataset["layer"].values].index(layer)
    at = {"repeat": row, "epoch": column, "layer": position, "unit": slice(2)}
    values = dataset["activation"].isel(at).transpose("sample", "unit").values.astype(np.float64)
    label, classes = number_classes(dataset["label"].values)
    rows = np.column_stack([values, label])
    states, n_samples = np.unique(rows, axis=0, return_counts=True)
    number, epoch = int(dataset["repeat"][row]), int(dataset["epoch"][column])
    counts, failures = counts_of(dataset.attrs), describe_left_out(dataset)
    words = [f"repeat {number} of {dataset.sizes['repeat']}", *failures]
    is_softmax = str(dataset["activation_function"].values[position]) == "softmax"
    return _Snapshot(
        points=states[:, :2].astype(np.float32),
        label=states[:, 2].astype(np.int64),
        classes=name_classes(classes, dataset.attrs),
        n_samples=n_samples,
        caption=f"{describe_source(dataset)}, {_short(dataset, layer)}, {counts} {epoch}\n"
        f"{', '.join(words)}",
        axis_label="probability of class {0}" if is_softmax else "value of unit {1}",
    )


def _short(dataset: xr.Dataset, layer: str) -> str:
    """Return what the layer is called where all others have short names too."""
    names = [str(name) for name in dataset["layer"].values]
    return short_names(names)[names.index(layer)]


def _draw(ax: Axes, snapshot: _Snapshot) -> None:
    order = np.argsort(-snapshot.n_samples, kind="stable")
    colors = _label_colors(len(snapshot.classes))
    ax.scatter(
        snapshot.points[order, 0],
        snapshot.points[order, 1],
        s=_areas(snapshot.n_samples[order]),
        c=colors[snapshot.label[order]],
        alpha=0.75,
        linewidths=0.3,
        edgecolors="white",
        rasterized=order.size > RASTER_FROM,
        label="_states",
    )
    ax.margins(0.08)
    ax.set_xlabel(snapshot.axis_label.format(0, 1))
    set_y_label(ax, snapshot.axis_label.format(1, 2))
    largest = int(snapshot.n_samples.max())
    size = f"area: samples (at most {largest})" if largest > 1 else "every sample by itself"
    set_title(ax, figure_text(f"{snapshot.caption}; {size}"))
    draw_legend_below(ax, _label_handles(snapshot.classes, colors))


def _areas(n_samples: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the area of each point in square points."""
    unit = min(SAMPLE_AREA, LARGEST_AREA / float(n_samples.max()))
    areas: NDArray[np.float64] = np.maximum(n_samples * unit, SMALLEST_AREA)
    return areas


def _label_colors(n_labels: int) -> NDArray[Any]:
    if n_labels <= len(LABEL_COLORS):
        return np.array(LABEL_COLORS)
    return colormaps["turbo"](np.linspace(0, 1, n_labels))


def _label_handles(classes: NDArray[Any], colors: NDArray[Any]) -> list[Line2D]:
    return [
        Line2D(
            [],
            [],
            color=color,
            marker="o",
            linestyle="none",
            markersize=5,
            label=figure_text(f"label {shortened(name)}"),
        )
        for name, color in zip(classes, colors, strict=False)
    ]


def _list(numbers: list[int], most: int = 8) -> str:
    words = [str(number) for number in numbers[:most]] + ["..."] * (len(numbers) > most)
    return ", ".join(words)


FIGURE = FigureKind(
    scatter,
    "store",
    shows="values of a layer of two units, coloured by label",
    command_options=(
        Option("layer", "a layer of two units.  [default: the last]"),
        Option("epoch", "a recorded epoch.  [default: the last]", int),
        Option("repeat", "number of the repeat.  [default: the first]", int),
    ),
    no_control="points of two networks in one plane are not told apart; draw one of the control",
)
