"""Checks of the grid that codes are on, as the recorder certified it, and of its ends."""

from collections.abc import Iterator

import numpy as np
import xarray as xr

from ibtools.analysis.check import words
from ibtools.analysis.check.report import Check, judge, not_checked
from ibtools.analysis.repeats.grid_ranges import WORDS, grid_ranges, moving_ranges
from ibtools.analysis.repeats.uncertainty import repeat_intervals
from ibtools.store.decode import dequantise
from ibtools.store.schema import kept
from ibtools.store.snapshots import FLOAT_BITS

MUCH = 0.5
"""From this share of values at the ends of the grid on, a layer is worth a note."""

_GRID = ("codes", "scale", "zero point", "ends of the grid", "moving ranges")

_CASES = "layers of snapshots"


def check_grid(store: xr.Dataset, measures: xr.Dataset) -> Iterator[Check]:
    """Check codes, grids and ranges against each other.

    Parameters
    ----------
    store : Dataset
        As `ibtools.store.datasets.open_raw` opens it.
    measures : Dataset, (repeat, epoch, layer)
        From `ibtools.analysis.check.measure.measure_recording`.

    Yields
    ------
    Check
    """
    if kept(store) == "partition":
        for name in (*_GRID, "padding", "values", "range"):
            yield not_checked(name, words.PARTITION_ONLY)
        return
    quantised = store["bits"] != FLOAT_BITS
    if quantised.any():
        recorded = store["complete"] & quantised
        yield _check_codes(store, measures, recorded)
        yield _check_scale(store, measures, recorded)
        yield _check_zero_point(store, measures, recorded)
        yield _check_ends(store, measures, recorded)
        yield _check_moving_ranges(store)
    else:
        for name in _GRID:
            yield not_checked(name, words.NOT_QUANTISED)
    yield judge(
        "padding",
        measures["n_in_padding"] > 0,
        checked=store["complete"],
        amount=measures["n_in_padding"].astype(float),
        unit="values",
        cases=_CASES,
        meaning=words.PADDING,
    )
    if quantised.all():
        yield not_checked("values", words.ALL_QUANTISED)
    else:
        yield _check_values(store, measures, store["complete"] & ~quantised)
    yield _check_range(store, measures)


def _largest_code(store: xr.Dataset) -> xr.DataArray:
    return 2 ** store["bits"].where(store["bits"] != FLOAT_BITS, 0) - 1


def _check_codes(store: xr.Dataset, measures: xr.Dataset, quantised: xr.DataArray) -> Check:
    above = measures["highest"] - _largest_code(store)
    return judge(
        "codes",
        above > 0,
        checked=quantised,
        amount=above,
        unit="above the largest code",
        cases=_CASES,
        meaning=words.CODES,
    )


def _check_scale(store: xr.Dataset, measures: xr.Dataset, quantised: xr.DataArray) -> Check:
    scale = store["scale"]
    of_units = scale.isnull() & (measures["n_unit_grids"] == store["n_units"])
    return judge(
        "scale",
        ~((scale > 0) & (scale < np.inf) | of_units),
        checked=quantised,
        cases=_CASES,
        meaning=words.SCALE,
    )


def _check_zero_point(store: xr.Dataset, measures: xr.Dataset, quantised: xr.DataArray) -> Check:
    zero = store["zero_point"]
    outside = abs(zero - zero.clip(0, _largest_code(store))).astype(float) + measures["off_codes"]
    return judge(
        "zero point",
        outside > 0,
        checked=quantised,
        amount=outside,
        unit="outside of the codes",
        cases=_CASES,
        meaning=words.ZERO_POINT,
    )


def _check_ends(store: xr.Dataset, measures: xr.Dataset, quantised: xr.DataArray) -> Check:
    counts = (store["zero_point"] != 0) | store["scale"].isnull()
    n_low = measures["n_at_lowest_code"].where(counts, 0)
    n_values = store["n_units"] * store.sizes["sample"]
    share = (n_low + measures["n_at_highest_code"]) / n_values
    return judge(
        "ends of the grid",
        share >= MUCH,
        checked=quantised,
        amount=100 * share,
        unit="% of the values",
        cases=_CASES,
        status="note",
        meaning=words.ENDS,
        always_worst=True,
    )


def _check_moving_ranges(store: xr.Dataset) -> Check:
    found = grid_ranges(store)
    moving = found["grid_moves_until"].notnull()
    layers = moving_ranges(repeat_intervals(found))
    return judge(
        "moving ranges",
        moving,
        checked=found["grid_range_end"].notnull(),
        amount=found["grid_filled_end"] / found["grid_filled_start"],
        unit="times as much filled at the end",
        cases="layers of repeats",
        status="note",
        meaning=f"{WORDS} {'; '.join(map(str, layers))}.",
    )


def _check_values(store: xr.Dataset, measures: xr.Dataset, floating: xr.DataArray) -> Check:
    missing = measures["n_not_a_number"]
    return judge(
        "values",
        missing > 0,
        checked=floating,
        amount=missing.astype(float),
        unit="values",
        cases=_CASES,
        meaning=words.VALUES,
    )


def _check_range(store: xr.Dataset, measures: xr.Dataset) -> Check:
    low, high = (_decoded(measures, name, store) for name in ("lowest", "highest"))
    off = xr.concat([low - store["activation_min"], high - store["activation_max"]], "end")
    return judge(
        "range",
        ~((low == store["activation_min"]) & (high == store["activation_max"])),
        checked=store["complete"] & (measures["n_not_a_number"] == 0),
        amount=abs(off).max("end", skipna=False).astype(float),
        unit="off",
        cases=_CASES,
        meaning=words.RANGE,
    )


def _decoded(measures: xr.Dataset, name: str, store: xr.Dataset) -> xr.DataArray:
    """Decode codes to the values that they stand for, bit for bit; floats are values already."""
    recorded = measures[name]
    values = recorded.astype(np.float32)
    if "scale" not in store:
        return values
    code = recorded.fillna(0).clip(0, 2**16 - 1).astype(np.uint16)
    decoded = xr.apply_ufunc(dequantise, code, store["scale"], store["zero_point"])
    of_units = measures[f"{name}_value"].astype(np.float32)
    decoded = decoded.where(store["scale"].notnull(), of_units)
    return values.where(store["bits"] == FLOAT_BITS, decoded)
