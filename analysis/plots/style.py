"""What figures have in common: colours, markers, grids of axes and legends.

Figures are `matplotlib.figure.Figure` objects, never pyplot's: no display is needed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import colormaps, rcParams
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.legend import Legend
from matplotlib.textpath import text_to_path

from ibtools.analysis.plots.files import figure_png
from ibtools.analysis.plots.names import DOLLAR
from ibtools.analysis.plots.sheets import current_format

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

MOST_ROWS, ROW_HEIGHT = 15, 1.7
"""Rows of a legend that the usual height of a figure has room for; their height in font sizes."""

MOST_SHARE, USUAL_SHARE = 0.6, 0.4
"""Part of a figure that a legend of more rows takes before the figure is made taller, and then."""

HANDLE_LENGTH, HANDLE_PAD, COLUMN_SPACING = 2.0, 0.4, 1.2
"""Of legends, in font sizes."""


@dataclass(frozen=True)
class LayerStyle:
    """What tells one layer from the others, the same in every figure."""

    color: str
    marker: str


def layer_styles(layers: Iterable[str]) -> dict[str, LayerStyle]:
    """Give every layer a colour and a marker by its position in the network.

    Parameters
    ----------
    layers : iterable of str
        All layers of the network, so that a layer looks the same when fewer are drawn.

    Returns
    -------
    dict of str to LayerStyle

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


class NotebookFigure(Figure):
    """A figure that a notebook shows, whatever pyplot's backend is."""

    def _repr_png_(self) -> bytes:
        return figure_png(self)


def create_figure(size: tuple[float, float]) -> Figure:
    """Create an empty figure that is unknown to pyplot.

    Parameters
    ----------
    size : (float, float)
        Width and height in inches that it is designed for; its width is that of `figure_format`,
        if one is given.
    """
    return NotebookFigure(figsize=current_format().size(size), layout="constrained")


def create_axes(
    n_panels: int = 1, *, size: tuple[float, float], ncols: int = 1, share_x: bool = False
) -> list[Axes]:
    """Create a figure of a grid of axes.

    Parameters
    ----------
    n_panels : int
        How many axes.
    size : (float, float)
        Of the figure, as for `create_figure`.
    ncols : int, optional
        How many side by side; what is too much in the last row is left out.
    share_x : bool, optional
        Whether they share the x axis.

    Returns
    -------
    list of Axes
        Row by row; their `figure` is new and unknown to pyplot.
    """
    figure = create_figure(size)
    n_rows = -(-n_panels // ncols)
    grid = figure.subplots(n_rows, ncols, sharex=share_x, squeeze=False).ravel()
    for surplus in grid[n_panels:]:
        surplus.remove()
    return list(grid[:n_panels])


def share_y(axes: Sequence[Axes]) -> None:
    """Give axes one scale that holds what each of them shows."""
    spans = [ax.get_ylim() for ax in axes]
    for ax in axes:
        ax.set_ylim(min(low for low, _ in spans), max(high for _, high in spans))


def draw_legend_below(ax: Axes, handles: Sequence[Artist]) -> None:
    """Put a legend under the x label, where it hides no data.

    Parameters
    ----------
    ax : Axes
    handles : sequence of Artist
        What the legend lists, each with a label.
    """
    legend_format = _legend_format(handles, ax.get_window_extent().width / ax.figure.dpi)
    legend = ax.legend(
        handles,
        [""] * len(handles),
        loc="upper center",
        bbox_to_anchor=(0.5, 0),
        borderaxespad=4,  # font sizes: leaves room for tick labels and the axis label
        **legend_format,
    )
    _fill(legend, handles, legend_format["ncols"])


def draw_figure_legend(figure: Figure, handles: Sequence[Artist]) -> None:
    """Put one legend for all axes at the foot of a figure with constrained layout.

    Parameters
    ----------
    figure : Figure
    handles : sequence of Artist
        What the legend lists, each with a label.
    """
    legend_format = _legend_format(handles, 0.8 * figure.get_figwidth())
    labels = [""] * len(handles)
    legend = figure.legend(handles, labels, loc="outside lower center", **legend_format)
    _fill(legend, handles, legend_format["ncols"])


def _fill(legend: Legend, handles: Sequence[Artist], ncols: int) -> None:
    """Set the texts of a legend, and make a figure of ours taller where they are very many.

    Of labels that are given to it, matplotlib leaves out those that begin with "_".
    """
    for text, handle in zip(legend.get_texts(), handles, strict=True):
        text.set_text(str(handle.get_label()))
    figure, n_rows = legend.get_figure(root=True), -(-len(handles) // ncols)
    if not isinstance(figure, NotebookFigure) or n_rows <= MOST_ROWS:
        return
    height = figure.get_figheight()
    needed = n_rows * ROW_HEIGHT * float(legend.get_texts()[0].get_fontsize()) / 72
    if needed > MOST_SHARE * height:
        figure.set_figheight(height + needed - USUAL_SHARE * height)


def _legend_format(handles: Sequence[Artist], width: float) -> dict[str, Any]:
    """Choose as many columns as fit a width in inches."""
    font = FontProperties(size=rcParams["legend.fontsize"])
    size = font.get_size_in_points()
    widths = [_text_width(str(handle.get_label()), font) / size for handle in handles]
    fitting = (
        n for n in range(len(handles), 1, -1) if _legend_width(widths, n) * size <= 72 * width
    )
    return {
        "ncols": next(fitting, 1),
        "frameon": False,
        "handlelength": HANDLE_LENGTH,
        "handletextpad": HANDLE_PAD,
        "columnspacing": COLUMN_SPACING,
    }


def _text_width(text: str, font: FontProperties) -> float:
    """Return the width of a text in points."""
    is_mathematics = len(DOLLAR.findall(text)) > 1
    plain = text if is_mathematics else text.replace(r"\$", "$")
    width, _, _ = text_to_path.get_text_width_height_descent(plain, font, ismath=is_mathematics)
    return float(width)


def _legend_width(widths: Sequence[float], ncols: int) -> float:
    """Add up columns, in font sizes, that are filled one after the other, as matplotlib does."""
    columns = np.array_split(widths, ncols)
    furniture = HANDLE_LENGTH + HANDLE_PAD + COLUMN_SPACING
    return sum(float(column.max()) + furniture for column in columns)
