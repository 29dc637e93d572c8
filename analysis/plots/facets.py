"""Several Datasets as facets of one figure, each titled by what it is."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

import xarray as xr
from matplotlib.axes import Axes

from ibtools.analysis.plots.canvas import Grid, given_axes
from ibtools.analysis.plots.names import figure_text
from ibtools.analysis.plots.panels import last_layers, panels_layers
from ibtools.analysis.plots.style import LayerStyle, layer_styles, network_layers
from ibtools.analysis.repeats.shown import RepeatSummary, summarise_repeats
from ibtools.errors import InputError

FACET = Grid(panel=(3.0, 2.6), furniture=(1.0, 0.8))
"""Room beside for colour bar or labels, and below for the legend."""

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

    def grid(self) -> Grid:
        """Return the grid of a new figure; facets that would be too narrow are stacked."""
        return replace(FACET, ncols=self.ncols).fitting(self.ncols)

    def given(self, axes: Sequence[Axes] | None) -> list[Axes] | None:
        """List the axes that the caller brought, if any: one for each facet."""
        n = len(self.by_title)
        return given_axes(axes, (1, n), f"{n}, one for each panel")


def arrange_facets(several: Several, row: str | None, col: str | None, ncols: int) -> Facets:
    """Decide what each facet shows; titles of ours are text in the style that is set."""
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


def summarise_by_title(
    results_by_title: Mapping[str, xr.Dataset], layers: Iterable[str] | None
) -> tuple[dict[str, RepeatSummary], dict[str, LayerStyle]]:
    """Average several results over their repeats; a layer looks the same in all of them."""
    chosen = None if layers is None else list(layers)
    summaries = {
        title: summarise_repeats(results, chosen) for title, results in results_by_title.items()
    }
    every = [network_layers(results) for results in results_by_title.values()]
    ends = last_layers([one for one in every if len(one) > 1])
    return summaries, layer_styles(panels_layers(every), ends)
