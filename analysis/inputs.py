"""Which samples have the same input, and H(X): what a layer can know at the most."""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ibtools.analysis.information import entropy
from ibtools.errors import StoreError


def input_numbers(dataset: xr.Dataset) -> NDArray[np.int64]:
    """Return the number of the input of every sample.

    Parameters
    ----------
    dataset : Dataset
        Of a store, or any selection of its samples.

    Returns
    -------
    ndarray, (sample,), int64
        Equal where the inputs are. Of a store that does not say, each sample has its own.

    Raises
    ------
    StoreError
        If there is not one number per sample.
    """
    n_samples = dataset.sizes["sample"]
    if "input" not in dataset.variables:
        return np.arange(n_samples)
    numbers = np.asarray(dataset["input"].values)
    if numbers.shape != (n_samples,) or numbers.dtype.kind not in "iu":
        raise StoreError(
            f"input must be a whole number for each of the {n_samples} samples, found "
            f"{numbers.dtype} of shape {numbers.shape}"
        )
    return numbers.astype(np.int64)


def input_entropy(numbers: NDArray[np.integer]) -> float:
    """Entropy of the input, every sample equally likely.

    Parameters
    ----------
    numbers : ndarray, (sample,), integer
        As from `input_numbers`; sample is consumed.

    Returns
    -------
    float
        H(X) in bits, to the last bit what H(T) is of a layer that tells all different inputs apart:
        log2 N for N that all differ.

    Examples
    --------
    >>> input_entropy(np.array([0, 1, 2, 3])), input_entropy(np.array([0, 0, 7, 7]))
    (2.0, 1.0)
    """
    return entropy(np.unique(numbers, return_counts=True)[1])
