"""Chunks as they are stored: what they announce, compared with what they must hold, not decoded.

A few kilobytes of zstd, blosc or gzip can stand for gigabytes. So what a frame announces is read
before anything is allocated for it. Bytes that are no frame of their codec are found here too.
"""

import struct
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import prod
from typing import Any

from numcodecs import blosc, zstd

from ibtools.errors import StoreError
from ibtools.store.validation.bounds import TEXT_BYTES
from ibtools.store.validation.metadata import item_size

_DAMAGED = "; the file is damaged or cut short: restore it from a copy of the store"
_TEXT_ITEM = 2**16
_HEADER = 4096
_CRC_BYTES = 4
_MISSING = 2**64 - 1
_ZSTD_MAGIC = 0xFD2FB528
_ZSTD_BLOCK = 2**17
_BLOSC_HEADER = 16


Bytes = bytes | memoryview


@dataclass(frozen=True)
class ChunkLayout:
    """What every file of chunks of an array must hold.

    Parameters
    ----------
    n_items : int
        Values of a chunk: of one in a shard, if there are shards.
    n_bytes : int
        Of the same, decoded; of texts the most that they may have.
    codecs : tuple of str
        What is applied to bytes, in this order: "zstd", "blosc", "gzip", "crc32c".
    is_text : bool
        Whether values are texts of any length.
    n_chunks : int
        Chunks in a shard; 0 if there are no shards.
    index_bytes : int
        Length of a shard's index.
    index_first : bool
        Whether the index is at the beginning of a shard.
    """

    n_items: int
    n_bytes: int
    codecs: tuple[str, ...]
    is_text: bool
    n_chunks: int = 0
    index_bytes: int = 0
    index_first: bool = False

    @property
    def most_stored(self) -> int:
        """Bytes that a chunk may take as it is stored: what does not compress grows a little."""
        return self.n_bytes + self.n_bytes // 64 + _HEADER

    @property
    def most_in_file(self) -> int:
        """Bytes that a file may have."""
        return max(self.n_chunks, 1) * self.most_stored + self.index_bytes


def chunk_layout(node: Mapping[str, Any]) -> ChunkLayout:
    """Derive the layout of chunks from the metadata of an array, which were judged before.

    Parameters
    ----------
    node : mapping
        The JSON of its ``zarr.json``, or what ``array.metadata.to_dict()`` returns.
    """
    shape = tuple(node["chunk_grid"]["configuration"]["chunk_shape"])
    listed = named(node["codecs"])
    if "sharding_indexed" not in listed:
        return _unsharded(node, shape, tuple(listed))
    settings = listed["sharding_indexed"]
    inner = tuple(settings["chunk_shape"])
    n_chunks = prod(shape) // prod(inner)
    return replace(
        _unsharded(node, inner, tuple(named(settings["codecs"]))),
        n_chunks=n_chunks,
        index_bytes=16 * n_chunks + _CRC_BYTES * ("crc32c" in named(settings["index_codecs"])),
        index_first=str(settings.get("index_location", "end")).endswith("start"),
    )


def named(codecs: Iterable[Any]) -> dict[str, Mapping[str, Any]]:
    """Return the settings of codecs by their names, in the order of encoding."""
    listed: Iterable[Any] = ({"name": one} if isinstance(one, str) else one for one in codecs)
    return {str(one["name"]): one.get("configuration", {}) for one in listed}


def _unsharded(node: Mapping[str, Any], shape: Sequence[int], names: Sequence[str]) -> ChunkLayout:
    n_items = prod(shape)
    is_text = "vlen-utf8" in names
    n_bytes = n_items * item_size(node["data_type"], "")
    if is_text:
        n_bytes = 4 + min(n_items * _TEXT_ITEM, n_items * 4 + TEXT_BYTES) + _HEADER
    after = tuple(name for name in names if name in ("zstd", "blosc", "gzip", "crc32c"))
    return ChunkLayout(n_items, n_bytes, after, is_text)


def validate_file(raw: Bytes, layout: ChunkLayout, where: str) -> None:
    """Check a whole file: a chunk, or a shard with all chunks in it.

    Raises
    ------
    StoreError
        If it announces other than it must hold.
    """
    if not layout.n_chunks:
        validate_chunk(raw, layout, where)
        return
    if len(raw) < layout.index_bytes:
        raise StoreError(
            f"{where}: a shard must have an index of {layout.index_bytes} bytes, found {len(raw)}"
            f"{_DAMAGED}"
        )
    start = 0 if layout.index_first else len(raw) - layout.index_bytes
    index = raw[start : start + layout.index_bytes]
    for first, length in validate_index(index, layout, where, file_bytes=len(raw)):
        validate_chunk(raw[first : first + length], layout, where)


def validate_index(
    index: Bytes, layout: ChunkLayout, where: str, *, file_bytes: int | None = None
) -> list[tuple[int, int]]:
    """Check the index of a shard, which says where its chunks are.

    Parameters
    ----------
    index : bytes
        As it is stored, with its checksum.
    layout : ChunkLayout
        Of the array.
    where : str
        What is read, for the error.
    file_bytes : int, optional
        Length of the shard, if it is known.

    Returns
    -------
    list of (int, int)
        Offset and length of each chunk that there is.

    Raises
    ------
    StoreError
        If a chunk would be longer than one can be, or not in the file.
    """
    if len(index) != layout.index_bytes:
        raise StoreError(
            f"{where}: the index of a shard must have {layout.index_bytes} bytes, found "
            f"{len(index)}{_DAMAGED}"
        )
    numbers = struct.unpack_from(f"<{2 * layout.n_chunks}Q", index)
    chunks = [
        (first, length)
        for first, length in zip(numbers[::2], numbers[1::2], strict=True)
        if (first, length) != (_MISSING, _MISSING)
    ]
    most = 2**62 if file_bytes is None else file_bytes
    for first, length in chunks:
        if length > layout.most_stored or first + length > most:
            raise StoreError(
                f"{where}: a chunk must be within its shard and have at most {layout.most_stored} "
                f"bytes, found {length} at byte {first}{_DAMAGED}"
            )
    return chunks


def validate_chunk(raw: Bytes, layout: ChunkLayout, where: str) -> None:
    """Compare what a chunk announces with what it must hold, before it is decoded.

    Parameters
    ----------
    raw : bytes
        The chunk as it is stored: a file, or what the index of a shard points to.
    layout : ChunkLayout
        Of the array.
    where : str
        What is read, for the error.

    Raises
    ------
    StoreError
        If it would be decoded to other than the chunk's bytes, or is no frame of its codec.

    Notes
    -----
    zstd and blosc say in their headers how much they hold, and the decoder keeps to that. gzip does
    not, and is unpacked up to the chunk's bytes. Texts are unpacked too, to count them.
    """
    if len(raw) > layout.most_stored:
        raise _wrong(where, f"at most {layout.most_stored} bytes", f"{len(raw)}")
    data = raw
    exact = None if layout.is_text else layout.n_bytes
    for position in range(len(layout.codecs) - 1, -1, -1):
        name = layout.codecs[position]
        is_last = all(one == "crc32c" for one in layout.codecs[:position])
        if name == "crc32c":
            if len(data) < _CRC_BYTES:
                raise _wrong(where, "a checksum", f"{len(data)} bytes")
            data = data[:-_CRC_BYTES]
            continue
        expected = None if not is_last or exact is None else exact + _CRC_BYTES * position
        most = layout.most_stored if expected is None else expected
        announced = _ANNOUNCED[name](data, most, where)
        if announced > most or (expected is not None and announced != expected):
            wanted = f"{most} bytes" if expected is not None else f"at most {most} bytes"
            raise _wrong(where, f"{wanted}, unpacked", f"{announced}")
        if expected is not None:
            return
        data = _UNPACK[name](data, announced, where)
    if layout.is_text:
        _validate_texts(data, layout.n_items, where)
    elif len(data) != layout.n_bytes:
        raise _wrong(where, f"{layout.n_bytes} bytes", f"{len(data)}")


def _validate_texts(data: Bytes, n_items: int, where: str) -> None:
    """Check the number of texts, for which the decoder makes room before it reads any."""
    found = struct.unpack_from("<I", data)[0] if len(data) >= 4 else -1
    if found != n_items:
        raise _wrong(where, f"{n_items} texts", f"{max(found, 0)}")


def _wrong(where: str, wanted: str, found: str) -> StoreError:
    return StoreError(f"{where}: a chunk must have {wanted}, found {found}{_DAMAGED}")


def _announced_by_zstd(data: Bytes, most: int, where: str) -> int:
    """Return the bytes that the one frame of zstd holds; counted by its blocks if it does not say.

    A chunk is one frame: the decoder would go on with a second one of any size.
    """
    known, start, has_checksum = _zstd_header(data, where)
    if known is not None and known > most:
        return known
    n_blocks, unpacked, is_last = 0, 0, False
    while not is_last:
        header = int.from_bytes(data[start : start + 3], "little")
        is_last, kind, size = bool(header & 1), header >> 1 & 3, header >> 3
        whole = start + 3 <= len(data) and kind != 3 and size <= _ZSTD_BLOCK
        if not whole or n_blocks > most // 256 + 16:
            raise _wrong(where, "whole blocks of zstd", "other bytes")
        start += 3 + (1 if kind == 1 else size)
        n_blocks += 1
        unpacked += _ZSTD_BLOCK if kind == 2 else size
    if known is None and unpacked > 2 * most + 2**24:
        raise _wrong(where, f"at most {most} bytes, unpacked", f"up to {unpacked}")
    if start + 4 * has_checksum != len(data):
        raise _wrong(where, "one frame of zstd", f"{len(data)} bytes that are another number")
    return len(_unpack_zstd(data, most, where)) if known is None else known


def _zstd_header(data: Bytes, where: str) -> tuple[int | None, int, bool]:
    """Return the announced size, if there is one, the length of the header, and what is behind."""
    if len(data) < 6 or struct.unpack_from("<I", data)[0] != _ZSTD_MAGIC:
        raise _wrong(where, "a frame of zstd", f"{data[:4].hex() or 'nothing'}")
    flags = data[4]
    is_single, has_checksum = bool(flags >> 5 & 1), bool(flags >> 2 & 1)
    start = 5 + (not is_single) + (0, 1, 2, 4)[flags & 3]
    size_bytes = (int(is_single), 2, 4, 8)[flags >> 6]
    if len(data) < start + size_bytes:
        raise _wrong(where, "a whole frame of zstd", f"{len(data)} bytes")
    size = int.from_bytes(data[start : start + size_bytes], "little")
    known = size + (256 if size_bytes == 2 else 0) if size_bytes else None
    return known, start + size_bytes, has_checksum


def _announced_by_blosc(data: Bytes, most: int, where: str) -> int:
    if len(data) < _BLOSC_HEADER:
        raise _wrong(where, "a header of blosc", f"{len(data)} bytes")
    n_bytes, _, stored = struct.unpack_from("<III", data, 4)
    if stored != len(data):
        raise _wrong(where, f"{stored} bytes, as its header says", f"{len(data)}")
    return int(n_bytes)


def _announced_by_gzip(data: Bytes, most: int, where: str) -> int:
    return len(_unpack_gzip(data, most, where))


def _unpack_gzip(data: Bytes, most: int, where: str) -> bytes:
    """Unpack all members, at most a byte more than there may be."""
    parts, left = [], most + 1
    try:
        while data and left > 0:
            unpacker = zlib.decompressobj(wbits=31)
            parts.append(unpacker.decompress(data, left))
            left -= len(parts[-1])
            if left > 0 and not unpacker.eof:
                raise _wrong(where, "a whole member of gzip", f"{len(data)} bytes")
            data = unpacker.unused_data
    except zlib.error as err:
        raise _wrong(where, "gzip", f"other bytes ({err})") from err
    return b"".join(parts)


def _unpack_zstd(data: Bytes, most: int, where: str) -> bytes:
    return bytes(_unpacked(partial(zstd.decompress, data), most, where))


def _unpack_blosc(data: Bytes, most: int, where: str) -> bytes:
    return bytes(_unpacked(partial(blosc.decompress, data), most, where))


def _unpacked(unpack: Any, most: int, where: str) -> Any:
    try:
        return unpack()
    except (ValueError, RuntimeError) as err:
        raise _wrong(where, f"at most {most} bytes that can be unpacked", str(err)) from err


_ANNOUNCED = {
    "zstd": _announced_by_zstd,
    "blosc": _announced_by_blosc,
    "gzip": _announced_by_gzip,
}

_UNPACK = {"zstd": _unpack_zstd, "blosc": _unpack_blosc, "gzip": _unpack_gzip}
