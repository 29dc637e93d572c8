"""How a store is cut into tasks: as large as memory allows, as few as that makes.

A task reads whole shards where it can, else the chunks of some layers, else those of one layer;
below that it splits the epochs of a chunk, and at last one snapshot of one layer into parts.
"""

import math
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import groupby
from typing import Any, Self

import numpy as np
import zarr
from dask.utils import format_bytes
from numpy.typing import NDArray

from ibtools.analysis.kernels.digests import WORD_BYTES
from ibtools.analysis.passes.cost import BLOCK_BYTES, Cost, Cube, Run, result_bytes
from ibtools.analysis.passes.store_blocks import Block, Reads
from ibtools.errors import InputError
from ibtools.shown import counted
from ibtools.store.snapshots import LayerSpec
from ibtools.tasks.memory import LIBRARIES

TASKS_PER_THREAD = 4
"""Blocks are made smaller for fewer tasks than this, so that no thread idles long at the end."""

WINDOW_BYTES = 16 * BLOCK_BYTES
"""What is read, uncompressed, between two writes of results: what a killed analysis loses."""


def layer_runs(
    cubes: Mapping[str, Cube],
    layers: Sequence[LayerSpec],
    chosen: Sequence[int],
    cost: Cost,
    *,
    most_epochs: int,
) -> tuple[Run, ...]:
    """Group the layers of a store, and choose how each group is cut.

    Parameters
    ----------
    cubes : mapping of str to Cube
        The variables that hold what was recorded.
    layers : sequence of LayerSpec
        All layers of the store.
    chosen : sequence of int
        Positions of those that are analysed, ascending.
    cost : Cost
        Bounds.
    most_epochs : int
        Epochs of a task at the most, rounded up to a shard.

    Returns
    -------
    tuple of Run
        In the order of the layers.

    Raises
    ------
    InputError
        If what can't be cut further does not fit.
    """

    def kind(place: tuple[int, int]) -> tuple[str, int, int]:
        rank, index = place
        if "partition" in cubes:
            return "partition", 1, index - rank
        name = layers[index].variable
        return name, math.ceil(layers[index].n_units / cubes[name].chunks[4]), index - rank

    runs = []
    for (name, *_), group in groupby(enumerate(chosen), key=kind):
        indices = [index for _, index in group]
        where = slice(indices[0], indices[-1] + 1)
        widest = 1 if name == "partition" else max(layer.n_units for layer in layers[where])
        softmax = any(layer.is_softmax_of_codes for layer in layers[where])
        runs.append(Run(cubes[name], where, widest, softmax=softmax))
    if cost.whole:
        return _cut_whole(runs, layers, cost, most_epochs)
    return tuple(_cut(run, layers, cost, most_epochs) for run in runs)


def _cut_whole(
    runs: Sequence[Run], layers: Sequence[LayerSpec], cost: Cost, most_epochs: int
) -> tuple[Run, ...]:
    """Choose epochs that all layers have in common, and how each group of layers is read then."""
    first = runs[0].cube
    shard, chunk = first.shard_epochs, first.chunks[1]

    def fits(epochs: int) -> bool:
        return all(_cut_layers(run, epochs, cost, cost.threads) for run in runs)

    epochs = (
        shard * _largest(math.ceil(most_epochs / shard), lambda k: fits(k * shard))
        or chunk * _largest(shard // chunk, lambda k: fits(k * chunk))
        or max(1, _largest(chunk, fits))
    )
    cut = []
    for run in runs:
        found = _cut_layers(run, epochs, cost, cost.threads) or _cut_layers(run, epochs, cost, 1)
        if found is None:
            _validate_parts(run, layers, cost)
            need = min(cost.need_of_units(run, 1, run.cube.chunks[4]), cost.need(run, 1, 1))
            raise _too_large(run, layers, need, "even a single chunk of it", cost)
        cut.append(found)
    return tuple(cut)


def _cut_layers(run: Run, epochs: int, cost: Cost, threads: int) -> Run | None:
    """Choose layers, or some units of one, that so many threads may read of these epochs."""
    n_layers, samples = run.layers.stop - run.layers.start, run.cube.n_samples

    def fits(layers: int) -> bool:
        small = run.cube.values(epochs, layers, samples, run.n_units) <= BLOCK_BYTES or layers == 1
        return small and cost.need(run, epochs, layers) * threads <= cost.budget

    if group := _largest(n_layers, fits):
        return replace(run, epochs=epochs, group=group)
    if run.cube.name == "partition" or any(one.needs != "partition" for one in cost.measures):
        return None
    step = run.cube.chunks[4]

    def fits_units(k: int) -> bool:
        return cost.need_of_units(run, epochs, k * step) * threads <= cost.budget

    k = _largest(math.ceil(run.n_units / step), fits_units)
    if not k:
        return None
    return replace(run, epochs=epochs, samples=samples, units=k * step, in_parts=True)


def _cut(run: Run, layers: Sequence[LayerSpec], cost: Cost, most_epochs: int) -> Run:
    """Choose the largest block that fits, of as many whole shards, else chunks, as possible."""
    n_layers = run.layers.stop - run.layers.start
    shard, chunk, together = run.cube.shard_epochs, run.cube.chunks[1], run.cube.chunks[2]
    shards = _largest(math.ceil(most_epochs / shard), lambda k: cost.fits(run, k * shard, n_layers))
    if shards:
        return replace(run, epochs=shards * shard, group=n_layers)
    group = _largest(n_layers, lambda n: cost.fits(run, shard, n)) // together * together
    if group:
        even = math.ceil(n_layers / math.ceil(n_layers / group))
        return replace(run, epochs=shard, group=math.ceil(even / together) * together)
    chunks = _largest(shard // chunk, lambda k: cost.fits(run, k * chunk, together))
    if chunks:
        return replace(run, epochs=chunks * chunk, group=together)
    epochs = _largest(chunk, lambda e: cost.need(run, e, 1) <= cost.budget)
    return replace(run, epochs=epochs) if epochs else _cut_snapshot(run, layers, cost)


def _cut_snapshot(run: Run, layers: Sequence[LayerSpec], cost: Cost) -> Run:
    """Choose parts of one snapshot: whole chunks of units, of all samples if that fits."""
    _validate_parts(run, layers, cost)
    samples, units = run.cube.n_samples, run.cube.chunks[4]
    step = units * (WORD_BYTES // math.gcd(WORD_BYTES, units * run.cube.itemsize))

    def fits(samples: int, units: int) -> bool:
        small = run.cube.values(1, 1, samples, units) <= BLOCK_BYTES
        return small and cost.need_of_part(run, samples, units) * cost.threads <= cost.budget

    wide = _largest(math.ceil(run.n_units / step), lambda k: fits(samples, k * step))
    if wide:
        return replace(run, samples=samples, units=wide * step, in_parts=True)
    chunk = run.cube.chunks[3]
    long = _largest(math.ceil(samples / chunk), lambda k: fits(k * chunk, step))
    least = min(samples, chunk * max(1, long))
    need = cost.need_of_part(run, least, step)
    if need > cost.budget:
        need = min(need, cost.need(run, 1, 1))
        raise _too_large(run, layers, need, "even a single chunk of it", cost)
    return replace(run, samples=least, units=step, in_parts=True)


def _validate_parts(run: Run, layers: Sequence[LayerSpec], cost: Cost) -> None:
    """Check that what is to be computed can be computed from parts."""
    need = cost.need(run, 1, 1)
    if run.cube.name == "partition":
        raise _too_large(run, layers, need, "a snapshot of it", cost)
    for estimator in cost.measures:
        if estimator.needs != "partition":
            what = f"a snapshot of it, of which {estimator.specification} needs all"
            raise _too_large(run, layers, need, what, cost)


def _too_large(
    run: Run, layers: Sequence[LayerSpec], need: int, what: str, cost: Cost
) -> InputError:
    others = ", or choose other layers with --layers (layers=...)" if cost.selective else ""
    layer = max(layers[run.layers], key=lambda layer: layer.n_units)
    takes = format_bytes(need + cost.writing + LIBRARIES)
    return InputError(
        f"layer {layer.name!r} of {counted(run.cube.n_samples, 'sample')} and "
        f"{counted(layer.n_units, 'unit')} is too large: {what} takes {takes} with the libraries; "
        f"give as much with --memory (memory=...){others}"
    )


def _largest(most: int, fits: Callable[[int], bool]) -> int:
    """Return the largest number from 0 to `most` that fits, if all smaller ones do."""
    return bisect_left(range(1, most + 1), True, key=lambda number: not fits(number))


@dataclass(frozen=True, eq=False)
class Plan:
    """How all snapshots of a store are cut into tasks.

    Parameters
    ----------
    layers : tuple of LayerSpec
        All layers of the store.
    chosen : tuple of int
        Positions of those that are analysed, ascending.
    runs : tuple of Run
        From `layer_runs`.
    cost : Cost
        Bounds.
    """

    layers: tuple[LayerSpec, ...]
    chosen: tuple[int, ...]
    runs: tuple[Run, ...]
    cost: Cost

    @classmethod
    def of(
        cls,
        arrays: Mapping[str, "zarr.Array[Any]"],
        layers: tuple[LayerSpec, ...],
        cost: Cost,
        *,
        n_threads: int,
        chosen: tuple[int, ...] | None = None,
    ) -> Self:
        """Plan the analysis of a store.

        Parameters
        ----------
        arrays : mapping of str to zarr.Array
            The variables that hold what was recorded.
        layers : tuple of LayerSpec
            All layers of the store.
        cost : Cost
            Bounds.
        n_threads : int
            Threads of all processes together, for which there should be enough tasks.
        chosen : tuple of int, optional
            Positions of the layers that are analysed, ascending; all by default.

        Raises
        ------
        InputError
            If what can't be cut further does not fit into memory.
        """
        n_repeats, n_epochs = next(iter(arrays.values())).shape[:2]
        most_epochs = math.ceil(n_repeats * n_epochs / (TASKS_PER_THREAD * n_threads))
        chosen = tuple(range(len(layers))) if chosen is None else chosen
        cubes = {name: Cube.of(name, array) for name, array in arrays.items()}
        runs = layer_runs(cubes, layers, chosen, cost, most_epochs=min(most_epochs, n_epochs))
        return cls(layers, chosen, runs, cost)

    @property
    def layers_in_parts(self) -> tuple[str, ...]:
        """Names of the layers whose partition is not verified."""
        if self.cost.whole:  # their parts are put together in one task, row by row
            return ()
        return tuple(
            layer.name for run in self.runs if run.in_parts for layer in self.layers[run.layers]
        )

    def place(self, reads: Reads) -> slice:
        """Return which of the layers that are analysed a piece is of."""
        first = self.chosen.index(reads[0].layers.start)
        return slice(first, self.chosen.index(reads[-1].layers.stop - 1) + 1)

    @property
    def snapshot_bytes(self) -> int:
        """Bytes of one snapshot, with the padding that is read."""
        return sum(
            run.cube.values(1, run.layers.stop - run.layers.start, run.cube.n_samples, run.n_units)
            for run in self.runs
        )

    def window_epochs(self, job_bytes: int = 0) -> int:
        """Return the epochs whose results are written at once: as many as make a few tasks."""
        longest = max(run.epochs for run in self.runs)
        n_bytes = max(WINDOW_BYTES, 4 * job_bytes)
        most = n_bytes // self.snapshot_bytes
        if self.cost.whole:
            of_snapshot = result_bytes(self.cost.measures, self.cost.header)
            most = min(most, self.cost.budget // (8 * of_snapshot))
        return longest * max(1, most // longest)

    def pieces(
        self, repeat: int, epochs: NDArray[np.intp], rows: NDArray[np.float64] | None = None
    ) -> Iterator[Reads]:
        """Cut some epochs of a repeat into what is computed at once; as `blocks`.

        Yields
        ------
        tuple of Block
            One; or all of some snapshots, layer after layer, for measures that see all layers.
        """
        if not self.cost.whole:
            yield from ((block,) for block in self.blocks(repeat, epochs, rows))
            return
        for near in _near(epochs, self.runs[0].epochs):
            yield tuple(self.blocks(repeat, near, rows))

    def blocks(
        self, repeat: int, epochs: NDArray[np.intp], rows: NDArray[np.float64] | None = None
    ) -> Iterator[Block]:
        """Cut some epochs of a repeat into what is read at once.

        Parameters
        ----------
        repeat : int
            Position of the repeat.
        epochs : ndarray, (epoch,), int
            Positions of the epochs, ascending.
        rows : ndarray, (all epochs, layer, row), float64, optional
            The `ROWS` of the repeat, if an estimator needs them.

        Yields
        ------
        Block
            In the order of layers, then epochs.
        """
        for run in self.runs:
            sizes = cache(partial(self._sizes, run))
            for positions in _near(epochs, run.epochs):
                for start in range(run.layers.start, run.layers.stop, run.group):
                    layers = slice(start, min(start + run.group, run.layers.stop))
                    known = None if rows is None else rows[positions, layers]
                    for samples, units, n_bytes, need in self._pieces(
                        run, positions, layers, sizes
                    ):
                        where = (run.cube.name, repeat, positions, layers, samples, units)
                        yield Block(*where, n_bytes, need, run.in_parts, known)

    def _pieces(
        self,
        run: Run,
        epochs: NDArray[np.intp],
        layers: slice,
        sizes: Callable[[int, int], tuple[int, int]],
    ) -> Iterator[tuple[slice, slice, int, int]]:
        """Yield samples, units, bytes and need of all that is read of some epochs and layers."""
        found = sizes(int(epochs[-1] - epochs[0]) + 1, layers.stop - layers.start)
        if not run.in_parts:
            yield slice(0, run.cube.n_samples), slice(0, run.n_units), *found
            return
        for samples in _steps(run.cube.n_samples, run.samples):
            for units in _steps(self.layers[layers.start].n_units, run.units):
                yield samples, units, *found

    def _sizes(self, run: Run, epochs: int, layers: int) -> tuple[int, int]:
        """Return the bytes and the need of a block; of a part if snapshots are cut."""
        if run.in_parts and self.cost.whole:
            n_bytes = run.cube.values(epochs, 1, run.samples, run.units)
            return n_bytes, self.cost.need_of_units(run, epochs, run.units)
        if run.in_parts:
            n_bytes = run.cube.values(1, 1, run.samples, run.units)
            return n_bytes, self.cost.need_of_part(run, run.samples, run.units)
        n_bytes = run.cube.values(epochs, layers, run.cube.n_samples, run.n_units)
        return n_bytes, self.cost.need(run, epochs, layers)


def _near(epochs: NDArray[np.intp], step: int) -> Iterator[NDArray[np.intp]]:
    """Group ascending positions by the block of `step` epochs that they are in."""
    yield from np.split(epochs, np.flatnonzero(np.diff(epochs // step)) + 1)


def _steps(length: int, step: int) -> Iterator[slice]:
    for start in range(0, length, step):
        yield slice(start, min(start + step, length))
