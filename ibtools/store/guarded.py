"""Reading a recording through its checksums: what is not as it was recorded is an error.

Zarr takes a chunk that is not there for one of fill values only, because it writes none of these.
So a file that was deleted would be read as codes of 0, and one that was swapped with another as
that other. Every reader of ours looks at a store through a `GuardedStore`, which knows what must be
there.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, Iterable, Mapping
from typing import Any

import numpy as np
import zarr.api.asynchronous
from numpy.typing import NDArray
from zarr.abc.buffer import Buffer, BufferPrototype
from zarr.abc.store import ByteRequest, RangeByteRequest, Store, SuffixByteRequest
from zarr.buffer import default_buffer_prototype
from zarr.errors import ArrayNotFoundError

from ibtools.errors import StoreError
from ibtools.store.checksums import (
    GROUP,
    NONE,
    OTHER,
    TABLE,
    ChecksumLayout,
    DamagedFileError,
    Place,
    bytes_of,
    checksum,
)
from ibtools.store.presence import Presence
from ibtools.store.schema import STORE_VARIABLES
from ibtools.store.validation.chunks import (
    ChunkLayout,
    chunk_layout,
    validate_chunk,
    validate_file,
    validate_index,
)
from ibtools.store.validation.metadata import parse_node
from ibtools.store.validation.stored import local_root, why_unreadable
from ibtools.store.wrapping import LookingStore

_DIMS = {variable.name: variable.dims for variable in STORE_VARIABLES}

_LOOKS = 3
"""How often a file that differs is read again: it may have been replaced in between."""

_MOST_INDICES = 256
"""Indices of shards that are kept in memory, for reading single chunks."""


class GuardedStore(LookingStore):
    """A store that checks what is read of a recording.

    Notes
    -----
    Of a store with checksums, each chunk must be the one that was written at this place. Of one
    without, as earlier versions of ibtools and copies by xarray leave it, files that can't be
    missing must be there: see `ibtools.store.presence.Presence`.

    Whoever opens a store puts the metadata that it has `judged` for that here, by their paths, so
    that they are read once, and what was judged is what is used; arrays of a store that is only
    read are `opened` once.
    """

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.judged: Mapping[str, dict[str, Any]] = {}
        self.opened: dict[str, zarr.Array[Any]] = {}
        self._forget()

    def __getstate__(self) -> dict[str, Any]:
        return {"_store": self._store}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._store = state["_store"]
        self.judged, self.opened = {}, {}
        self._forget()

    def __str__(self) -> str:
        return str(local_root(self._store) or self._store)

    def _forget(self) -> None:
        self._nodes: dict[str, dict[str, Any]] = {}
        self._chunks: dict[str, ChunkLayout] = {}
        self._layout: ChecksumLayout | Presence | None = None
        self._table: Any = None
        self._rows: dict[int, NDArray[np.int64]] = {}
        self._reading: dict[tuple[Any, int], asyncio.Task[NDArray[np.int64]]] = {}
        self._spans: OrderedDict[str, NDArray[np.int64]] = OrderedDict()

    async def get(
        self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """Read a file or a part of it.

        Raises
        ------
        StoreError
            If it is damaged, missing, or that of another place.
        """
        array = _array_of(key)
        if array is not None:
            await self._validate_file(array, key)
        value = await self._store.get(key, prototype, byte_range)
        if array is not None:
            value = await self._get_checked(key, value, prototype, byte_range)
        if value is not None:
            await self._validate(array, key, value, byte_range)
        return value

    async def _get_checked(
        self,
        key: str,
        value: Buffer | None,
        prototype: BufferPrototype,
        byte_range: ByteRequest | None,
    ) -> Buffer | None:
        """Return what was read of a file of chunks if it is what was recorded there."""
        layout = await self._find_layout()
        place = layout.locate(key)
        if place is None:
            return value
        if isinstance(layout, Presence):
            if value is None and (lost := await layout.why_lost(self._store, place)):
                raise await self._damaged(place, lost)
            return value
        return await self._compare(place, value, prototype, byte_range)

    async def _validate_file(self, array: str, key: str) -> None:
        """Look at a file of this machine before it is opened."""
        root = local_root(self._store)
        if root is None:
            return
        layout = await self._find_chunk_layout(array)
        why = await asyncio.to_thread(why_unreadable, root / key, layout.most_in_file)
        if not why:
            return
        place = (await self._find_layout()).locate(key)
        if place is not None:
            raise await self._damaged(place, why)
        raise StoreError(f"{self}: {key}: {why}; restore it from a copy of the store")

    async def _validate(
        self, array: str | None, key: str, value: Buffer, byte_range: ByteRequest | None
    ) -> None:
        """Look at what metadata and chunks announce before zarr believes it."""
        where, raw = f"{self}: {key}", memoryview(bytes_of(value).data)
        folder, _, name = key.rpartition("/")
        if name == "zarr.json":
            self._note_nodes(folder, parse_node(bytes(raw), where))
        elif array is not None:
            layout = await self._find_chunk_layout(array)
            if byte_range is None:
                validate_file(raw, layout, where)
            elif isinstance(byte_range, SuffixByteRequest):
                validate_index(raw, layout, where)
            elif layout.n_chunks:
                validate_chunk(raw, layout, where)

    def _note_nodes(self, folder: str, node: dict[str, Any]) -> None:
        """Remember the metadata of a node, and those that the root keeps of all others."""
        kept = node.get("consolidated_metadata") or {}
        for name, below in kept.get("metadata", {}).items():
            self._nodes.setdefault(f"{folder}/{name}".lstrip("/"), below)
        self._nodes[folder] = node
        self._chunks.pop(folder, None)

    async def _find_node(self, folder: str) -> dict[str, Any] | None:
        if self.read_only and folder in self.judged:
            return self.judged[folder]
        if folder not in self._nodes:
            await self.get(f"{folder}/zarr.json".lstrip("/"), default_buffer_prototype())
        return self._nodes.get(folder)

    async def _find_chunk_layout(self, folder: str) -> ChunkLayout:
        if folder not in self._chunks:
            node = await self._find_node(folder)
            if node is None:
                raise StoreError(f"{self}: {folder} has chunks, and no metadata")
            self._chunks[folder] = chunk_layout(node)
        return self._chunks[folder]

    async def get_partial_values(
        self, prototype: BufferPrototype, key_ranges: Any
    ) -> list[Buffer | None]:
        """Read parts of files."""
        return [await self.get(key, prototype, one) for key, one in key_ranges]

    async def _get_many(
        self, requests: Iterable[tuple[str, BufferPrototype, ByteRequest | None]]
    ) -> AsyncGenerator[tuple[str, Buffer | None], None]:
        for key, prototype, byte_range in requests:
            yield key, await self.get(key, prototype, byte_range)

    async def _compare(
        self,
        place: Place,
        value: Buffer | None,
        prototype: BufferPrototype,
        byte_range: ByteRequest | None,
    ) -> Buffer | None:
        why = ""
        for look in range(_LOOKS):
            row = await self._read_row(place.repeat, anew=look > 0)
            why = self._find_fault(place, value, byte_range, row[place.entries])
            if not why:
                return value
            value = await self._store.get(place.key, prototype, byte_range)
        raise await self._damaged(place, why)

    def _find_fault(
        self,
        place: Place,
        value: Buffer | None,
        byte_range: ByteRequest | None,
        known: NDArray[np.int64],
    ) -> str:
        """Say what is wrong with what was read of a file; empty if nothing is.

        Parameters
        ----------
        known : ndarray, (chunk, version), int64
            Its rows of the table.
        """
        if value is None or byte_range is None:
            return place.find_fault(None if value is None else bytes_of(value), known)
        if (known[:, 0] == NONE).all():
            return ""
        raw = bytes_of(value)
        try:
            if isinstance(byte_range, SuffixByteRequest):
                return self._take_index(place, raw, known)
            return self._find_fault_of_chunk(place, raw, byte_range, known)
        except DamagedFileError as err:
            return str(err)

    def _take_index(self, place: Place, raw: NDArray[np.uint8], known: NDArray[np.int64]) -> str:
        """Remember where the chunks of a shard are, and see whether all are there."""
        spans = place.grid.read_index(raw)
        self._spans[place.key] = spans
        while len(self._spans) > _MOST_INDICES:
            self._spans.popitem(last=False)
        there = spans[:, 0] != NONE
        same = [np.array_equal(there, known[:, version] >= 0) for version in (0, 1)]
        return "" if any(same) else OTHER

    def _find_fault_of_chunk(
        self,
        place: Place,
        raw: NDArray[np.uint8],
        byte_range: ByteRequest,
        known: NDArray[np.int64],
    ) -> str:
        """Compare a single chunk of a shard, of which the index was read before."""
        spans = self._spans.get(place.key)
        if spans is None or not isinstance(byte_range, RangeByteRequest):
            return ""
        (chunk,) = np.nonzero((spans == (byte_range.start, byte_range.end)).all(axis=1))
        return "" if not chunk.size or checksum(raw) in known[chunk[0]] else OTHER

    async def _find_layout(self) -> "ChecksumLayout | Presence":
        if self._layout is None:
            node = await self._find_node(GROUP)
            self._layout = (
                await Presence.of(self._store)
                if node is None
                else ChecksumLayout.from_attributes(node["attributes"])
            )
        return self._layout

    async def _read_row(self, repeat: int, *, anew: bool) -> NDArray[np.int64]:
        if anew:
            self._rows[repeat] = await self._read_row_now(repeat)
        elif repeat not in self._rows:
            loop = asyncio.get_running_loop()
            if (loop, repeat) not in self._reading:  # once for all that wait for it
                self._reading[loop, repeat] = loop.create_task(self._read_row_now(repeat))
            try:
                self._rows[repeat] = await self._reading[loop, repeat]
            finally:
                self._reading.pop((loop, repeat), None)
        return self._rows[repeat]

    async def _read_row_now(self, repeat: int) -> NDArray[np.int64]:
        table = await self._find_table()
        return np.asarray(await table.getitem(repeat))

    async def _find_table(self) -> Any:
        if self._table is None:
            try:
                self._table = await zarr.api.asynchronous.open_array(
                    store=self._store, path=f"{GROUP}/{TABLE}", mode="r", zarr_format=3
                )
            except ArrayNotFoundError as err:
                raise StoreError(
                    f"{self}: {GROUP}/{TABLE} is missing, which tells whether chunks are as they "
                    f"were recorded; restore it from a copy, or delete the folder {GROUP} to do "
                    "without"
                ) from err
        return self._table

    async def _damaged(self, place: Place, why: str) -> StoreError:
        return StoreError(
            f"{self}: the file {place.key} is not as it was recorded: {why}. It holds "
            f"{await describe(self._store, place)}. Mark this as not recorded with: ibtools check "
            "STORE --repair; all else stays, and what recorded it can go on then (with --resume or "
            "resume=True)"
        )


def _array_of(key: str) -> str | None:
    """Return the path of the array that a key holds chunks of; None if it holds none."""
    if key.startswith("c/"):
        return ""
    array, is_chunk, _ = key.partition("/c/")
    return array if is_chunk else None


async def describe(store: Store, place: Place) -> str:
    """Say what a file holds: variable, repeat, epochs and layers, by their numbers and names."""
    words = [place.grid.name]
    for axis, dim in enumerate(_DIMS[place.grid.name]):
        if dim in ("repeat", "epoch", "layer", "trained_epoch"):
            words.append(await _describe_axis(store, dim, place.covers(axis)))
    return " of ".join(words[:2]) + "".join(f", {one}" for one in words[2:])


async def _describe_axis(store: Store, dim: str, where: slice) -> str:
    array = await zarr.api.asynchronous.open_array(store=store, path=dim, mode="r", zarr_format=3)
    held = np.asarray(await array.getitem(slice(where.start, min(where.stop, array.shape[0]))))
    names = [str(one) for one in held.tolist()]
    name = dim.replace("_", " ")
    if len(names) == 1:
        return f"{name} {names[0]}"
    listed = ", ".join(names) if dim == "layer" else f"{names[0]} to {names[-1]}"
    return f"{name}s {listed}"
