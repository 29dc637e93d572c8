"""Counting: how often each count occurs, which is all that entropies depend on.

That histogram is a `Spectrum`; it does not know the order of states, samples or classes, and
neither does, therefore, any bit of an entropy computed from it.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ibtools.kernel import kernel


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

    def select(self, index: int) -> Self:
        """Return the spectrum of one table, or block of tables, of a block: along the first dim."""
        return type(self)(self.counts[index], self.cells[index])

    def flattened(self) -> Self:
        """Return a block of blocks, (..., entry), as one block, (block, entry)."""
        n_entries = self.counts.shape[-1]
        return type(self)(self.counts.reshape(-1, n_entries), self.cells.reshape(-1, n_entries))


def validate_labels(
    labels: NDArray[np.integer], y: NDArray[np.integer], n_states: int, n_classes: int
) -> None:
    """Check that state and class of every sample are inside of the table.

    Raises
    ------
    TypeError
        If labels or y are not integers.
    ValueError
        If the arrays do not fit together, or a label or class is out of range.
    """
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
    prepared, n_entries = _prepare(labels, y, n_classes)
    out_y = np.zeros((2, n_entries), dtype=np.int64)
    out = np.zeros((4, len(labels), n_entries), dtype=np.int64)
    _count_block(*prepared, n_classes, out_y, out)
    return Spectrum(out[0], out[1]), Spectrum(out_y[0], out_y[1]), Spectrum(out[2], out[3])


def _prepare(
    labels: NDArray[np.integer], y: NDArray[np.integer], n_classes: int
) -> tuple[tuple[NDArray[np.unsignedinteger], NDArray[np.int64]], int]:
    """Check labels and classes; return them as the kernels take them, and entries per spectrum."""
    validate_labels(labels, y, y.size, n_classes)
    # States of single units are of two bytes; they are counted as they are.
    dtype = np.uint16 if labels.dtype == np.uint16 else np.uint32
    contiguous = np.require(labels, dtype, ["C", "W"])
    return (contiguous, y.astype(np.int64)), int(np.sqrt(2 * y.size)) + 1


@kernel
def sort_by_class(
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
    labels: NDArray[np.unsignedinteger],
    order: NDArray[np.int64],
    ends: NDArray[np.int64],
    work: NDArray[np.int32],
    histograms: NDArray[np.int32],
) -> int:
    """Histogram the counts of states (row 0) and of states by class (row 1); entry 0 is idle.

    Returns the largest count.
    """
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
    return int(sizes.max())


@kernel
def _count_table(
    labels: NDArray[np.unsignedinteger],
    y: NDArray[np.int64],
    n_classes: int,
    table: NDArray[np.int32],
    histograms: NDArray[np.int32],
) -> int:
    """Do the same by a table (state, class), for which there is room."""
    for sample in range(len(labels)):
        cell = np.uint64(labels[sample]) * np.uint64(n_classes) + np.uint64(y[sample])
        table[cell] += 1
    largest = 0
    for state in range(len(table) // n_classes):
        size = 0
        for c in range(n_classes):
            count = table[state * n_classes + c]
            histograms[1, count] += 1
            size += count
        histograms[0, size] += 1
        largest = max(largest, size)
    table[:] = 0
    return largest


@kernel
def _copy_entries(
    histogram: NDArray[np.int32], counts: NDArray[np.int64], cells: NDArray[np.int64]
) -> None:
    """Copy what a histogram holds into a spectrum."""
    entry = 0
    for count in range(1, len(histogram)):
        if histogram[count] > 0:
            counts[entry] = count
            cells[entry] = histogram[count]
            entry += 1


@kernel
def _move_entries(
    histogram: NDArray[np.int32], counts: NDArray[np.int64], cells: NDArray[np.int64]
) -> None:
    """Move what a histogram holds into a spectrum, and clear it."""
    _copy_entries(histogram, counts, cells)
    histogram[:] = 0


@kernel
def _all_different(labels: NDArray[np.unsignedinteger]) -> bool:
    """Whether labels in order of first appearance are of single samples; else mostly False."""
    sample = 0
    while sample < len(labels) and labels[sample] == sample:
        sample += 1
    return sample == len(labels)


@kernel
def _count_block(
    labels: NDArray[np.unsignedinteger],
    y: NDArray[np.int64],
    n_classes: int,
    out_y: NDArray[np.int64],
    out: NDArray[np.int64],
) -> None:
    """Fill the spectra of the classes and of snapshot after snapshot."""
    order, ends = sort_by_class(y, n_classes)
    histograms = np.zeros((2, len(y) + 1), dtype=np.int32)
    work = np.zeros((2, len(y)), dtype=np.int32)
    table = np.zeros(len(y), dtype=np.int32)
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
            n_cells = (np.int64(labels[b].max()) + 1) * n_classes
            if n_cells <= len(table):
                largest = _count_table(labels[b], y, n_classes, table[:n_cells], histograms)
            else:
                largest = _count_snapshot(labels[b], order, ends, work, histograms)
            _move_entries(histograms[0, : largest + 1], out[0, b], out[1, b])
            _move_entries(histograms[1, : largest + 1], out[2, b], out[3, b])


def class_spectra(labels: NDArray[np.integer], y: NDArray[np.integer], n_classes: int) -> Spectrum:
    """Count the states within each class.

    Parameters
    ----------
    labels, y, n_classes
        As for `label_spectra`.

    Returns
    -------
    Spectrum, (class, block, entry)
        What `Spectrum.of` gives for the samples per state that are of the class.

    Raises
    ------
    TypeError, ValueError
        As `label_spectra`.
    """
    prepared, n_entries = _prepare(labels, y, n_classes)
    out = np.zeros((2, n_classes, len(labels), n_entries), dtype=np.int64)
    _class_block(*prepared, n_classes, out)
    return Spectrum(out[0], out[1])


@kernel
def _class_block(
    labels: NDArray[np.unsignedinteger],
    y: NDArray[np.int64],
    n_classes: int,
    out: NDArray[np.int64],
) -> None:
    """Fill the spectra of snapshot after snapshot, class after class."""
    order, ends = sort_by_class(y, n_classes)
    histogram = np.zeros(len(y) + 1, dtype=np.int32)
    cells = np.zeros(len(y), dtype=np.int32)
    for b in range(len(labels)):
        alone, start = _all_different(labels[b]), 0
        for c in range(n_classes):
            members = order[start : ends[c]]
            start = ends[c]
            if alone:
                out[:, c, b, 0] = np.array([min(len(members), 1), len(members)])
                continue
            largest = 0
            for sample in members:
                cells[labels[b, sample]] += 1
            for sample in members:
                label = labels[b, sample]
                histogram[cells[label]] += 1  # entry 0 when this cell is already counted
                largest = max(largest, cells[label])
                cells[label] = 0
            _move_entries(histogram[: largest + 1], out[0, c, b], out[1, c, b])


def one_against_rest_spectra(
    labels: NDArray[np.integer], y: NDArray[np.integer], n_classes: int
) -> Spectrum:
    """Count states by being of a class or not, class after class.

    Parameters
    ----------
    labels, y, n_classes
        As for `label_spectra`.

    Returns
    -------
    Spectrum, (class, block, entry)
        What `Spectrum.of` gives for the table (state, of the class or not).

    Raises
    ------
    TypeError, ValueError
        As `label_spectra`.

    Notes
    -----
    The table of a class differs from that of the states only where the class has samples, so that
    time is linear in samples, but for reading off the entries of each class.
    """
    prepared, n_entries = _prepare(labels, y, n_classes)
    out = np.zeros((2, n_classes, len(labels), n_entries), dtype=np.int64)
    _one_against_rest_block(*prepared, n_classes, out)
    return Spectrum(out[0], out[1])


@kernel
def _split_class(
    labels: NDArray[np.unsignedinteger],
    members: NDArray[np.int64],
    cells: NDArray[np.int32],
    sizes: NDArray[np.int32],
    histogram: NDArray[np.int32],
) -> None:
    """Split states into members and others; `cells` is left with the negative counts of members."""
    for sample in members:
        cells[labels[sample]] += 1
    for sample in members:
        label = labels[sample]
        inside, size = cells[label], sizes[label]
        if inside > 0:
            histogram[size] -= 1
            histogram[inside] += 1
            histogram[size - inside] += 1
            cells[label] = -inside


@kernel
def _join_class(
    labels: NDArray[np.unsignedinteger],
    members: NDArray[np.int64],
    cells: NDArray[np.int32],
    sizes: NDArray[np.int32],
    histogram: NDArray[np.int32],
) -> None:
    """Undo `_split_class`."""
    for sample in members:
        label = labels[sample]
        inside, size = -cells[label], sizes[label]
        if inside > 0:
            histogram[size] += 1
            histogram[inside] -= 1
            histogram[size - inside] -= 1
            cells[label] = 0


@kernel
def _one_against_rest_block(
    labels: NDArray[np.unsignedinteger],
    y: NDArray[np.int64],
    n_classes: int,
    out: NDArray[np.int64],
) -> None:
    """Fill the spectra of snapshot after snapshot, class after class."""
    order, ends = sort_by_class(y, n_classes)
    histogram = np.zeros(len(y) + 1, dtype=np.int32)
    cells, sizes = np.zeros((2, len(y)), dtype=np.int32)
    for b in range(len(labels)):
        sizes[:] = 0
        for label in labels[b]:
            sizes[label] += 1
        for size in sizes:
            histogram[size] += 1
        used = histogram[: sizes.max() + 1]
        start = 0
        for c in range(n_classes):
            members = order[start : ends[c]]
            _split_class(labels[b], members, cells, sizes, used)
            _copy_entries(used, out[0, c, b], out[1, c, b])
            _join_class(labels[b], members, cells, sizes, used)
            start = ends[c]
        used[:] = 0
