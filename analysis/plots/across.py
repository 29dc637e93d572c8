"""Which networks learn the same partition: a matrix of layers, or of repeats, from a store."""

from dataclasses import dataclass

import numpy as np
import xarray as xr
from matplotlib import colormaps
from matplotlib.axes import Axes
from numpy.typing import NDArray

from ibtools.analysis.details.across_networks import across
from ibtools.analysis.figures import FigureKind, Option
from ibtools.analysis.plots.canvas import Grid
from ibtools.analysis.plots.names import figure_names, figure_text
from ibtools.analysis.plots.scatter import choose_snapshot
from ibtools.analysis.plots.sheets import drawing_style
from ibtools.analysis.plots.titles import set_title
from ibtools.analysis.repeats.shown import describe_source, has_not_failed, validate_recording
from ibtools.errors import InputError, unknown_name
from ibtools.shown import short_names
from ibtools.store.counts import counts_of

ALONE = Grid(panel=(5.4, 4.6))

MOST_WORDS = 12
"""Rows up to which cells have their numbers in them."""

COLORS = colormaps["cividis"].with_extremes(bad="0.85")
"""Of 0, or below, to 1; grey where chance leaves nothing to share."""


@dataclass(frozen=True)
class _Matrix:
    """What is drawn: numbers, what both the rows and the columns are called, and words for it."""

    values: NDArray[np.float64]
    names: list[str]
    row_label: str
    column_label: str
    caption: str


def shared_partitions(
    dataset: xr.Dataset,
    *,
    ax: Axes | None = None,
    layer: str | None = None,
    epoch: int | None = None,
    repeat: int | None = None,
    other_repeat: int | None = None,
) -> Axes:
    """Draw the adjusted mutual information of the partitions of different repeats.

    It is 1 where two layers group the samples equally and 0 in the mean where they do so by chance;
    grey where chance alone leaves nothing to share, as where both tell all samples apart.

    Parameters
    ----------
    dataset : Dataset
        From `ibtools.open_store`. One snapshot of each repeat that is drawn is read.
    ax : Axes, optional
        Where to draw, in the caller's style. By default a new figure in the style of ibtools,
        unknown to pyplot.
    layer : str, optional
        A layer, of which all repeats are compared, but for those that failed; then `repeat` and
        `other_repeat` are not given. By default all layers of two repeats are compared.
    epoch : int, optional
        A recorded epoch. The last complete one of the first repeat by default.
    repeat, other_repeat : int, optional
        Numbers of the repeats. By default the first two that did not fail.

    Returns
    -------
    Axes

    Raises
    ------
    UnknownNameError
        If the store has no such layer.
    InputError
        If there is no such complete snapshot, or only one repeat, or a layer and repeats are given.
    StoreError
        If something that is needed is missing.

    See Also
    --------
    ibtools.across : The numbers, of any pairs of snapshots and of two stores.
    """
    validate_recording(dataset, ("epoch", "layer", "n_units", "label", "complete"))
    if layer is None:
        matrix = _of_layers(dataset, epoch, repeat, other_repeat)
    else:
        matrix = _of_repeats(dataset, layer, epoch, repeat, other_repeat)
    with drawing_style(ax):
        ax = ax or ALONE.create_axes(1)[0]
        _draw(ax, matrix)
    return ax


def _of_layers(
    dataset: xr.Dataset, epoch: int | None, repeat: int | None, other_repeat: int | None
) -> _Matrix:
    """Compare all layers of two repeats."""
    numbers = [int(number) for number in dataset["repeat"].values[has_not_failed(dataset)]]
    if repeat is None:
        repeat = next((one for one in numbers if one != other_repeat), None)
    row, column = choose_snapshot(dataset, repeat, epoch)
    repeat = int(dataset["repeat"][row])
    if other_repeat is None:
        other_repeat = next((one for one in numbers if one != repeat), None)
    if other_repeat is None:
        raise InputError(f"layers of two repeats are compared, and there is only repeat {repeat}")
    at = int(dataset["epoch"][column])
    other_row, _ = choose_snapshot(dataset, other_repeat, at)
    one, two = (dataset.isel(repeat=[each], epoch=[column]) for each in (row, other_row))
    pairs = across(one, two, same_inputs=True)  # they are parts of the same Dataset
    names = [str(name) for name in dataset["layer"].values]
    return _Matrix(
        pairs["adjusted_mi"].values[0, 0, :, 0, 0],
        names,
        f"layer, repeat {repeat}",
        f"layer, repeat {other_repeat}",
        f"{describe_source(dataset)}, {counts_of(dataset.attrs)} {at}",
    )


def _of_repeats(
    dataset: xr.Dataset,
    layer: str,
    epoch: int | None,
    repeat: int | None,
    other_repeat: int | None,
) -> _Matrix:
    """Compare one layer of all repeats."""
    names = [str(name) for name in dataset["layer"].values]
    if layer not in names:
        raise unknown_name("layer", layer, names)
    if repeat is not None or other_repeat is not None:
        raise InputError(
            "of one layer all repeats are compared; leave out the repeats, or the layer"
        )
    _, column = choose_snapshot(dataset, None, epoch)
    complete = dataset["complete"].transpose("repeat", "epoch").values[:, column]
    rows = np.flatnonzero(complete & has_not_failed(dataset))
    if len(rows) < 2:
        raise InputError(
            f"repeats are compared, and {len(rows)} that did not fail has such a snapshot"
        )
    part = dataset.isel(repeat=rows, epoch=[column], layer=[names.index(layer)])
    values = across(part)["adjusted_mi"].values[:, 0, 0, :, 0, 0]
    numbers = [str(number) for number in part["repeat"].values]
    counts, at = counts_of(dataset.attrs), int(dataset["epoch"][column])
    short = short_names(names)[names.index(layer)]
    caption = f"{describe_source(dataset)}, {short}, {counts} {at}"
    return _Matrix(values, numbers, "repeat", "repeat", caption)


def _draw(ax: Axes, matrix: _Matrix) -> None:
    image = ax.imshow(matrix.values, cmap=COLORS, vmin=0, vmax=1, interpolation="nearest")
    _set_ticks(ax, matrix)
    ax.set_xlabel(matrix.column_label)
    ax.set_ylabel(matrix.row_label)
    ax.grid(visible=False)
    if max(matrix.values.shape) <= MOST_WORDS:
        _write_numbers(ax, matrix.values)
    grey = "\ngrey: chance leaves nothing to share" if np.isnan(matrix.values).any() else ""
    set_title(ax, figure_text(matrix.caption + grey))
    ax.figure.colorbar(image, ax=ax, label="adjusted mutual information")


def _set_ticks(ax: Axes, matrix: _Matrix) -> None:
    """Name rows and columns, some of them where there are many."""
    step = -(-len(matrix.names) // MOST_WORDS)
    shown = range(0, len(matrix.names), step)
    names = figure_names(matrix.names)[::step]
    turned = 45 if max(map(len, names)) > 3 else 0
    ax.set_yticks(shown, names)
    ax.set_xticks(
        shown,
        names,
        rotation=turned,
        ha="right" if turned else "center",
        rotation_mode="anchor",
    )


def _write_numbers(ax: Axes, values: NDArray[np.float64]) -> None:
    """Write each number into its cell, in a colour that can be read there."""
    for (row, column), value in np.ndenumerate(values):
        dark = value < 0.5
        ax.text(
            column,
            row,
            "–" if np.isnan(value) else f"{value:.2f}".replace("-0.00", "0.00"),
            ha="center",
            va="center",
            fontsize="small",
            color="white" if dark else "black",
        )


FIGURE = FigureKind(
    shared_partitions,
    "store",
    shows="which layers of two repeats, or repeats of one layer, group the same samples",
    read_against="chance, at 0",
    command_options=(
        Option("layer", "a layer, of which all repeats are compared.  [default: two repeats]"),
        Option("epoch", "a recorded epoch.  [default: the last]", int),
        Option("repeat", "number of the repeat.  [default: the first]", int),
        Option(
            "other_repeat", "number of the other one.  [default: the next]", int, "other-repeat"
        ),
    ),
)
