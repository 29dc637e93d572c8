"""Checks of what a store says of itself, before anything that was recorded is read."""

from collections.abc import Iterator

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ibtools.analysis.check import words
from ibtools.analysis.check.report import Check, judge
from ibtools.store.configuration import how_to_finish
from ibtools.store.layout import SPLITS
from ibtools.store.schema import kept
from ibtools.store.snapshots import FLOAT_BITS, HISTORY, MAX_CODE_BITS

DECISIVE = ("layers", "labels")
"""Checks without which nothing can be measured."""


def check_contract(store: xr.Dataset) -> Iterator[Check]:
    """Check layers, samples, schedule, repeats and history against what a recorder writes.

    Parameters
    ----------
    store : Dataset
        As `ibtools.store.datasets.open_raw` opens it.

    Yields
    ------
    Check
    """
    yield _check("layers", _bad_layers(store), "layers", words.LAYERS)
    yield _check("labels", store["label"] < 0, "samples", words.LABELS)
    yield _check_classes(store)
    yield _check("splits", ~store["split"].isin(SPLITS), "samples", words.SPLITS)
    yield _check("epochs", _bad_epochs(store), "epochs", words.EPOCHS)
    yield _check_repeats(store)
    yield _check_outcomes(store)
    yield _check("history", _bad_history(store), "epochs of training", words.HISTORY)


def _check(name: str, broken: xr.DataArray, cases: str, meaning: str) -> Check:
    return judge(name, broken, cases=cases, meaning=meaning)


def _bad_layers(store: xr.Dataset) -> xr.DataArray:
    """Tell which layers have a name that is taken, or sizes that no layer here can have."""
    bits, n_units = store["bits"], store["n_units"]
    floating = bits == FLOAT_BITS
    bad = ~floating & ((bits < 1) | (bits > MAX_CODE_BITS))
    if kept(store) == "codes":
        bad |= n_units > store.sizes["unit"]
        bad |= floating & ("activation" not in store) | ~floating & ("code" not in store)
    if "code" in store:
        bad |= ~floating & (bits > 8 * store["code"].dtype.itemsize)
    return bad | (n_units < 1) | _repeated(store["layer"]) | (store["layer"] == "")


def _repeated(values: xr.DataArray) -> xr.DataArray:
    """Tell which values were there before, (the one dim of them), bool."""
    _, first = np.unique(values.values.tolist(), return_index=True)
    there = np.ones(values.size, np.bool_)
    there[first] = False
    return _along(values, there)


def _along(values: xr.DataArray, found: NDArray[np.bool_]) -> xr.DataArray:
    """Return what was found along a dim, with its labels."""
    (dim,) = values.dims
    return xr.DataArray(found, {dim: values[dim].values}, [dim])


def _check_classes(store: xr.Dataset) -> Check:
    """Note classes before which, in the order of their numbers, some have no sample."""
    label: NDArray[np.int64] = np.unique(store["label"].values)
    known = label[label >= 0]
    names = store.attrs.get("classes")
    if names is not None and (unnamed := known >= len(names)).any():
        found = xr.DataArray(unnamed, dims="class")
        return _check("classes", found, "classes", words.UNNAMED)
    gaps = xr.DataArray(np.diff(known, prepend=-1) > 1, dims="class")
    return judge("classes", gaps, cases="classes", status="note", meaning=words.CLASSES)


def _bad_epochs(store: xr.Dataset) -> xr.DataArray:
    """Tell which recorded epochs do not come after the one before, or are in the wrong phase."""
    epoch = store["epoch"]
    bad = _descends(epoch)
    bad |= (store["phase"] == "prefit") != (epoch < 0)
    bad |= ~store["phase"].isin(["prefit", "training"])
    return bad | bool(_descends(store["trained_epoch"]).any())


def _descends(values: xr.DataArray) -> xr.DataArray:
    steps = np.diff(values.values.astype(np.int64), prepend=values.values[:1].astype(np.int64) - 1)
    return _along(values, steps <= 0)


def _check_repeats(store: xr.Dataset) -> Check:
    """Two repeats of one seed are one training, counted twice; a number may stand for two."""
    same_seed = _repeated(store["seed"]) & (store["seed"] >= 0)
    if same_seed.any():
        return _check("repeats", same_seed, "repeats", words.SAME_SEED)
    same_number = _repeated(store["repeat"])
    return judge("repeats", same_number, cases="repeats", status="note", meaning=words.SAME_NUMBER)


def _check_outcomes(store: xr.Dataset) -> Check:
    """Outcomes are words of the recorder; the last snapshot of a repeat decides which."""
    unknown = ~store["outcome"].isin(["pending", "trained", "failed"])
    bad = unknown | (store["failed_attempts"] < 0)
    if bad.any():
        return _check("outcomes", bad, "repeats", words.OUTCOMES)
    undecided = (store["outcome"] == "pending") & store["complete"].all("epoch")
    meaning = words.UNDECIDED.format(how=how_to_finish(store.attrs))
    return judge("outcomes", undecided, cases="repeats", status="note", meaning=meaning)


def _bad_history(store: xr.Dataset) -> xr.DataArray:
    """Tell which numbers no network can have; what is not a number was not recorded."""
    values = store[list(HISTORY)].to_array("quantity")
    is_accuracy = values["quantity"].isin([name for name in HISTORY if "accuracy" in name])
    bad: xr.DataArray = (values < 0) | (is_accuracy & (values > 1))
    placed = bad.any("quantity").rename(trained_epoch="epoch")
    return placed.assign_coords(epoch=store["trained_epoch"].values)
