"""Which codecs a chunk may have, with which settings."""

from collections.abc import Container, Mapping, Sequence
from math import prod
from typing import Any

from ibtools.errors import StoreError
from ibtools.store.validation.bounds import CHUNKS

_SAVE = "; save the store anew with the codecs that xarray chooses itself"

_BYTES = ("zstd", "blosc", "gzip", "crc32c")
_ARRAYS = ("bytes", "vlen-utf8", "sharding_indexed")
_MOST_CODECS = 8

Shape = tuple[int, ...]


def validate_codecs(
    codecs: Any, chunk: Shape, data_type: Any, where: str, *, in_shard: bool = False
) -> Shape:
    """Check the codecs of an array, as metadata list them, before any is made.

    Parameters
    ----------
    codecs : object
        What `codecs` says.
    chunk : tuple of int
        Shape of the chunks of the grid.
    data_type : object
        What `data_type` says.
    where : str
        The array, for the error.
    in_shard : bool, optional
        Whether these are of the chunks in a shard.

    Returns
    -------
    tuple of int
        Shape of what is decoded at once: of the chunks in a shard, or of the chunk.

    Raises
    ------
    StoreError
        If a codec is unknown, in the wrong place, or has settings that it can't have.
    """
    listed = [_codec(one, where) for one in _list(codecs, where)]
    names = [name for name, _ in listed]
    kinds = "".join("0" if one == "transpose" else "1" if one in _ARRAYS else "2" for one in names)
    if kinds.count("1") != 1 or list(kinds) != sorted(kinds):
        raise StoreError(
            f"{where}: codecs must be transpose or nothing, then one of {', '.join(_ARRAYS)}, then "
            f"any of {', '.join(_BYTES)}, found {', '.join(names) or 'none'}{_SAVE}"
        )
    if len(set(names)) < len(names):
        raise StoreError(f"{where}: a codec must be there once, found {', '.join(names)}{_SAVE}")
    fits = ("vlen-utf8" in names) == (data_type == "string")
    if not fits and "sharding_indexed" not in names:
        raise StoreError(
            f"{where}: texts, and nothing else, must have the codec vlen-utf8, found "
            f"{', '.join(names)} for {data_type!r:.40}{_SAVE}"
        )
    inner = chunk
    for name, settings in listed:
        if name == "sharding_indexed":
            if in_shard:
                raise StoreError(f"{where}: a shard must not be in a shard, found one{_SAVE}")
            inner = _validate_shard(settings, inner, data_type, where)
        else:
            inner = _validate_settings(name, settings, inner, where)
    return inner


def _list(codecs: Any, where: str) -> Sequence[Any]:
    if not isinstance(codecs, list) or len(codecs) > _MOST_CODECS:
        raise StoreError(
            f"{where}: codecs must be a list of at most {_MOST_CODECS}, found {codecs!r:.60}{_SAVE}"
        )
    return codecs


def _codec(one: Any, where: str) -> tuple[str, Mapping[str, Any]]:
    """Return the name of a codec and its settings."""
    found = {"name": one} if isinstance(one, str) else one
    name = found.get("name") if isinstance(found, dict) else None
    settings = found.get("configuration", {}) if isinstance(found, dict) else None
    if name not in ("transpose", *_ARRAYS, *_BYTES):
        raise StoreError(
            f"{where}: a codec must be transpose or one of {', '.join((*_ARRAYS, *_BYTES))}, found "
            f"{one!r:.60}{_SAVE}"
        )
    if not isinstance(settings, dict):
        raise StoreError(
            f"{where}: settings of the codec {name} must be an object, found {settings!r:.60}"
            f"{_SAVE}"
        )
    return str(name), settings


def _validate_settings(name: str, settings: Mapping[str, Any], chunk: Shape, where: str) -> Shape:
    """Check the settings of a codec that is no shard; return the shape that it leaves."""
    order: Any = settings.get("order")
    ranges: Mapping[str, Mapping[str, Container[Any]]] = {
        "bytes": {"endian": ("little", "big", None)},
        "zstd": {"level": range(-131072, 23), "checksum": (True, False)},
        "gzip": {"level": range(10)},
        "blosc": {
            "cname": ("lz4", "lz4hc", "blosclz", "snappy", "zlib", "zstd"),
            "clevel": range(10),
            "shuffle": ("noshuffle", "shuffle", "bitshuffle"),
            "typesize": range(1, 256),
            "blocksize": range(2**31),
        },
    }
    for key, value in settings.items():
        allowed = ranges.get(name, {}).get(key)
        if allowed is not None and (isinstance(value, (float, list, dict)) or value not in allowed):
            raise StoreError(
                f"{where}: {key} of the codec {name} must be another than {value!r:.60}{_SAVE}"
            )
    if name != "transpose":
        return chunk
    is_order = isinstance(order, list) and all(type(one) is int for one in order)
    if not is_order or sorted(order) != list(range(len(chunk))):
        raise StoreError(
            f"{where}: the codec transpose must have an order of {len(chunk)} dimensions, found "
            f"{order!r:.60}{_SAVE}"
        )
    return tuple(chunk[one] for one in order)


def _validate_shard(settings: Mapping[str, Any], shard: Shape, data_type: Any, where: str) -> Shape:
    inner: Any = settings.get("chunk_shape")
    known = isinstance(inner, list) and len(inner) == len(shard)
    if not known or not all(type(one) is int and one >= 1 for one in inner):
        raise StoreError(
            f"{where}: chunks in a shard must have {len(shard)} sizes from 1, found {inner!r:.60}"
            f"{_SAVE}"
        )
    if any(whole % one for whole, one in zip(shard, inner, strict=True)):
        raise StoreError(
            f"{where}: a shard of {list(shard)} must be whole chunks, found {inner}{_SAVE}"
        )
    if prod(shard) // prod(inner) > CHUNKS:
        raise StoreError(
            f"{where}: a shard must have at most {CHUNKS} chunks, found {list(shard)} in chunks of "
            f"{inner}{_SAVE}"
        )
    if settings.get("index_location", "end") not in ("start", "end"):
        raise StoreError(
            f"{where}: index_location must be start or end, found "
            f"{settings['index_location']!r:.60}{_SAVE}"
        )
    _validate_index(settings.get("index_codecs"), where)
    within = settings.get("codecs")
    return validate_codecs(within, tuple(inner), data_type, where, in_shard=True)


def _validate_index(codecs: Any, where: str) -> None:
    """Check that the index of a shard is bytes of a known length, with a checksum or without."""
    listed = [_codec(one, where) for one in _list(codecs, where)]
    if [name for name, _ in listed] not in (["bytes"], ["bytes", "crc32c"]):
        raise StoreError(
            f"{where}: the index of a shard must have the codecs bytes and crc32c, found "
            f"{codecs!r:.60}{_SAVE}"
        )
    for name, settings in listed:
        _validate_settings(name, settings, (), where)
