"""How repeats differ, as it is drawn: a band of what is possible, or each where they are few."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from numpy.typing import NDArray

from ibtools.analysis.repeats.possible import clip, possible
from ibtools.analysis.repeats.shown import FEWEST_FOR_SPREAD, RepeatSummary

SINGLE_LINE: Mapping[str, Any] = MappingProxyType({"linewidth": 0.6, "alpha": 0.6, "zorder": 1.8})
"""How single repeats look where they are too few for a band."""

SHADE = 0.2
"""How opaque bands are."""

DEVIATION = "± std. deviation"
CONFIDENCE = "95 % confidence"
"""What bands are."""


def band(
    summary: RepeatSummary, values: xr.DataArray, half: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], bool]:
    """Return the ends of a band, NaN where repeats are few, and whether it was clipped.

    Parameters
    ----------
    summary : RepeatSummary
    values : DataArray, (epoch, ...)
        A mean of it.
    half : ndarray, (epoch, ...), float64
        Half the width of the band.
    """
    n_repeats = summary.n_repeats.reshape(-1, *[1] * (half.ndim - 1))
    half = np.where(n_repeats >= FEWEST_FOR_SPREAD, half, np.nan)
    return clip(values.values - half, values.values + half, possible(values, summary.mean.attrs))


def draw_singles(ax: Axes, summary: RepeatSummary, values: xr.DataArray | None, color: Any) -> None:
    """Draw single repeats, (repeat, epoch), where there are so few that all are drawn."""
    if values is None:
        return
    for line in values.transpose("repeat", ...).values:
        there = np.isfinite(line)
        ax.plot(summary.epochs[there], line[there], color=color, label="_repeat", **SINGLE_LINE)


def spread_handles(
    summaries: Sequence[RepeatSummary],
    variables: Iterable[str],
    half_widths: Sequence[Mapping[str, NDArray[np.float64]]],
    words: str,
) -> list[Artist]:
    """Say in a legend what is shaded, and whether it was clipped; or that repeats are drawn.

    It is short: in one column of an article, a long line would leave no room for a second one.
    """
    handles: list[Artist] = []
    if any(one.n_repeats.max() >= FEWEST_FOR_SPREAD for one in summaries):
        cut = any(
            band(one, one.mean[name], half[name])[2]
            for one, half in zip(summaries, half_widths, strict=True)
            for name in variables
            if name in half
        )
        label = f"{words}, clipped" if cut else words
        handles.append(Patch(facecolor="0.25", alpha=SHADE, linewidth=0, label=label))
    if any(one.singles is not None for one in summaries):
        handles.append(Line2D([], [], color="0.25", label="single repeats", **SINGLE_LINE))
    return handles
