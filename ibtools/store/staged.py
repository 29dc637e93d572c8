"""Writing a recording with its checksums, so that a crash leaves files that are known to be right.

A file that nothing counts on is written at once. One that replaces another, on which snapshots that
are complete count, is held back until the table of checksums has the numbers of both: whichever of
them is there after a crash is known. The marks are written last.
"""

import asyncio
from collections.abc import Iterable
from typing import Any, cast

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.abc.buffer import Buffer, BufferPrototype
from zarr.abc.store import ByteRequest, RangeByteRequest, Store, SuffixByteRequest
from zarr.buffer import default_buffer_prototype
from zarr.core.sync import sync  # there is no public way to write a key of any store from here

from ibtools.store.checksums import (
    ABSENT,
    NONE,
    TABLE,
    ChecksumLayout,
    DamagedFileError,
    Place,
    bytes_of,
    find_checksums,
)
from ibtools.store.schema import STORE_VARIABLES
from ibtools.store.wrapping import LookingStore

_MARKS = tuple(variable.name for variable in STORE_VARIABLES if variable.is_mark)
"""What is written last, because it promises the rest."""


class StagedStore(LookingStore):
    """A store that notes the checksums of what is written of one repeat.

    Parameters
    ----------
    store : Store
        Where to.
    layout : ChecksumLayout
        Of its table.
    row : ndarray, (entry, version), int64
        The table's row of the repeat; changed as files are written.
    """

    def __init__(self, store: Store, layout: ChecksumLayout, row: NDArray[np.int64]) -> None:
        super().__init__(store)
        self._layout = layout
        self._row = row
        self._held: dict[str, Buffer | None] = {}

    def _with_store(self, store: Store) -> "StagedStore":
        other = StagedStore(store, self._layout, self._row)
        other._held = self._held
        return other

    def __str__(self) -> str:
        return str(self._store)

    async def get(
        self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """Read a file, held back or not."""
        if key not in self._held:
            return await self._store.get(key, prototype, byte_range)
        held = self._held[key]
        return held if held is None or byte_range is None else _cut(held, byte_range)

    async def set(self, key: str, value: Buffer) -> None:
        """Write a file, or hold it back."""
        place = self._layout.locate(key)
        if place is None:
            await self._store.set(key, value)
            return
        new = place.grid.checksums(bytes_of(value))
        if self._replaces(place, new):
            self._held[key] = value
        else:
            await self._store.set(key, value)

    async def _set_many(self, values: Iterable[tuple[str, Buffer]]) -> None:
        for key, value in values:
            await self.set(key, value)

    async def delete(self, key: str) -> None:
        """Delete a file, or note that it is to be deleted: it holds fill values only."""
        place = self._layout.locate(key)
        if place is not None and self._replaces(place, np.full(place.grid.n_chunks, NONE)):
            self._held[key] = None
        else:
            await self._store.delete(key)

    def _replaces(self, place: Place, new: NDArray[np.int64]) -> bool:
        """Note the checksums of a new file; whether it is a mark, or the one before counts."""
        known = self._row[place.entries]
        counts = bool((known[:, 0] != NONE).any())
        if place.key not in self._held:
            known[:, 1] = known[:, 0] if counts or place.grid.name not in _MARKS else ABSENT
        known[:, 0] = new
        return bool((known[:, 1] != NONE).any())

    async def flush(self) -> None:
        """Write what was held back, the marks last."""
        held, self._held = self._held, {}
        marks = [key for key in held if key.partition("/")[0] in _MARKS]
        await asyncio.gather(*(self._put(key, held[key]) for key in held.keys() - set(marks)))
        for key in marks:
            await self._put(key, held[key])

    async def _put(self, key: str, value: Buffer | None) -> None:
        if value is None:
            await self._store.delete(key)
        else:
            await self._store.set(key, value)


class Staging:
    """Writes one repeat of a store, with checksums if the store has them.

    Parameters
    ----------
    group : zarr.Group
        A store, open for writing.
    row : int
        Position of the repeat.
    """

    def __init__(self, group: zarr.Group, row: int) -> None:
        self.group = group
        self._repeat = row
        self._store: StagedStore | None = None
        beside = find_checksums(group)
        if beside is None:
            return
        self._layout = ChecksumLayout.from_attributes(beside.attrs)
        if row >= self._layout.n_repeats:  # appended since, by xarray
            return
        self._table = cast("zarr.Array[Any]", beside[TABLE])
        self._known = np.asarray(self._table[row])
        self._written = self._known.copy()
        self._store = StagedStore(group.store, self._layout, self._known)
        self._settle(group.store)
        consolidated = None if group.metadata.consolidated_metadata is not None else False
        self.group = zarr.open_group(
            self._store, mode="r+", zarr_format=3, use_consolidated=consolidated
        )

    def commit(self) -> None:
        """Write the checksums, then all that waited for them, the marks last."""
        if self._store is None:
            return
        self._write_table()
        sync(self._store.flush())

    def begin(self) -> None:
        """Forget the old versions of files: those that are there now are the current ones."""
        if self._store is not None:
            self._known[:, 1] = NONE

    def forget_files(self, places: Iterable[Place]) -> None:
        """Forget some files, which are there no more."""
        if self._store is not None:
            for place in places:
                self._known[place.entries] = NONE

    def forget(self, names: Iterable[str]) -> None:
        """Forget the files of some arrays, on which nothing counts any more."""
        if self._store is not None:
            for name in names:
                for entries in self._layout.grids[name].entries:
                    self._known[entries] = NONE

    def _write_table(self) -> None:
        """Write the pieces of the row that changed."""
        size = self._table.chunks[1]
        for start in range(0, len(self._known), size):
            piece = slice(start, start + size)
            if not np.array_equal(self._known[piece], self._written[piece]):
                self._table[self._repeat, piece] = self._known[piece]
        self._written[...] = self._known

    def _settle(self, store: Store) -> None:
        """Find out which version of a file is there, where a crash left two possible."""
        if (self._known[:, 1] == NONE).all():
            return
        for place in self._layout.places(self._repeat):
            known = self._known[place.entries]
            if (known[:, 1] != NONE).any():
                before = np.maximum(known[:, 1], NONE)
                if np.array_equal(_read(store, place), before):
                    known[:, 0] = before
        self.begin()


def _read(store: Store, place: Place) -> NDArray[np.int64]:
    """Return the checksums of a file as it is; none of what is damaged."""
    raw = sync(store.get(place.key, default_buffer_prototype()))
    if raw is None:
        return np.full(place.grid.n_chunks, NONE)
    try:
        return place.grid.checksums(bytes_of(raw))
    except DamagedFileError:
        return np.full(place.grid.n_chunks, NONE)


def _cut(value: Buffer, byte_range: ByteRequest) -> Buffer:
    if isinstance(byte_range, RangeByteRequest):
        return value[byte_range.start : byte_range.end]
    if isinstance(byte_range, SuffixByteRequest):
        return value[-byte_range.suffix :]
    return value[byte_range.offset :]
