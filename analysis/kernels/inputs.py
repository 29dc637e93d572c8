"""H(X): what a layer can know at the most."""

import numpy as np
from numpy.typing import NDArray

from ibtools.analysis.kernels.information import entropy


def input_entropy(numbers: NDArray[np.integer]) -> float:
    """Entropy of the input, every sample equally likely.

    Parameters
    ----------
    numbers : ndarray, (sample,), integer
        Equal where the inputs are; sample is consumed.

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
