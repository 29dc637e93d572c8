"""What all stores are that look at every operation of another: none of them passes by."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Any

from zarr.abc.store import ByteRequest, Store
from zarr.core.buffer import Buffer, BufferPrototype
from zarr.storage import WrapperStore


class LookingStore(WrapperStore[Store]):
    """A wrapper whose `get` and `set` see all that is read and written.

    Zarr's own wrapper hands some operations of later versions straight to the store inside: many
    ranges of a file at once, and those that are not asynchronous.
    """

    _supports_sync_io = False

    async def get_ranges(
        self,
        key: str,
        byte_ranges: Sequence[ByteRequest | None],
        *,
        prototype: BufferPrototype,
        **_: Any,
    ) -> AsyncGenerator[Sequence[tuple[int, Buffer | None]], None]:
        """Read parts of a file, each by itself: of two that are joined no checksum is known."""
        parts = await asyncio.gather(*(self.get(key, prototype, one) for one in byte_ranges))
        if any(part is None for part in parts):
            raise ExceptionGroup("parts of a file are missing", [FileNotFoundError(key)])
        yield list(enumerate(parts))
