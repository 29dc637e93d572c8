"""The figures of a recording that is watched: its plane, and its curves against epoch."""

import json
from typing import Any

import numpy as np
import plotly.graph_objects as go
import xarray as xr
from numpy.typing import NDArray

from ibtools.analysis.plots.epoch_scale import EpochScale
from ibtools.analysis.plots.style import layer_styles
from ibtools.analysis.repeats.scalars import ACCURACIES, called, recorded_scalars
from ibtools.analysis.repeats.shown import CHANCE, VARIABLES, RepeatSummary, summarise_repeats
from ibtools.analysis.report.plane_figure import plane_figure
from ibtools.analysis.report.plane_layout import axis_label
from ibtools.analysis.report.plotly_text import plotly_text
from ibtools.store.counts import counts_of

MOST_EPOCHS = 300
"""Of a curve."""

ACCURACY_DASHES = ("dash", "solid")
"""Of training and test accuracy."""


def draw(results: xr.Dataset, store: xr.Dataset) -> dict[str, dict[str, Any]]:
    """Draw what there is so far, each figure as JSON can hold it.

    Parameters
    ----------
    results : Dataset, (repeat, epoch, layer)
        From `ibtools.open_results`, with `mi_xt` and `mi_ty` (bit).
    store : Dataset
        From `ibtools.open_store`, for accuracies, (repeat, trained_epoch).

    Returns
    -------
    dict
        `plane`, `mi_xt`, `mi_ty`, and `accuracy` if there is any; means over repeats.
    """
    summary = summarise_repeats(results)
    figures = {"plane": plane_figure(results)["figure"]}
    figures |= {name: _as_json(_information(summary, name)) for name in VARIABLES}
    accuracies = recorded_scalars(store)
    drawn = [name for name in ACCURACIES if name in accuracies]
    if drawn:
        figures["accuracy"] = _as_json(_accuracy(accuracies[drawn].mean("repeat")))
    return figures


def _as_json(figure: go.Figure) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(figure.to_json())
    return found


def _information(summary: RepeatSummary, name: str) -> go.Figure:
    """Draw one quantity of all layers against epoch, and the chance level of I(T;Y)."""
    scale = EpochScale.of(summary.epochs, summary.counts)
    mean = summary.mean.isel(epoch=scale.thin(summary.epochs, MOST_EPOCHS))
    epochs = mean["epoch"].values
    traces = []
    for layer, style in layer_styles(mean["layer"].values).items():
        of_layer = mean.sel(layer=layer)
        called_so, line = plotly_text(layer), {"color": style.color, "width": 1.5}
        traces.append(_curve(scale, epochs, of_layer[name].values, called_so, line=line))
        if name == "mi_ty" and CHANCE in mean:
            called_so, line = f"chance level, {called_so}", {**line, "dash": "dot"}
            traces.append(_curve(scale, epochs, of_layer[CHANCE].values, called_so, line=line))
    return go.Figure(traces, _layout(scale, f"{plotly_text(axis_label(mean, name))} [bit]"))


def _accuracy(mean: xr.Dataset) -> go.Figure:
    there = mean.to_array("accuracy").notnull().any("accuracy").values
    told = mean.isel(trained_epoch=there)
    epochs = told["trained_epoch"].values
    scale = EpochScale.of(epochs, counts_of(mean.attrs))
    told = told.isel(trained_epoch=scale.thin(epochs, MOST_EPOCHS))
    epochs = told["trained_epoch"].values
    traces = [
        _curve(scale, epochs, told[name].values, called(name), line={"dash": dash, "width": 1.5})
        for name, dash in zip(ACCURACIES, ACCURACY_DASHES, strict=True)
        if name in told
    ]
    return go.Figure(traces, _layout(scale, "accuracy"))


def _curve(
    scale: EpochScale,
    epochs: NDArray[Any],
    values: NDArray[np.floating],
    name: str,
    *,
    line: dict[str, Any],
) -> go.Scatter:
    return go.Scatter(
        x=np.asarray(scale.norm(epochs)).tolist(),
        y=[None if np.isnan(value) else round(float(value), 4) for value in values],
        customdata=epochs.tolist(),
        hovertemplate=f"<b>{name}</b><br>{scale.counts} %{{customdata}}: %{{y}}<extra></extra>",
        mode="lines+markers",
        marker={"size": 3},
        name=name,
        line=line,
    )


def _layout(scale: EpochScale, title: str) -> go.Layout:
    ticks = scale.ticks()
    places = np.asarray(scale.norm(np.array(ticks))).tolist()
    axis = {"title": {"text": scale.label}, "tickvals": places, "ticktext": [*map(str, ticks)]}
    return go.Layout(
        template="none",
        height=300,
        margin={"l": 56, "r": 16, "t": 16, "b": 48},
        xaxis={**axis, "zeroline": False},
        yaxis={"title": {"text": title}, "rangemode": "tozero", "zeroline": False},
        showlegend=title == "accuracy",
        legend={"x": 1, "xanchor": "right", "y": 0, "yanchor": "bottom"},
    )
