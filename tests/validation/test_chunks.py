"""What a chunk announces is compared with what it must hold, before it is decoded."""

import gzip
import re
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import zarr
from numcodecs import blosc, zstd
from zarr.codecs import BloscCodec, GzipCodec, ZstdCodec

from ibtools.errors import StoreError
from ibtools.store.durable import DurableStore
from ibtools.store.guarded import GuardedStore
from ibtools.store.validation.chunks import (
    ChunkLayout,
    chunk_layout,
    validate_chunk,
    validate_file,
    validate_index,
)
from tests.fuzzing.damages import blosc_of, gzip_of, zstd_of

VALUES = np.random.default_rng(0).integers(0, 9, (6, 50)).astype("int64")


def store(folder: Path, values=VALUES, **options) -> "zarr.Array":
    options = {"chunks": (2, 50), "compressors": "auto"} | options
    array = zarr.create_array(folder / "a.zarr", data=values, **options)
    return array


def read(array: "zarr.Array") -> np.ndarray:
    """Read an array as everything of ours does."""
    guarded = GuardedStore(DurableStore(array.store.root, read_only=True))
    return np.asarray(zarr.open_array(guarded, mode="r")[...])


def codec(name: str, n_bytes: int = 800) -> ChunkLayout:
    return ChunkLayout(n_bytes // 8, n_bytes, (name,), is_text=False)


LAYOUTS = {
    "as it is": {},
    "not compressed": {"compressors": None},
    "zstd with a checksum": {"compressors": ZstdCodec(level=3, checksum=True)},
    "blosc of zstd": {"compressors": BloscCodec(cname="zstd", clevel=1, shuffle="bitshuffle")},
    "blosc of lz4": {"compressors": BloscCodec(cname="lz4", clevel=0)},
    "gzip": {"compressors": GzipCodec(level=2)},
    "zstd and crc32c": {"compressors": [ZstdCodec(), zarr.codecs.Crc32cCodec()]},
    "gzip and zstd": {"compressors": [GzipCodec(), ZstdCodec()]},
    "shards": {"shards": (4, 50)},
    "shards not compressed": {"shards": (6, 50), "compressors": None},
    "shards of zstd and crc32c": {
        "shards": (6, 50),
        "compressors": [ZstdCodec(), zarr.codecs.Crc32cCodec()],
    },
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("values", [VALUES, VALUES * 0 + 1], ids=["varied", "constant"])
def test_guarded_store__reads_whatever_zarr_writes(tmp_path, layout, values):
    array = store(tmp_path, values, **LAYOUTS[layout])
    np.testing.assert_array_equal(read(array), values)


@pytest.mark.parametrize("texts", [["a", "b", "é" * 100], ["x" * 50] * 3, ["", "", "a"]])
def test_guarded_store__reads_texts(tmp_path, texts):
    array = zarr.create_array(tmp_path / "a.zarr", shape=(3,), chunks=(2,), dtype=str)
    array[...] = np.array(texts, dtype=object)
    assert read(array).tolist() == texts


BOMBS = {
    "zstd": (zstd_of(2**31), "zstd"),
    "zstd that announces nothing": (zstd_of(2**31, announced=False), "zstd"),
    "zstd that announces too little": (
        zstd_of(2**25)[:5] + b"\x58" + struct.pack("<Q", 800),
        "zstd",
    ),
    "a second frame of zstd": (zstd.compress(bytes(800), 1) + zstd_of(2**31), "zstd"),
    "a frame to be skipped": (struct.pack("<II", 0x184D2A50, 4) + b"abcd", "zstd"),
    "blosc": (blosc_of(2**31 - 100), "blosc"),
    "blosc of no header": (b"\2\1", "blosc"),
    "gzip": (gzip_of(2**24), "gzip"),
    "a second member of gzip": (gzip.compress(bytes(800)) + gzip_of(2**24), "gzip"),
    "half of gzip": (gzip.compress(bytes(800))[:-9], "gzip"),
    "nothing": (b"", "zstd"),
    "other bytes": (b"x" * 100, "zstd"),
    "one value too few, zstd": (zstd.compress(bytes(792), 1), "zstd"),
    "one value too few, blosc": (blosc.compress(bytes(792), b"zstd", 1), "blosc"),
    "one value too many, gzip": (gzip.compress(bytes(808)), "gzip"),
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_validate_chunk__what_announces_other_than_it_must_hold(bomb):
    raw, name = BOMBS[bomb]
    tracemalloc.start()
    with pytest.raises(StoreError, match=r"label: a chunk must have .*restore it from a copy"):
        validate_chunk(raw, codec(name), "label")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**22


def test_validate_chunk__what_is_not_compressed_has_its_length():
    layout = ChunkLayout(100, 800, (), is_text=False)
    validate_chunk(bytes(800), layout, "label")
    for n_bytes in (0, 799, 801):
        with pytest.raises(StoreError, match=f"800 bytes, found {n_bytes}"):
            validate_chunk(bytes(n_bytes), layout, "label")


def test_validate_chunk__zstd_that_announces_nothing_is_counted():
    validate_chunk(zstd_of(800, announced=False), codec("zstd"), "label")
    with pytest.raises(StoreError, match="800 bytes, unpacked, found 808"):
        validate_chunk(zstd_of(808, announced=False), codec("zstd"), "label")


@pytest.mark.parametrize("announced", [2, 4, 2**32 - 1])
def test_validate_chunk__texts_are_counted(announced):
    layout = ChunkLayout(3, 4300, ("zstd",), is_text=True)
    texts = struct.pack("<I", announced) + (struct.pack("<I", 1) + b"a") * 3
    with pytest.raises(StoreError, match=f"3 texts, found {announced}"):
        validate_chunk(zstd.compress(texts, 1), layout, "layer")
    validate_chunk(zstd.compress(struct.pack("<I", 3) + texts[4:], 1), layout, "layer")


SHARD = ChunkLayout(100, 800, ("zstd",), is_text=False, n_chunks=2, index_bytes=32)


def shard(*places: tuple[int, int]) -> bytes:
    return bytes(100) + b"".join(struct.pack("<QQ", *one) for one in places)


@pytest.mark.parametrize(
    "place", [(0, 2**60), (2**63, 100), (100, 100), (0, 5000), (2**64 - 1, 1), (120, 20)]
)
def test_validate_index__a_chunk_that_is_not_in_its_shard(place):
    missing = (2**64 - 1, 2**64 - 1)
    with pytest.raises(StoreError, match="within its shard and have at most 4908 bytes"):
        validate_file(shard(missing, place), SHARD, "code")


def test_validate_index__what_is_missing_is_left_out():
    missing = struct.pack("<QQ", 2**64 - 1, 2**64 - 1)
    assert validate_index(missing * 2, SHARD, "code") == []
    assert validate_index(missing + struct.pack("<QQ", 8, 30), SHARD, "code") == [(8, 30)]
    with pytest.raises(StoreError, match="must have 32 bytes, found 31"):
        validate_index(bytes(31), SHARD, "code")
    with pytest.raises(StoreError, match="an index of 32 bytes, found 5"):
        validate_file(bytes(5), SHARD, "code")


def test_validate_file__a_bomb_in_a_shard(tmp_path):
    array = store(tmp_path, shards=(6, 50))
    layout = chunk_layout(array.metadata.to_dict())
    assert (layout.n_chunks, layout.n_bytes, layout.codecs) == (3, 800, ("zstd",))
    file = tmp_path / "a.zarr" / "c" / "0" / "0"
    good = file.read_bytes()
    validate_file(good, layout, "a")
    start, length = struct.unpack_from("<QQ", good, len(good) - layout.index_bytes)
    frame = good[start : start + length]
    assert frame[4] >> 6 == 1  # the size is in two bytes, after the descriptor
    bad = good[: start + 5] + b"\xff\xff" + good[start + 7 :]
    with pytest.raises(StoreError, match=re.escape("800 bytes, unpacked, found 65791")):
        validate_file(bad, layout, "a")


@pytest.mark.parametrize("what", ["folder", "pipe", "endless", "nowhere", "itself", "sparse"])
def test_guarded_store__what_is_no_file(tmp_path, what):
    import os

    array = store(tmp_path)
    file = tmp_path / "a.zarr" / "c" / "0" / "0"
    if what != "sparse":
        file.unlink()
    {
        "folder": file.mkdir,
        "pipe": lambda: os.mkfifo(file),
        "endless": lambda: file.symlink_to("/dev/zero"),
        "nowhere": lambda: file.symlink_to("nothing"),
        "itself": lambda: file.symlink_to(file),
        "sparse": lambda: os.truncate(file, 2**34),
    }[what]()
    with pytest.raises(StoreError, match=r"c/0/0: it .*restore it from a copy"):
        read(array)
