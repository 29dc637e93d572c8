"""What runs in a worker: read a block of a store, return a few numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from ibtools.analysis.digests import RowDigests, part_symbols
from ibtools.analysis.estimators import Estimator, LayerBlock
from ibtools.analysis.estimators.block import ROWS
from ibtools.analysis.memory import reserve
from ibtools.analysis.result_variables import count_statistics, stack_statistics
from ibtools.errors import StoreError
from ibtools.header import Header
from ibtools.storage import decoding
from ibtools.store import get_array, open_group


@dataclass(frozen=True)
class Source:
    """A store as a task knows it, which may run on another machine.

    Parameters
    ----------
    path : str
        Absolute, or a URL.
    digest : str
        Of the content that the store had when the analysis began: `ibtools.identity.Content`.
    analysis : str
        Of this analysis only. Another one opens the store anew, in whichever process.
    entropy_x : float
        As in `LayerBlock`.
    global_range : tuple of float and float
        As in `LayerBlock`.
    budget : int
        Bytes that all tasks of a process may use at once.
    """

    path: str
    digest: str
    analysis: str
    entropy_x: float
    global_range: tuple[float, float]
    budget: int


@dataclass(frozen=True, eq=False)
class Block:
    """What is read at once: some epochs and layers of one repeat; or of a single one a part.

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
        Whether it is a part of one snapshot of one layer, to be digested.
    rows : ndarray, (block, layer, row), float64, optional
        The `ROWS`, if an estimator needs them.
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


Piece = tuple[tuple[Estimator, ...], Block]
"""A block, and what is to be computed of it."""


def analyze_blocks(
    source: Source, pieces: Sequence[Piece]
) -> list[NDArray[np.float64] | RowDigests]:
    """Analyse some blocks, one after the other: this is a task.

    Parameters
    ----------
    source : Source
        The store.
    pieces : sequence of (estimators, Block)
        What to do.

    Returns
    -------
    list of ndarray or RowDigests
        For each block what `block_statistics` or, of a part, `block_digests` returns.
    """
    return [
        block_digests(source, block)
        if block.in_parts
        else block_statistics(source, estimators, block)
        for estimators, block in pieces
    ]


def block_statistics(
    source: Source, estimators: Sequence[Estimator], block: Block
) -> NDArray[np.float64]:
    """Analyse a block.

    Parameters
    ----------
    source : Source
        The store.
    estimators : sequence of Estimator
        What to compute.
    block : Block
        Of which; sample and unit are consumed.

    Returns
    -------
    ndarray, (block, layer, statistic), float64
        As from `stack_statistics`.
    """
    store = _open(source.path, source.digest, source.analysis)
    out = np.empty((len(block.epochs), _length(block.layers), count_statistics(estimators)))
    with reserve(block.need, budget=source.budget):
        values = _read(store, block)
        for position, layer in enumerate(store.header.layers[block.layers]):
            rows = () if block.rows is None else block.rows[:, position].T
            part = LayerBlock(
                values[:, position, :, : layer.n_units],
                layer,
                y=store.header.label,
                n_classes=store.header.n_classes,
                entropy_x=source.entropy_x,
                rows=dict(zip(ROWS, rows, strict=False)),
                global_range=source.global_range,
                keeps_partition=block.name == "partition",
            )
            out[:, position] = stack_statistics(estimators, part)
    return out


def block_digests(source: Source, block: Block) -> RowDigests:
    """Digest a part of one snapshot of one layer.

    Parameters
    ----------
    source : Source
        The store.
    block : Block
        Of one epoch and layer.

    Returns
    -------
    RowDigests
        What the part adds to the digests of all samples.
    """
    store = _open(source.path, source.digest, source.analysis)
    layer = store.header.layers[block.layers.start]
    with reserve(block.need, budget=source.budget):
        values = _read(store, block)[0, 0]
        key = (block.repeat, int(block.epochs[0]), block.layers.start, block.samples, slice(1))
        first = np.asarray(store.arrays[block.name][key])
        return RowDigests.of(
            part_symbols(values, layer, first),
            n_samples=store.header.n_samples,
            first_sample=block.samples.start or 0,
            first_unit=block.units.start or 0,
        )


@dataclass(frozen=True, eq=False)
class _OpenStore:
    """A store that this process has open."""

    arrays: Mapping[str, "zarr.Array[Any]"]
    header: Header


@lru_cache(maxsize=4)
def _open(path: str, digest: str, analysis: str) -> _OpenStore:
    """Open a store once per process and analysis."""
    group = open_group(path)
    header = Header.of(group)
    if header.content.digest != digest:
        raise StoreError(f"{path}: was replaced by another store while it was analysed; run again")
    return _OpenStore({name: get_array(group, name) for name in header.recorded}, header)


def close_stores() -> None:
    """Forget the stores that this process has open: an analysis has ended."""
    _open.cache_clear()


def _read(store: _OpenStore, block: Block) -> NDArray[Any]:
    """Read (block, layer, sample, unit)."""
    first, last = int(block.epochs[0]), int(block.epochs[-1])
    key = (block.repeat, slice(first, last + 1), block.layers, block.samples)
    array = store.arrays[block.name]
    with decoding(f"{block.name}, repeat {block.repeat}, epochs {first} to {last} (by position)"):
        if block.name == "partition":
            values = np.asarray(array[key])[..., np.newaxis]
        else:
            values = np.asarray(array[(*key, block.units)])
    return values if len(values) == len(block.epochs) else values[block.epochs - first]


def _length(positions: slice) -> int:
    return int(positions.stop - positions.start)
