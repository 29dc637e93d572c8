"""One look for every figure: fonts, colours, markers, labels, legends and files.

Figures are `matplotlib.figure.Figure` objects, never pyplot's, and settings are changed only while
a figure of ours is drawn or saved. So nothing global changes, no display is needed, and axes that
a user brings keep the user's own style.
"""

import io
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import numpy as np
import xarray as xr
from matplotlib import colormaps, style
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LinearSegmentedColormap
from matplotlib.figure import Figure

from ibtools.errors import UnknownNameError

STYLE: Mapping[str, Any] = MappingProxyType(
    {
        "font.size": 9,
        "axes.titlesize": "medium",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.linewidth": 0.8,
        "xtick.labelsize": "small",
        "ytick.labelsize": "small",
        "legend.fontsize": "small",
        "figure.dpi": 150,
        "savefig.dpi": 200,
        "pdf.fonttype": 42,  # text stays text, which journals ask for
        "svg.hashsalt": "ibtools",  # the same figure gives the same bytes
    }
)
"""The settings of matplotlib that figures of ibtools are drawn with."""

LAYER_COLORS = (
    "#000000",
    "#E69F00",
    "#56B4E9",
    "#009E73",
    "#0072B2",
    "#D55E00",
    "#CC79A7",
    "#999999",
)
"""Okabe and Ito's colours for colour-blind readers, grey instead of the yellow that fades."""

LAYER_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "p", "h", "*", "<", ">", "8", "d")

SUFFIX_METADATA: Mapping[str, Mapping[str, None]] = MappingProxyType(
    {".png": {}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
)
"""The suffixes of figures, each with the metadata that would differ from run to run."""

PREFIT_COLOR = "0.7"

LEGEND_CHARACTERS = 13.0
"""How long the rows of a legend may be, per inch of width."""

HANDLE_CHARACTERS = 4
"""Room for the marker before a label."""

CHARACTER_WIDTH = 0.62
"""Mean width of a character, in font sizes, with some to spare."""


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


def drawing_style(user_axes: object | None) -> AbstractContextManager[None]:
    """Return the style to draw in: ibtools' for its own figures, the user's for the user's axes.

    Parameters
    ----------
    user_axes : object or None
        The axes that the user brought, if any.
    """
    return style.context(dict(STYLE)) if user_axes is None else nullcontext()


def create_axes(
    n_panels: int = 1, *, size: tuple[float, float], ncols: int = 1, share_x: bool = False
) -> list[Axes]:
    """Create a figure of a grid of axes.

    Parameters
    ----------
    n_panels : int
        How many axes.
    size : (float, float)
        Width and height of the figure in inches.
    ncols : int, optional
        How many side by side; what is too much in the last row is left out.
    share_x : bool, optional
        Whether they share the x axis.

    Returns
    -------
    list of Axes
        Row by row; their `figure` is new and unknown to pyplot.
    """
    figure = Figure(figsize=size, layout="constrained")
    n_rows = -(-n_panels // ncols)
    grid = figure.subplots(n_rows, ncols, sharex=share_x, squeeze=False).ravel()
    for surplus in grid[n_panels:]:
        surplus.remove()
    return list(grid[:n_panels])


def variable_label(variable: xr.DataArray) -> str:
    """Write an axis label from the `long_name` and `units` of a variable.

    Parameters
    ----------
    variable : DataArray, any dims
        Without a `long_name`, its name is used.

    Returns
    -------
    str
        Single capital letters, the symbols of the field, are set in italics.

    Examples
    --------
    >>> variable_label(xr.DataArray(0.0, attrs={"long_name": "H(binned T)", "units": "bit"}))
    '$H$(binned $T$) [bit]'
    """
    name = str(variable.attrs.get("long_name", variable.name))
    units = variable.attrs.get("units")
    return italic_symbols(name) + (f" [{units}]" if units else "")


def italic_symbols(text: str) -> str:
    """Set the single capital letters of a text in italics, unless it has mathematics of its own."""
    return text if "$" in text else re.sub(r"\b([A-Z])\b", r"$\1$", text)


def set_y_label(ax: Axes, label: str) -> None:
    """Label the y axis on as many lines as its height needs, so that labels never meet.

    Parameters
    ----------
    ax : Axes
        In the place in the figure that it will have, give or take.
    label : str
        Broken between words only.
    """
    text = ax.set_ylabel(label)
    height = ax.get_window_extent().height * 72 / ax.figure.dpi
    characters = int(height / (CHARACTER_WIDTH * float(text.get_fontsize())))
    lines = textwrap.wrap(label, max(characters, 1), break_long_words=False, break_on_hyphens=False)
    text.set_text("\n".join(lines))


def draw_legend_below(ax: Axes, handles: Sequence[Artist]) -> None:
    """Put a legend under the x label, where it hides no data.

    Parameters
    ----------
    ax : Axes
    handles : sequence of Artist
        What the legend lists, each with a label.
    """
    ax.legend(
        handles=handles,
        loc="upper center",
        bbox_to_anchor=(0.5, 0),
        borderaxespad=4,  # font sizes: leaves room for tick labels and the axis label
        **_legend_format(handles, ax.get_window_extent().width / ax.figure.dpi),
    )


def draw_figure_legend(figure: Figure, handles: Sequence[Artist]) -> None:
    """Put one legend for all axes at the foot of a figure with constrained layout.

    Parameters
    ----------
    figure : Figure
    handles : sequence of Artist
        What the legend lists, each with a label.
    """
    legend_format = _legend_format(handles, 0.8 * figure.get_figwidth())
    figure.legend(handles=handles, loc="outside lower center", **legend_format)


def _legend_format(handles: Sequence[Artist], width: float) -> dict[str, Any]:
    """Choose as many columns as fit a width in inches."""
    labels = [str(handle.get_label()).replace("$", "") for handle in handles]
    lengths = [len(label) + HANDLE_CHARACTERS for label in labels]
    fitting = (
        n
        for n in range(len(handles), 1, -1)
        if _legend_width(lengths, n) <= LEGEND_CHARACTERS * width
    )
    return {
        "ncols": next(fitting, 1),
        "frameon": False,
        "handletextpad": 0.4,
        "columnspacing": 1.2,
    }


def _legend_width(lengths: list[int], ncols: int) -> int:
    """Add up the widths of columns that are filled one after the other, as matplotlib does."""
    return sum(int(column.max()) for column in np.array_split(lengths, ncols))


def validate_suffix(path: str | Path) -> Path:
    """Check that a figure can be saved under a name.

    Parameters
    ----------
    path : str or Path
        The file to be written.

    Returns
    -------
    Path
        The same path.

    Raises
    ------
    UnknownNameError
        If the suffix is not .png, .svg or .pdf, in small or capital letters.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIX_METADATA:
        known = ", ".join(SUFFIX_METADATA)
        raise UnknownNameError(
            f"the name of a figure must end in one of {known}, which sets its format; "
            f"got {path.name!r}; try {path.with_suffix('.png').name!r}"
        )
    return path


def save_figure(figure: Figure, path: str | Path) -> None:
    """Write a figure as PNG, SVG or PDF, by suffix; the same figure gives the same bytes.

    Parameters
    ----------
    figure : Figure
    path : str or Path
        Ends in .png, .svg or .pdf. A file that is there is replaced.

    Raises
    ------
    UnknownNameError
        If the suffix is another one.
    OSError
        If the file cannot be written.
    """
    path = validate_suffix(path)
    suffix = path.suffix.lower()
    with style.context(dict(STYLE)):
        figure.savefig(path, format=suffix[1:], metadata=dict(SUFFIX_METADATA[suffix]))


def figure_png(ax: Axes) -> bytes:
    """Return a figure as the bytes of a PNG; the same figure gives the same bytes.

    Parameters
    ----------
    ax : Axes
        Any of the figure.

    Returns
    -------
    bytes
    """
    file = io.BytesIO()
    with style.context(dict(STYLE)):
        cast(Figure, ax.figure).savefig(file, format="png")
    return file.getvalue()
