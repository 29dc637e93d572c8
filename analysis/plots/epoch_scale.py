"""The spacing of epochs, the same on a colour bar and on an axis.

Most happens early in training, so epochs are spaced logarithmically, with room for epoch 0 and for
the negative epochs of a random-label prefit. A short training is spaced linearly.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colorbar import Colorbar
from matplotlib.colors import Normalize, SymLogNorm
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator, StrMethodFormatter
from numpy.typing import NDArray

from ibtools.analysis.plots.style import PREFIT_COLOR

LAST_LINEAR_EPOCH = 30
"""Trainings that end here or earlier are spaced linearly."""

PREFIT_NOTE = "grey: random labels"

LINEAR_PART = 0.4
"""Room between epochs 0 and 1, in decades."""


@dataclass(frozen=True)
class EpochScale:
    """The spacing of the epochs from `first` to `last`.

    Parameters
    ----------
    first, last : int
        The first and the last epoch that are drawn; `first` is negative with a random-label prefit.
    counts : str, optional
        What is counted: epochs, or steps.

    Examples
    --------
    >>> scale = EpochScale(0, 300)
    >>> scale.label
    'epoch (log scale from 1)'
    >>> scale.ticks()
    [0, 1, 10, 100, 300]
    """

    first: int
    last: int
    counts: str = "epoch"

    @classmethod
    def of(cls, epochs: NDArray[np.integer], counts: str = "epoch") -> Self:
        """Span the epochs of an array, (epoch,), which must not be empty."""
        return cls(int(epochs.min()), int(epochs.max()), counts)

    @property
    def logarithmic(self) -> bool:
        """Whether epochs from 1 are spaced logarithmically."""
        return max(-self.first, self.last) > LAST_LINEAR_EPOCH

    @property
    def has_prefit(self) -> bool:
        """Whether some epochs were trained on random labels."""
        return self.first < 0

    @property
    def label(self) -> str:
        """What an axis is labelled with: the quantity and its spacing."""
        return f"{self.counts} ({'log scale from 1' if self.logarithmic else 'linear scale'})"

    @cached_property
    def norm(self) -> Normalize:
        """The map from epochs to [0, 1] for colours; a prefit's epochs lie below 0.

        All that is drawn on this scale shares the one object, so that it stays one scale.
        """
        low = max(self.first, 0)
        high = max(self.last, low + 1)
        if self.logarithmic:
            return SymLogNorm(linthresh=1, linscale=LINEAR_PART, vmin=low, vmax=high, base=10)
        return Normalize(low, high)

    def ticks(self) -> list[int]:
        """List the powers of ten within the span, 0, and the ends where they are not crowded."""
        negative = [-tick for tick in _log_ticks(-self.first)][::-1]
        zero = [0] if self.first <= 0 <= self.last else []
        positive = [tick for tick in _log_ticks(self.last) if tick >= self.first]
        return negative + zero + positive

    def thin(self, epochs: NDArray[np.integer], n_epochs: int) -> NDArray[np.int64]:
        """Choose epochs that are spread evenly over the scale, with the first and the last.

        Examples
        --------
        >>> EpochScale(0, 1000).thin(np.arange(1001), 6).tolist()
        [0, 2, 9, 44, 209, 1000]
        """
        places = self._places(epochs)
        if epochs.size <= n_epochs:
            return np.arange(epochs.size)
        even = np.linspace(places[0], places[-1], n_epochs)
        after = np.searchsorted(places, even).clip(1, epochs.size - 1)
        nearer_before = even - places[after - 1] < places[after] - even
        return np.unique(after - nearer_before)

    def _places(self, epochs: NDArray[np.integer]) -> NDArray[np.float64]:
        """Return where epochs lie on an axis, (epoch,)."""
        if not self.logarithmic:
            return epochs.astype(np.float64)
        size = np.abs(epochs).astype(np.float64)
        beyond = LINEAR_PART + np.log10(np.maximum(size, 1))
        places: NDArray[np.float64] = np.sign(epochs) * np.where(
            size < 1, LINEAR_PART * size, beyond
        )
        return places

    def apply_to_x_axis(self, ax: Axes) -> None:
        """Space, tick and label the x axis of axes; a prefit's part gets a grey ground."""
        if self.logarithmic:
            ax.set_xscale("symlog", linthresh=1, linscale=LINEAR_PART)
        self._set_ticks(ax.xaxis, self.ticks())
        ax.set_xlabel(f"{self.label}; {PREFIT_NOTE}" if self.has_prefit else self.label)
        if self.has_prefit:
            last = min(self.last, 0)
            ax.axvspan(self.first, last, color=PREFIT_COLOR, alpha=0.25, linewidth=0, zorder=0)

    def apply_to_colorbar(self, colorbar: Colorbar) -> None:
        """Tick and label a colour bar whose norm is `norm`."""
        axis = colorbar.ax.yaxis
        self._set_ticks(axis, [tick for tick in self.ticks() if tick >= 0])
        colorbar.set_label(f"{self.label}\n{PREFIT_NOTE}" if self.has_prefit else self.label)

    def _set_ticks(self, axis: Axis, ticks: list[int]) -> None:
        locator = FixedLocator(ticks) if self.logarithmic else MaxNLocator(integer=True)
        axis.set_major_locator(locator)
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(StrMethodFormatter("{x:.0f}"))


def _log_ticks(last: int) -> list[int]:
    """List 1, 10, 100, ... up to `last`, and `last` itself where it is far from the one before."""
    if last < 1:
        return []
    powers = [10**power for power in range(len(str(last)))]
    return powers + [last] * (last >= 3 * powers[-1])
