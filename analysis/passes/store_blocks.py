"""What runs in a worker: read some blocks of a store, return a few numbers."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import numpy as np
import xarray as xr
import zarr
from numpy.typing import NDArray

from ibtools.analysis.kernels.digests import RowDigests, part_symbols
from ibtools.analysis.measures.block import ROWS, LayerBlock, UnitGrids
from ibtools.analysis.measures.protocol import Measure, SnapshotMeasure
from ibtools.analysis.passes.computing import Values, compute
from ibtools.analysis.passes.shards import ShardReader
from ibtools.errors import StoreError
from ibtools.store.groups import get_array
from ibtools.store.header import Header
from ibtools.store.opened import open_checked
from ibtools.store.schema import UNIT_GRIDS
from ibtools.store.storage import decoding
from ibtools.store.validation.declared import describe_place
from ibtools.store.validation.reading import CheckedStore
from ibtools.tasks.memory import reserve


@dataclass(frozen=True)
class Source:
    """A store as a task knows it, which may run on another machine.

    Parameters
    ----------
    path : str
        Absolute, or a URL.
    digest : str
        Of the content that the store had when the analysis began: `ibtools.store.identity.Content`.
    analysis : str
        Of this analysis only. Another one opens the store anew, in whichever process.
    global_range : tuple of float and float
        As in `LayerBlock`.
    budget : int
        Bytes that all tasks of a process may use at once.
    layers : tuple of int
        Positions of the layers that are analysed.
    lenient : bool, optional
        Whether a store is opened whose coordinates break the contract: that is what is looked for.
    """

    path: str
    digest: str
    analysis: str
    global_range: tuple[float, float]
    budget: int
    layers: tuple[int, ...]
    lenient: bool = False


@dataclass(frozen=True, eq=False)
class Block:
    """What is read at once: some epochs and layers of one repeat; or of a single layer a part.

    Parameters
    ----------
    name : str
        The variable that holds it.
    repeat : int
        Position of the repeat.
    epochs : ndarray, (block,), int
        Positions of the snapshots, ascending.
    layers : slice
        Positions of the layers.
    samples, units : slice
        All, or those of a part.
    n_bytes : int
        Bytes of what is read, uncompressed.
    need : int
        Bytes of memory that this will use.
    in_parts : bool
        Whether it is a part of one layer.
    rows : ndarray, (block, layer, row), float64, optional
        The `ROWS`, if a measure needs them.
    """

    name: str
    repeat: int
    epochs: NDArray[np.intp]
    layers: slice
    samples: slice
    units: slice
    n_bytes: int
    need: int
    in_parts: bool = False
    rows: NDArray[np.float64] | None = None


Reads = tuple[Block, ...]
"""What is read one after the other, of the same epochs: one block, or all of some snapshots."""

Piece = tuple[tuple[Measure, ...], Reads]
"""What is to be computed at once, and of what."""


def is_digested(measures: Sequence[Measure], reads: Reads) -> bool:
    """Whether a piece is a part of a snapshot of a layer, from which digests are made."""
    return reads[0].in_parts and all(one.scope == "layer" for one in measures)


def analyze_blocks(
    source: Source, pieces: Sequence[Piece]
) -> list[tuple[Values, ...] | RowDigests]:
    """Compute some pieces, one after the other: this is a task.

    Returns
    -------
    list of tuple or RowDigests
        For each piece what `compute` or, of a part of a snapshot, `block_digests` returns.
    """
    return [
        block_digests(source, reads[0])
        if is_digested(measures, reads)
        else block_values(source, measures, reads)
        for measures, reads in pieces
    ]


def block_values(source: Source, measures: Sequence[Measure], reads: Reads) -> tuple[Values, ...]:
    """Read blocks of the same epochs, and compute measures of them; as `compute` returns them."""
    store = _open(source)
    row, epochs = reads[0].repeat, reads[0].epochs
    padding = any(one.scope == "snapshot" and _of_snapshots(one).padding for one in measures)
    with reserve(max(block.need for block in reads), budget=source.budget):
        return compute(
            measures,
            _layers(store, source, reads, padding=padding),
            repeat=np.full(len(epochs), store.repeat[row]),
            epoch=store.epoch[epochs],
            header=store.chosen,
        )


def _of_snapshots(measure: Any) -> SnapshotMeasure:
    found: SnapshotMeasure = measure
    return found


def _layers(
    store: "_OpenStore", source: Source, reads: Reads, *, padding: bool
) -> Iterator[LayerBlock]:
    """Read block after block, and yield its layers, or the units of one."""
    for block in reads:
        layers = _read_layers(store, block, padding=padding)
        first = None
        if block.in_parts and store.header.layers[block.layers.start].is_softmax_of_codes:
            first = _read(store, _first_unit(block), padding=False)[:, 0]
        for position, index in enumerate(range(block.layers.start, block.layers.stop)):
            known = () if block.rows is None else block.rows[:, position].T
            yield layer_block(
                layers[position],
                index,
                store.header,
                rows=dict(zip(ROWS, known, strict=False)),
                global_range=source.global_range,
                units=block.units,
                most_bits=store.chosen.most_bits,
                first=first if first is not None or not block.in_parts else layers[0][..., :1],
                read_unit_grids=_unit_grids_reader(store, block, index),
            )


def layer_block(
    recorded: NDArray[Any],
    index: int,
    header: Header,
    *,
    rows: Mapping[str, NDArray[np.float64]],
    global_range: tuple[float, float],
    units: slice = slice(None),
    first: NDArray[Any] | None = None,
    read_unit_grids: Callable[[], UnitGrids] | None = None,
    most_bits: int = 0,
) -> LayerBlock:
    """Give a measure what was recorded of a layer, (block, sample, unit), with padding or not."""
    layer, start = header.layers[index], units.start or 0
    left = 1 if header.keeps_partition else layer.n_units - start
    return LayerBlock(
        recorded[..., :left],
        layer,
        y=header.label,
        n_classes=header.n_classes,
        rows=rows,
        global_range=global_range,
        keeps_partition=header.keeps_partition,
        entropy_x=header.entropy_x,
        first=first,
        continues=start > 0,
        padding=recorded[..., left:],
        is_last=index == len(header.layers) - 1,
        read_unit_grids=read_unit_grids,
        most_bits=most_bits,
    )


def _unit_grids_reader(
    store: "_OpenStore", block: Block, index: int
) -> Callable[[], UnitGrids] | None:
    """Return what reads the grids of the units of a layer; None where the store has none."""
    if not store.unit_grids:
        return None
    stop = min(block.units.stop, store.header.layers[index].n_units)
    return partial(_read_unit_grids, store, block, index, slice(block.units.start, stop))


def _read_unit_grids(store: "_OpenStore", block: Block, index: int, units: slice) -> UnitGrids:
    first, last = int(block.epochs[0]), int(block.epochs[-1])
    with decoding(f"grids of units, {_describe(block)}"):
        scales, zero_points = (
            np.asarray(array[block.repeat, first : last + 1, index, units])[block.epochs - first]
            for array in store.unit_grids
        )
    return scales, zero_points


def _first_unit(block: Block) -> Block:
    where = (block.name, block.repeat, block.epochs, block.layers, block.samples, slice(0, 1))
    return Block(*where, block.n_bytes, block.need)


def block_digests(source: Source, block: Block) -> RowDigests:
    """Digest a part of one snapshot of one layer: what it adds to the digests of all samples."""
    store = _open(source)
    layer = store.header.layers[block.layers.start]
    with reserve(block.need, budget=source.budget):
        values = _read(store, block)[0, 0]
        first = _read(store, _first_unit(block))[0, 0]
        return RowDigests.of(
            part_symbols(values, layer, first),
            n_samples=store.header.label.size,
            first_sample=block.samples.start or 0,
            first_unit=block.units.start or 0,
        )


@dataclass(frozen=True, eq=False)
class _OpenStore:
    """A store that this process has open; `chosen` is what it says of the layers analysed."""

    arrays: Mapping[str, "zarr.Array[Any]"]
    shards: Mapping[str, ShardReader | None]
    unit_grids: "tuple[zarr.Array[Any], ...]"
    header: Header
    chosen: Header
    repeat: NDArray[np.integer[Any]]
    epoch: NDArray[np.integer[Any]]


@lru_cache(maxsize=4)
def _open(source: Source) -> _OpenStore:
    """Open a store once per process and analysis."""
    group, coordinates = open_checked(source.path, values=not source.lenient)
    header = Header.of(group, coordinates or None)
    if header.content.digest != source.digest:
        raise StoreError(
            f"{source.path}: was replaced by another store while it was analysed; run again"
        )
    arrays = {name: get_array(group, name) for name in header.recorded}
    return _OpenStore(
        arrays,
        {name: ShardReader.of(array) for name, array in arrays.items()},
        tuple(get_array(group, name) for name in UNIT_GRIDS if name in group),
        header,
        header.select(source.layers),
        header.coordinates["repeat"],
        header.coordinates["epoch"],
    )


def open_unchunked(group: zarr.Group) -> xr.Dataset:
    """Open a store as a Dataset without dask, which would spend more on it than reading takes."""
    return xr.open_dataset(CheckedStore.of(group, describe_place(group)))


def close_stores() -> None:
    """Forget the stores that this process has open: an analysis has ended."""
    _open.cache_clear()


def _read_layers(store: _OpenStore, block: Block, *, padding: bool) -> list[NDArray[Any]]:
    """Read each layer of a block, (block, sample, unit)."""
    reader = store.shards[block.name]
    layers = range(block.layers.start, block.layers.stop)
    others = set(range(len(store.header.layers))) - set(layers)
    if (
        reader is None
        or block.in_parts
        or any(store.header.layers[one].variable == block.name for one in others)
    ):
        values = _read(store, block, padding=padding)
        return [values[:, position] for position in range(len(layers))]
    step, most = reader.array.chunks[-1] if padding else 1, reader.array.shape[-1]
    units = {one: min(most, -(-store.header.layers[one].n_units // step) * step) for one in layers}
    with decoding(_describe(block)):
        found = reader.read(block.repeat, block.epochs, units)
    return [found[one] for one in layers]


def _describe(block: Block) -> str:
    first, last = int(block.epochs[0]), int(block.epochs[-1])
    return f"{block.name}, repeat {block.repeat}, epochs {first} to {last} (by position)"


def _read(store: _OpenStore, block: Block, *, padding: bool = False) -> NDArray[Any]:
    """Read (block, layer, sample, unit), with the rest of the last chunk of units or without."""
    first, last = int(block.epochs[0]), int(block.epochs[-1])
    key = (block.repeat, slice(first, last + 1), block.layers, block.samples)
    array = store.arrays[block.name]
    with decoding(_describe(block)):
        if block.name == "partition":
            values = np.asarray(array[key])[..., np.newaxis]
        else:
            stop = block.units.stop
            if padding:
                stop = -(-stop // array.chunks[-1]) * array.chunks[-1]
            values = np.asarray(array[(*key, slice(block.units.start, stop))])
    return values if len(values) == len(block.epochs) else values[block.epochs - first]
