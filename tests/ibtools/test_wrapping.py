"""Stores that look at every operation of another, by whatever way zarr asks."""

import asyncio

import pytest
from zarr.abc.store import RangeByteRequest
from zarr.core.buffer import default_buffer_prototype
from zarr.storage import MemoryStore

from ibtools.store.wrapping import LookingStore


class NotingStore(LookingStore):
    """Notes what goes through it."""

    def __init__(self, store) -> None:
        super().__init__(store)
        self.seen: list[object] = []

    async def get(self, key, prototype, byte_range=None):
        self.seen.append(byte_range)
        return await self._store.get(key, prototype, byte_range)


async def parts_of(store: NotingStore, key: str, ranges) -> list[bytes]:
    prototype = default_buffer_prototype()
    asked = store.get_ranges(key, ranges, prototype=prototype)
    found = [one async for some in asked for one in some]
    return [part.to_bytes() for _, part in sorted(found, key=lambda one: one[0])]


def test_get_ranges__are_seen_one_by_one():
    """Neighbours are not joined, or no checksum of a chunk would be compared."""
    buffer = default_buffer_prototype().buffer.from_bytes(b"abcdef")
    store, ranges = NotingStore(MemoryStore({"k": buffer})), [RangeByteRequest(0, 2), None]
    ranges.insert(1, RangeByteRequest(2, 4))
    assert asyncio.run(parts_of(store, "k", ranges)) == [b"ab", b"cd", b"abcdef"]
    assert store.seen == ranges
    with pytest.raises(ExceptionGroup) as raised:
        asyncio.run(parts_of(store, "other", ranges))
    assert raised.group_contains(FileNotFoundError)


def test_synchronous_operations__are_none():
    """Zarr would hand them to the store inside; it asks whether there are any."""
    abc = pytest.importorskip("zarr.abc.store")
    ask = getattr(abc, "_store_supports_sync_io", lambda store: False)
    assert not ask(NotingStore(MemoryStore()))
