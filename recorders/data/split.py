"""The split of data sets that come without one."""

import hashlib

import numpy as np
from numpy.typing import NDArray

TEST_FRACTION = 0.2
"""Share of the test samples within each class."""


def stratified_split(y: NDArray[np.int64], name: str) -> NDArray[np.bool_]:
    """Choose the test samples: a fixed fifth of each class.

    Parameters
    ----------
    y : ndarray, (sample,), int64
        Labels.
    name : str
        Data sets of different names are split differently.

    Returns
    -------
    ndarray, (sample,), bool
        Which are test samples.

    Notes
    -----
    Samples are ranked by the SHA-256 digest of the name and their row number, so that the split
    depends on no random generator and no version of one.

    Examples
    --------
    >>> y = np.repeat([0, 1], [5, 10])
    >>> is_test = stratified_split(y, "example")
    >>> y[is_test]
    array([0, 1, 1])
    """
    keys = np.array([hashlib.sha256(f"{name} {row}".encode()).digest() for row in range(y.size)])
    is_test = np.zeros(y.shape, dtype=np.bool_)
    for label in np.unique(y):
        rows = np.flatnonzero(y == label)
        n_test = round(TEST_FRACTION * rows.size)
        is_test[rows[np.argsort(keys[rows])[:n_test]]] = True
    return is_test
