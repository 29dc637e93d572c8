"""The results of one estimator or detail where they are kept, among others who write them too.

A chunk of results holds a whole repeat, so that writing some epochs is reading, changing and
writing what others write as well. Where the file system has locks, they keep such changes apart.
Everywhere, a snapshot counts as analysed only if it is marked and its checksums match: what another
has overwritten, or a disk has lost, is found and computed again.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, Self

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.errors import GroupNotFoundError

from ibtools.analysis.passes.outdated import ASSUMED
from ibtools.analysis.passes.result_checksums import CHECKSUM, Binding, checked_names, names_of
from ibtools.analysis.passes.result_rows import read_marks, read_row, read_rows
from ibtools.errors import StoreError
from ibtools.shown import counted
from ibtools.store.groups import get_array, writing
from ibtools.store.locking import changing
from ibtools.store.storage import StorePath

BATCH_BYTES = 2**26
"""Results that are compared with their checksums at a time."""

MOST = 10
"""Repeats, and epochs of each, that are listed."""

Stock = tuple[NDArray[np.bool_], NDArray[np.bool_]]
"""What is analysed and right, and what was marked but is not, (repeat, epoch) each."""


@dataclass(eq=False)
class _Row:
    """One repeat of results, as it was read."""

    values: dict[str, NDArray[Any]]
    sums: NDArray[np.uint32]
    marks: NDArray[np.bool_]
    right: NDArray[np.bool_]

    @property
    def damaged(self) -> NDArray[np.bool_]:
        """What is marked and does not match, (epoch,), bool."""
        return self.marks & ~self.right


@dataclass(frozen=True, eq=False)
class _Arrays:
    """The arrays of results, opened once for a change or a look."""

    names: tuple[str, ...]
    binding: Binding
    group: zarr.Group
    marks: "zarr.Array[Any]"
    sums: "zarr.Array[Any]"
    seed: "zarr.Array[Any]"

    @classmethod
    def of(cls, group: zarr.Group, names: tuple[str, ...], binding: Binding) -> Self:
        """Open the arrays of a group."""
        marks, sums, seed = (get_array(group, one) for one in ("analysed", CHECKSUM.name, "seed"))
        return cls(names, binding, group, marks, sums, seed)

    def values(self) -> dict[str, "zarr.Array[Any]"]:
        """Return those with numbers."""
        return {name: get_array(self.group, name) for name in self.names}

    def same_repeats(self, rows: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return those of some repeats that no other analysis has found begun anew."""
        seed = read_rows(self.seed, slice(0, len(self.binding.seed)))
        same: NDArray[np.intp] = rows[seed[rows] == self.binding.seed[rows]]
        return same

    def read_marked(self, rows: NDArray[np.intp]) -> Iterator[tuple[int, _Row]]:
        """Yield those of some repeats that have a mark, as many in memory as may be."""
        marks = np.any(read_marks(self.group), axis=1)
        values, chosen = self.values(), rows[marks[rows]]
        for batch in _batches(values, len(marks)):
            now = chosen[(chosen >= batch.start) & (chosen < batch.stop)]
            found = self.read(values, batch) if now.size else []
            for row in now.tolist():
                yield row, found[row - batch.start]

    def read(self, values: Mapping[str, "zarr.Array[Any]"], rows: slice) -> list[_Row]:
        """Read marks first: whatever is written meanwhile, what they promise is there by then."""
        marks = read_rows(self.marks, rows)
        sums = read_rows(self.sums, rows)
        found = {name: read_rows(array, rows) for name, array in values.items()}
        return [
            self._compare(row, {name: of[i] for name, of in found.items()}, sums[i], marks[i])
            for i, row in enumerate(range(rows.start, rows.stop))
        ]

    def _compare(
        self,
        row: int,
        values: dict[str, NDArray[Any]],
        sums: NDArray[np.uint32],
        marks: NDArray[np.bool_],
    ) -> _Row:
        right = marks.copy()
        epochs = np.flatnonzero(marks)
        for index, name in enumerate(self.names):
            expected = self.binding.checksums(row, epochs, name, values[name][epochs])
            right[epochs] &= expected == sums[epochs, index]
        return _Row(values, sums, marks, right)


@dataclass(frozen=True, eq=False)
class KeptResults:
    """Results on disk that an analysis goes on with.

    Parameters
    ----------
    target : path or URL
        The store, or where else they are kept.
    group : zarr.Group
        They themselves.
    names : tuple of str
        The variables that have checksums, in their order.
    depends : mapping
        The attributes that all results depend on.
    binding : Binding
        What they belong to.
    written : ndarray, (repeat, epoch), bool
        Which snapshots were written through this object.
    """

    target: StorePath
    group: zarr.Group
    names: tuple[str, ...]
    depends: Mapping[str, Any]
    binding: Binding
    written: NDArray[np.bool_]

    @classmethod
    def of(cls, target: StorePath, group: zarr.Group, depends: Mapping[str, Any]) -> Self:
        """Take them as they are now."""
        binding = Binding.of(group)
        written = np.zeros((len(binding.repeat), len(binding.epoch)), np.bool_)
        return cls(target, group, checked_names(group), depends, binding, written)

    def marked(self, row: int) -> NDArray[np.bool_]:
        """Return which epochs of a repeat are marked by now, by whomever, (epoch,), bool."""
        return read_row(get_array(self.group, "analysed"), row)

    def take_stock(self, rows: NDArray[np.intp]) -> Stock:
        """Compare what is marked with its checksums, and unmark what does not match.

        Parameters
        ----------
        rows : ndarray, (row,), int
            Positions of repeats. All others count as analysed and right, and so do those that
            another analysis found begun anew: their results are no longer of this one.

        Raises
        ------
        StoreError
            If the results are those of something else now, or can't be written.
        """
        shape = (len(self.binding.repeat), len(self.binding.epoch))
        right, damaged = np.ones(shape, np.bool_), np.zeros(shape, np.bool_)
        arrays = self.reopen()
        chosen = arrays.same_repeats(rows)
        right[chosen] = False
        for row, found in arrays.read_marked(chosen):
            now = self._unmark_damaged(row) if found.damaged.any() else found
            right[row], damaged[row] = now.right, now.damaged
        return right, damaged

    def _unmark_damaged(self, row: int) -> _Row:
        """Look again, for another may have been writing; leave marks only where all is right."""
        with changing(self.target), writing(self.group):
            arrays = self.reopen()
            (found,) = arrays.read(arrays.values(), slice(row, row + 1))
            if found.damaged.any():
                arrays.marks[row] = found.right
        return found

    def write(self, row: int, epochs: NDArray[np.intp], values: Mapping[str, NDArray[Any]]) -> None:
        """Write some snapshots of one repeat, then their checksums, then their marks.

        What another has written meanwhile, and is right, is left as it is.

        Parameters
        ----------
        row : int
            Position of the repeat.
        epochs : ndarray, (epoch,), int
            Positions of the epochs, ascending.
        values : mapping of str to ndarray, (epoch, ...)
            All variables.

        Raises
        ------
        StoreError
            If the results are those of something else now, or can't be written.
        """
        with changing(self.target), writing(self.group):
            arrays = self.reopen()
            if read_row(arrays.seed, row) != self.binding.seed[row]:  # begun anew meanwhile
                return
            kept = arrays.values()
            (found,) = arrays.read(kept, slice(row, row + 1))
            new = ~found.right[epochs]
            if new.any():
                for name, array in kept.items():
                    found.values[name][epochs[new]] = values[name][new]
                    array[row] = found.values[name]
                self._seal(arrays, row, epochs[new], found)
                self.written[row, epochs[new]] = True

    def _seal(self, arrays: _Arrays, row: int, epochs: NDArray[np.intp], found: _Row) -> None:
        """Write the checksums of what was written, and then the marks of all that is right."""
        for index, name in enumerate(self.names):
            of = self.binding.checksums(row, epochs, name, found.values[name][epochs])
            found.sums[epochs, index] = of
        found.right[epochs] = True
        arrays.sums[row] = found.sums
        arrays.marks[row] = found.right

    def reopen(self) -> _Arrays:
        """Open the results as they are now, after checking that they are still these."""
        try:
            group = zarr.open_group(
                self.group.store,
                path=self.group.path,
                mode="r+",
                zarr_format=3,
                use_consolidated=False,
            )
            arrays = _Arrays.of(group, self.names, self.binding)
        except (GroupNotFoundError, KeyError):
            raise self._replaced("they were deleted") from None
        known = {**ASSUMED, **group.attrs}
        for name, value in self.depends.items():
            if known.get(name) != value:
                raise self._replaced(f"another {name}")
        shape = (len(self.binding.repeat), len(self.binding.epoch))
        if arrays.marks.shape != shape or names_of(arrays.sums) != self.names:
            raise self._replaced("other repeats, epochs or variables")
        return arrays

    def _replaced(self, why: str) -> StoreError:
        return StoreError(
            f"{self.target}: {self.group.path} must stay what it was while it is computed, but the "
            f"store was changed and analysed anew meanwhile ({why}); what is there now was left as "
            "it is; run this again"
        )


def find_damaged(group: zarr.Group) -> NDArray[np.bool_]:
    """Return which snapshots of results are marked and do not match their checksums; only read.

    Parameters
    ----------
    group : zarr.Group
        Results; those of earlier versions, without checksums, are taken as they are.

    Returns
    -------
    ndarray, (repeat, epoch), bool
    """
    binding, names = Binding.of(group), checked_names(group)
    damaged = np.zeros((len(binding.repeat), len(binding.epoch)), np.bool_)
    if names:
        rows = np.arange(len(damaged))
        for row, found in _Arrays.of(group, names, binding).read_marked(rows):
            damaged[row] = found.damaged
    return damaged


def read_right(
    group: zarr.Group,
) -> Iterator[tuple[int, NDArray[np.bool_], dict[str, NDArray[Any]]]]:
    """Yield what is analysed of results that have checksums, and matches them; only read.

    Parameters
    ----------
    group : zarr.Group
        Results.

    Yields
    ------
    row : int
        Position of a repeat.
    right : ndarray, (epoch,), bool
        Which of its snapshots are analysed and right.
    values : dict of str to ndarray, (epoch, ...)
        All variables that have checksums.
    """
    binding = Binding.of(group)
    arrays = _Arrays.of(group, checked_names(group), binding)
    for row, found in arrays.read_marked(np.arange(len(binding.repeat))):
        yield row, found.right, found.values


def _batches(values: Mapping[str, "zarr.Array[Any]"], n_rows: int) -> Iterator[slice]:
    """Cut repeats into as many as may be in memory at once."""
    n_bytes = sum(prod(one.shape[1:]) * one.dtype.itemsize for one in values.values())
    step = max(1, BATCH_BYTES // max(1, n_bytes))
    for start in range(0, n_rows, step):
        yield slice(start, min(start + step, n_rows))


def describe_damaged(damaged: NDArray[np.bool_], binding: Binding) -> tuple[str, ...]:
    """Say what is computed anew because its numbers were not those that were written.

    Examples
    --------
    >>> numbers = np.arange(2)
    >>> binding = Binding("{}", numbers, numbers, np.array([0, 5, 10]))
    >>> describe_damaged(np.array([[False, True, True], [False] * 3]), binding)
    ('anew, because their numbers were damaged: 2 snapshots (repeat 0: epochs 5, 10)',)
    """
    if not damaged.any():
        return ()
    return (
        f"anew, because their numbers were damaged: {counted(int(damaged.sum()), 'snapshot')} "
        f"({describe_snapshots(damaged, binding)})",
    )


def describe_snapshots(which: NDArray[np.bool_], binding: Binding) -> str:
    """Name snapshots by repeat and epochs, not more of them than can be read."""
    found = [
        f"repeat {binding.repeat[row]}: epochs {_listed(binding.epoch[which[row]])}"
        for row in np.flatnonzero(which.any(axis=1))
    ]
    more = [f"{len(found) - MOST} more repeats"] if len(found) > MOST else []
    return "; ".join([*found[:MOST], *more])


def _listed(numbers: NDArray[Any]) -> str:
    more = [f"{len(numbers) - MOST} more"] if len(numbers) > MOST else []
    return ", ".join([*map(str, numbers[:MOST]), *more])
