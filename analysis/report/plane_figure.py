"""The interactive plane: a Plotly figure of one estimator, whose points the page moves.

The figure holds every trajectory once. The page has no frames, which would hold the data again: it
takes the point of an epoch from the mean trajectory.
"""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
import xarray as xr
from numpy.typing import NDArray

from ibtools.analysis.estimators.resolution import each_resolution
from ibtools.analysis.plots.epoch_scale import EpochScale
from ibtools.analysis.plots.limits import plane_limits
from ibtools.analysis.plots.style import LayerStyle, layer_styles, network_layers
from ibtools.analysis.plots.zoom import zoom_limits
from ibtools.analysis.repeats.shown import (
    CHANCE,
    DIMS,
    VARIABLES,
    RepeatSummary,
    has_not_failed,
    summarise_variables,
    validate_results,
)
from ibtools.analysis.report.plane_layout import axis_label, plane_layout
from ibtools.analysis.report.plotly_text import plotly_text
from ibtools.analysis.report.thinning import (
    MOST_EPOCHS,
    MOST_REPEAT_EPOCHS,
    MOST_REPEATS,
    choose_repeats,
    describe_thinning,
)
from ibtools.shown import short_names, visible
from ibtools.store.counts import counts_of

SYMBOLS = {
    "o": "circle",
    "s": "square",
    "^": "triangle-up",
    "D": "diamond",
    "v": "triangle-down",
    "P": "cross",
    "X": "x",
    "p": "pentagon",
    "h": "hexagon",
    "*": "star",
    "<": "triangle-left",
    ">": "triangle-right",
    "8": "octagon",
    "d": "diamond-tall",
}
"""What Plotly calls the markers of matplotlib."""

MOST_RESOLUTIONS = 17
"""Planes of single resolutions in the page, at most."""

DECIMALS = 4
"""Of bits in the page."""

BESIDE = (
    ("chance level [bit]", CHANCE, DECIMALS),
    ("states", "n_states", 1),
    ("H(T) / H(X)", "saturation", 4),
)
"""Shown of a point beside its coordinates, where the results have them: label, variable, decimals.
"""

CHANCE_COLOR = "#404040"
"""Of the chance level in the legend: that of no layer."""

CONTROL_COLOR = "#8c8c8c"
"""Of a control: grey on a light and on a dark ground."""

FIRST_SIZE, LAST_SIZE = 18.0, 11.0
"""Markers of the first and the last layer (pixels): layers that coincide show."""


@dataclass(frozen=True)
class _Layer:
    """What is drawn of one layer.

    Parameters
    ----------
    name : str
        What it is called, short, as a text of Plotly.
    style : LayerStyle
        Colour and marker.
    size : float
        Of its point, in pixels.
    mean : Dataset, (epoch,)
        Mean trajectory, what is shown beside it, and `hollow`.
    repeats : Dataset, (repeat, epoch)
        Trajectories of single repeats.
    control : Dataset or None, (epoch,)
        Mean trajectory of the control, if there is one, at the epochs of `mean`.
    """

    name: str
    style: LayerStyle
    size: float
    mean: xr.Dataset
    repeats: xr.Dataset
    control: xr.Dataset | None

    def look(self, role: str, toggle: str = "") -> dict[str, Any]:
        """Return what all traces of the layer share."""
        layer = visible(self.mean["layer"].values)
        return {
            "name": self.name,
            "legendgroup": self.name,
            "meta": {"role": role, "layer": layer, "toggle": toggle},
        }


def plane_figure(results: xr.Dataset) -> dict[str, Any]:
    """Make the interactive plane of one estimator, as JSON can hold it.

    It has the `figure` of Plotly; `epochs`, the steps of the slider, and `counts`, what they count;
    `columns`, names and decimals of the numbers of a point; `zoom`, the limits of what moves late,
    or None; `control`, what control is beside, or ""; and `thinning`, what was left out, in words.

    Notes
    -----
    The traces of a layer are, by their `meta.role`, its "repeats", their "mean", and its "point" at
    the epoch of the slider. Results that have a chance level of I(T;Y) have it as the "chance" of
    every layer; a trace without data, "chance-key", stands for all of them in the legend. A control
    is likewise the "control" and "control-point" of every layer, and "control-key". What such a key
    shows and hides has its `meta.toggle`.
    """
    validate_results(results)
    counted = _select_counted(results)
    summary = _summarise(results)
    repeats = _choose_repeats(counted, summary)
    mean = summary.mean.assign(hollow=summary.saturated)
    mean = mean.isel(epoch=_thin(summary, MOST_EPOCHS))
    control = None
    if summary.control is not None:
        control = summary.control.mean.reindex(epoch=mean["epoch"])
    layers = _split_layers(mean, repeats, control)
    traces = [
        *(_repeats_trace(layer) for layer in layers),
        *_control_traces(layers, summary.control_name),
        *_chance_traces(layers),
        *(_mean_trace(layer) for layer in layers),
        *(_point_trace(layer) for layer in layers),
    ]
    return {
        "figure": json.loads(go.Figure(traces, plane_layout(summary, repeats)).to_json()),
        "epochs": mean["epoch"].values.tolist(),
        "columns": [[label, decimals] for label, _, decimals in _columns(mean)],
        "zoom": zoom_limits(summary, "auto", plane_limits([summary], "paper")),
        "counts": summary.counts,
        "control": summary.control_name,
        "thinning": describe_thinning(
            (mean.sizes["epoch"], summary.epochs.size),
            (repeats.sizes["repeat"], counted.sizes["repeat"]),
            repeats.sizes["epoch"],
            summary.counts,
        ),
    }


def resolution_planes(results: xr.Dataset) -> dict[str, Any]:
    """Make the interactive planes of all resolutions, among which the page has a slider.

    It has the `resolutions`, in bits, and the `planes`, each as of `plane_figure`. Of many, some
    are taken, the finest among them.
    """
    parts = each_resolution(results)
    step = -(-len(parts) // MOST_RESOLUTIONS)
    bits = list(range(len(parts) - 1, -1, -step))[::-1]
    return {"resolutions": bits, "planes": [plane_figure(parts[one]) for one in bits]}


def _summarise(results: xr.Dataset) -> RepeatSummary:
    """Average the coordinates over repeats, and what is shown beside them."""
    beside = {
        name: results[name].where(results["mi_xt"].notnull()).assign_attrs(results[name].attrs)
        for _, name, _ in BESIDE
        if name in results
    }
    return summarise_variables(results.assign(beside), [*VARIABLES, *beside])


def _select_counted(results: xr.Dataset) -> xr.Dataset:
    """Select the coordinates of the repeats that count: those with a value that did not fail."""
    counted = results[list(VARIABLES)].isel(repeat=has_not_failed(results)).transpose(*DIMS)
    there = counted["mi_xt"].notnull().any(["epoch", "layer"]).values
    return counted.isel(repeat=there).compute()


def _choose_repeats(counted: xr.Dataset, summary: RepeatSummary) -> xr.Dataset:
    """Select the trajectories of single repeats that are drawn, (repeat, epoch, layer)."""
    chosen = summary.epochs[_thin(summary, MOST_REPEAT_EPOCHS)]
    rows = choose_repeats(counted.sizes["repeat"], MOST_REPEATS)
    return counted.isel(repeat=rows).sel(epoch=chosen)


def _thin(summary: RepeatSummary, most: int) -> NDArray[np.int64]:
    return EpochScale.of(summary.epochs).thin(summary.epochs, most)


def _split_layers(
    mean: xr.Dataset, repeats: xr.Dataset, control: xr.Dataset | None
) -> list[_Layer]:
    every = layer_styles(network_layers(mean))
    styles = {str(name): every[str(name)] for name in mean["layer"].values}
    sizes = np.linspace(FIRST_SIZE, LAST_SIZE, len(styles))
    return [
        _Layer(
            plotly_text(short),
            style,
            float(size),
            mean.sel(layer=name),
            repeats.sel(layer=name),
            None if control is None else control.sel(layer=name),
        )
        for short, (name, style), size in zip(
            short_names(styles), styles.items(), sizes, strict=True
        )
    ]


def _repeats_trace(layer: _Layer) -> go.Scatter:
    """Draw all repeats of a layer as one line with gaps."""
    x, y = (_with_gaps(layer.repeats[name].values) for name in VARIABLES)
    return go.Scatter(
        x=x,
        y=y,
        mode="lines",
        line={"width": 1, "color": layer.style.color},
        opacity=0.35,
        hoverinfo="skip",
        showlegend=False,
        **layer.look("repeats"),
    )


def _control_traces(layers: list[_Layer], name: str) -> list[go.Scatter]:
    """Draw the courses of a control and its points at the last epoch, which the page moves."""
    having = [(layer, layer.control) for layer in layers if layer.control is not None]
    courses, points = [], []
    for layer, control in having:
        epochs = [[epoch] for epoch in _rounded(control["epoch"].values, 0)]
        x, y = (_rounded(control[variable].values) for variable in VARIABLES)
        labels = [plotly_text(axis_label(layer.mean, variable)) for variable in VARIABLES]
        hover = (
            f"<b>{layer.name}, {plotly_text(name)}</b><br>{counts_of(layer.mean.attrs)} "
            f"%{{customdata[0]}}<br>{labels[0]} = %{{x:.{DECIMALS}f}} bit<br>"
            f"{labels[1]} = %{{y:.{DECIMALS}f}} bit<extra></extra>"
        )
        shared: dict[str, Any] = {"hovertemplate": hover, "showlegend": False}
        line = {"width": 1.5, "color": CONTROL_COLOR}
        courses.append(
            go.Scatter(
                x=x,
                y=y,
                customdata=epochs,
                mode="lines",
                line=line,
                **shared,
                **layer.look("control", "control"),
            )
        )
        symbol = f"{SYMBOLS[layer.style.marker]}-open"
        points.append(
            go.Scatter(
                x=x[-1:],
                y=y[-1:],
                customdata=epochs[-1:],
                mode="markers",
                marker={
                    "size": layer.size - 3,
                    "color": CONTROL_COLOR,
                    "symbol": symbol,
                    "line": {"width": 2},
                },
                **shared,
                **layer.look("control-point", "control"),
            )
        )
    line = {"width": 1.5, "color": CONTROL_COLOR}
    return [*courses, *points, *[_key_trace("control", plotly_text(name), line)] * bool(having)]


def _key_trace(toggle: str, name: str, line: dict[str, Any]) -> go.Scatter:
    """Stand in the legend for lines of all layers, which are shown and hidden together."""
    return go.Scatter(
        x=[None],
        y=[None],
        mode="lines",
        line=line,
        name=name,
        legendrank=2000,  # after the layers, whose rank is 1000
        meta={"role": f"{toggle}-key", "toggle": toggle},
    )


def _chance_traces(layers: list[_Layer]) -> list[go.Scatter]:
    """Draw the chance levels of all layers, and what the legend has of them; nothing if none."""
    having = [layer for layer in layers if CHANCE in layer.mean]
    line = {"width": 1.5, "dash": "dot", "color": CHANCE_COLOR}
    key = _key_trace("chance", "chance level", line)
    return [*map(_chance_trace, having), *[key] * bool(having)]


def _chance_trace(layer: _Layer) -> go.Scatter:
    """Draw I(T;Y) of labels without any relation to the layer, over its course in I(X;T)."""
    y = plotly_text(axis_label(layer.mean, "mi_ty"))
    epochs, counts = _rounded(layer.mean["epoch"].values, 0), counts_of(layer.mean.attrs)
    return go.Scatter(
        x=_rounded(layer.mean["mi_xt"].values),
        y=_rounded(layer.mean[CHANCE].values),
        customdata=[[epoch] for epoch in epochs],
        hovertemplate=f"<b>{layer.name}</b><br>{counts} %{{customdata[0]}}<br>"
        f"chance level of {y} = %{{y:.{DECIMALS}f}} bit<extra></extra>",
        mode="lines",
        line={"width": 1.5, "dash": "dot", "color": layer.style.color},
        showlegend=False,
        **layer.look("chance", "chance"),
    )


def _mean_trace(layer: _Layer) -> go.Scatter:
    return go.Scatter(
        x=_rounded(layer.mean["mi_xt"].values),
        y=_rounded(layer.mean["mi_ty"].values),
        customdata=_custom_data(layer.mean),
        hovertemplate=_hover_template(layer),
        mode="lines+markers",
        line={"width": 1.5, "color": layer.style.color},
        marker={"size": 4, "symbol": _symbols(layer), "line": {"width": 1}},
        showlegend=False,
        **layer.look("mean"),
    )


def _point_trace(layer: _Layer) -> go.Scatter:
    """Draw the point of the last epoch, which the page moves to others."""
    last = layer.mean.isel(epoch=slice(-1, None))
    return go.Scatter(
        x=_rounded(last["mi_xt"].values),
        y=_rounded(last["mi_ty"].values),
        customdata=_custom_data(last),
        hovertemplate=_hover_template(layer),
        mode="markers",
        marker={
            "size": layer.size,
            "color": layer.style.color,
            "symbol": _symbols(layer)[-1:],
            "line": {"width": 2 if bool(last["hollow"].any()) else 1},
        },
        **layer.look("point"),
    )


def _symbols(layer: _Layer) -> list[str]:
    symbol = SYMBOLS[layer.style.marker]
    return [symbol + "-open" * bool(hollow) for hollow in layer.mean["hollow"].values]


def _columns(mean: xr.Dataset) -> list[tuple[str, str, int]]:
    """List what is shown of a point beside its coordinates: label, variable and decimals."""
    beside = (column for column in BESIDE if column[1] in mean)
    return [(counts_of(mean.attrs), "epoch", 0), *beside]


def _custom_data(mean: xr.Dataset) -> list[list[float | None]]:
    """Return the columns beside the coordinates, (epoch, column)."""
    columns = [_rounded(mean[name].values, decimals) for _, name, decimals in _columns(mean)]
    return [list(row) for row in zip(*columns, strict=True)]


def _hover_template(layer: _Layer) -> str:
    x, y = (plotly_text(axis_label(layer.mean, name)) for name in VARIABLES)
    lines = [f"<b>{layer.name}</b>"]
    lines += [
        f"{plotly_text(label)} %{{customdata[{index}]}}"
        for index, (label, _, _) in enumerate(_columns(layer.mean))
    ]
    lines[2:2] = [f"{x} = %{{x:.{DECIMALS}f}} bit", f"{y} = %{{y:.{DECIMALS}f}} bit"]
    return "<br>".join(lines) + "<extra></extra>"


def _with_gaps(values: NDArray[np.float64]) -> list[float | None]:
    """Join the lines of all repeats, (repeat, epoch), with a gap after each."""
    gap = np.full((len(values), 1), np.nan)
    return _rounded(np.concatenate([values, gap], axis=1).ravel())


def _rounded(values: NDArray[Any], decimals: int = DECIMALS) -> list[float | None]:
    """Return numbers as JSON can hold them, None for NaN, whole ones as integers."""
    if decimals == 0:
        return [int(value) for value in values]
    return [None if np.isnan(value) else round(float(value), decimals) for value in values]
