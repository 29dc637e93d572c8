"""Accuracy on the training samples, on the test samples, and on all of them."""

import numpy as np
import xarray as xr

from ibtools.analysis.repeats.shown import validate_recording
from ibtools.errors import StoreError

SUBSETS = ("train", "test", "all")


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
        epoch; NaN where not recorded. Of a store without test samples, `test` is NaN and `all` is
        `train`. Lazy if `dataset` is.

    Raises
    ------
    StoreError
        If something that is needed is missing, or the samples are not split into train and test.

    Notes
    -----
    (correct training samples + correct test samples) / samples, from the numbers of correct
    samples, which the recorded fractions (float32) determine exactly. During a random-label prefit
    accuracies refer to the random labels.
    """
    validate_recording(dataset, ("train_accuracy", "test_accuracy", "trained_epoch", "split"))
    split = dataset["split"].values
    n_train, n_test = int((split == "train").sum()), int((split == "test").sum())
    if n_train == 0 or n_train + n_test != split.size:
        raise StoreError(
            "the samples of a store must be split into train and test to have accuracies, found "
            f"{n_train} and {n_test} of {split.size}; give split= when they are recorded"
        )
    train = dataset["train_accuracy"].astype(np.float64)
    test = dataset["test_accuracy"].astype(np.float64)
    correct = (train * n_train).round() + ((test * n_test).round() if n_test else 0)
    variables = {"train": train, "test": test, "all": correct / split.size}
    where = {"train": "training samples", "test": "test samples", "all": "all samples"}
    return dataset[["outcome"]].assign(
        {
            name: variable.assign_attrs(long_name=f"accuracy on {where[name]}", units="1")
            for name, variable in variables.items()
        }
    )


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
