"""Metadata of arrays and groups, judged as bytes and JSON before zarr parses them."""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import prod
from textwrap import shorten
from typing import Any, cast

from ibtools.errors import StoreError
from ibtools.store.validation.bounds import CHUNK_BYTES, ITEM_BYTES, METADATA_BYTES, METADATA_DEPTH
from ibtools.store.validation.codecs import validate_codecs

NODE = "zarr.json"
"""The file that makes a folder an array or a group."""

ITEM_SIZES = {
    "bool": 1, "int8": 1, "int16": 2, "int32": 4, "int64": 8,
    "uint8": 1, "uint16": 2, "uint32": 4, "uint64": 8,
    "float16": 2, "float32": 4, "float64": 8, "complex64": 8, "complex128": 16,
    "numpy.datetime64": 8, "numpy.timedelta64": 8, "string": 16,
}  # fmt: skip
"""Data types that arrays may have, and bytes of a value in memory; of texts, without their letters.
Further ones have their length in bytes in their configuration."""

_SIZED = ("fixed_length_utf32", "null_terminated_bytes", "raw_bytes")
_FAULTY = "; the store is damaged, or was not written by zarr: restore it from a copy"
_KEYS = {
    "group": ("zarr_format", "node_type", "attributes", "consolidated_metadata"),
    "array": (
        "zarr_format", "node_type", "attributes", "shape", "data_type", "chunk_grid",
        "chunk_key_encoding", "fill_value", "codecs", "dimension_names", "storage_transformers",
    ),
}  # fmt: skip
_MOST_DIMS = 8
_MOST_KNOWN = 2**17
_MOST_SIZE = 2**48


def parse_node(raw: bytes, where: str) -> dict[str, Any]:
    """Parse and judge a file of metadata: what zarr can parse, and would parse to this.

    It is given as a whole, or up to one byte more than
    `ibtools.store.validation.bounds.METADATA_BYTES`.
    """
    if len(raw) > METADATA_BYTES:
        raise StoreError(
            f"{where}: metadata must be at most {METADATA_BYTES} bytes, found more{_FAULTY}"
        )
    known = _parse_known(raw) if len(raw) <= _MOST_KNOWN else None
    return _parse(raw, where) if known is None else known


@lru_cache(maxsize=1024)
def _parse_known(raw: bytes) -> dict[str, Any] | None:
    """Parse metadata once, however often a store is opened; None for what is refused."""
    try:
        return _parse(raw, "")
    except StoreError:
        return None


def _parse(raw: bytes, where: str) -> dict[str, Any]:
    node = parse_json(raw, where)
    validate_node(node, where)
    return node


def parse_json(raw: bytes | str, where: str) -> dict[str, Any]:
    """Parse a JSON object of bounded depth."""
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError) as err:
        raise StoreError(
            f"{where}: must be a JSON object, found {_show(raw)} ({shorten(str(err), 80)}){_FAULTY}"
        ) from err
    if not isinstance(found, dict):
        raise StoreError(f"{where}: must be a JSON object, found {_show(raw)}{_FAULTY}")
    level: list[Any] = [found]
    for _ in range(METADATA_DEPTH):
        level = [below for one in level for below in _below(one)]
    if level:
        raise StoreError(
            f"{where}: must be JSON of at most {METADATA_DEPTH} levels, found more{_FAULTY}"
        )
    return found


def validate_node(node: Mapping[str, Any], where: str) -> None:
    """Judge parsed metadata, those of an array or of a group with all that it repeats of others."""
    if node.get("zarr_format") != 3 or isinstance(node.get("zarr_format"), bool):
        raise StoreError(
            f"{where}: zarr_format must be 3, found {_show(node.get('zarr_format'))}{_FAULTY}"
        )
    kind = node.get("node_type")
    if kind not in ("array", "group"):
        raise StoreError(
            f"{where}: node_type must be 'array' or 'group', found {_show(kind)}{_FAULTY}"
        )
    _require(isinstance(node.get("attributes", {}), dict), where, "attributes", node, "an object")
    foreign = [str(key) for key in node if key not in _KEYS[kind]]
    if foreign:
        raise StoreError(
            f"{where}: metadata of {'an array' if kind == 'array' else 'a group'} must not have "
            f"{foreign[0]!r:.40}{_FAULTY}"
        )
    if kind == "group":
        _validate_consolidated(node.get("consolidated_metadata"), where)
    else:
        _validate_array(node, where)


def _validate_consolidated(found: Any, where: str) -> None:
    if found is None:
        return
    within = found.get("metadata") if isinstance(found, dict) else None
    if not isinstance(within, dict) or found.get("kind") != "inline":
        raise StoreError(
            f"{where}: consolidated_metadata must hold metadata, found {_show(found)}{_FAULTY}"
        )
    for name, node in within.items():
        place = f"{where}, consolidated_metadata of {name}"
        if not isinstance(node, dict):
            raise StoreError(f"{place}: must be a JSON object, found {_show(node)}{_FAULTY}")
        if node.get("node_type") == "group" and node.get("consolidated_metadata") is not None:
            _validate_consolidated_of_group(node["consolidated_metadata"], place)
        validate_node(
            {key: one for key, one in node.items() if key != "consolidated_metadata"}, place
        )


def _validate_consolidated_of_group(found: Any, where: str) -> None:
    """Judge what a group within repeats of others: zarr writes it empty."""
    if not isinstance(found, dict) or found.get("metadata") != {}:
        raise StoreError(f"{where}: must be empty within the root's, found {_show(found)}{_FAULTY}")


def _validate_array(node: Mapping[str, Any], where: str) -> None:
    shape = _sizes(node.get("shape"), where, "shape", least=0)
    item = item_size(node.get("data_type"), where)
    grid: Any = node.get("chunk_grid")
    settings = grid.get("configuration") if isinstance(grid, dict) else None
    if not isinstance(settings, dict) or grid.get("name") != "regular":
        raise StoreError(f"{where}: chunk_grid must be regular, found {_show(grid)}{_FAULTY}")
    # earlier versions of ibtools cut an axis without entries into chunks of nothing
    least = 0 if 0 in shape else 1
    chunk = _sizes(settings.get("chunk_shape"), where, "chunk_shape", least=least)
    if len(chunk) != len(shape):
        raise StoreError(
            f"{where}: chunk_shape must have a size for each of {len(shape)} dimensions, found "
            f"{list(chunk)}{_FAULTY}"
        )
    inner = validate_codecs(node.get("codecs"), chunk, node["data_type"], where)
    if prod(inner) * item > CHUNK_BYTES:
        raise StoreError(
            f"{where}: a chunk must take at most {CHUNK_BYTES} bytes in memory, found "
            f"{' x '.join(map(str, inner))} values of {item}; save the store anew in smaller chunks"
        )
    _validate_labels(node, len(shape), where)
    _validate_fill(node, where)


def _validate_labels(node: Mapping[str, Any], n_dims: int, where: str) -> None:
    """Judge the names of dimensions, and what else says where chunks are."""
    names = node.get("dimension_names")
    known = names is None or (
        isinstance(names, list)
        and len(names) == n_dims
        and all(name is None or isinstance(name, str) for name in names)
    )
    _require(known, where, "dimension_names", node, f"{n_dims} texts")
    encoding = node.get("chunk_key_encoding")
    settings = encoding.get("configuration", {}) if isinstance(encoding, dict) else None
    known = (
        isinstance(settings, dict)
        and cast("dict[str, Any]", encoding).get("name") in ("default", "v2")
        and settings.get("separator", "/") in ("/", ".")
    )
    _require(known, where, "chunk_key_encoding", node, "default or v2, with / or .")
    _require(not node.get("storage_transformers"), where, "storage_transformers", node, "none")


def item_size(data_type: Any, where: str) -> int:
    """Return the bytes of a value in memory, of a data type as metadata have it.

    Raises
    ------
    StoreError
        If it is unknown here, or a value would be too long.
    """
    settings = data_type.get("configuration", {}) if isinstance(data_type, dict) else {}
    name = data_type.get("name") if isinstance(data_type, dict) else data_type
    size = ITEM_SIZES.get(name) if isinstance(name, str) else None
    if name in _SIZED and isinstance(settings, dict):
        size = settings.get("length_bytes")
        if type(size) is not int or not 0 <= size <= ITEM_BYTES:
            raise StoreError(
                f"{where}: length_bytes of {name} must be 0 to {ITEM_BYTES}, found {_show(size)}"
                f"{_FAULTY}"
            )
    if size is None:
        raise StoreError(
            f"{where}: data_type must be one of {', '.join(ITEM_SIZES)}, found {_show(data_type)}; "
            "save the store anew without this variable, or as numbers or texts"
        )
    return size


def _validate_fill(node: Mapping[str, Any], where: str) -> None:
    """Judge a missing value: a number (or the words for it that JSON lacks), a text, or a bool."""
    data_type = node["data_type"]
    name = data_type["name"] if isinstance(data_type, dict) else data_type
    fill = node.get("fill_value")
    if name == "bool":
        _require(isinstance(fill, bool), where, "fill_value", node, "true or false")
    elif name.startswith(("int", "uint")):
        bits = 8 * ITEM_SIZES[name]
        low, high = (0, 2**bits) if name.startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1))
        fits = type(fill) is int and low <= fill < high
        _require(fits, where, "fill_value", node, f"a whole number of type {name}")
    elif name in ("string", "fixed_length_utf32"):
        _require(isinstance(fill, str), where, "fill_value", node, "a text")
    elif name.startswith("float"):
        number = type(fill) in (int, float) or fill in ("NaN", "Infinity", "-Infinity")
        coded = isinstance(fill, str) and fill.startswith("0x") and len(fill) <= 18
        _require(number or coded, where, "fill_value", node, f"a number of type {name}")


def _sizes(found: Any, where: str, what: str, *, least: int) -> tuple[int, ...]:
    known = isinstance(found, list) and len(found) <= _MOST_DIMS
    if not known or not all(type(one) is int and least <= one <= _MOST_SIZE for one in found):
        raise StoreError(
            f"{where}: {what} must be at most {_MOST_DIMS} whole numbers from {least} to "
            f"{_MOST_SIZE}, found {_show(found)}{_FAULTY}"
        )
    return tuple(cast("Sequence[int]", found))


def _require(holds: bool, where: str, key: str, node: Mapping[str, Any], wanted: str) -> None:
    if not holds:
        raise StoreError(f"{where}: {key} must be {wanted}, found {_show(node.get(key))}{_FAULTY}")


def _below(one: Any) -> Sequence[Any]:
    below = one.values() if isinstance(one, dict) else one
    return [each for each in below if isinstance(each, (dict, list))]


def _show(found: Any) -> str:
    """Write what was found, no longer than there is room."""
    if isinstance(found, (bytes, str)) and not found:
        return "nothing"
    text = repr(found[:80]) if isinstance(found, (bytes, str, list)) else repr(found)
    return shorten(text, 60, placeholder="...") if " " in text[:60] else text[:60]
