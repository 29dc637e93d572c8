"""What a recording was told after each epoch: losses, accuracies, and scalars of the user's own."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

import numpy as np
import xarray as xr

from ibtools.analysis.repeats.shown import has_not_failed, validate_recording
from ibtools.errors import StoreError, unknown_name
from ibtools.store.schema import SCALAR_DIMS, scalars_of
from ibtools.store.snapshots import HISTORY

_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "train_loss": "training loss",
        "test_loss": "test loss",
        "train_accuracy": "training accuracy",
        "test_accuracy": "test accuracy",
    }
)

ACCURACIES = ("train_accuracy", "test_accuracy")

HOW_TO_GIVE = "recorder.epoch(epoch, {}=...)"
"""How a recorder is told of a scalar."""


def called(name: str) -> str:
    """Say what a scalar is called: those of every store in words, others by the name they have."""
    return _NAMES.get(name, name)


def scalar_names(dataset: xr.Dataset) -> list[str]:
    """List what a store has a number of after each epoch, recorded or not; its own ones last.

    Examples
    --------
    >>> numbers = (("repeat", "trained_epoch"), [[0.5, 0.6]])
    >>> scalar_names(xr.Dataset({"lr": numbers, "test_loss": numbers}, attrs={"scalars": ["lr"]}))
    ['test_loss', 'lr']
    """
    declared = [*HISTORY, *(one.name for one in scalars_of(dataset.attrs))]
    return [name for name in declared if name in dataset]


def recorded_scalars(dataset: xr.Dataset, names: Iterable[str] | None = None) -> xr.Dataset:
    """Select the scalars of a store that have a value in a repeat that did not fail.

    Parameters
    ----------
    dataset : Dataset
        From `ibtools.open_store`, lazy or not.
    names : iterable of str, optional
        Those that are wanted, in this order. All that have a value by default.

    Returns
    -------
    Dataset, (repeat, trained_epoch)
        In memory, NaN where there is no value. Without variables if nothing has a value.

    Raises
    ------
    UnknownNameError
        If the store has no such scalar.
    StoreError
        If something that is needed is missing, or a scalar that is wanted has no value.
    """
    validate_recording(dataset, ("trained_epoch",))
    known = scalar_names(dataset)
    wanted = known if names is None else list(dict.fromkeys(names))
    for name in wanted:
        if name not in known:
            raise unknown_name("scalar", name, known)
    found = dataset[wanted].transpose(*SCALAR_DIMS, ...).compute()
    counted = found.isel(repeat=has_not_failed(dataset))
    empty = [name for name in wanted if not counted[name].notnull().any()]
    if names is not None and empty:
        raise StoreError(
            f"no repeat that counts has a value of {', '.join(empty)}; give it when it is "
            f"recorded: {HOW_TO_GIVE.format(empty[0])}"
        )
    return found.drop_vars(empty)


def some_scalars(dataset: xr.Dataset, names: Iterable[str] | None = None) -> xr.Dataset:
    """Do as `recorded_scalars`, but refuse a store without any.

    Raises
    ------
    StoreError
        Also if no scalar has a value.
    """
    found = recorded_scalars(dataset, names)
    if not found:
        raise StoreError(
            "no repeat that counts has a loss, an accuracy or another scalar; give them when they "
            f"are recorded: {HOW_TO_GIVE.format('train_loss')}"
        )
    return found


def last_values(history: xr.DataArray) -> xr.DataArray:
    """Return the last value that each repeat has of a scalar.

    Parameters
    ----------
    history : DataArray, (repeat, trained_epoch), floating
        NaN where there is no value. Consumes `trained_epoch`.

    Returns
    -------
    DataArray, (repeat,), float64
        NaN for a repeat without any.

    Examples
    --------
    >>> last_values(xr.DataArray([[0.5, np.nan]], dims=("repeat", "trained_epoch"))).values
    array([0.5])
    """
    values = history.transpose(*SCALAR_DIMS).astype(np.float64)
    there = values.notnull().values
    last = there.shape[1] - 1 - np.argmax(there[:, ::-1], axis=1)
    return values.isel(trained_epoch=xr.DataArray(last, dims="repeat"), drop=True)
