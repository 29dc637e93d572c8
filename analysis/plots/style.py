"""Colours and markers of layers, and colours of epochs, the same in every figure."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import Colormap, LinearSegmentedColormap

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


def layer_styles(layers: Iterable[str]) -> dict[str, LayerStyle]:
    """Give every layer a colour and a marker by its position among all layers of the network.

    Examples
    --------
    >>> layer_styles(["hidden_1", "output"])["output"]
    LayerStyle(color='#E69F00', marker='s')
    """
    return {
        str(name): LayerStyle(
            LAYER_COLORS[position % len(LAYER_COLORS)],
            LAYER_MARKERS[position % len(LAYER_MARKERS)],
        )
        for position, name in enumerate(layers)
    }


def create_epoch_colormap() -> Colormap:
    """Create the map from epochs to colours: viridis without its faint end, grey before epoch 0."""
    colors = colormaps["viridis"](np.linspace(0, 0.93, 256))
    colormap = LinearSegmentedColormap.from_list(
        "ibtools_epoch", [tuple(color) for color in colors]
    )
    return colormap.with_extremes(under=PREFIT_COLOR)
