"""Reading whole shards of a cube: real units only, each put into the order of rows once.

What is decoded lies as the store keeps it, unit by unit and epoch after epoch. Zarr would turn all
of it around, padding too, and so takes most of the time that an analysis of narrow layers takes.
Files are read through the store all the same, which compares them with their checksums.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self, cast

import numpy as np
import zarr
from numcodecs.zstd import decompress
from numpy.typing import NDArray
from zarr.buffer import default_buffer_prototype
from zarr.codecs import BytesCodec, Crc32cCodec, ShardingCodec, TransposeCodec, ZstdCodec
from zarr.core.metadata import ArrayV3Metadata
from zarr.core.sync import sync

from ibtools.kernel import kernel
from ibtools.store.checksums import CRC_BYTES, NONE, Grid, checksum
from ibtools.store.schema import CUBE

_TILE = 16  # samples
_WORD_BYTES = 8


def padded_row_bytes(n_bytes: int) -> int:
    """Return the bytes that a row takes: a power of two, or whole words of eight.

    Examples
    --------
    >>> [padded_row_bytes(n) for n in (1, 3, 5, 10)]
    [1, 4, 8, 16]
    """
    if n_bytes >= _WORD_BYTES:
        return -(-n_bytes // _WORD_BYTES) * _WORD_BYTES
    return 1 << (n_bytes - 1).bit_length()


@kernel
def _put_in_order(stored: NDArray[Any], out: NDArray[Any], per_word: int, bits: int) -> None:
    """Copy (unit, sample, epoch) to the words of rows, (epoch, sample, word), little-endian.

    Words are put together for all epochs at once, which lie side by side, and turned around tile by
    tile: a tile of some samples stays in the processor's cache.
    """
    n_epochs, n_samples, n_words = out.shape
    tile = np.empty((n_epochs, _TILE, n_words), out.dtype)
    word = np.empty(n_epochs, out.dtype)
    for start in range(0, n_samples, _TILE):
        n = min(_TILE, n_samples - start)
        for w in range(n_words):
            first = w * per_word
            last = min(first + per_word, len(stored))
            for sample in range(n):
                word[:] = 0
                for unit in range(first, last):
                    shift = np.uint64(bits * (unit - first))
                    for epoch in range(n_epochs):
                        word[epoch] |= np.uint64(stored[unit, start + sample, epoch]) << shift
                for epoch in range(n_epochs):
                    tile[epoch, sample, w] = word[epoch]
        for epoch in range(n_epochs):
            for sample in range(n):
                for w in range(n_words):
                    out[epoch, start + sample, w] = tile[epoch, sample, w]


@dataclass(frozen=True, eq=False)
class ShardReader:
    """Reads the shards of an array that hold all layers, samples and units of some epochs.

    Parameters
    ----------
    array : zarr.Array
        A cube (repeat, epoch, layer, sample, unit).
    sizes : tuple of int
        Of a shard.
    order : tuple of int
        The axis of the cube that each stored axis is.
    """

    array: "zarr.Array[Any]"
    sizes: tuple[int, ...]
    order: tuple[int, ...]

    @classmethod
    def of(cls, array: "zarr.Array[Any]") -> Self | None:
        """Return the reader of an array; None if it is cut or encoded in another way."""
        if array.shards is None or array.ndim != len(CUBE):
            return None
        (codec, *others) = cast(ArrayV3Metadata, array.metadata).codecs
        if others or not isinstance(codec, ShardingCodec):
            return None
        order, inner = tuple(range(len(CUBE))), list(codec.codecs)
        if isinstance(inner[0], TransposeCodec):
            order = tuple(cast(TransposeCodec, inner.pop(0)).order)
        known = [BytesCodec, ZstdCodec, Crc32cCodec]
        location = codec.to_dict()["configuration"]["index_location"]  # type: ignore[index,call-overload]
        if [type(one) for one in inner] != known or location != "end":
            return None
        if any(size < n for size, n in zip(array.shards[2:], array.shape[2:], strict=True)):
            return None
        if array.shards[0] != 1 or array.chunks[2] != 1 or array.chunks[1] != array.shards[1]:
            return None
        chunk_row = array.chunks[4] * array.dtype.itemsize
        if array.chunks[4] < array.shape[4] and chunk_row % _WORD_BYTES:
            return None
        return cls(array, array.shards, order)

    def read(
        self, repeat: int, epochs: NDArray[np.intp], units: Mapping[int, int]
    ) -> dict[int, NDArray[Any]]:
        """Read some epochs of a repeat.

        Parameters
        ----------
        repeat : int
            Position of the repeat.
        epochs : ndarray, (epoch,), int
            Positions, ascending.
        units : mapping of int to int
            From positions of layers to how many of its units are read.

        Returns
        -------
        dict of int to ndarray, (epoch, sample, unit)
            By the position of the layer; views of rows that are padded to whole words.
        """
        n_samples, length, itemsize = self.array.shape[3], self.sizes[1], self.array.dtype.itemsize
        out = {layer: _words(len(epochs), n_samples, n * itemsize) for layer, n in units.items()}
        for shard in np.unique(epochs // length):
            (where,) = np.nonzero(epochs // length == shard)
            rows = slice(int(where[0]), int(where[-1]) + 1)
            chosen = epochs[rows] - shard * length
            self._read_shard(repeat, int(shard), chosen, {i: one[rows] for i, one in out.items()})
        return {
            layer: one.view(self.array.dtype)[..., : units[layer]] for layer, one in out.items()
        }

    def _read_shard(
        self, repeat: int, shard: int, epochs: NDArray[np.intp], out: Mapping[int, NDArray[Any]]
    ) -> None:
        raw = self._raw(repeat, shard)
        if raw is None:
            for one in out.values():
                one.view(self.array.dtype)[...] = self.array.fill_value
            return
        _, _, _, samples, units = self.array.chunks
        for (layer, sample, unit), stored in self._chunks(raw):
            if layer not in out:
                continue
            per_word = out[layer].itemsize // self.array.dtype.itemsize
            part = out[layer][:, sample * samples :, unit * units // per_word :]
            part = part[:, :samples, : -(-units // per_word)]
            if not part.size:
                continue
            if stored is None:
                part.view(self.array.dtype)[...] = self.array.fill_value
                continue
            cube = self._decode(stored)[0, :, 0]
            if len(epochs) != len(cube):
                cube = cube[epochs]
            plain = np.ascontiguousarray(cube.transpose(2, 1, 0)).view(f"u{cube.itemsize}")
            _put_in_order(plain[: part.shape[2] * per_word], part, per_word, 8 * cube.itemsize)

    def _raw(self, repeat: int, shard: int) -> NDArray[np.uint8] | None:
        key = cast(ArrayV3Metadata, self.array.metadata).encode_chunk_key((repeat, shard, 0, 0, 0))
        path = f"{self.array.store_path.path}/{key}".lstrip("/")
        found = sync(self.array.store_path.store.get(path, default_buffer_prototype()))
        return None if found is None else found.as_numpy_array().view(np.uint8)

    def _chunks(
        self, raw: NDArray[np.uint8]
    ) -> Iterator[tuple[tuple[int, int, int], NDArray[np.uint8] | None]]:
        """Yield the place (layer, sample, unit) of each chunk of a shard, and its bytes."""
        grid = Grid.of("", self.array)
        spans = grid.read_index(raw[-grid.index_bytes :]).tolist()
        places = np.ndindex(grid.inner[2:])
        for place, (first, last) in zip(places, spans, strict=True):
            yield (place[0], place[1], place[2]), None if first == NONE else raw[first:last]

    def _decode(self, stored: NDArray[np.uint8]) -> NDArray[Any]:
        """Decode a chunk: a view of it as (repeat, epoch, layer, sample, unit)."""
        checksum(stored)
        encoded = stored[:-CRC_BYTES]
        values = np.frombuffer(decompress(encoded), self.array.dtype.newbyteorder("<"))
        shape = [self.array.chunks[axis] for axis in self.order]
        return values.reshape(shape).transpose(np.argsort(self.order))


def _words(n_epochs: int, n_samples: int, row_bytes: int) -> NDArray[Any]:
    """Return room for rows (epoch, sample, word) of unsigned words."""
    padded = padded_row_bytes(row_bytes)
    size = min(padded, _WORD_BYTES)
    return np.empty((n_epochs, n_samples, padded // size), f"u{size}")
