"""Ways to damage a store: each knows what a store is made of, and is told in one line."""

import json
import os
import shutil
import struct
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from hypothesis import strategies as st
from numcodecs import blosc, zstd

Damage = Callable[[Path], None]

HOSTILE: list[Any] = [
    None, True, False, 0, 1, -1, 2, 3, 7, 1.5, -0.5, 2**31, 2**33, 2**60, 2**63, 10**30,
    float("nan"), float("inf"), "", "x", "int64", "float64", "string", "\x1b[31mred", "=1+1",
    "../..", "é" * 300,
    "{", "[1]", "{}", '{"a": 1}', '{"a": {"b": []}}', "NaN", "group", "array", [], {}, [None], [[]],
    {"a": 1}, ["a", "a"], ["a", 1.5], [0], [1], [2**40], [-1], list(range(300)), "days since 2000",
    {"name": "nope"}, {"name": "zstd", "configuration": {"level": 99}}, [{"name": "crc32c"}],
]  # fmt: skip
"""Values for any place of any metadata."""

SIZES = [0, -1, 1, 2, 3, 5, 2**16, 2**22, 2**24, 10**9, 2**40, 2**60, 2**62, 2**64]

NUMBERS = [0, 1, -1, 2, 3, 8, 17, 32, 100, 2**20, 2**31 - 1, 2**60, -(2**60)]
FLOATS = [0.0, -1.0, 1.5, float("nan"), float("inf"), -float("inf"), 1e-300, 1e300]
TEXTS = [
    "",
    " ",
    "x",
    "first",
    "train",
    "test",
    "prefit",
    "trained",
    "\0",
    "\x1b[31m",
    "=1",
    "a" * 5000,
]

DTYPES = [
    "int8", "int64", "uint8", "uint16", "uint64", "float16", "float32", "float64", "bool", "string",
    "complex128", "bfloat16", "r8", "nope", {"name": "fixed_length_utf32"},
    {"name": "fixed_length_utf32", "configuration": {"length_bytes": 2**40}},
    {"name": "fixed_length_utf32", "configuration": {"length_bytes": 40}},
    {"name": "numpy.datetime64", "configuration": {"unit": "s", "scale_factor": 1}},
    {"name": "struct", "configuration": {"fields": []}},
]  # fmt: skip

CODECS: list[Any] = [
    {"name": "bytes", "configuration": {"endian": "little"}},
    {"name": "bytes"},
    {"name": "zstd", "configuration": {"level": 0, "checksum": False}},
    {"name": "gzip", "configuration": {"level": 1}},
    {"name": "blosc", "configuration": {"typesize": 0}},
    {"name": "blosc", "configuration": {"cname": "zstd", "clevel": 1, "shuffle": "shuffle",
                                        "typesize": 4, "blocksize": 0}},
    {"name": "crc32c"},
    {"name": "vlen-utf8"},
    {"name": "transpose", "configuration": {"order": [0]}},
    {"name": "transpose", "configuration": {"order": [4, 3, 2, 1, 0]}},
    {"name": "numcodecs.pickle"},
    {"name": "numcodecs.delta", "configuration": {"dtype": "int64"}},
    {"name": "sharding_indexed", "configuration": {}},
    "bytes", "zstd", 1, None,
]  # fmt: skip

NAMES = ["exact", "x", "=1+1", "<b>", "\x1b[31m", "é", "a b", "$x$", "binned-30", "a" * 200, ".."]


def files_of(store: Path) -> list[str]:
    """Return every file below a store, by its path there."""
    return sorted(str(one.relative_to(store)) for one in store.rglob("*") if one.is_file())


def damages(store: Path) -> st.SearchStrategy[tuple[str, Damage]]:
    """Draw a damage to a store with these files: what it does, and what does it."""
    files = _recording_first(files_of(store))
    nodes = [one for one in files if one.endswith("zarr.json")]
    chunks = [one for one in files if not one.endswith("zarr.json")]
    arrays = [one for one in nodes if json.loads((store / one).read_text())["node_type"] == "array"]
    folders = sorted({str(Path(one).parent) for one in files if "/" in one})
    groups = [one for one in nodes if one not in arrays]
    return st.one_of(
        st.builds(edit_json, st.sampled_from(nodes), st.integers(0, 10**6), _anything()),
        st.builds(edit_json, st.sampled_from(arrays), st.integers(0, 10**6), _anything()),
        st.builds(drop_json, st.sampled_from(nodes), st.integers(0, 10**6)),
        st.builds(
            resize,
            st.sampled_from(arrays),
            st.integers(0, 4),
            st.sampled_from(SIZES),
            st.booleans(),
        ),
        st.builds(set_key, st.sampled_from(arrays), st.just("data_type"), st.sampled_from(DTYPES)),
        st.builds(
            set_key,
            st.sampled_from(arrays),
            st.just("codecs"),
            st.lists(st.sampled_from(CODECS), max_size=4),
        ),
        st.builds(write_text, st.sampled_from(nodes), st.sampled_from(GARBAGE)),
        st.builds(
            set_attribute,
            st.sampled_from(groups),
            st.sampled_from(ATTRIBUTES),
            st.sampled_from(HOSTILE),
        ),
        st.builds(
            set_attribute,
            st.sampled_from(arrays),
            st.sampled_from(CODING),
            st.sampled_from(HOSTILE),
        ),
        st.builds(put, st.sampled_from(arrays), st.integers(0, 10**6), st.integers(0, 10**6)),
        st.builds(put_everywhere, st.sampled_from(arrays), st.integers(0, 10**6)),
        st.builds(FILE_DAMAGES.__getitem__, st.sampled_from(sorted(FILE_DAMAGES))).flatmap(
            lambda damage: st.builds(damage, st.sampled_from(files), st.integers(0, 10**6))
        ),
        st.builds(swap, st.sampled_from(chunks), st.sampled_from(chunks)),
        st.builds(bomb, st.sampled_from(chunks), st.sampled_from(sorted(BOMBS))),
        st.builds(delete_folder, st.sampled_from(folders)),
        st.builds(copy_folder, st.sampled_from(folders), st.sampled_from(folders)),
        st.builds(rename_folder, st.sampled_from(folders), st.sampled_from(NAMES)),
    )


def _recording_first(files: list[str]) -> list[str]:
    """Repeat the files of the recording, which all commands read, beside those of results."""
    recorded = [one for one in files if not one.startswith(("information", "details"))]
    return files + 3 * recorded


def _anything() -> st.SearchStrategy[Any]:
    return st.one_of(
        st.sampled_from(HOSTILE), st.sampled_from(SIZES), st.just("deep"), st.sampled_from(CODECS)
    )


ATTRIBUTES = [
    "format", "format_version", "experiment", "created", "ibtools_version", "store_id", "data",
    "configuration", "layers_left_out", "inputs", "layers", "classes", "inputs_distinct",
    "inputs_distinct_quantised", "features", "features_constant_quantised", "coordinates",
    "content_digest", "estimator", "revision", "n_samples", "entropy_x", "entropy_y",
    "bounds_low", "digested_layers", "label_checksum", "note_mi_xt", "data_checksum",
]  # fmt: skip

CODING = [
    "units", "calendar", "scale_factor", "add_offset", "_FillValue", "missing_value", "dtype",
    "coordinates", "long_name", "_Unsigned", "grid_mapping", "_ARRAY_DIMENSIONS", "description",
]  # fmt: skip

GARBAGE = [
    "", "[]", "null", "1", "{", "\0\0\0", "{}", '{"zarr_format": 3}', '"x"', "[" * 100_000,
    '{"a":' * 5000 + "1" + "}" * 5000, '{"zarr_format": 3, "node_type": "group"}',
    '{"zarr_format": 2, "node_type": "group", "attributes": {}}', "nul",
    "1" * 10_000,
]  # fmt: skip


def _places(node: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return where there is anything in JSON."""
    below = node.items() if isinstance(node, dict) else enumerate(node)
    found = []
    for key, value in below:
        found.append((*at, key))
        if isinstance(value, (dict, list)):
            found += _places(value, (*at, key))
    return found


def _edit(store: Path, file: str, number: int, change: Callable[[Any, Any], None]) -> None:
    path = store / file
    if not path.is_file():
        return
    node = json.loads(path.read_text())
    places = _places(node)
    *above, key = places[number % len(places)]
    within = node
    for one in above:
        within = within[one]
    change(within, key)
    path.write_text(json.dumps(node))


def edit_json(file: str, number: int, value: Any) -> tuple[str, Damage]:
    deep: Any = 1
    for _ in range(200):
        deep = [deep]

    def change(within: Any, key: Any) -> None:
        within[key] = deep if value == "deep" else value

    return f"edit {file} {number} {value!r:.60}", lambda store: _edit(store, file, number, change)


def drop_json(file: str, number: int) -> tuple[str, Damage]:
    def change(within: Any, key: Any) -> None:
        del within[key]

    return f"drop {file} {number}", lambda store: _edit(store, file, number, change)


def set_key(file: str, key: str, value: Any) -> tuple[str, Damage]:
    def damage(store: Path) -> None:
        node = json.loads((store / file).read_text())
        node[key] = value
        (store / file).write_text(json.dumps(node))

    return f"set {file} {key} {value!r:.80}", damage


def resize(file: str, dim: int, size: int, chunked: bool) -> tuple[str, Damage]:
    """Let an array, or its chunks, have another size than it has."""

    def damage(store: Path) -> None:
        node = json.loads((store / file).read_text())
        shape = node["chunk_grid"]["configuration"]["chunk_shape"] if chunked else node["shape"]
        if shape:
            shape[dim % len(shape)] = size
        (store / file).write_text(json.dumps(node))

    return f"resize {file} {dim} {size} chunks={chunked}", damage


def write_text(file: str, text: str) -> tuple[str, Damage]:
    return f"write {file} {text!r:.40}", lambda store: _write(store / file, text.encode())


def _write(path: Path, content: bytes) -> None:
    if path.parent.is_dir() and not path.is_dir():
        path.write_bytes(content)


def set_attribute(file: str, name: str, value: Any) -> tuple[str, Damage]:
    def damage(store: Path) -> None:
        node = json.loads((store / file).read_text())
        node.setdefault("attributes", {})[name] = value
        (store / file).write_text(json.dumps(node))

    return f"attribute {file} {name} {value!r:.60}", damage


def _value(array: Any, number: int) -> Any:
    kind = array.dtype.kind
    pool = TEXTS if kind in "TUO" else FLOATS if kind == "f" else NUMBERS
    value = pool[number % len(pool)]
    if kind in "iub":
        return np.array(value, "int64").astype(array.dtype)
    return value


def put(file: str, number: int, at: int) -> tuple[str, Damage]:
    """Put a value that is allowed by the dtype, and by little else."""

    def damage(store: Path) -> None:
        array = zarr.open_array(store / Path(file).parent, mode="r+", zarr_format=3)
        if array.size:
            array[np.unravel_index(at % array.size, array.shape)] = _value(array, number)

    return f"put {file} {number} {at}", damage


def put_everywhere(file: str, number: int) -> tuple[str, Damage]:
    def damage(store: Path) -> None:
        array = zarr.open_array(store / Path(file).parent, mode="r+", zarr_format=3)
        array[...] = _value(array, number)

    return f"put everywhere {file} {number}", damage


def _delete(path: Path, number: int) -> None:
    path.unlink(missing_ok=True)


def _truncate(path: Path, number: int) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: number % (len(content) + 1)])


def _flip(path: Path, number: int) -> None:
    content = bytearray(path.read_bytes())
    if content:
        content[number // 8 % len(content)] ^= 1 << number % 8
    path.write_bytes(bytes(content))


def _append(path: Path, number: int) -> None:
    path.write_bytes(path.read_bytes() + bytes([number % 256]) * (1 + number % 5000))


def _link_to_itself(path: Path, number: int) -> None:
    path.unlink()
    path.symlink_to(path)


def _link_to_nothing(path: Path, number: int) -> None:
    path.unlink()
    path.symlink_to(path.parent / "nothing")


def _folder(path: Path, number: int) -> None:
    path.unlink()
    path.mkdir()


def _sparse(path: Path, number: int) -> None:
    os.truncate(path, 2**30 + number)


def _pipe(path: Path, number: int) -> None:
    path.unlink()
    os.mkfifo(path)


def _endless(path: Path, number: int) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def _on_file(name: str, change: Callable[[Path, int], None]) -> Callable[..., tuple[str, Damage]]:
    def build(file: str, number: int) -> tuple[str, Damage]:
        def damage(store: Path) -> None:
            if (store / file).is_file():
                change(store / file, number)

        return f"{name} {file} {number}", damage

    return build


FILE_DAMAGES = {
    name: _on_file(name, change)
    for name, change in {
        "delete": _delete, "truncate": _truncate, "flip": _flip, "append": _append,
        "flip again": _flip, "link to itself": _link_to_itself, "link to nothing": _link_to_nothing,
        "folder": _folder, "sparse": _sparse, "pipe": _pipe, "endless": _endless,
    }.items()
}  # fmt: skip


def swap(one: str, other: str) -> tuple[str, Damage]:
    def damage(store: Path) -> None:
        first, second = store / one, store / other
        if first.is_file() and second.is_file():
            contents = first.read_bytes(), second.read_bytes()
            second.write_bytes(contents[0])
            first.write_bytes(contents[1])

    return f"swap {one} {other}", damage


def zstd_of(n_bytes: int, *, announced: bool = True) -> bytes:
    """Return a frame of zstd with so many equal bytes, without ever having them."""
    blocks, left = [], n_bytes
    while left:
        size = min(left, 2**17)
        left -= size
        blocks.append(struct.pack("<I", size << 3 | 1 << 1 | (not left))[:3] + b"\0")
    head = b"\x28\xb5\x2f\xfd" + (b"\xc0\x58" if announced else b"\x00\x58")
    return head + (struct.pack("<Q", n_bytes) if announced else b"") + b"".join(blocks)


def gzip_of(n_bytes: int) -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    parts = [packer.compress(bytes(2**20)) for _ in range(n_bytes >> 20)]
    return b"".join([*parts, packer.flush()])


def blosc_of(n_bytes: int) -> bytes:
    packed = bytearray(blosc.compress(bytes(2**16), b"zstd", 1))
    packed[4:8] = struct.pack("<I", n_bytes)
    return bytes(packed)


BOMBS: dict[str, Callable[[], bytes]] = {
    "zstd": cache(lambda: zstd_of(2**31)),
    "zstd, not announced": cache(lambda: zstd_of(2**31, announced=False)),
    "zstd, second frame": cache(lambda: zstd.compress(bytes(512), 1) + zstd_of(2**31)),
    "gzip": cache(lambda: gzip_of(2**28)),
    "blosc": lambda: blosc_of(2**31 - 100),
    "texts": lambda: zstd.compress(struct.pack("<I", 2**32 - 1) + bytes(100), 1),
}


def bomb(file: str, kind: str) -> tuple[str, Damage]:
    return f"bomb {file} {kind}", lambda store: _write(store / file, BOMBS[kind]())


def delete_folder(folder: str) -> tuple[str, Damage]:
    return f"delete folder {folder}", lambda store: shutil.rmtree(
        store / folder, ignore_errors=True
    )


def copy_folder(source: str, target: str) -> tuple[str, Damage]:
    def damage(store: Path) -> None:
        inside = Path(target).is_relative_to(source) or Path(source).is_relative_to(target)
        if inside or not (store / source).is_dir():
            return
        shutil.rmtree(store / target, ignore_errors=True)
        if (store / target).parent.is_dir():
            shutil.copytree(store / source, store / target)

    return f"copy {source} {target}", damage


def rename_folder(folder: str, name: str) -> tuple[str, Damage]:
    def damage(store: Path) -> None:
        target = (store / folder).parent / name
        if (store / folder).is_dir() and not target.exists():
            (store / folder).rename(target)

    return f"rename {folder} {name!r:.20}", damage
