"""What an analysis has to do, until all that is recorded is analysed and known to be right."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ibtools.analysis.passes.kept_results import KeptResults, describe_damaged
from ibtools.errors import StoreError

ROUNDS = 20
"""How often what others have overwritten is computed again, before they are to be waited for."""


class Rounds:
    """Keeps count of what is done, in the results of all estimators or details at once.

    Parameters
    ----------
    complete : ndarray, (repeat, epoch), bool
        What is recorded.
    kept : sequence of KeptResults
        The results.
    """

    def __init__(self, complete: NDArray[np.bool_], kept: Sequence[KeptResults]) -> None:
        self._complete = complete
        self.kept = tuple(kept)
        stocks = [one.take_stock(np.flatnonzero(complete.any(axis=1))) for one in kept]
        self._right = np.stack([right for right, _ in stocks])
        self._damaged = [damaged for _, damaged in stocks]

    @property
    def done(self) -> int:
        """Snapshots that are analysed, those of each estimator counted."""
        return int((self._complete & self._right).sum())

    @property
    def total(self) -> int:
        """Snapshots that are recorded, once for each estimator."""
        return int(self._complete.sum()) * len(self.kept)

    def pending(self) -> Iterator[NDArray[np.bool_]]:
        """Yield what is to do, (estimator, repeat, epoch), until nothing is.

        After each round, what was written is compared with its checksums: where there are no locks,
        another analysis may have overwritten it.

        Raises
        ------
        StoreError
            If others overwrite it again and again.
        """
        for _ in range(ROUNDS):
            pending = self._complete & ~self._right
            if not pending.any():
                return
            yield pending
            for index, kept in enumerate(self.kept):
                rows = np.flatnonzero(pending[index].any(axis=1))
                self._right[index, rows] = kept.take_stock(rows)[0][rows]
        if (self._complete & ~self._right).any():
            raise StoreError(
                f"{self.kept[0].target}: results must stay as they were written, but others that "
                f"write the same ones have overwritten some {ROUNDS} times; wait for them to end, "
                "and run this again"
            )

    def count(self, index: int) -> tuple[int, int]:
        """Return how many snapshots were computed here, and how many were there, or by others."""
        computed = int(self.kept[index].written.sum())
        return computed, int((self._complete & self._right[index]).sum()) - computed

    def describe_damaged(self, index: int) -> tuple[str, ...]:
        """Say what of earlier results was not what had been written."""
        return describe_damaged(self._damaged[index], self.kept[index].binding)
