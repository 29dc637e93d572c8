"""The checksum of every chunk of a recording, by place: what is in a file, and where it belongs.

Every chunk on disk ends in its CRC-32C (zarr's own codec), which tells whether its bytes are those
that were written, but not whether they were written there. So the group `checksums` of a store has
these numbers again, by place. A file that was swapped with another, or that an older one took the
place of, is sound and has other numbers.
"""

import math
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any, Self, cast

import google_crc32c
import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.abc.buffer import Buffer
from zarr.codecs import Crc32cCodec, ZstdCodec

from ibtools.store.growing import is_growing
from ibtools.store.schema import STORE_VARIABLES

GROUP = "checksums"
"""The group of a store that holds them."""

TABLE = "crc32c"
"""The array (repeat, entry, version) in it: what a chunk ends in now, and what it may end in still
because it was about to be replaced; negative for a chunk that is not there."""

NONE = -1
"""Stands for a chunk that is not there, or for no other version."""

ABSENT = -2
"""Stands for another version of a file, which is that it is not there yet."""

_PIECE = 8192
"""Entries of a chunk of the table at the most."""

CRC_BYTES = 4
"""What a chunk ends in."""

_NO_CHUNK = 2**64 - 1
_KEY = re.compile(r"([a-z_]+)/c((?:/\d+)+)")

_TABLED = {variable.name for variable in STORE_VARIABLES if variable.rhythm != "store"}
_OF_EPOCHS = {
    variable.name
    for variable in STORE_VARIABLES
    if variable.rhythm in ("snapshot", "trained epoch")
}
"""Arrays whose second dimension grows with the epochs."""

BOUND_COORDINATES = tuple(variable.name for variable in STORE_VARIABLES if variable.is_bound)
"""Coordinates without which chunks are misread; labels, splits and inputs may be given anew."""


Bytes = NDArray[np.uint8]
"""What a file, a chunk or an index holds, (byte,)."""

MISSING = "it is missing"
OTHER = "it is another file than was written there"


class DamagedFileError(ValueError):
    """A file is not what zarr wrote; says how it shows."""


@dataclass(frozen=True)
class Place:
    """One file of a store.

    Parameters
    ----------
    grid : Grid
        Of its array.
    index : tuple of int
        Position of the file along each dimension.
    """

    grid: "Grid"
    index: tuple[int, ...]

    @property
    def key(self) -> str:
        """Where it is in the store."""
        return f"{self.grid.name}/c/{'/'.join(map(str, self.index))}"

    @property
    def repeat(self) -> int:
        """Position of its repeat."""
        return self.index[0]

    @property
    def entries(self) -> slice:
        """Its chunks in the row of the table, in the order of the index of a shard."""
        along, rest = (self.index[1:2] or (0,))[0], self.index[2:]
        first, start = next(one for one in reversed(self.grid.segments) if one[0] <= along)
        within = int(np.ravel_multi_index(rest, self.grid.files[2:])) if rest else 0
        start += ((along - first) * self.grid.n_across + within) * self.grid.n_chunks
        return slice(start, start + self.grid.n_chunks)

    def covers(self, axis: int) -> slice:
        """Return the positions along an axis of the array that it holds, to the end of a chunk."""
        step = self.grid.step[axis]
        return slice(self.index[axis] * step, (self.index[axis] + 1) * step)

    def find_fault(self, raw: Bytes | None, known: NDArray[np.int64]) -> str:
        """Say what is wrong with the file, by its entries in the table; empty if nothing is."""
        if (known[:, 0] == NONE).all():
            return ""
        if raw is None:
            return "" if (known[:, 1] == ABSENT).all() else MISSING
        try:
            found = self.grid.checksums(raw)
        except DamagedFileError as err:
            return str(err)
        same = np.array_equal(found, known[:, 0]) or np.array_equal(found, known[:, 1])
        return "" if same else OTHER


@dataclass(frozen=True)
class Grid:
    """How an array of a store is cut into files, and those into chunks.

    Parameters
    ----------
    name : str
        Of the array.
    files : tuple of int
        Files along each dimension; of a store that grows, for how many there is room in the table.
    step : tuple of int
        What a file holds along each dimension.
    inner : tuple of int
        Chunks of a file along each dimension.
    is_sharded : bool
        Whether a file has an index of its chunks.
    segments : tuple of (int, int)
        From which file on along the second dimension, at which entry in a row of the table: one,
        and one for each time that room was made for more epochs.
    """

    name: str
    files: tuple[int, ...]
    step: tuple[int, ...]
    inner: tuple[int, ...]
    is_sharded: bool
    segments: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, name: str, array: "zarr.Array[Any]", start: int = 0) -> Self:
        """Read it from the metadata of an array, whose chunks begin at an entry of the table."""
        step = array.shards or array.chunks
        files = tuple(math.ceil(n / size) for n, size in zip(array.shape, step, strict=True))
        inner = tuple(size // n for size, n in zip(step, array.chunks, strict=True))
        return cls(name, files, step, inner, array.shards is not None, ((0, start),))

    @property
    def n_chunks(self) -> int:
        """Chunks of a file."""
        return math.prod(self.inner)

    @property
    def n_across(self) -> int:
        """Files of a repeat at each place along the second dimension."""
        return math.prod(self.files[2:])

    @property
    def n_entries(self) -> int:
        """Chunks of a repeat."""
        return math.prod(self.files[1:]) * self.n_chunks

    @property
    def entries(self) -> list[slice]:
        """All its chunks in a row of the table."""
        ends = [first for first, _ in self.segments[1:]] + [(self.files[1:2] or (1,))[0]]
        return [
            slice(start, start + (end - first) * self.n_across * self.n_chunks)
            for (first, start), end in zip(self.segments, ends, strict=True)
        ]

    @property
    def index_bytes(self) -> int:
        """Bytes of the index at the end of a file; 0 if it has none."""
        return 16 * self.n_chunks + CRC_BYTES if self.is_sharded else 0

    def places(self, repeat: int) -> Iterator[Place]:
        """Yield all files of a repeat."""
        for index in np.ndindex(self.files[1:]):
            yield Place(self, (repeat, *index))

    def read_index(self, raw: Bytes) -> NDArray[np.int64]:
        """Return where the chunks of a file begin and end, from its index, (chunk, 2); -1 if not.

        Raises
        ------
        DamagedFileError
            If it is cut short, or not what was written.
        """
        if len(raw) != self.index_bytes:
            raise DamagedFileError("it is cut short")
        if not _is_sound(raw):
            raise DamagedFileError("its bytes were changed")
        found = np.frombuffer(raw[:-CRC_BYTES].tobytes(), "<u8").reshape(-1, 2)
        there = found[:, 0] != _NO_CHUNK
        spans = np.full(found.shape, NONE, np.int64)
        spans[there, 0] = found[there, 0]
        spans[there, 1] = found[there].sum(axis=1)
        return spans

    def checksums(self, raw: Bytes) -> NDArray[np.int64]:
        """Return what the chunks of a file end in, (chunk,), after checking that it is theirs."""
        if not self.is_sharded:
            return np.array([checksum(raw)], np.int64)
        spans = self.read_index(raw[max(0, len(raw) - self.index_bytes) :]).tolist()
        found = [NONE if first == NONE else checksum(raw[first:last]) for first, last in spans]
        return np.array(found, np.int64)


@dataclass(frozen=True)
class ChecksumLayout:
    """Where in the table the chunks of a store are.

    Parameters
    ----------
    n_repeats : int
        Rows of the table.
    grids : mapping of str to Grid
        Of the arrays that begin with the dimension `repeat`.
    rooms : tuple of int
        Of a store that grows, for how many epochs there was room in the table, each time that it
        was laid out: the entries of the first so many epochs come first, then those of more.
    """

    n_repeats: int
    grids: Mapping[str, Grid]
    rooms: tuple[int, ...] = ()

    @classmethod
    def of(cls, arrays: Mapping[str, "zarr.Array[Any]"], rooms: tuple[int, ...] = ()) -> Self:
        """Lay the table of a new store out.

        Parameters
        ----------
        arrays : mapping of str to zarr.Array
            All of the store.
        rooms : tuple of int, optional
            Of a store that grows.
        """
        there = (one.name for one in STORE_VARIABLES if one.name in arrays)
        grids = [Grid.of(name, arrays[name]) for name in there if name in _TABLED]
        return cls(grids[0].files[0], _lay_out(grids, rooms), rooms)

    @classmethod
    def from_attributes(cls, attributes: Mapping[str, Any]) -> Self:
        """Read it from the attributes of the group `checksums`."""
        grids = {
            str(name): Grid(
                str(name),
                tuple(map(int, one["files"])),
                tuple(map(int, one["step"])),
                tuple(map(int, one["inner"])),
                bool(one["is_sharded"]),
                ((0, int(one["start"])),),
            )
            for name, one in cast("dict[str, dict[str, Any]]", attributes["grids"]).items()
        }
        rooms = tuple(map(int, attributes.get("rooms", ())))
        laid_out = _lay_out(list(grids.values()), rooms) if rooms else grids
        return cls(int(attributes["n_repeats"]), laid_out, rooms)

    def attributes(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        names = ("files", "step", "inner", "is_sharded")
        grids = {
            name: {**{one: getattr(grid, one) for one in names}, "start": grid.segments[0][1]}
            for name, grid in self.grids.items()
        }
        rooms = {"rooms": list(self.rooms)} if self.rooms else {}
        return {"n_repeats": self.n_repeats, "grids": grids, **rooms}

    def with_room(self, *, n_repeats: int, n_epochs: int) -> "ChecksumLayout":
        """Return the layout of a store that has grown, in which all entries stay where they are."""
        rooms = list(self.rooms)
        while rooms[-1] < n_epochs:
            rooms.append(2 * rooms[-1])
        grids = list(self.grids.values())
        return ChecksumLayout(n_repeats, _lay_out(grids, tuple(rooms)), tuple(rooms))

    @cached_property
    def n_entries(self) -> int:
        """Chunks of a repeat, of all arrays."""
        return sum(grid.n_entries for grid in self.grids.values())

    def locate(self, key: str) -> Place | None:
        """Return the file at a key, or None if the table does not have it."""
        return locate(self.grids, key)

    def places(self, repeat: int) -> Iterator[Place]:
        """Yield all files of a repeat."""
        for grid in self.grids.values():
            yield from grid.places(repeat)


def _lay_out(grids: Sequence[Grid], rooms: tuple[int, ...]) -> dict[str, Grid]:
    """Give each array its entries: those of all arrays for so many epochs, then those for more."""
    found = {grid.name: replace(grid, segments=()) for grid in grids}
    start = 0
    for known, room in pairwise((0, *rooms) if rooms else (0, 0)):
        for name, grid in found.items():
            grows = bool(rooms) and name in _OF_EPOCHS
            if known and not grows:
                continue
            first = math.ceil(known / grid.step[1]) if grows else 0
            files = grid.files
            if grows:
                files = (files[0], math.ceil(room / grid.step[1]), *files[2:])
            segments = (*grid.segments, (first, start))
            found[name] = grown = replace(grid, files=files, segments=segments)
            start += grown.n_entries - first * grown.n_across * grown.n_chunks
    return found


def locate(grids: Mapping[str, Grid], key: str) -> Place | None:
    """Return the file at a key, or None if it is none of these arrays'."""
    match = _KEY.fullmatch(key)
    grid = grids.get(match[1]) if match else None
    if match is None or grid is None:
        return None
    index = tuple(map(int, match[2][1:].split("/")))
    inside = len(index) == len(grid.files) and all(
        position < n for position, n in zip(index, grid.files, strict=True)
    )
    return Place(grid, index) if inside else None


def create_checksums(group: zarr.Group, rooms: tuple[int, ...] = ()) -> None:
    """Create the table of a new store, whose arrays and coordinates are there.

    Of a store that grows, `rooms` says for how many epochs there is room.
    """
    arrays = dict(group.arrays())
    layout = ChecksumLayout.of(arrays, rooms)
    coordinates = {name: digest_of(np.asarray(arrays[name][...])) for name in BOUND_COORDINATES}
    beside = group.create_group(
        GROUP, attributes={**layout.attributes(), "coordinates": coordinates}
    )
    beside.create_array(
        TABLE,
        shape=(layout.n_repeats, layout.n_entries, 2),
        chunks=(1, min(layout.n_entries, _PIECE), 2),
        dtype="int64",
        fill_value=NONE,
        dimension_names=("repeat", "entry", "version"),
        compressors=(ZstdCodec(level=1), Crc32cCodec()),
        attributes={"long_name": "CRC-32C of every chunk; -1: not there"},
    )


def find_checksums(group: zarr.Group) -> zarr.Group | None:
    """Open the group of a store's checksums; None if the store has none."""
    found = group.get(GROUP)
    return found if isinstance(found, zarr.Group) else None


def changed_coordinates(group: zarr.Group, values: Mapping[str, NDArray[Any]]) -> tuple[str, ...]:
    """Return the coordinates that are not as they were when the store was created.

    Longer ones, of a store that repeats or epochs were appended to, are compared as far as they
    were; so is nothing of a store that has grown since its root was read. Nothing is known of
    stores without checksums.
    """
    beside = find_checksums(group)
    known = {} if beside is None else cast("dict[str, list[int]]", beside.attrs["coordinates"])
    grows = is_growing(group.attrs)
    return tuple(
        name
        for name, (n, crc) in known.items()
        if name in values
        and not (grows and n > len(values[name]))
        and digest_of(values[name][:n]) != [n, crc]
    )


def digest_of(values: NDArray[Any]) -> list[int]:
    """Return the length of a coordinate, and the CRC-32 of its values, whatever their width."""
    return [len(values), zlib.crc32(repr(values.tolist()).encode())]


def bytes_of(value: Buffer) -> Bytes:
    """Return what zarr has read, or is about to write, without a copy."""
    return np.asarray(value.as_numpy_array()).view(np.uint8)


def checksum(chunk: Bytes) -> int:
    """Return what a chunk ends in, if that is the CRC-32C of what it holds; raise if it is not."""
    if len(chunk) < CRC_BYTES:
        raise DamagedFileError("it is cut short")
    if not _is_sound(chunk):
        raise DamagedFileError("its bytes were changed")
    return _last(chunk)


def _is_sound(raw: Bytes) -> bool:
    """Whether bytes end in the CRC-32C of those before."""
    found: int = google_crc32c.value(raw[:-CRC_BYTES])
    return found == _last(raw)


def _last(raw: Bytes) -> int:
    return int.from_bytes(raw[-CRC_BYTES:].tobytes(), "little")
