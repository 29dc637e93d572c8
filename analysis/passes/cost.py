"""How a store is cut on disk, and bounds on the memory that reading and analysing it takes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self, cast

import zarr

from ibtools.analysis.kernels.digests import WORD_BYTES
from ibtools.analysis.measures.protocol import BlockShape, Measure, SnapshotMeasure
from ibtools.analysis.passes.computing import sizes_of
from ibtools.analysis.passes.shards import padded_row_bytes
from ibtools.store.header import Header

BLOCK_BYTES = 2**24
"""What a task reads at the most where it can choose, uncompressed: large against what a task costs,
small in memory."""

_WRITTEN = 3
"""How often results of a repeat are in memory while some are written: as they were, as bytes that
are compared with checksums, and encoded."""

_READING_AT_ONCE = 10  # chunks that zarr decodes at a time: its setting async.concurrency
_MOST_SLACK = 2**26  # larger pieces go back to the system at once


@dataclass(frozen=True)
class Cube:
    """How a recorded variable is cut, as (repeat, epoch, layer, sample, unit).

    Parameters
    ----------
    name : str
        Of the variable.
    n_samples : int
        Samples of a snapshot.
    itemsize : int
        Bytes of a value.
    chunks : tuple of int
        What is decoded at once.
    shard_epochs : int
        Epochs of a file.
    """

    name: str
    n_samples: int
    itemsize: int
    chunks: tuple[int, ...]
    shard_epochs: int

    @classmethod
    def of(cls, name: str, array: "zarr.Array[Any]") -> Self:
        """Describe an array; a partition is a cube of one unit."""
        one_unit = (1,) * (5 - array.ndim)
        shards = array.shards or array.chunks
        return cls(
            name,
            int(array.shape[3]),
            array.dtype.itemsize,
            (*array.chunks, *one_unit),
            int(shards[1]),
        )

    def values(self, epochs: int, layers: int, samples: int, units: int) -> int:
        """Return the bytes of a selection."""
        return epochs * layers * samples * units * self.itemsize

    def rows(self, epochs: int, layers: int, samples: int, units: int) -> int:
        """Return the bytes of a selection in memory, where rows may be padded to whole words."""
        return epochs * layers * samples * padded_row_bytes(units * self.itemsize)

    def reading(self, epochs: int, layers: int, samples: int, units: int) -> int:
        """Bound the bytes in memory while a selection is read.

        They are the values; the chunks as they are on disk, at worst incompressible; and those that
        are being decoded. Chunks that are cut by the selection count as a whole.
        """
        chunk = math.prod(self.chunks[1:]) * self.itemsize
        sizes = zip((epochs, layers, samples, units), self.chunks[1:], strict=True)
        n_chunks = math.prod(math.ceil(size / length) for size, length in sizes)
        decoding = chunk * min(n_chunks, _READING_AT_ONCE)
        return self.rows(epochs, layers, samples, units) + chunk * n_chunks + decoding


@dataclass(frozen=True)
class Run:
    """Neighbouring layers of one variable, as many chunks of units wide, and how they are cut.

    Parameters
    ----------
    cube : Cube
        The variable.
    layers : slice
        Positions of the layers.
    n_units : int
        Of the widest.
    group : int
        Layers of a task.
    epochs : int
        Epochs of a task.
    samples, units : int
        Of a part of a snapshot; all if there are no parts.
    in_parts : bool
        Whether one snapshot of one layer is too large.
    softmax : bool
        Whether any of the layers is recorded as codes of logits.
    """

    cube: Cube
    layers: slice
    n_units: int
    group: int = 1
    epochs: int = 1
    samples: int = 0
    units: int = 0
    in_parts: bool = False
    softmax: bool = False


def with_slack(need: int) -> int:
    """Add what the allocator of the C library holds beyond what is in use."""
    return need + min(need // 2, _MOST_SLACK)


def result_bytes(measures: Sequence[Measure], header: Header) -> int:
    """Return the bytes of the results of one snapshot."""
    return sum(
        8 * math.prod(of[dim] for dim in one.dims[2:])
        for measure, of in zip(measures, sizes_of(measures, header), strict=True)
        for one in measure.variables
    )


def writing_bytes(measures: Sequence[Measure], header: Header) -> int:
    """Bound the bytes that writing takes: a chunk of results is a whole repeat."""
    n_epochs = len(header.coordinates["epoch"])
    largest = max(result_bytes([one], header) for one in measures)
    return _WRITTEN * n_epochs * largest


@dataclass(frozen=True)
class Cost:
    """Bounds on the memory that a task uses.

    Parameters
    ----------
    measures : sequence of Measure
        What it computes.
    budget : int
        Bytes that all tasks of a process may use.
    threads : int
        Tasks of a process at a time.
    header : Header, optional
        What the store says of the layers that are analysed, for measures of whole snapshots.
    writing : int, optional
        Bytes beyond the budget that writing results takes, for what is said of memory.
    selective : bool, optional
        Whether layers can be chosen, which is advised where one is too large.
    """

    measures: Sequence[Measure]
    budget: int
    threads: int
    header: Any = None
    writing: int = 0
    selective: bool = False

    @property
    def whole(self) -> bool:
        """Whether a task must see all layers of its snapshots."""
        return any(one.scope == "snapshot" for one in self.measures)

    def need(self, run: Run, epochs: int, layers: int) -> int:
        """Bound the bytes that a block of whole snapshots takes."""
        cube, samples, units = run.cube, run.cube.n_samples, run.n_units
        block = cube.rows(epochs, layers, samples, units)
        reading = cube.reading(epochs, layers, samples, units)
        computing = block + self._computing(run, epochs, units)
        return with_slack(max(reading, computing) + self._of_snapshots(epochs))

    def need_of_part(self, run: Run, samples: int, units: int) -> int:
        """Bound the bytes that a part of a snapshot takes, with what becomes of it."""
        block = run.cube.values(1, 1, samples, units)
        symbols = 2 * block + samples * WORD_BYTES
        digests = 16 * run.cube.n_samples
        read = run.cube.reading(1, 1, samples, units) + run.cube.reading(1, 1, samples, 1)
        return with_slack(max(read, block + symbols) + 4 * digests)

    def need_of_units(self, run: Run, epochs: int, units: int) -> int:
        """Bound the bytes that some units of snapshots take, of one layer."""
        samples = run.cube.n_samples
        block = run.cube.values(epochs, 1, samples, units)
        reading = run.cube.reading(epochs, 1, samples, units)
        first = run.cube.reading(epochs, 1, samples, 1)
        computing = block + self._computing(run, epochs, units) + 12 * epochs * samples
        return with_slack(max(reading, computing) + first + self._of_snapshots(epochs))

    def fits(self, run: Run, epochs: int, layers: int) -> bool:
        """Whether every thread may have such a block."""
        small = run.cube.values(epochs, layers, run.cube.n_samples, run.n_units) <= BLOCK_BYTES
        return small and self.need(run, epochs, layers) * self.threads <= self.budget

    def _computing(self, run: Run, epochs: int, units: int) -> int:
        shape = BlockShape(
            epochs,
            run.cube.n_samples,
            units,
            run.cube.itemsize,
            run.cube.name == "code",
            run.softmax,
        )
        return max(one.memory(shape) for one in self.measures)

    def _of_snapshots(self, epochs: int) -> int:
        """Bound the bytes of what is kept of all layers, and made of it."""
        whole = [cast(SnapshotMeasure, one) for one in self.measures if one.scope == "snapshot"]
        return sum(one.memory_of_snapshots(epochs, self.header) for one in whole)
