"""The table of states and classes as a mergeable state.

A `Contingency` has a `+` that is associative and commutative, with `zero` as the neutral element,
so that any chunking, order or number of workers gives the same integers.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ibtools.analysis.kernels.counts import validate_labels


@dataclass(frozen=True, eq=False)
class Contingency:
    """How many samples of each class are in each state.

    Parameters
    ----------
    table : ndarray, (state, class), int64
        The counts.
    """

    table: NDArray[np.int64]

    @classmethod
    def zero(cls, n_classes: int) -> Self:
        """Count no sample: the neutral element of `+`."""
        return cls(np.zeros((0, n_classes), dtype=np.int64))

    @classmethod
    def from_labels(
        cls,
        labels: NDArray[np.integer],
        y: NDArray[np.integer],
        *,
        n_states: int,
        n_classes: int,
    ) -> Self:
        """Count the samples of one snapshot, or of a part of it.

        Parameters
        ----------
        labels, y : ndarray, (sample,), integer
            State and class of each sample.
        n_states, n_classes : int
            The table's shape.

        Raises
        ------
        ValueError
            If the arrays differ in length, or a label is outside of the table.

        Examples
        --------
        >>> import numpy as np
        >>> labels, y = np.array([0, 1]), np.array([1, 0])
        >>> part = Contingency.from_labels(labels, y, n_states=2, n_classes=2)
        >>> (part + part + Contingency.zero(2)).table.tolist()
        [[0, 2], [2, 0]]
        """
        validate_labels(labels, y, n_states, n_classes)
        cell = labels.astype(np.int64) * n_classes + y
        table = np.bincount(cell, minlength=n_states * n_classes)
        return cls(table.reshape(n_states, n_classes).astype(np.int64))

    def __add__(self, other: Self) -> Self:
        if self.table.shape[1] != other.table.shape[1]:
            raise ValueError(
                "tables must count the same classes to be added, "
                f"found {self.table.shape[1]} and {other.table.shape[1]} classes."
            )
        small, large = sorted((self.table, other.table), key=len)
        total = large.copy()
        total[: len(small)] += small
        return type(self)(total)

    @property
    def n_samples(self) -> int:
        """Samples counted."""
        return int(self.table.sum())

    @property
    def states(self) -> NDArray[np.int64]:
        """Samples per state, (state,)."""
        return np.asarray(self.table.sum(axis=1))

    @property
    def classes(self) -> NDArray[np.int64]:
        """Samples per class, (class,)."""
        return np.asarray(self.table.sum(axis=0))
