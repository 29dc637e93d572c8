"""References that values are read against: ceilings, chance level, saturation."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from ibtools.analysis.kernels.chance import SATURATED
from ibtools.analysis.plots.labels import mathematical
from ibtools.analysis.plots.names import figure_text
from ibtools.analysis.repeats.shown import BOUNDS, CHANCE, Axis, RepeatSummary

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

CONTROL_COLOR = "0.6"
CONTROL_LINE: Mapping[str, Any] = MappingProxyType({"linewidth": 2.4, "alpha": 0.35})
"""How a control looks against epoch or resolution."""

CONTROL_PATH: Mapping[str, Any] = MappingProxyType(
    {
        "color": CONTROL_COLOR,
        "linewidth": 1.0,
        "marker": "o",
        "markersize": 6,
        "markerfacecolor": "none",
    }
)
"""How a control looks in a plane."""

HOLLOW_COLOR = "white"
HOLLOW: Mapping[str, Any] = MappingProxyType(
    {
        "color": "0.25",
        "linestyle": "none",
        "marker": "o",
        "markersize": 5,
        "markerfacecolor": HOLLOW_COLOR,
    }
)
"""How saturated points look in a legend."""


def draw_ceiling(ax: Axes, direction: Axis, value: float, symbol: str | None) -> None:
    """Draw what an axis cannot exceed as a thin line, if it is within the limits that are set."""
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


def draw_nothing_learned(ax: Axes, *directions: Axis) -> None:
    """Draw where differences from a control are 0."""
    for direction in directions:
        draw_line = ax.axvline if direction == "x" else ax.axhline
        draw_line(0, zorder=1, label="_control", **CEILING_LINE)


def control_handles(
    summaries: Sequence[RepeatSummary], look: Mapping[str, Any], when: str = ""
) -> list[Line2D]:
    """Stand in a legend for the controls that are beside any of what is drawn."""
    names = dict.fromkeys(one.control_name for one in summaries if one.control is not None)
    look = {"color": "0.25", **look}
    return [Line2D([], [], label=figure_text(f"{name}{when}"), **look) for name in names]


def reference_handles(summaries: Sequence[RepeatSummary], *, bounds: bool = False) -> list[Line2D]:
    """Stand in a legend for what any of the layers are read against, as far as it is drawn."""
    means = [summary.mean for summary in summaries]
    handles = []
    if any(CHANCE in mean for mean in means):
        handles.append(Line2D([], [], color="0.25", label="chance level", **CHANCE_LINE))
    if bounds and any(name in mean for mean in means for name in BOUNDS):
        handles.append(Line2D([], [], color="0.25", label="bound", **BOUND_LINE))
    if any(summary.ceilings for summary in summaries):
        handles.append(Line2D([], [], label="ceiling", **CEILING_LINE))
    if any(bool(summary.saturated.any()) for summary in summaries):
        label = rf"saturated: $\geq {SATURATED:g}\,H(X)$"
        handles.append(Line2D([], [], label=label, **HOLLOW))
    return handles
