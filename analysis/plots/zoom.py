"""Where a zoom goes: to what moves late in training, where the whole plane can't show it."""

from collections.abc import Iterator
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ibtools.analysis.plots.epoch_scale import EpochScale
from ibtools.analysis.plots.limits import ROOM, Limits, validate_limits
from ibtools.analysis.repeats.shown import RepeatSummary

MARKER = 1 / 50
"""What a marker takes of the width or the height of a panel."""

STILL = 2 * MARKER
"""A layer whose path is less wide and high than this part of the plane stands still."""

LATE = 0.5
"""Where on the scale of epochs, from 0 to 1, the late ones begin."""

LATE_EPOCHS = 50
"""Late epochs that are looked at, at most, spread evenly over the scale."""

NARROWEST = 1 / 100
"""The least part of the width or the height of the plane that a zoom shows."""

LARGEST = 1 / 25
"""The largest part of the plane, by area, that is worth a zoom."""

LEAST_GAIN = 1 / 3
"""The least gain of a zoom, as a fraction of the late steps of one layer."""

ENOUGH = 2 / 3
"""The part of the largest gain that is enough, where a zoom holds more layers with it."""

LONGEST = 0.5
"""The longest line between two layers in a zoom, as a fraction of its width or height."""


def zoom_limits(
    summary: RepeatSummary, zoom: Limits | Literal["auto"] | None, plane: Limits
) -> Limits | None:
    """Decide what a zoom into a plane shows; None if there is nothing to zoom in on.

    "auto" is the `moving_box` of the late epochs: those of the second half of the scale of epochs.
    """
    if zoom is None:
        return None
    if zoom != "auto":
        return validate_limits(zoom)
    scale = EpochScale.of(summary.epochs)
    late = np.flatnonzero(scale.norm(summary.epochs) >= LATE)
    late = late[scale.thin(summary.epochs[late], LATE_EPOCHS)]
    coordinates = [
        summary.mean[name].transpose("epoch", "layer").values[late] for name in ("mi_xt", "mi_ty")
    ]
    return moving_box(np.stack(coordinates, axis=-1), plane)


def moving_box(paths: NDArray[np.float64], plane: Limits) -> Limits | None:
    r"""Find the part of a plane where a zoom shows most movement that the plane doesn't.

    Parameters
    ----------
    paths : ndarray, (epoch, layer, 2), float64
        Where the layers are at successive epochs, in the units of the plane; NaN where they have no
        value.
    plane : Limits
        What the whole plane shows. Points outside are none.

    Returns
    -------
    Limits or None
        Within `plane`, the whole paths of one or several consecutive layers, with room around them.
        None where nothing moves, or the plane shows it already.

    Notes
    -----
    Lengths are fractions of the plane. A layer whose path is less than `STILL` wide and high is no
    reason for a zoom, be there ever so many of them at the ceilings. The step of a layer that
    moves, :math:`d_x` across and :math:`d_y` upwards between two epochs, is seen in a panel that
    shows a part :math:`w` wide and :math:`h` high as far as it takes a point out of the marker
    before it:

    .. math:: s(w, h) = \min(1, \max(d_x / w, d_y / h) / \mathtt{MARKER})

    The gain of a box is the sum of :math:`s(w, h) - s(1, 1)` over the steps within it. Candidates
    hold the paths of consecutive layers, of which at least one moves; they are at least `NARROWEST`
    wide and high, and take at most `LARGEST` of the plane. There is no zoom if the largest gain is
    below `LEAST_GAIN` of the steps of one layer. Otherwise it is the box of most layers whose gain
    is at least `ENOUGH` of the largest.

    Examples
    --------
    One layer stands at the ceilings, one compresses near them, one rises through the whole plane:

    >>> time = np.linspace(0, 1, 20)
    >>> still = np.stack([np.full(20, 12.0), np.full(20, 1.0)], axis=-1)
    >>> compressing = np.stack([12 - time, np.full(20, 0.99)], axis=-1)
    >>> rising = np.stack([4 + 2 * time, time], axis=-1)
    >>> paths = np.stack([still, compressing, rising], axis=1)
    >>> x, y = moving_box(paths, ((0.0, 12.4), (0.0, 1.1)))
    >>> [round(end, 2) for end in (*x, *y)]
    [10.92, 12.08, 0.99, 1.0]
    """
    low, high = np.transpose(plane)
    places = (paths - low) / (high - low)
    shown = ((places >= 0) & (places <= 1)).all(axis=-1, keepdims=True)
    places = np.where(shown, places, np.nan)
    ends = np.fmin.reduce(places, initial=np.inf), np.fmax.reduce(places, initial=-np.inf)
    moves = (ends[1] - ends[0] >= STILL).any(axis=-1)
    boxes = list(_candidates(*ends, moves))
    gains = np.array([_gain(places[:, moves], box) for box in boxes])
    if not gains.size or gains.max() < LEAST_GAIN * (len(paths) - 1):
        return None
    first = int(np.argmax(gains >= ENOUGH * gains.max()))
    (x0, y0), (x1, y1) = (low + boxes[first] * (high - low)).tolist()
    return (x0, x1), (y0, y1)


def _candidates(
    low: NDArray[np.float64], high: NDArray[np.float64], moves: NDArray[np.bool_]
) -> Iterator[NDArray[np.float64]]:
    """Surround the paths of consecutive layers, given their ends, (layer, 2): most layers first."""
    for n_layers in range(len(low), 0, -1):
        for first in range(len(low) - n_layers + 1):
            run = slice(first, first + n_layers)
            if moves[run].any():
                box = _surround(low[run].min(axis=0), high[run].max(axis=0))
                if np.prod(box[1] - box[0]) <= LARGEST:
                    yield box


def _surround(low: NDArray[np.float64], high: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a box, (end, 2), that holds what is between two ends, with room, in the plane."""
    half = (0.5 + ROOM) * np.maximum(high - low, NARROWEST)
    middle = (low + high) / 2
    box: NDArray[np.float64] = np.clip([middle - half, middle + half], 0.0, 1.0)
    return box


def _gain(places: NDArray[np.float64], box: NDArray[np.float64]) -> float:
    """Count the steps that a zoom takes out of the markers before them, and the plane doesn't."""
    inside = ((places >= box[0]) & (places <= box[1])).all(axis=-1)
    steps = np.abs(np.diff(places, axis=0))[inside[1:] & inside[:-1]] / MARKER
    zoomed = np.minimum(1, (steps / (box[1] - box[0])).max(axis=-1))
    return float((zoomed - np.minimum(1, steps.max(axis=-1))).sum())


def near_pairs(points: NDArray[np.float64], box: Limits) -> NDArray[np.float64]:
    """Pair consecutive layers, (epoch, layer, 2) to (epoch, 2 * (layer - 1), 2), as paths to draw.

    A pair is NaN where one of the layers is outside the box, and everywhere if they are `LONGEST`
    of it apart at some epoch: lines that are drawn for some epochs only would look like a finding.
    """
    low, high = np.transpose(box)
    inside = ((points >= low) & (points <= high)).all(axis=-1)
    both = inside[:, :-1] & inside[:, 1:]
    far = (np.abs(np.diff(points, axis=1)) >= LONGEST * (high - low)).any(axis=-1)
    drawn = both & ~(both & far).any(axis=0)
    pairs = np.stack([points[:, :-1], points[:, 1:]], axis=2)
    pairs[~drawn] = np.nan
    return pairs.reshape(len(points), 2 * drawn.shape[1], 2)
