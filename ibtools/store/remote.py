"""Stores behind a URL: every operation is tried again while it fails with what passes."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from functools import cache, partial

from zarr.abc.buffer import Buffer
from zarr.abc.store import ByteRequest, RangeByteRequest, Store, SuffixByteRequest
from zarr.core.buffer import BufferPrototype
from zarr.storage import FsspecStore

from ibtools.store.retrying import persist, persist_here
from ibtools.store.storage import RemoteError, StorePath, storage_options
from ibtools.store.wrapping import LookingStore


def remote_store(path: StorePath) -> Store:
    """Return the zarr store behind a URL, which survives what passes on its server and network.

    Raises
    ------
    ImportError
        If the package of the file system is not installed.
    """
    _forget_raised_errors()
    url = str(path).rstrip("/")
    return _RetryingStore(FsspecStore.from_url(url, storage_options=storage_options(url)), url)


def list_remote(path: StorePath) -> set[str]:
    """Return the names of what is directly below a URL; none if nothing is there."""
    from fsspec.core import url_to_fs

    system, found_at = url_to_fs(str(path), **(storage_options(path) or {}))
    try:
        found = persist_here(str(path), partial(system.ls, found_at, detail=False))
    except FileNotFoundError:
        return set()
    return {name.rstrip("/").rpartition("/")[2] for name in found}


class _RetryingStore(LookingStore):
    """A store whose operations are done again while they fail with what passes.

    All of them can be: an object is written as a whole, and what is deleted may be gone already.

    Parameters
    ----------
    store : Store
        Remote.
    url : str
        Its place, for errors.
    """

    def __init__(self, store: Store, url: str) -> None:
        super().__init__(store)
        self._url = url

    def _with_store(self, store: Store) -> "_RetryingStore":
        return _RetryingStore(store, self._url)

    def __str__(self) -> str:
        return self._url

    async def get(
        self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        url = self._at(key)
        found = await persist(url, partial(self._store.get, key, prototype, byte_range))
        if found is not None and byte_range is not None:
            _validate_length(url, len(found), byte_range)
        return found

    async def get_partial_values(
        self,
        prototype: BufferPrototype,
        key_ranges: Iterable[tuple[str, ByteRequest | None]],
    ) -> list[Buffer | None]:
        wanted = (self.get(key, prototype, byte_range) for key, byte_range in key_ranges)
        return list(await asyncio.gather(*wanted))

    async def _get_many(
        self, requests: Iterable[tuple[str, BufferPrototype, ByteRequest | None]]
    ) -> AsyncGenerator[tuple[str, Buffer | None], None]:
        for key, prototype, byte_range in requests:
            yield key, await self.get(key, prototype, byte_range)

    async def exists(self, key: str) -> bool:
        return await persist(self._at(key), partial(self._store.exists, key))

    async def set(self, key: str, value: Buffer) -> None:
        await persist(self._at(key), partial(self._store.set, key, value))

    async def set_if_not_exists(self, key: str, value: Buffer) -> None:
        await persist(self._at(key), partial(self._store.set_if_not_exists, key, value))

    async def _set_many(self, values: Iterable[tuple[str, Buffer]]) -> None:
        await asyncio.gather(*(self.set(key, value) for key, value in values))

    async def delete(self, key: str) -> None:
        await persist(self._at(key), partial(self._store.delete, key))

    async def delete_dir(self, prefix: str) -> None:
        await persist(self._at(prefix), partial(self._store.delete_dir, prefix))

    async def clear(self) -> None:
        await persist(self._url, self._store.clear)

    async def is_empty(self, prefix: str) -> bool:
        return await persist(self._at(prefix), partial(self._store.is_empty, prefix))

    async def getsize(self, key: str) -> int:
        return await persist(self._at(key), partial(self._store.getsize, key))

    def list(self) -> AsyncIterator[str]:
        return self._listed(self._url, self._store.list)

    def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        return self._listed(self._at(prefix), partial(self._store.list_prefix, prefix))

    def list_dir(self, prefix: str) -> AsyncIterator[str]:
        return self._listed(self._at(prefix), partial(self._store.list_dir, prefix))

    async def _listed(
        self, url: str, begin: Callable[[], AsyncIterator[str]]
    ) -> AsyncGenerator[str, None]:
        async def listing() -> list[str]:
            return [name async for name in begin()]

        for name in await persist(url, listing):
            yield name

    def _at(self, key: str) -> str:
        return f"{self._url}/{key}"


def _validate_length(url: str, found: int, asked: ByteRequest) -> None:
    """Check that a part of an object is all there: that of a truncated one is shorter."""
    if isinstance(asked, RangeByteRequest):
        expected, where = asked.end - asked.start, f"from byte {asked.start} on"
    elif isinstance(asked, SuffixByteRequest):
        expected, where = asked.suffix, "at its end"
    else:
        return
    if found < expected:
        raise RemoteError(
            f"{url}: the object must have {expected} bytes {where}, found {found}: it was cut "
            "short; restore it from a copy of the store"
        )


class _WithoutRaised(logging.Filter):
    """Drops what asyncio says of operations that failed beside one whose error was raised."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not (record.exc_info and isinstance(record.exc_info[1], RemoteError))


@cache
def _forget_raised_errors() -> None:
    logging.getLogger("asyncio").addFilter(_WithoutRaised())
