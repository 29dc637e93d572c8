"""Which networks learn the same partition: a matrix of layers or repeats, of one store or two."""

from collections.abc import Iterator
from contextlib import contextmanager
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
from ibtools.analysis.plots.titles import facet_titles, set_title
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
class _Side:
    """Rows or columns of the matrix: partitions, what each is called, and words for them all."""

    snapshots: xr.Dataset
    names: list[str]
    label: str
    caption: str


def shared_partitions(
    dataset: xr.Dataset,
    *,
    ax: Axes | None = None,
    other: xr.Dataset | None = None,
    layer: str | None = None,
    epoch: int | None = None,
    repeat: int | None = None,
    other_repeat: int | None = None,
    same_inputs: bool = False,
) -> Axes:
    """Draw the adjusted mutual information of the partitions of different repeats, or two stores.

    It is 1 where two layers group the samples equally and 0 in the mean where they do so by chance;
    grey where chance alone leaves nothing to share, as where both tell all samples apart.

    Parameters
    ----------
    dataset : Dataset
        From `ibtools.open_store`. One snapshot of each repeat that is drawn is read.
    ax : Axes, optional
        Where to draw, in the caller's style. By default a new figure in the style of ibtools,
        unknown to pyplot.
    other : Dataset, optional
        Another store of the same inputs, which the columns are of.
    layer : str, optional
        A layer, of which all repeats are compared, but for those that failed; then `repeat` and
        `other_repeat` are not given. By default all layers of two repeats are compared.
    epoch : int, optional
        A recorded epoch, of both stores. By default the last complete one of the first repeat, in
        each store.
    repeat, other_repeat : int, optional
        Numbers of the repeats. By default the first two that did not fail, or the first of each
        store.
    same_inputs : bool, optional
        As of `ibtools.across`.

    Returns
    -------
    Axes

    Raises
    ------
    UnknownNameError
        If the store has no such layer.
    InputError
        If there is no such complete snapshot, or only one repeat, or a layer and repeats are given;
        or if `ibtools.across` refuses to compare the two stores.
    StoreError
        If something that is needed is missing.

    See Also
    --------
    ibtools.across : The numbers, of any pairs of snapshots and of two stores.
    """
    for each in (dataset,) if other is None else (dataset, other):
        validate_recording(each, ("epoch", "layer", "n_units", "label", "complete"))
    if layer is None:
        rows, columns = _two_repeats(dataset, other, epoch, repeat, other_repeat)
    elif repeat is not None or other_repeat is not None:
        raise InputError(
            "of one layer all repeats are compared; leave out the repeats, or the layer"
        )
    else:
        rows, columns = _all_repeats(dataset, other, layer, epoch)
    pairs = across(rows.snapshots, columns.snapshots, same_inputs=same_inputs or other is None)
    values = pairs["adjusted_mi"].values.reshape(len(rows.names), len(columns.names))
    with drawing_style(ax):
        ax = ax or ALONE.create_axes(1)[0]
        _draw(ax, values, rows, columns)
    return ax


def _two_repeats(
    dataset: xr.Dataset,
    other: xr.Dataset | None,
    epoch: int | None,
    repeat: int | None,
    other_repeat: int | None,
) -> tuple[_Side, _Side]:
    """Choose all layers of two repeats, of one store or one of each."""
    if other is not None:
        one, another = _sources(dataset, other)
        rows = _layers_of(dataset, one, repeat, epoch)
        with _naming_other():
            return rows, _layers_of(other, another, other_repeat, epoch)
    source = describe_source(dataset)
    numbers = [int(number) for number in dataset["repeat"].values[has_not_failed(dataset)]]
    if repeat is None:
        repeat = next((one for one in numbers if one != other_repeat), None)
    rows = _layers_of(dataset, source, repeat, epoch)
    repeat, at = (int(rows.snapshots[name].item()) for name in ("repeat", "epoch"))
    if other_repeat is None:
        other_repeat = next((one for one in numbers if one != repeat), None)
    if other_repeat is None:
        raise InputError(f"layers of two repeats are compared, and there is only repeat {repeat}")
    return rows, _layers_of(dataset, source, other_repeat, at)


def _layers_of(dataset: xr.Dataset, source: str, repeat: int | None, epoch: int | None) -> _Side:
    """Choose all layers of one repeat."""
    row, column = choose_snapshot(dataset, repeat, epoch)
    names = [str(name) for name in dataset["layer"].values]
    label = f"layer, repeat {int(dataset['repeat'][row])}"
    caption = _caption(dataset, column, source)
    return _Side(dataset.isel(repeat=[row], epoch=[column]), names, label, caption)


def _all_repeats(
    dataset: xr.Dataset, other: xr.Dataset | None, layer: str, epoch: int | None
) -> tuple[_Side, _Side]:
    """Choose one layer of all repeats, of one store or of two."""
    if other is not None:
        one, another = _sources(dataset, other)
        rows = _repeats_of(dataset, one, layer, epoch)
        with _naming_other():
            return rows, _repeats_of(other, another, layer, epoch)
    rows = _repeats_of(dataset, describe_source(dataset), layer, epoch)
    if len(rows.names) < 2:
        raise InputError("repeats are compared, and 1 that did not fail has such a snapshot")
    return rows, rows


def _repeats_of(dataset: xr.Dataset, source: str, layer: str, epoch: int | None) -> _Side:
    """Choose one layer of all repeats that did not fail and have the snapshot."""
    names = [str(name) for name in dataset["layer"].values]
    if layer not in names:
        raise unknown_name("layer", layer, names)
    _, column = choose_snapshot(dataset, None, epoch)
    complete = dataset["complete"].transpose("repeat", "epoch").values[:, column]
    rows = np.flatnonzero(complete & has_not_failed(dataset))
    if not rows.size:
        raise InputError("repeats are compared, and none that did not fail has such a snapshot")
    part = dataset.isel(repeat=rows, epoch=[column], layer=[names.index(layer)])
    numbers = [str(number) for number in part["repeat"].values]
    return _Side(
        part,
        numbers,
        "repeat",
        _caption(dataset, column, source, short_names(names)[names.index(layer)]),
    )


def _sources(dataset: xr.Dataset, other: xr.Dataset) -> list[str]:
    """Name two stores, by what differs where their experiments do not."""
    names = [describe_source(each) for each in (dataset, other)]
    if names[0] != names[1]:
        return names
    titles = facet_titles((dataset, other), ("one store", "other store"))
    return [", ".join(filter(None, pair)) for pair in zip(names, titles, strict=True)]


def _caption(dataset: xr.Dataset, column: int, *words: str) -> str:
    """Say what is looked at, and in which epoch."""
    return ", ".join([*words, f"{counts_of(dataset.attrs)} {int(dataset['epoch'][column])}"])


@contextmanager
def _naming_other() -> Iterator[None]:
    """Say that it is the other store in which something was not found."""
    try:
        yield
    except InputError as err:
        raise InputError(f"of the other store: {err}") from err


def _title(rows: _Side, columns: _Side) -> str:
    """Say what is drawn: of one store once, of two of each."""
    if rows.caption == columns.caption:
        return rows.caption
    return f"rows: {rows.caption}\ncolumns: {columns.caption}"


def _draw(ax: Axes, values: NDArray[np.float64], rows: _Side, columns: _Side) -> None:
    image = ax.imshow(values, cmap=COLORS, vmin=0, vmax=1, interpolation="nearest")
    _set_ticks(ax, rows, columns)
    ax.set_xlabel(columns.label)
    ax.set_ylabel(rows.label)
    ax.grid(visible=False)
    if max(values.shape) <= MOST_WORDS:
        _write_numbers(ax, values)
    grey = "\ngrey: chance leaves nothing to share" if np.isnan(values).any() else ""
    set_title(ax, figure_text(_title(rows, columns) + grey))
    ax.figure.colorbar(image, ax=ax, label="adjusted mutual information")


def _set_ticks(ax: Axes, rows: _Side, columns: _Side) -> None:
    """Name rows and columns, some of them where there are many."""
    ax.set_yticks(*_shown(rows.names))
    places, names = _shown(columns.names)
    turned = 45 if max(map(len, names)) > 3 else 0
    ax.set_xticks(
        places,
        names,
        rotation=turned,
        ha="right" if turned else "center",
        rotation_mode="anchor",
    )


def _shown(names: list[str]) -> tuple[range, list[str]]:
    """Return where names are written, and those."""
    step = -(-len(names) // MOST_WORDS)
    return range(0, len(names), step), figure_names(names)[::step]


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
    shows="which layers of two repeats, or repeats of one layer, group the same samples; of one "
    "store, or of two",
    read_against="chance, at 0",
    command_options=(
        Option(
            "other",
            "another store of the same inputs, which the columns are of.  [default: the same]",
            opens="store",
        ),
        Option("layer", "a layer, of which all repeats are compared.  [default: two repeats]"),
        Option("epoch", "a recorded epoch.  [default: the last]", int),
        Option("repeat", "number of the repeat.  [default: the first]", int),
        Option(
            "other_repeat",
            "number of the other one.  [default: the next, or the first of --other]",
            int,
            "other-repeat",
        ),
        Option(
            "same_inputs",
            "you know that both stores are of the same inputs in the same order.",
            bool,
            "same-inputs",
        ),
    ),
    no_control="it compares repeats of its own; give the control as its other store",
)
