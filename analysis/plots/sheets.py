"""The style sheets that figures are drawn and saved with, and the width that they are drawn for.

Settings of matplotlib are changed only while a figure of ours is drawn or saved. So nothing global
changes, and axes that a user brings keep the user's own style.
"""

import math
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Literal

from matplotlib import style

from ibtools.errors import InputError, unknown_name

Format = Literal["latex"]

PUBLICATION = "ibtools.analysis.plots.publication"
"""The style sheet of all figures, by the name that `matplotlib.style.use` takes."""

LATEX = "ibtools.analysis.plots.latex"
"""What changes for figures in a LaTeX document."""

TEXT_WIDTH = 6.5
"""Inches: figures for LaTeX are no wider unless asked to be; a page of text is about as wide."""

NARROWEST_PANEL = 2.3
"""Inches: panels are stacked rather than drawn narrower than this."""

LEAST_WIDTH, MOST_WIDTH = 1.5, 60.0
"""Inches that a figure can be wide, or high."""

FURNITURE_HEIGHT = 1.2
"""Inches of titles, labels and legend, which don't shrink with a figure."""


@dataclass(frozen=True)
class FigureFormat:
    """What figures are drawn for.

    Parameters
    ----------
    sheets : tuple of str
        Style sheets, later ones on top.
    width : float or None
        Of figures, in inches; None is the figure's own.
    widest : float
        What a figure's own width may be at most.
    height : float or None
        Of figures, in inches; None is in proportion to the width, and taller for a long legend.
    """

    sheets: tuple[str, ...] = (PUBLICATION,)
    width: float | None = None
    widest: float = math.inf
    height: float | None = None

    def size(self, size: tuple[float, float]) -> tuple[float, float]:
        """Return the size of a figure, in inches, from the one it was designed for."""
        width = min(size[0], self.widest) if self.width is None else self.width
        scale = width / size[0]
        furniture = min(FURNITURE_HEIGHT, size[1])
        return width, self.height or scale * (size[1] - furniture) + furniture

    def columns(self, ncols: int, panel_width: float) -> int:
        """Return how many of `ncols` panels, which were designed so wide, go side by side."""
        width, _ = self.size((ncols * panel_width, 1.0))
        return max(1, min(ncols, int(width / min(NARROWEST_PANEL, panel_width))))


USUAL = FigureFormat()

_current: ContextVar[FigureFormat] = ContextVar("figure_format", default=USUAL)


def current_format() -> FigureFormat:
    """Return what figures are drawn for at present."""
    return _current.get()


@contextmanager
def figure_format(
    format: Format | None = None, *, width: float | None = None, height: float | None = None
) -> Iterator[None]:
    """Draw and save the figures of a block for a document.

    Parameters
    ----------
    format : "latex" or None, optional
        "latex" sets text in Computer Modern, at 8 points, and figures at most 6.5 inches wide.
        None leaves the look as it is: the usual one, or that of an enclosing block.
    width : float, optional
        The width of figures in inches, such as that of the column; about 3.4 for a single and 7 for
        a double one. Fonts keep their size, so save at this width and include unscaled. Panels that
        would be too narrow are stacked. None leaves it as it is.
    height : float, optional
        Of figures, in inches. None leaves it in proportion to the width.

    Raises
    ------
    UnknownNameError
        If there is no such format.
    InputError
        If width or height is none of a figure.

    Examples
    --------
    A figure for one column of an article::

        with figure_format("latex", width=3.4):
            ax = information_plane(results)
            save_figure(ax.figure, "plane.pdf")
    """
    if format not in (None, "latex"):
        raise unknown_name("format", str(format), ["latex"])
    for name, size in (("width", width), ("height", height)):
        if size is not None and not LEAST_WIDTH <= size <= MOST_WIDTH:
            raise InputError(
                f"the {name} of a figure must be {LEAST_WIDTH:g} to {MOST_WIDTH:g} inches, got "
                f"{size:g}"
            )
    chosen = current_format()
    if format is not None:
        chosen = replace(chosen, sheets=(PUBLICATION, LATEX), widest=TEXT_WIDTH)
    if width is not None:
        chosen = replace(chosen, width=width)
    if height is not None:
        chosen = replace(chosen, height=height)
    token = _current.set(chosen)
    try:
        yield
    finally:
        _current.reset(token)


def drawing_style(user_axes: object | None) -> AbstractContextManager[None]:
    """Return the style to draw in: ibtools' for its own figures, the user's for the user's axes."""
    return nullcontext() if user_axes is not None else sheets_applied()


def sheets_applied() -> AbstractContextManager[None]:
    """Return a context in which matplotlib's settings are those of the style sheets."""
    return style.context(list(current_format().sheets))
