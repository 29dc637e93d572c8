"""What a value is read against: ceilings, the chance level, and which points are saturated."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from ibtools.analysis.chance import SATURATED
from ibtools.analysis.plots.labels import mathematical
from ibtools.analysis.repeats import BOUNDS, CHANCE, Axis, RepeatSummary

CEILING_COLOR = "0.45"
CEILING_LINE: Mapping[str, Any] = MappingProxyType(
    {"color": CEILING_COLOR, "linewidth": 0.7, "linestyle": (0, (4, 3))}
)
CEILING_ROOM = 0.045
"""Room beyond a ceiling for its label, as a fraction of the axis."""

CEILINGS: Mapping[Axis, str] = MappingProxyType({"x": "H(X)", "y": "H(Y)"})
"""What I(X;T) and I(T;Y) cannot exceed, by the axis of the plane."""

CHANCE_LINE: Mapping[str, Any] = MappingProxyType({"linewidth": 0.9, "linestyle": (0, (1, 1.5))})

BOUND_LINE: Mapping[str, Any] = MappingProxyType(
    {"linewidth": 0.8, "linestyle": (0, (5, 1.5, 1, 1.5))}
)

HOLLOW_COLOR = "white"


def draw_ceiling(ax: Axes, direction: Axis, value: float, symbol: str | None) -> None:
    """Draw the largest value that an axis can reach as a thin line, labelled where there is room.

    Parameters
    ----------
    ax : Axes
        With its limits set: what is beyond them is not drawn.
    direction : {"x", "y"}
        The axis that has the ceiling.
    value : float
        The ceiling, in the unit of the axis.
    symbol : str or None
        What the ceiling is, such as "H(Y)"; no label for None.
    """
    low, high = ax.get_xlim() if direction == "x" else ax.get_ylim()
    if not low <= value <= high:
        return
    draw_line = ax.axvline if direction == "x" else ax.axhline
    draw_line(value, zorder=1, label="_ceiling", **CEILING_LINE)
    if symbol is None:
        return
    place: dict[str, Any]
    if direction == "x":
        beyond = high - value > CEILING_ROOM * (high - low)
        place = {"xy": (value, 0), "xycoords": ax.get_xaxis_transform(), "rotation": 90}
        place |= {"xytext": (2 if beyond else -2, 4), "ha": "left" if beyond else "right"}
    else:
        place = {"xy": (0, value), "xycoords": ax.get_yaxis_transform()}
        place |= {"xytext": (4, 3), "ha": "left"}
    text = f"{mathematical(symbol)} = {value:.4g}"
    place |= {"va": "bottom", "textcoords": "offset points"}
    ax.annotate(text, color=CEILING_COLOR, fontsize="x-small", **place)


def reference_handles(summaries: Sequence[RepeatSummary], *, bounds: bool = False) -> list[Line2D]:
    """Stand in a legend for what layers are read against, as far as it is drawn.

    Parameters
    ----------
    summaries : sequence of RepeatSummary
        What is drawn: chance levels, bounds, ceilings and hollow points are explained if any has
        them.
    bounds : bool, optional
        Whether bounds are drawn where there are any.
    """
    handles = [chance_handle()] * any(CHANCE in summary.mean for summary in summaries)
    if bounds:
        handles += [bounds_handle()] * any(
            name in summary.mean for summary in summaries for name in BOUNDS
        )
    hollow = any(bool(summary.saturated.any()) for summary in summaries)
    handles += [ceiling_handle()] * any(summary.ceilings for summary in summaries)
    return handles + [hollow_handle()] * hollow


def ceiling_handle() -> Line2D:
    """Stand for the ceilings in a legend."""
    return Line2D([], [], label="ceiling", **CEILING_LINE)


def chance_handle() -> Line2D:
    """Stand for the chance levels of all layers in a legend."""
    return Line2D([], [], color="0.25", label="chance level", **CHANCE_LINE)


def bounds_handle() -> Line2D:
    """Stand for the bounds of all layers in a legend."""
    return Line2D([], [], color="0.25", label="bound", **BOUND_LINE)


def hollow_handle() -> Line2D:
    """Stand for saturated points in a legend, and say what they are."""
    look: dict[str, Any] = {"color": "0.25", "linestyle": "none", "marker": "o", "markersize": 5}
    label = rf"saturated: $\geq {SATURATED:g}\,H(X)$"
    return Line2D([], [], label=label, markerfacecolor=HOLLOW_COLOR, **look)
