"""Colours and markers of layers, and colours of epochs, the same in every figure."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np
import xarray as xr
from matplotlib import colormaps
from matplotlib.colors import Colormap, LinearSegmentedColormap

from ibtools.analysis.estimators.chosen_layers import NETWORK_LAYERS

LAYER_COLORS = (
    "#000000",
    "#E69F00",
    "#56B4E9",
    "#009E73",
    "#0072B2",
    "#D55E00",
    "#CC79A7",
    "#666666",
)
"""Okabe and Ito's colours for colour-blind readers, dark grey instead of the yellow that fades."""

LAYER_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p", "h", "*", "<", ">", "8", "d")

PREFIT_COLOR = "0.7"


@dataclass(frozen=True)
class LayerStyle:
    """What tells one layer from the others, the same in every figure."""

    color: str
    marker: str


OUTPUT_STYLE = LayerStyle("#D55E00", "P")
"""Of the layer that a network ends in, however many are before it."""


def layer_styles(layers: Iterable[str], ends: Collection[str] = ()) -> dict[str, LayerStyle]:
    """Give every layer a colour and a marker by its role and its position in the network.

    Parameters
    ----------
    layers : iterable of str
        All of the network, in order.
    ends : collection of str, optional
        Those that a network ends in; the last by default, unless it is the only one.

    Examples
    --------
    >>> layer_styles(["hidden_1", "output"])["output"]
    LayerStyle(color='#D55E00', marker='P')
    >>> layer_styles(["hidden_1", "output"])["hidden_1"]
    LayerStyle(color='#000000', marker='o')
    """
    names = [str(name) for name in layers]
    ends = ends or names[1:][-1:]
    hidden = [name for name in names if name not in ends]
    colors = [color for color in LAYER_COLORS if color != OUTPUT_STYLE.color]
    markers = [marker for marker in LAYER_MARKERS if marker != OUTPUT_STYLE.marker]
    styles = {
        name: LayerStyle(colors[place % len(colors)], markers[place % len(markers)])
        for place, name in enumerate(hidden)
    }
    return {name: styles.get(name, OUTPUT_STYLE) for name in names}


def network_layers(results: xr.Dataset) -> list[str]:
    """List the layers of the network that results are of, of which they may have some only."""
    there = [str(name) for name in results["layer"].values]
    return list(results.attrs.get(NETWORK_LAYERS, there))


def create_epoch_colormap() -> Colormap:
    """Create the map from epochs to colours: viridis without its faint end, grey before epoch 0."""
    colors = colormaps["viridis"](np.linspace(0, 0.93, 256))
    colormap = LinearSegmentedColormap.from_list(
        "ibtools_epoch", [tuple(color) for color in colors]
    )
    return colormap.with_extremes(under=PREFIT_COLOR)
