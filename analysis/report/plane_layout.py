"""The frame of the interactive plane: axes, ceilings, the place of the legend."""

from typing import Any

import numpy as np
import plotly.graph_objects as go
import xarray as xr
from numpy.typing import NDArray

from ibtools.analysis.plots.limits import Span, plane_limits
from ibtools.analysis.plots.reference import CEILINGS
from ibtools.analysis.repeats.shown import VARIABLES, Axis, RepeatSummary
from ibtools.analysis.report.plotly_text import plotly_text


def axis_label(mean: xr.Dataset, name: str) -> str:
    """Return what a coordinate of the plane was measured to be, such as "H(binned T)"."""
    return str(mean[name].attrs["long_name"])


def plane_layout(summary: RepeatSummary, repeats: xr.Dataset) -> go.Layout:
    """Lay the plane out."""
    spans = [
        _widen(span, repeats[name].values)
        for span, name in zip(plane_limits([summary], "paper"), VARIABLES, strict=True)
    ]
    titles = [f"{plotly_text(axis_label(summary.mean, name))} [bit]" for name in VARIABLES]
    x, y = (
        {"title": {"text": title}, "range": list(span), "zeroline": False}
        for title, span in zip(titles, spans, strict=True)
    )
    return go.Layout(
        template="none",
        xaxis=x,
        yaxis=y,
        height=540,
        margin={"l": 64, "r": 24, "t": 28, "b": 110},
        legend={"orientation": "h", "y": -0.19, "yanchor": "top", "x": 0},
        hovermode="closest",
        shapes=[_ceiling(axis, value) for axis, value in summary.ceilings.items()],
        annotations=[_ceiling_label(axis, value) for axis, value in summary.ceilings.items()],
    )


def _widen(span: Span, values: NDArray[np.float64]) -> Span:
    """Move the ends of a span out to what single repeats reach."""
    room = 0.02 * (span[1] - span[0])
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    return (
        low - room if low < span[0] else span[0],
        high + room if high > span[1] else span[1],
    )


def _ceiling(axis: Axis, value: float) -> dict[str, Any]:
    """Draw what an axis cannot exceed as a line across the plane."""
    other = "y" if axis == "x" else "x"
    ends = {f"{axis}0": value, f"{axis}1": value, f"{other}0": 0, f"{other}1": 1}
    return {
        "type": "line",
        **ends,
        f"{other}ref": f"{other} domain",
        "layer": "below",
        "line": {"dash": "dash", "width": 1},
    }


def _ceiling_label(axis: Axis, value: float) -> dict[str, Any]:
    text = f"{CEILINGS[axis]} = {value:.4g}"
    if axis == "x":
        place = {"x": value, "y": 0, "yref": "y domain", "textangle": -90, "xanchor": "right"}
        return {"text": text, "showarrow": False, "yanchor": "bottom", **place}
    place = {"x": 0, "xref": "x domain", "y": value, "xanchor": "left", "yanchor": "bottom"}
    return {"text": text, "showarrow": False, **place}
