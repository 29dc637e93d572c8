"""Legends under axes and figures, in as many columns as there is room for."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import rcParams
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.legend import Legend
from matplotlib.textpath import text_to_path

from ibtools.analysis.plots.files import NotebookFigure
from ibtools.analysis.plots.names import DOLLAR
from ibtools.analysis.plots.sheets import current_format

ROW_HEIGHT = 1.7
"""Of rows of a legend, in font sizes."""

USUAL_SHARE = 0.4
"""Part of a figure that a legend takes at the most, before the figure is made taller."""

HANDLE_LENGTH, HANDLE_PAD, COLUMN_SPACING = 2.0, 0.4, 1.2
"""Of legends, in font sizes."""


def draw_legend_below(ax: Axes, handles: Sequence[Artist]) -> None:
    """Put a legend of labelled handles, if any, under the x label, where it hides no data."""
    if not handles:
        return
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
    """Put one legend for all axes, if any, at the foot of a figure with constrained layout."""
    if not handles:
        return
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
    if not isinstance(figure, NotebookFigure) or current_format().height is not None:
        return
    height = figure.get_figheight()
    needed = n_rows * ROW_HEIGHT * float(legend.get_texts()[0].get_fontsize()) / 72
    if needed > USUAL_SHARE * height:
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
