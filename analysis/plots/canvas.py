"""Canvases of figures: axes that the caller brought, or a new figure with a grid of panels.

New figures are `matplotlib.figure.Figure` objects, never pyplot's: no display is needed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ibtools.analysis.plots.files import NotebookFigure
from ibtools.analysis.plots.legends import draw_figure_legend, draw_legend_below
from ibtools.analysis.plots.sheets import current_format
from ibtools.errors import InputError


@dataclass(frozen=True)
class Grid:
    """Panels of one size, laid out row by row in a figure of their own.

    Parameters
    ----------
    panel : (float, float)
        Width and height of a panel, in inches.
    furniture : (float, float), optional
        Inches beside the panels, for a colour bar and labels, and below, for title and legend.
    ncols : int, optional
        How many panels go side by side.
    least_width : float, optional
        Inches that the figure has at least.
    share_x : bool, optional
        Whether the panels share the x axis.
    height_ratios : tuple of float, optional
        Heights of the rows, relative to each other.
    """

    panel: tuple[float, float]
    furniture: tuple[float, float] = (0.0, 0.0)
    ncols: int = 1
    least_width: float = 0.0
    share_x: bool = False
    height_ratios: tuple[float, ...] | None = None

    def fitting(self, n_panels: int) -> "Grid":
        """Put so many panels side by side at most; those that would be too narrow are stacked."""
        ncols = current_format().columns(min(self.ncols, n_panels), self.panel[0])
        return replace(self, ncols=ncols)

    def create_axes(self, n_panels: int) -> list[Axes]:
        """Create a figure of so many panels; what is too much in the last row is left out."""
        n_rows = -(-n_panels // self.ncols)
        figure = NotebookFigure(
            figsize=current_format().size(self._size(n_rows)), layout="constrained"
        )
        axes = figure.subplots(
            n_rows,
            self.ncols,
            sharex=self.share_x,
            height_ratios=self.height_ratios,
            squeeze=False,
        ).ravel()
        for surplus in axes[n_panels:]:
            surplus.remove()
        return list(axes[:n_panels])

    def _size(self, n_rows: int) -> tuple[float, float]:
        width = self.ncols * self.panel[0] + self.furniture[0]
        return max(width, self.least_width), n_rows * self.panel[1] + self.furniture[1]


@dataclass(frozen=True)
class Canvas:
    """The axes of a figure, row by row.

    Parameters
    ----------
    axes : list of Axes
        The panels.
    ncols : int
        How many go side by side, in a figure of ours.
    is_ours : bool
        Whether the figure is new, and not the caller's.
    """

    axes: list[Axes]
    ncols: int
    is_ours: bool

    @classmethod
    def of(cls, given: list[Axes] | None, grid: Grid, n_panels: int = 1) -> "Canvas":
        """Take the caller's axes, if there are any, or create panels in the style that is set."""
        axes = grid.create_axes(n_panels) if given is None else given
        return cls(axes, grid.ncols, given is None)

    @property
    def figure(self) -> Figure:
        """The figure of the axes."""
        return cast(Figure, self.axes[0].figure)

    def draw_legend(self, handles: Sequence[Artist]) -> None:
        """Draw one legend: under a figure of ours, or under the last of the caller's axes."""
        if self.is_ours:
            draw_figure_legend(self.figure, handles)
        else:
            draw_legend_below(self.axes[-1], handles)

    def label_outer(self, *, same_x: bool = True, same_y: bool = True) -> None:
        """Label axes of ours at the left and at the foot only, and the ticks of the same scale."""
        for index, ax in enumerate(self.axes if self.is_ours else ()):
            if index % self.ncols:
                ax.set_ylabel("")
                ax.tick_params(labelleft=not same_y)
            if index + self.ncols < len(self.axes):
                ax.set_xlabel("")
                ax.tick_params(labelbottom=not same_x)


def given_axes(
    axes: Sequence[Axes] | None, shape: tuple[int, int], meaning: str
) -> list[Axes] | None:
    """List the axes that the caller brought, if any, after checking how many they are."""
    if axes is None:
        return None
    n_rows, ncols = shape
    given = list(np.ravel(np.asarray(axes, dtype=object)))
    if len(given) != n_rows * ncols:
        raise InputError(
            f"axes must be {meaning}, got {len(given)}; make them with "
            f"figure.subplots({n_rows}, {ncols})"
        )
    return given


def share_y(axes: Sequence[Axes]) -> None:
    """Give axes one scale that holds what each of them shows."""
    spans = [ax.get_ylim() for ax in axes]
    for ax in axes:
        ax.set_ylim(min(low for low, _ in spans), max(high for _, high in spans))
