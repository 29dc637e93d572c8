"""The ranges that layers are quantised on: whether they move against the values in them.

A range that shrinks around values that stay makes the grid finer, so that a layer tells more inputs
apart although nothing was learned. `docs/dynamics.md` explains how that comes about.
"""

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ibtools.shown import counted
from ibtools.store.counts import counts_of, in_counts
from ibtools.store.snapshots import FLOAT_BITS

MUCH = 0.05
"""A range, and the part of it that values fill, move while both are further from their last."""

STILL = 0.01
"""The same for what moves still in the last part of the training."""

LAST_PART = 0.1
"""How much of the training is its last part."""

WORDS = (
    "Ranges of quantisers move against the values in them: what a layer gains until then is partly "
    "the fineness of its grid, not learned."
)
"""What it means that there are layers as of `moving_ranges`."""

NEEDED = ("scale", "bits", "activation_min", "activation_max")

_NAMES = {
    "grid_range_start": ("range of the quantiser at the first epoch", "1"),
    "grid_range_end": ("range of the quantiser at the end", "1"),
    "grid_filled_start": ("part of that range that values fill at the first epoch", "1"),
    "grid_filled_end": ("part of that range that values fill at the end", "1"),
    "grid_moves_until": ("epoch until which the range moves against the values", "epoch"),
    "grid_still_moves": ("whether it moves still at the end", "1"),
}

_FIRST = "first_epoch"
"""The attribute of `grid_moves_until` that is the first epoch that counts."""

Curves = NDArray[np.float64]


def moves_until(ranges: Curves, filled: Curves, epochs: Curves) -> Curves:
    """Find the last epoch at which a range, and the part that values fill, are not yet the last.

    Parameters
    ----------
    ranges, filled : ndarray, (..., epoch), float64
        Of a quantiser, in the unit of the values; and the part of it between the smallest and the
        largest value. Epoch is consumed.
    epochs : ndarray, (epoch,), float64
        Their numbers.

    Returns
    -------
    ndarray, (...), float64
        Where both differ from those at the last epoch by more than 5 % of these; NaN where there is
        no such epoch. A range that follows the values in it is filled as much as before; a fixed
        one that values grow into does not change. Neither moves.

    Examples
    --------
    >>> ranges, filled = np.array([12.0, 6, 3, 3]), np.array([0.2, 0.4, 0.8, 0.8])
    >>> moves_until(ranges, filled, np.arange(4.0)).item()
    1.0
    """
    moving = _differs(ranges, MUCH) & _differs(filled, MUCH)
    last = moving.shape[-1] - 1 - np.argmax(moving[..., ::-1], axis=-1)
    return np.where(moving.any(axis=-1), epochs[last], np.nan)


def still_moves(ranges: Curves, filled: Curves, epochs: Curves) -> NDArray[np.bool_]:
    """Tell whether both change by more than 1 % from when nine tenths of the training are over.

    Parameters
    ----------
    ranges, filled, epochs : ndarray
        As of `moves_until`.

    Returns
    -------
    ndarray, (...), bool
    """
    begin = epochs[-1] - LAST_PART * (epochs[-1] - epochs[0])
    first = np.searchsorted(epochs, begin, side="right") - 1
    moving = _differs(ranges, STILL) & _differs(filled, STILL)
    return np.asarray(moving[..., first:].any(axis=-1))


def _differs(curves: Curves, much: float) -> NDArray[np.bool_]:
    end = curves[..., -1:]
    return np.asarray(np.abs(curves - end) > much * np.abs(end))


def grid_ranges(store: xr.Dataset) -> xr.Dataset:
    """Measure how the ranges of quantisers move against the values of their layers.

    Parameters
    ----------
    store : Dataset
        Of a store, lazy or not; the cube is not read. Consumes `epoch`; epochs on random labels
        (below 0) and snapshots that are not complete do not count.

    Returns
    -------
    Dataset, (repeat, layer)
        All float64: `grid_range_start` and `grid_range_end`, the range ``(2^bits - 1) scale`` at
        the first and the last epoch; `grid_filled_start` and `grid_filled_end`, the part of it that
        the values, and 0, span; `grid_moves_until`, as of `moves_until`; `grid_still_moves`, 1 as
        of `still_moves` or 0. NaN for layers that are not quantised, and for repeats without a
        complete snapshot. Without variables if the Dataset has no grids, as that of a float network
        and of a store that keeps the partition.
    """
    coordinates = {name: store[name] for name in ("repeat", "layer", "outcome") if name in store}
    if any(name not in store for name in (*NEEDED, "complete")):
        return xr.Dataset(coords=coordinates)
    small = store[[*NEEDED, "complete"]].isel(epoch=store["epoch"].values >= 0).load()
    counts = counts_of(store.attrs)
    shape = (store.sizes["repeat"], store.sizes["layer"])
    found = {name: np.full(shape, np.nan) for name in _NAMES}
    for row in range(shape[0]):
        one = small.isel(repeat=row)
        complete = one.isel(epoch=one["complete"].values)
        if complete.sizes["epoch"]:
            for name, values in _measure(complete).items():
                found[name][row] = values
    variables = {
        name: (
            ("repeat", "layer"),
            found[name],
            {"long_name": in_counts(long_name, counts), "units": in_counts(units, counts)},
        )
        for name, (long_name, units) in _NAMES.items()
    }
    found_ranges = xr.Dataset(variables, coordinates)
    if small.sizes["epoch"]:
        found_ranges["grid_moves_until"].attrs[_FIRST] = int(small["epoch"][0])
    return found_ranges


def _measure(one: xr.Dataset) -> dict[str, Curves]:
    """Measure the complete snapshots of a repeat; every quantity is (layer,)."""
    levels = 2.0 ** one["bits"].where(one["bits"] != FLOAT_BITS) - 1
    ranges = one["scale"].astype(np.float64) * levels
    ranges = ranges.where((ranges > 0) & (ranges < np.inf))  # ibtools.check reports others
    spanned = one["activation_max"].clip(min=0) - one["activation_min"].clip(max=0)
    whole, part = (
        array.transpose("layer", "epoch").values.astype(np.float64)
        for array in (ranges, spanned / ranges)
    )
    epochs = one["epoch"].values.astype(np.float64)
    quantised = np.isfinite(whole).all(axis=-1)
    return {
        "grid_range_start": whole[:, 0],
        "grid_range_end": whole[:, -1],
        "grid_filled_start": part[:, 0],
        "grid_filled_end": part[:, -1],
        "grid_moves_until": moves_until(whole, part, epochs),
        "grid_still_moves": np.where(quantised, still_moves(whole, part, epochs), np.nan),
    }


@dataclass(frozen=True)
class MovingRange:
    """A layer whose quantiser's range moves against its values, over the repeats that count.

    Parameters
    ----------
    layer : str
        Its name.
    range_start, range_end, filled_start, filled_end : float
        Means over repeats, as of `grid_ranges`.
    until : float
        Mean of the epoch until which it moves, over the repeats in which it does.
    n_repeats, n_still_moving : int
        How many repeats count, and in how many of them it moves still at the end.
    counts : str, optional
        What `until` is a number of.
    first : int, optional
        The first epoch that counts. A range that moves until then, and is its last from the next
        one on, moved between these two.
    """

    layer: str
    range_start: float
    range_end: float
    filled_start: float
    filled_end: float
    until: float
    n_repeats: int
    n_still_moving: int
    counts: str = "epoch"
    first: int | None = None

    def __str__(self) -> str:
        return (
            f"{self.layer}: {self.range_start:.3g} at first, {100 * self.filled_start:.0f} % of it "
            f"filled; {self.range_end:.3g} at the end, {100 * self.filled_end:.0f} % filled; moves "
            f"until {self.describe_end()}"
        )

    def describe_end(self) -> str:
        """Say until when it moves."""
        until = f"{self.counts} {self.until:.0f}"
        if self.until == self.first:
            until = f"the snapshot after the first, {until}"
        if not self.n_still_moving:
            return until
        repeats = counted(self.n_repeats, "repeat")
        return f"{until}, and still at the end in {self.n_still_moving} of {repeats}"


def moving_ranges(intervals: xr.Dataset) -> tuple[MovingRange, ...]:
    """Select the layers whose quantiser's range moves against its values in any repeat.

    Parameters
    ----------
    intervals : Dataset, (statistic, layer)
        What `ibtools.repeat_intervals` returns for `grid_ranges`, perhaps among other things.

    Returns
    -------
    tuple of MovingRange
        In the order of the layers; empty where none moves, or there are no grids.
    """
    if "grid_moves_until" not in intervals:
        return ()
    n_moving = intervals["grid_moves_until"].sel(statistic="n_repeats").values
    layers = [intervals.isel(layer=index) for index in np.flatnonzero(n_moving)]
    return tuple(_moving_range(one) for one in layers)


def _moving_range(one: xr.Dataset) -> MovingRange:
    mean = {name: float(one[name].sel(statistic="mean")) for name in _NAMES}
    n_repeats = int(one["grid_range_end"].sel(statistic="n_repeats"))
    return MovingRange(
        layer=str(one["layer"].values),
        range_start=mean["grid_range_start"],
        range_end=mean["grid_range_end"],
        filled_start=mean["grid_filled_start"],
        filled_end=mean["grid_filled_end"],
        until=mean["grid_moves_until"],
        n_repeats=n_repeats,
        n_still_moving=round(mean["grid_still_moves"] * n_repeats),
        counts=str(one["grid_moves_until"].attrs.get("units", "epoch")),
        first=one["grid_moves_until"].attrs.get(_FIRST),
    )
