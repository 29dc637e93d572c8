"""Checks of the recording as a whole: completeness, trainings, determinism, constant layers."""

from collections.abc import Iterator

import numpy as np
import xarray as xr

from ibtools.analysis.check import words
from ibtools.analysis.check.report import Check, judge, not_checked
from ibtools.analysis.repeats.shown import FAILED
from ibtools.store.configuration import how_to_finish
from ibtools.store.growing import is_growing
from ibtools.store.snapshots import FLOAT_BITS


def check_recording(store: xr.Dataset, measures: xr.Dataset) -> Iterator[Check]:
    """Check what is recorded, and how the recording went.

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
    yield _check_complete(store)
    yield _check_trainings(store)
    yield _check_determinism(store)
    yield from _check_inputs(store, measures)
    yield judge(
        "constant layers",
        measures["n_states"] == 1,
        checked=store["complete"],
        cases="layers of snapshots",
        status="note",
        meaning=words.CONSTANT,
    )


def _check_complete(store: xr.Dataset) -> Check:
    """Snapshots that come after a training was given up are not missing.

    Nor are those that a repeat of a store that grows never had, because it ended before others did.
    """
    missing, ended = ~store["complete"], store["outcome"] == FAILED
    if is_growing(store.attrs):
        ended |= store["outcome"] == "trained"
    lost = missing & (store["outcome"] == "trained") & ~ended
    pending = words.PENDING.format(how=how_to_finish(store.attrs))
    return judge(
        "complete",
        lost if lost.any() else missing & ~ended,
        checked=~(missing & ended),
        cases="snapshots",
        status="violation" if lost.any() else "note",
        meaning=words.LOST if lost.any() else pending,
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


def _check_inputs(store: xr.Dataset, measures: xr.Dataset) -> Iterator[Check]:
    """Check that equal inputs have equal states, and say where they have different labels."""
    if "input" not in store.coords:
        yield not_checked("equal inputs", words.INPUTS_NOT_RECORDED)
        return
    yield judge(
        "equal inputs",
        measures["n_split_inputs"] > 0,
        checked=store["complete"],
        amount=measures["n_split_inputs"].astype(float),
        unit="inputs",
        cases="layers of snapshots",
        meaning=words.INPUTS_SPLIT,
    )
    _, inputs, n_samples = np.unique(store["input"], return_inverse=True, return_counts=True)
    if (n_samples > 1).any():
        pairs = np.unique(np.stack([inputs, store["label"].values]), axis=1)
        n_labels = xr.DataArray(np.bincount(pairs[0]), dims="input")
        yield judge(
            "labels of equal inputs",
            n_labels > 1,
            checked=xr.DataArray(n_samples > 1, dims="input"),
            amount=n_labels.astype(float),
            unit="labels of one input",
            cases="inputs of several samples",
            status="note",
            meaning=words.LABELS_DIFFER,
        )
