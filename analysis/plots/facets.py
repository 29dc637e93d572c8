"""Several stores in one figure: a facet for each activation, number of bits or architecture."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal, cast

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ibtools.analysis.accuracy import accuracies, majority_share
from ibtools.analysis.plots.accuracy import accuracy_handles, draw_accuracy, summarise_accuracy
from ibtools.analysis.plots.epochs import draw_variable, epoch_handles
from ibtools.analysis.plots.limits import Limits
from ibtools.analysis.plots.names import figure_text
from ibtools.analysis.plots.panels import Panel, legend_handles
from ibtools.analysis.plots.planes import (
    create_panels,
    draw_panels,
    drawn_layers,
    summarise_by_title,
)
from ibtools.analysis.plots.sheets import current_format, drawing_style
from ibtools.analysis.plots.style import (
    LayerStyle,
    create_axes,
    draw_figure_legend,
    draw_legend_below,
    share_y,
)
from ibtools.analysis.plots.titles import set_title
from ibtools.analysis.repeats import RepeatSummary
from ibtools.errors import InputError

FACET_WIDTH, FACET_HEIGHT = 3.0, 2.6
FURNITURE = (1.0, 0.8)
"""Inches for colour bar or labels, and for the legend."""

STORE_DIMS = ("repeat", "epoch", "layer", "sample", "unit", "trained_epoch")

Several = Mapping[str, xr.Dataset] | xr.Dataset
"""Datasets by the title of their facet, or one over further dimensions."""


@dataclass(frozen=True)
class Facets:
    """What each facet shows, row by row.

    Parameters
    ----------
    by_title : dict of str to Dataset
        At least one.
    ncols : int
        How many go side by side.
    """

    by_title: dict[str, xr.Dataset]
    ncols: int


def information_facets(
    results: Several,
    *,
    row: str | None = None,
    col: str | None = None,
    axes: Sequence[Axes] | None = None,
    ncols: int = 3,
    layers: Iterable[str] | None = None,
    limits: Limits | Literal["paper"] | None = "paper",
) -> tuple[Axes, ...]:
    """Draw the information planes of several stores in facets with shared axes.

    A colour is the same epoch, and a marker the same layer, in every facet; there is one colour bar
    and one legend. Facets with the same ceilings H(X) and H(Y) have the same axes. Otherwise each
    is what `information_plane` draws.

    Parameters
    ----------
    results : mapping of str to Dataset, or Dataset, (repeat, epoch, layer, ...)
        Results by the title of their facet, which may hold mathematics as in matplotlib, or
        results over one or two further dimensions, such as
        those of `xarray.concat` with ``coords="different"``; lazy or not. Layers and repeats that a
        facet does not have are left out of it. Of one Dataset the ceilings are those of its
        attributes, so give stores of different data as a mapping.
    row, col : str, optional
        The further dimensions to lay out in rows and in columns. A single one is in rows of
        `ncols` by default.
    axes : sequence of Axes, optional
        Where to draw, one for each facet, row by row, of one figure and in the caller's style. By
        default a grid in a new figure in the style of ibtools, unknown to pyplot.
    ncols : int, optional
        How many side by side, where `row` and `col` do not say it.
    layers : iterable of str, optional
        The layers to draw. All by default.
    limits : ((x0, x1), (y0, y1)) or "paper" or None, optional
        As of `information_plane`, for all facets.

    Returns
    -------
    tuple of Axes
        Row by row.

    Raises
    ------
    UnknownNameError
        If some results have no such layer.
    StoreError
        If something that is needed is missing from the results, or they have no complete snapshot.
    InputError
        If there are no results, a further dimension is neither `row` nor `col`, or `axes` are not
        as many as the facets.

    Examples
    --------
    Activations and numbers of bits::

        information_facets(results, row="activation", col="n_bits")
    """
    facets = arrange_facets(results, row, col, ncols)
    summaries, styles = summarise_by_title(facets.by_title, layers)
    panels = create_panels(summaries, limits)
    with drawing_style(axes):
        grid = _grid(facets, axes)
        draw_panels(panels, grid, styles)
        _draw_legend(grid, legend_handles(drawn_layers(panels, styles), styles, panels), axes)
        if axes is None:
            _label_outer(grid, _ncols(facets), shared=_share_limits(panels))
    return tuple(grid)


def epochs_facets(
    results: Several,
    *,
    col: str | None = None,
    axes: Sequence[Axes] | None = None,
    layers: Iterable[str] | None = None,
) -> tuple[Axes, ...]:
    """Draw I(X;T) and I(T;Y) of several stores against epoch, a column for each store.

    The first row is I(X;T), the second I(T;Y), each on one axis; lines and bands are those of
    `information_epochs`.

    Parameters
    ----------
    results : mapping of str to Dataset, or Dataset, (repeat, epoch, layer, ...)
        As of `information_facets`, over one further dimension.
    col : str, optional
        The further dimension.
    axes : sequence of Axes, optional
        Where to draw, two for each store, row by row, in the caller's style. By default a grid in a
        new figure in the style of ibtools, unknown to pyplot.
    layers : iterable of str, optional
        The layers to draw. All by default.

    Returns
    -------
    tuple of Axes
        Row by row.

    Raises
    ------
    UnknownNameError, StoreError, InputError
        As of `information_facets`.
    """
    facets = arrange_facets(results, None, col, ncols=1)
    summaries, styles = summarise_by_title(facets.by_title, layers)
    n = len(summaries)
    rows = Facets({f"{number}": xr.Dataset() for number in range(2 * n)}, ncols=n)
    with drawing_style(axes):
        grid = _grid(rows, axes, fixed=True)
        _draw_epochs(grid[:n], summaries, "mi_xt", styles)
        _draw_epochs(grid[n:], summaries, "mi_ty", styles)
        for ax, (title, summary) in zip(grid, summaries.items(), strict=False):
            set_title(ax, f"{title}\n{summary.repeats}")
        _draw_legend(grid, epoch_handles(list(summaries.values()), styles), axes)
        if axes is None:
            _label_outer(grid, n, shared=True)
    return tuple(grid)


def accuracy_facets(
    datasets: Several,
    *,
    row: str | None = None,
    col: str | None = None,
    axes: Sequence[Axes] | None = None,
    ncols: int = 3,
) -> tuple[Axes, ...]:
    """Draw the accuracies of several stores against epoch, in facets with shared axes.

    Parameters
    ----------
    datasets : mapping of str to Dataset, or Dataset
        From `ibtools.open_store`, by the title of their facet, or over further dimensions.
    row, col : str, optional
        As of `information_facets`.
    axes : sequence of Axes, optional
        Where to draw, one for each facet, row by row, in the caller's style. By default a grid in a
        new figure in the style of ibtools, unknown to pyplot.
    ncols : int, optional
        How many side by side, where `row` and `col` do not say it.

    Returns
    -------
    tuple of Axes
        Row by row.

    Raises
    ------
    StoreError
        If something that is needed is missing, or no accuracy was recorded.
    InputError
        As of `information_facets`.
    """
    facets = arrange_facets(datasets, row, col, ncols)
    summaries = {
        title: summarise_accuracy(accuracies(one)) for title, one in facets.by_title.items()
    }
    chance = [majority_share(one) for one in facets.by_title.values()]
    with drawing_style(axes):
        grid = _grid(facets, axes)
        for ax, (title, summary), level in zip(grid, summaries.items(), chance, strict=True):
            draw_accuracy(ax, summary, None, level)
            set_title(ax, f"{title}\n{summary.repeats}")
        share_y(grid)
        _draw_legend(grid, accuracy_handles(grid[0]), axes)
        if axes is None:
            _label_outer(grid, _ncols(facets), shared=True)
    return tuple(grid)


def arrange_facets(several: Several, row: str | None, col: str | None, ncols: int) -> Facets:
    """Decide what each facet shows.

    Parameters
    ----------
    several : mapping of str to Dataset, or Dataset
    row, col : str or None
        Dimensions of the Dataset.
    ncols : int
        How many facets side by side, where `row` and `col` do not say it.

    Returns
    -------
    Facets

    Raises
    ------
    InputError
        If there is nothing to show, or a dimension is neither `row` nor `col`.
    """
    if ncols < 1:
        raise InputError(f"ncols must be at least 1, got {ncols}")
    if not isinstance(several, xr.Dataset):
        return _arrange_mapping(several, row, col, ncols)
    further = [str(dim) for dim in several.dims if dim not in STORE_DIMS]
    if row is None and col is None and len(further) == 1:
        col = further[0]
    named = [dim for dim in (row, col) if dim is not None]
    if not named or sorted(named) != sorted(further):
        raise InputError(
            "row and col must name the dimensions that facets are made of, which are "
            f"{', '.join(further) or 'none'}; got row={row!r}, col={col!r}; select or name each, "
            "or give a mapping of titles to Datasets"
        )
    width = ncols if row is None else several.sizes[col] if col else 1
    return Facets(_split(several, named), min(width, ncols if row is None else width))


def _arrange_mapping(
    by_title: Mapping[str, xr.Dataset], row: str | None, col: str | None, ncols: int
) -> Facets:
    if row or col:
        raise InputError(
            f"row and col are dimensions of one Dataset, got row={row!r}, col={col!r} and a "
            "mapping; leave them out, or concatenate"
        )
    if not by_title:
        raise InputError("at least one facet must be drawn, nothing was given")
    return Facets(dict(by_title), min(ncols, len(by_title)))


def _split(dataset: xr.Dataset, dims: Sequence[str]) -> dict[str, xr.Dataset]:
    """Select each combination of the positions along some dimensions."""
    by_title = {}
    for places in product(*(range(dataset.sizes[dim]) for dim in dims)):
        one = dataset.isel(dict(zip(dims, places, strict=True)))
        words = [
            f"{dim} = {one[dim].item()}" if dim in one.coords else f"{dim} {place}"
            for dim, place in zip(dims, places, strict=True)
        ]
        by_title[figure_text(", ".join(words))] = _without_padding(one)
    return by_title


def _without_padding(dataset: xr.Dataset) -> xr.Dataset:
    """Leave out repeats and layers that concatenation filled up."""
    if "outcome" in dataset:
        dataset = dataset.isel(repeat=dataset["outcome"].notnull().values)
    if "mi_ty" in dataset:
        there = dataset["mi_ty"].notnull().any(["repeat", "epoch"])
        # results without a single snapshot keep their layers, so that the error is about that
        dataset = dataset.isel(layer=(there | ~there.any()).values)
    return dataset


def _ncols(facets: Facets) -> int:
    return current_format().columns(facets.ncols, FACET_WIDTH)


def _grid(facets: Facets, axes: Sequence[Axes] | None, *, fixed: bool = False) -> list[Axes]:
    """Return the caller's axes, or a new figure's."""
    n = len(facets.by_title)
    if axes is not None:
        grid = list(np.ravel(np.asarray(axes, dtype=object)))
        if len(grid) != n:
            raise InputError(f"axes must be {n}, one for each panel, got {len(grid)}")
        return grid
    ncols = facets.ncols if fixed else _ncols(facets)
    n_rows = -(-n // ncols)
    size = (ncols * FACET_WIDTH + FURNITURE[0], n_rows * FACET_HEIGHT + FURNITURE[1])
    return create_axes(n, size=size, ncols=ncols)


def _draw_epochs(
    axes: Sequence[Axes],
    summaries: Mapping[str, RepeatSummary],
    variable: Literal["mi_xt", "mi_ty"],
    styles: Mapping[str, LayerStyle],
) -> None:
    for ax, summary in zip(axes, summaries.values(), strict=True):
        draw_variable(ax, summary, variable, {name: styles[name] for name in summary.layers})
    share_y(axes)


def _draw_legend(
    grid: Sequence[Axes], handles: Sequence[Line2D], given: Sequence[Axes] | None
) -> None:
    """Draw one legend: under a figure of ours, or under the last axes that a user brought."""
    if given is None:
        draw_figure_legend(cast(Figure, grid[0].figure), handles)
    else:
        draw_legend_below(grid[-1], handles)


def _share_limits(panels: Sequence[Panel]) -> bool:
    return len({panel.limits for panel in panels}) == 1


def _label_outer(axes: Sequence[Axes], ncols: int, *, shared: bool) -> None:
    """Label the axes at the left and at the foot only; without ticks in between, if shared."""
    for index, ax in enumerate(axes):
        if index % ncols:
            ax.set_ylabel("")
            ax.tick_params(labelleft=not shared)
        if index + ncols < len(axes):
            ax.set_xlabel("")
            ax.tick_params(labelbottom=not shared)
