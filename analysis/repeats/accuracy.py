"""Accuracy on the training samples, on the test samples, and on all of them."""

import numpy as np
import xarray as xr

from ibtools.analysis.repeats.scalars import HOW_TO_GIVE
from ibtools.analysis.repeats.shown import validate_recording
from ibtools.errors import StoreError

SUBSETS = ("train", "test", "all")
GIVEN = SUBSETS[:2]
"""What is recorded; the third follows from these."""

_WHERE = {"train": "training samples", "test": "test samples", "all": "all samples"}


def accuracies(dataset: xr.Dataset) -> xr.Dataset:
    """Collect the accuracies of a store, and derive that on all samples from the split.

    Parameters
    ----------
    dataset : Dataset
        From `ibtools.open_store`: `train_accuracy` and `test_accuracy` (repeat, trained_epoch) and
        the coordinate `split` (sample). Consumes `sample`.

    Returns
    -------
    Dataset, (repeat, trained_epoch)
        `train`, `test` and `all`, float64, fractions of samples classified correctly after the
        epoch; NaN where not recorded. What has no value at all is left out, as `test` of a store
        without test samples, where `all` is `train`. In memory.

    Raises
    ------
    StoreError
        If something that is needed is missing, the samples are not split into train and test, or
        no accuracy was recorded.

    Notes
    -----
    (correct training samples + correct test samples) / samples, from the numbers of correct
    samples, which the recorded fractions (float32) determine exactly. During a random-label prefit
    accuracies refer to the random labels.
    """
    validate_recording(dataset, ("train_accuracy", "test_accuracy", "trained_epoch", "split"))
    split = dataset["split"].values
    n_samples = {name: int((split == name).sum()) for name in GIVEN}
    if sum(n_samples.values()) != split.size:
        raise StoreError(
            "the samples of a store must be split into train and test to have accuracies, found "
            f"{n_samples['train']} and {n_samples['test']} of {split.size}; give split= when they "
            "are recorded"
        )
    given = {name: dataset[f"{name}_accuracy"].astype(np.float64).compute() for name in GIVEN}
    recorded = {name: one for name, one in given.items() if one.notnull().any()}
    if not recorded:
        raise StoreError(
            "the store has no accuracy; give it when it is recorded: "
            f"{HOW_TO_GIVE.format('train_accuracy')}"
        )
    of_samples = {name: n for name, n in n_samples.items() if n}
    if set(recorded) <= set(of_samples):  # else it is the accuracy on samples that are not here
        correct = sum((given[name] * n).round() for name, n in of_samples.items())
        recorded["all"] = xr.DataArray(correct / split.size)
    return dataset[["outcome"]].assign(
        {
            name: variable.assign_attrs(long_name=f"accuracy on {_WHERE[name]}", units="1")
            for name, variable in recorded.items()
            if variable.notnull().any()
        }
    )


def has_accuracy(dataset: xr.Dataset) -> bool:
    """Tell whether any accuracy was recorded, on training or on test samples.

    Raises
    ------
    StoreError
        If it is no Dataset of a store.
    """
    names = [f"{name}_accuracy" for name in GIVEN]
    validate_recording(dataset, names)
    return any(bool(dataset[name].notnull().any()) for name in names)


def majority_share(dataset: xr.Dataset) -> float:
    """Compute the accuracy of always answering the most frequent label.

    Parameters
    ----------
    dataset : Dataset
        From `ibtools.open_store`: the coordinate `label` (sample). Consumes `sample`.

    Returns
    -------
    float
        The fraction of all samples that have the most frequent label.

    Raises
    ------
    StoreError
        If there are no labels.
    """
    validate_recording(dataset, ("label",))
    _, n_samples = np.unique(dataset["label"].values, return_counts=True)
    return float(n_samples.max() / n_samples.sum())
