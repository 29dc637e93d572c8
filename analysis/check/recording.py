"""Checks of the recording as a whole: completeness, trainings, determinism, constant layers."""

from collections.abc import Iterator

import xarray as xr

from ibtools.analysis.check import words
from ibtools.analysis.check.report import Check, judge, not_checked
from ibtools.analysis.repeats import FAILED
from ibtools.snapshots import FLOAT_BITS


def check_recording(store: xr.Dataset, measures: xr.Dataset) -> Iterator[Check]:
    """Check what is recorded, and how the recording went.

    Parameters
    ----------
    store : Dataset
        As `ibtools.store.open_raw` opens it.
    measures : Dataset, (repeat, epoch, layer)
        From `ibtools.analysis.check.measure.measure_recording`.

    Yields
    ------
    Check
    """
    yield _check_complete(store)
    yield _check_trainings(store)
    yield _check_determinism(store)
    yield judge(
        "constant layers",
        measures["n_states"] == 1,
        checked=store["complete"],
        cases="layers of snapshots",
        status="note",
        meaning=words.CONSTANT,
    )


def _check_complete(store: xr.Dataset) -> Check:
    """Snapshots that come after a training was given up are not missing."""
    missing, failed = ~store["complete"], store["outcome"] == FAILED
    lost = missing & (store["outcome"] == "trained")
    return judge(
        "complete",
        lost if lost.any() else missing,
        checked=~(missing & failed),
        cases="snapshots",
        status="violation" if lost.any() else "note",
        meaning=words.LOST if lost.any() else words.PENDING,
    )


def _check_trainings(store: xr.Dataset) -> Check:
    attempts = store["failed_attempts"]
    return judge(
        "trainings",
        (attempts > 0) | (store["outcome"] == FAILED),
        amount=attempts.astype(float),
        unit="failed attempts",
        cases="repeats",
        status="note",
        meaning=words.TRAININGS,
    )


def _check_determinism(store: xr.Dataset) -> Check:
    if "n_recomputed" not in store or "n_recomputed_differences" not in store:
        return not_checked("determinism", words.RECOMPUTING_NOT_RECORDED)
    if not store["n_recomputed"].any():
        return not_checked("determinism", words.NONE_RECOMPUTED)
    quantised = bool((store["bits"] != FLOAT_BITS).all())
    return judge(
        "determinism",
        store["n_recomputed_differences"] > 0,
        checked=store["n_recomputed"] > 0,
        amount=store["n_recomputed_differences"].astype(float),
        unit="codes" if quantised else "values",
        cases="repeats",
        meaning=words.CODES_DIFFER if quantised else words.VALUES_DIFFER,
    )
