"""Counting: integers that merge, and what of them the entropies need.

A `Contingency` is the mergeable state: its `+` is associative and commutative with `zero` as the
neutral element, so that any chunking, order or number of workers gives the same integers. Entropies
depend only on how often each count occurs. That histogram is a `Spectrum`; it does not know the
order of states, samples or classes, and neither does, therefore, any bit of an entropy computed
from it.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ibtools.analysis.kernel import kernel


@dataclass(frozen=True, eq=False)
class Spectrum:
    """How often each count occurs among the cells of a table, for one table or a block of them.

    Parameters
    ----------
    counts : ndarray, (..., entry), int64
        The distinct positive counts, ascending, then zeros.
    cells : ndarray, (..., entry), int64
        How many cells have that count.
    """

    counts: NDArray[np.int64]
    cells: NDArray[np.int64]

    @classmethod
    def of(cls, table: NDArray[np.integer]) -> Self:
        """Take the spectrum of a table of counts of any shape; empty cells are left out.

        Examples
        --------
        >>> import numpy as np
        >>> spectrum = Spectrum.of(np.array([[3, 0], [1, 3]]))
        >>> spectrum.counts.tolist(), spectrum.cells.tolist()
        ([1, 3], [1, 2])
        """
        counts, cells = np.unique(table[table > 0], return_counts=True)
        return cls(counts.astype(np.int64), cells.astype(np.int64))


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
        _validate_labels(labels, y, n_states, n_classes)
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


def _validate_labels(
    labels: NDArray[np.integer], y: NDArray[np.integer], n_states: int, n_classes: int
) -> None:
    """Check that state and class of every sample are inside of the table."""
    if labels.shape[-1:] != y.shape or y.size == 0:
        raise ValueError(
            "labels and y must be of the same samples, at least one, "
            f"found shapes {labels.shape} and {y.shape}."
        )
    for name, values, size in (("labels", labels, n_states), ("y", y, n_classes)):
        if values.dtype.kind not in "iu":
            raise TypeError(f"{name} must be integers, found {values.dtype}.")
        if values.size and not 0 <= int(values.min()) <= int(values.max()) < size:
            raise ValueError(
                f"{name} must be from 0 to {size - 1}, found {values.min()} to {values.max()}."
            )


def label_spectra(
    labels: NDArray[np.integer],
    y: NDArray[np.integer],
    n_classes: int,
) -> tuple[Spectrum, Spectrum, Spectrum]:
    """Count states, classes, and states by class of partitions, without making a table.

    Parameters
    ----------
    labels : ndarray, (block, sample), integer
        Per snapshot the state of each sample, below the number of samples.
    y : ndarray, (sample,), integer
        The class of each sample.
    n_classes : int
        Number of classes.

    Returns
    -------
    spectrum_t : Spectrum, (block, entry)
        What `Spectrum.of` gives for the samples per state of each snapshot.
    spectrum_y : Spectrum, (entry,)
        The same for the samples per class.
    spectrum_ty : Spectrum, (block, entry)
        The same for the samples per state and class.

    Raises
    ------
    TypeError
        If labels or y are not integers.
    ValueError
        If the arrays do not fit together, or a label or class is out of range.

    Notes
    -----
    Samples are visited class by class, so that one cell per state does for all classes: time is
    linear in samples and memory in states, however many classes there are. A spectrum has at most
    sqrt(2 N) entries, because its counts are distinct and sum to at most N.
    """
    _validate_labels(labels, y, y.size, n_classes)
    contiguous = np.require(labels, np.uint32, ["C", "W"])
    n_entries = int(np.sqrt(2 * y.size)) + 1
    out_y = np.zeros((2, n_entries), dtype=np.int64)
    out = np.zeros((4, len(labels), n_entries), dtype=np.int64)
    _count_block(contiguous, y.astype(np.int64), n_classes, out_y, out)
    return Spectrum(out[0], out[1]), Spectrum(out_y[0], out_y[1]), Spectrum(out[2], out[3])


@kernel
def _sort_by_class(
    y: NDArray[np.int64], n_classes: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Order samples by class; returns that order and where each class ends."""
    ends = np.zeros(n_classes + 1, dtype=np.int64)
    for sample in range(len(y)):
        ends[y[sample] + 1] += 1
    for c in range(n_classes):
        ends[c + 1] += ends[c]
    order = np.empty(len(y), dtype=np.int64)
    for sample in range(len(y)):
        order[ends[y[sample]]] = sample
        ends[y[sample]] += 1
    return order, ends[:n_classes]


@kernel
def _count_snapshot(
    labels: NDArray[np.uint32],
    order: NDArray[np.int64],
    ends: NDArray[np.int64],
    work: NDArray[np.int32],
    histograms: NDArray[np.int32],
) -> None:
    """Histogram the counts of states (row 0) and of states by class (row 1); entry 0 is idle."""
    cells, sizes = work[:, : labels.max() + 1]
    sizes[:] = 0
    start = 0
    for end in ends:
        for i in range(start, end):
            cells[labels[order[i]]] += 1
        for i in range(start, end):
            label = labels[order[i]]
            histograms[1, cells[label]] += 1  # entry 0 when this cell is already counted
            sizes[label] += cells[label]
            cells[label] = 0
        start = end
    for size in sizes:
        histograms[0, size] += 1


@kernel
def _move_entries(
    histogram: NDArray[np.int32], counts: NDArray[np.int64], cells: NDArray[np.int64]
) -> None:
    """Move what a histogram holds into a spectrum, and clear it."""
    entry = 0
    histogram[0] = 0
    for count in range(1, len(histogram)):
        if histogram[count] > 0:
            counts[entry] = count
            cells[entry] = histogram[count]
            histogram[count] = 0
            entry += 1


@kernel
def _all_different(labels: NDArray[np.uint32]) -> bool:
    """Whether labels in order of first appearance are of single samples; else mostly False."""
    sample = 0
    while sample < len(labels) and labels[sample] == sample:
        sample += 1
    return sample == len(labels)


@kernel
def _count_block(
    labels: NDArray[np.uint32],
    y: NDArray[np.int64],
    n_classes: int,
    out_y: NDArray[np.int64],
    out: NDArray[np.int64],
) -> None:
    """Fill the spectra of the classes and of snapshot after snapshot."""
    order, ends = _sort_by_class(y, n_classes)
    histograms = np.zeros((2, len(y) + 1), dtype=np.int32)
    work = np.zeros((2, len(y)), dtype=np.int32)
    start = 0
    for end in ends:
        histograms[0, end - start] += 1
        start = end
    _move_entries(histograms[0], out_y[0], out_y[1])
    for b in range(len(labels)):
        if _all_different(labels[b]):
            out[0, b, 0], out[1, b, 0] = 1, len(y)
            out[2, b, 0], out[3, b, 0] = 1, len(y)
        else:
            _count_snapshot(labels[b], order, ends, work, histograms)
            _move_entries(histograms[0], out[0, b], out[1, b])
            _move_entries(histograms[1], out[2, b], out[3, b])
