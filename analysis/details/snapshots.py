"""What details are computed from: some snapshots of a whole network, as partitions."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

UNIT_STATISTICS = ("entropy_t", "mi_ty", "mi_ty_null")
"""What is computed of single units."""


@dataclass(frozen=True, eq=False)
class Snapshots:
    """Some snapshots of a network.

    Parameters
    ----------
    labels : ndarray, (layer, block, sample), uint32
        The states of the samples, as from `ibtools.partition.partition_block`.
    repeat, epoch : ndarray, (block,), integer
        Labels of the snapshots, not positions.
    prediction : ndarray, (block, sample), int64, optional
        The predicted class of every sample, for the details that need it.
    units : ndarray, (statistic, block, layer, unit), float64, optional
        The `UNIT_STATISTICS`, for the details that need them; NaN where there is no such unit.
    unit_labels : tuple of ndarray, (block, unit, sample), unsigned integer, optional
        Of each layer the states of its single units, for the details that need them.
    """

    labels: NDArray[np.uint32]
    repeat: NDArray[np.integer]
    epoch: NDArray[np.integer]
    prediction: NDArray[np.int64] | None = None
    units: NDArray[np.float64] | None = None
    unit_labels: tuple[NDArray[np.unsignedinteger], ...] = ()

    def __len__(self) -> int:
        return len(self.repeat)


def unit_label_dtype(n_samples: int) -> "np.dtype[np.unsignedinteger]":
    """Return the dtype of the states of single units: labels are below the number of samples.

    Examples
    --------
    >>> unit_label_dtype(4096), unit_label_dtype(70_000)
    (dtype('uint16'), dtype('uint32'))
    """
    return np.dtype(np.uint16 if n_samples <= 2**16 else np.uint32)
