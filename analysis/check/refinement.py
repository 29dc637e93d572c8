"""Whether one partition of the samples is a function of another."""

import numpy as np
from numpy.typing import NDArray

from ibtools.analysis.kernels.information import information_of_labels
from ibtools.kernel import kernel
from ibtools.partition import partition_block

_FREE, _SPLIT = -1, -2


@kernel
def _count_splits(
    before: NDArray[np.uint32], after: NDArray[np.uint32], n_split: NDArray[np.int64]
) -> None:
    """Count, snapshot after snapshot, the states of `before` that have several of `after`."""
    image = np.empty(before.shape[1], np.int64)
    for b in range(len(before)):
        image[:] = _FREE
        for sample in range(before.shape[1]):
            state, found = before[b, sample], np.int64(after[b, sample])
            if image[state] == _FREE:
                image[state] = found
            elif image[state] not in (_SPLIT, found):
                image[state] = _SPLIT
                n_split[b] += 1


def count_split_states(before: NDArray[np.uint32], after: NDArray[np.uint32]) -> NDArray[np.int64]:
    """Count the states of a layer that the next layer tells apart, which it cannot.

    Parameters
    ----------
    before, after : ndarray, (block, sample), uint32
        Labels of a layer and of the one that is computed from it, from
        `ibtools.partition.partition_block`; sample is consumed.

    Returns
    -------
    ndarray, (block,), int64
        0 exactly where `after` is a function of `before`.

    Notes
    -----
    If T' = f(T), every state of T has exactly one state of T'. That is all there is to data
    processing: H(T') <= H(T) and I(T';Y) <= I(T;Y) follow for every label Y.

    Examples
    --------
    >>> import numpy as np
    >>> before = np.array([[0, 0, 1, 1]], dtype=np.uint32)
    >>> count_split_states(before, np.array([[0, 0, 0, 0]], dtype=np.uint32)).tolist()
    [0]
    >>> count_split_states(before, np.array([[0, 1, 2, 2]], dtype=np.uint32)).tolist()
    [1]
    """
    n_split = np.zeros(len(before), np.int64)
    _count_splits(before, after, n_split)
    return n_split


def conditional_entropies(
    before: NDArray[np.uint32], after: NDArray[np.uint32]
) -> NDArray[np.float64]:
    """Compute H(after | before), which is 0 where `after` is a function of `before`.

    Parameters
    ----------
    before, after : ndarray, (block, sample), uint32
        As for `count_split_states`; sample is consumed.

    Returns
    -------
    ndarray, (block,), float64
        Bits.

    Notes
    -----
    H(after | before) = H(before, after) - H(before); the pairs of labels are partitioned again.

    Examples
    --------
    >>> import numpy as np
    >>> before = np.array([[0, 0, 1, 1]], dtype=np.uint32)
    >>> conditional_entropies(before, np.array([[0, 1, 2, 2]], dtype=np.uint32)).tolist()
    [0.5]
    """
    joint, _ = partition_block(np.stack([before, after], axis=-1))
    nothing = np.zeros(before.shape[1], np.int64)
    together, _ = information_of_labels(joint, nothing, 1)
    alone, _ = information_of_labels(before, nothing, 1)
    return together - alone
