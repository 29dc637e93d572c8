"""Limits of planes: the paper's axes by experiment, or what holds points and ceilings."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ibtools.analysis.repeats.controls import CONTROL
from ibtools.analysis.repeats.shown import CHANCE, Axis, RepeatSummary
from ibtools.errors import InputError

Span = tuple[float, float]
Limits = tuple[Span, Span]
"""The spans of x and y."""


@dataclass(frozen=True)
class PaperLimits:
    """The axes of the paper's figures of one data set.

    Parameters
    ----------
    plane : Limits
        I(X;T) and I(T;Y), in bits.
    accuracy : Span
        Fraction of samples.
    """

    plane: Limits
    accuracy: Span


PAPER_LIMITS: Mapping[str, PaperLimits] = MappingProxyType(
    {
        "SYN": PaperLimits(plane=((0.0, 12.36), (0.0, 1.03)), accuracy=(0.8, 1.0)),
        "MNIST": PaperLimits(plane=((3.9, 16.1), (0.4, 3.5)), accuracy=(0.4, 1.0)),
    }
)
"""By the data set, which is what names of experiments begin with."""

ROOM = 0.08
"""Room around the points, as a fraction of their span."""


def paper_limits(experiment: str) -> PaperLimits | None:
    """Look up the axes of the paper's figures; None if it has no such data set.

    Examples
    --------
    >>> paper_limits("MNIST-Bottleneck-2").accuracy
    (0.4, 1.0)
    """
    return PAPER_LIMITS.get(experiment.split("-")[0])


def plane_limits(
    summaries: Iterable[RepeatSummary], limits: Limits | Literal["paper"] | None
) -> Limits:
    """Decide what a plane, or several planes that are compared, show of points and controls.

    "paper" are the paper's axes for the first experiment, widened where points or chance levels lie
    outside; None is what holds these and the ceilings.
    """
    if limits is not None and limits != "paper":
        return validate_limits(limits)
    summaries = list(summaries)
    summaries += [one.control for one in summaries if one.control is not None]
    x, y = (np.concatenate(values) for values in zip(*map(plane_points, summaries), strict=True))
    lowest = min(map(_lowest_chance_level, summaries))
    known = paper_limits(_experiment(summaries[0])) if limits else None
    if known is not None:
        x_span, y_span = _widen(known.plane[0], x), _widen(known.plane[1], y)
    else:
        x_span = _surround(np.append(x, _ceilings(summaries, "x")))
        y_span = _surround(np.append(y, _ceilings(summaries, "y")))
    return x_span, (min(y_span[0], lowest), y_span[1])


def _experiment(summary: RepeatSummary) -> str:
    """Return the experiment whose axes in the paper would do; none of differences."""
    attributes = summary.mean.attrs
    return "" if CONTROL in attributes else str(attributes.get("experiment", ""))


def _ceilings(summaries: Iterable[RepeatSummary], axis: Axis) -> list[float]:
    return [one.ceilings[axis] for one in summaries if axis in one.ceilings]


def _lowest_chance_level(summary: RepeatSummary) -> float:
    """Return the lowest chance level that a plane draws, in bits; infinite if it draws none."""
    if CHANCE not in summary.mean:
        return np.inf
    return float(summary.mean[CHANCE].min().fillna(np.inf))


def plane_points(summary: RepeatSummary) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return I(X;T) and I(T;Y) of all layers and epochs, (point,), in bits."""
    x, y = (summary.mean[name].values.ravel() for name in ("mi_xt", "mi_ty"))
    there = np.isfinite(x) & np.isfinite(y)
    return x[there], y[there]


def _surround(values: NDArray[np.float64]) -> Span:
    room = ROOM * float(np.ptp(values)) or 0.05 * max(float(np.abs(values).max()), 1.0)
    return float(values.min()) - room, float(values.max()) + room


def _widen(span: Span, values: NDArray[np.float64]) -> Span:
    """Move the ends of a span out, where values would lie on or beyond them."""
    low, high = span
    room = ROOM / 2 * (high - low)
    least, most = float(values.min()), float(values.max())
    return (
        least - room if least < low + room / 4 else low,
        most + room if most > high - room / 8 else high,
    )


def validate_limits(limits: Limits) -> Limits:
    """Return limits as floats, after checking that they are limits."""
    if np.shape(limits) != (2, 2) or not all(low < high for low, high in limits):
        raise InputError(
            f"limits must be ((x0, x1), (y0, y1)) with x0 < x1 and y0 < y1, got {limits!r}"
        )
    (x0, x1), (y0, y1) = limits
    return (float(x0), float(x1)), (float(y0), float(y1))
