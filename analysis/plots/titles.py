"""Titles: what to call the stores of one figure, and how much of a line there is room for."""

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
import xarray as xr
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ibtools.analysis.plots.labels import CHARACTER_WIDTH, wrap_label
from ibtools.settings import describe_training
from ibtools.store.configuration import configuration_of
from ibtools.store.schema import own_attributes

LONGEST_FACET = 48
"""Characters of the title of a facet."""

LONGEST_LINE = 80
"""Characters of a line that is never broken; the usual ones are shorter."""


def set_title(ax: Axes, title: str, **options: Any) -> None:
    """Set the title of axes, with lines that are too long for the figure broken between words."""
    place = ax.get_subplotspec()
    ncols = 1 if place is None else place.get_gridspec().ncols
    figure = cast(Figure, ax.get_figure(root=True))
    ax.set_title(_fit(title, figure.get_figwidth() / ncols), **options)


def set_figure_title(figure: Figure, title: str) -> None:
    """Set the title of a figure, as large as those of axes, likewise."""
    size = rcParams["axes.titlesize"]
    figure.suptitle(_fit(title, figure.get_figwidth()), fontsize=size)


def _fit(title: str, width: float) -> str:
    """Break the lines of a title that are too long for a width in inches."""
    characters = int(72 * width / (CHARACTER_WIDTH * rcParams["font.size"]))
    lines: list[str] = []
    for line in title.split("\n"):
        lines += wrap_label(line, characters) if len(line) > LONGEST_LINE else [line]
    return "\n".join(lines)


def facet_titles(datasets: Sequence[xr.Dataset], names: Sequence[str]) -> list[str]:
    """Title stores by what differs between them, first by what their users have said of them."""
    titles = [""] * len(datasets)
    own = dict.fromkeys(name for one in datasets for name in own_attributes(one.attrs))
    for feature in (*map(_own, own), *_FEATURES, None):
        if feature is not None:
            words = [feature(dataset) for dataset in datasets]
        elif len(set(titles)) < len(titles):
            words = list(names)
        else:
            break
        longer = [", ".join(filter(None, pair)) for pair in zip(titles, words, strict=True)]
        if len(set(longer)) > len(set(titles)):
            titles = longer
    return titles if len(set(titles)) > 1 else list(names)


def _own(name: str) -> Callable[[xr.Dataset], str]:
    def feature(dataset: xr.Dataset) -> str:
        said = own_attributes(dataset.attrs)
        return f"{name} = {said[name]}" if name in said else f"no {name}"

    return feature


def _experiment(dataset: xr.Dataset) -> str:
    return str(dataset.attrs.get("experiment", ""))


def _bits(dataset: xr.Dataset) -> str:
    if "bits" not in dataset:
        return ""
    return " and ".join(f"{number}" for number in np.unique(dataset["bits"].values)) + " bits"


def _activation(dataset: xr.Dataset) -> str:
    if "activation_function" not in dataset:
        return ""
    functions = dict.fromkeys(str(name) for name in dataset["activation_function"].values)
    return ", ".join(name for name in functions if name != "softmax")


def _architecture(dataset: xr.Dataset) -> str:
    return "-".join(str(n) for n in dataset["n_units"].values) if "n_units" in dataset else ""


def _training(dataset: xr.Dataset) -> str:
    return describe_training(configuration_of(dataset.attrs))


_FEATURES = (_experiment, _training, _bits, _activation, _architecture)
