"""The walk over a Dataset, lazily: one dask task per chunk of snapshots, of a layer or of all.

A task reads one chunk and returns a handful of numbers per snapshot, so memory is set by the size
of a chunk times the number of workers, not by the size of the store. All of the graph stays
symbolic (dask's Blockwise) until something is computed, so building it costs the same for any
number of chunks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate, groupby
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ibtools.analysis.measures.block import ROWS, UnitGrids
from ibtools.analysis.measures.protocol import Measure
from ibtools.analysis.passes.computing import Values, compute, empty, sizes_of
from ibtools.analysis.passes.ranges import read_rows
from ibtools.analysis.passes.store_blocks import layer_block
from ibtools.store.header import Header
from ibtools.store.schema import CUBE, UNIT_GRID, UNIT_GRIDS

_DIMS = "relsu"  # the dims of a cube, one letter each, as dask.array.blockwise names them
_OWN = "vwxyz"  # dims that only the variables of a measure have


@dataclass(frozen=True, eq=False)
class _Task:
    """What every task is given beside its chunks."""

    measures: tuple[Measure, ...]
    header: Header
    global_range: tuple[float, float]


def lazy_variables(
    dataset: xr.Dataset,
    measures: Sequence[Measure],
    *,
    complete: NDArray[np.bool_],
    global_range: tuple[float, float],
) -> list[dict[str, xr.Variable]]:
    """Compute measures of a Dataset, in one pass.

    Parameters
    ----------
    dataset : Dataset
        Of a store, already checked.
    measures : sequence of Measure
        What to compute.
    complete : ndarray, (repeat, epoch), bool
        Which snapshots count.
    global_range : tuple of float and float
        For measures that need it.

    Returns
    -------
    list of dict of str to Variable
        For each measure its variables, backed by dask.
    """
    task = _Task(tuple(measures), Header.of(dataset).detached(), global_range)
    whole = any(one.scope == "snapshot" for one in measures)
    by_value = any(one.needs == "values" for one in measures)
    rows = read_rows(dataset) if by_value else None
    if whole:
        parts = [_of_snapshots(dataset, task, complete, rows)]
    else:
        parts = [
            _of_layers(dataset, name, layers, task, complete, rows)
            for name, layers in _runs(dataset, task.header)
        ]
    sizes = sizes_of(measures, task.header)
    found = []
    for index, measure in enumerate(measures):
        of = {
            one.name: _variable(parts, index, one, sizes[index], whole=whole)
            for one in measure.variables
        }
        found.append(of)
    return found


def _variable(
    parts: Sequence[Any], index: int, declared: Any, sizes: Any, *, whole: bool
) -> xr.Variable:
    """Take one variable out of what the tasks return."""
    picked = []
    for part in parts:
        own = {
            _OWN[axis]: sizes[dim]
            for axis, dim in enumerate(declared.dims[2:] if whole else declared.dims[3:])
        }
        there = "re" if whole else "rel"
        picked.append(
            da.blockwise(
                _pick,
                there + "".join(own),
                part,
                there,
                new_axes=own,
                dtype=declared.dtypes[0],
                meta=np.empty((0,) * len(declared.dims), declared.dtypes[0]),
                index=index,
                variable=declared.name,
            )
        )
    values = picked[0] if len(picked) == 1 else da.concatenate(picked, axis=2)
    return xr.Variable(declared.dims, values, declared.attributes())


def _pick(found: Sequence[Values], *, index: int, variable: str) -> NDArray[Any]:
    return found[index][variable]


def _runs(dataset: xr.Dataset, header: Header) -> list[tuple[str, slice]]:
    """Group neighbouring layers that are in one variable and as many chunks of units wide."""

    def kind(index: int) -> tuple[str, int]:
        if header.keeps_partition:
            return "partition", 1
        layer = header.layers[index]
        name = layer.variable
        chunks = dataset[name].variable.chunksizes.get("unit", (dataset.sizes["unit"],))
        return name, _to_whole_chunks(layer.n_units, chunks)

    groups = [
        (name, list(indices)) for (name, _), indices in groupby(range(len(header.layers)), key=kind)
    ]
    return [(name, slice(indices[0], indices[-1] + 1)) for name, indices in groups]


def _to_whole_chunks(n_units: int, chunks: Sequence[int]) -> int:
    return next(end for end in accumulate(chunks) if end >= n_units)


def _cube(dataset: xr.Dataset, name: str, layers: slice, header: Header) -> Any:
    """Return some layers of what was recorded, without chunks that are padding of them all."""
    dims = CUBE[:4] if name == "partition" else CUBE
    cube = da.asarray(dataset[name].transpose(*dims).data)
    if layers != slice(0, cube.shape[2]):  # slicing spells the graph out, chunk by chunk
        cube = cube[:, :, layers]
    if name != "partition":
        widest = max(layer.n_units for layer in header.layers[layers])
        units = _to_whole_chunks(widest, cube.chunks[4])
        cube = cube if units == cube.shape[4] else cube[..., :units]
    return cube


def _snapshots(dataset: xr.Dataset, complete: NDArray[np.bool_], chunks: Any) -> list[Any]:
    """Return which snapshots count, and the labels of repeats and epochs, for blockwise."""
    repeat, epoch = (np.asarray(dataset[name].values) for name in CUBE[:2])
    return [
        da.from_array(complete, chunks=chunks),
        "re",
        da.from_array(repeat, chunks=(chunks[0],)),
        "r",
        da.from_array(epoch, chunks=(chunks[1],)),
        "e",
    ]


def _of_layers(
    dataset: xr.Dataset,
    name: str,
    layers: slice,
    task: _Task,
    complete: NDArray[np.bool_],
    rows: NDArray[np.float64] | None,
) -> Any:
    """Return what tasks find of some layers, a dask array (repeat, epoch, layer) of objects."""
    cube = _cube(dataset, name, layers, task.header)
    by_snapshot, by_layer = cube.chunks[:2], cube.chunks[2]
    indices = np.arange(layers.start, layers.stop)
    rows_chunks = (*by_snapshot, by_layer, -1)
    grids: tuple[Any, ...] = (None, None)
    if rows is not None and name == "code":
        units = slice(cube.shape[4])
        grids = _unit_grids(dataset, layers, units, (*by_snapshot, by_layer, cube.chunks[4]))
    return da.blockwise(
        _layers_of_block,
        "rel",
        *_snapshots(dataset, complete, by_snapshot),
        cube,
        _DIMS[: cube.ndim],
        None if rows is None else da.from_array(rows[:, :, layers], chunks=rows_chunks),
        None if rows is None else "relg",
        da.from_array(indices, chunks=(by_layer,)),
        "l",
        *(part for grid in grids for part in (grid, None if grid is None else "relu")),
        concatenate=True,
        dtype=object,
        meta=np.empty((0, 0, 0), object),
        task=task,
    )


def _of_snapshots(
    dataset: xr.Dataset,
    task: _Task,
    complete: NDArray[np.bool_],
    rows: NDArray[np.float64] | None,
) -> Any:
    """Return what tasks find of all layers, a dask array (repeat, epoch) of objects."""
    cubes = [_layer(dataset, index, task.header) for index in range(len(task.header.layers))]
    by_snapshot = cubes[0].chunks[:2]
    grids: tuple[Any, ...] = (None, None)
    if rows is not None:
        grids = _unit_grids(dataset, slice(None), slice(None), (*by_snapshot, -1, -1))
    recorded: list[Any] = []
    for index, cube in enumerate(cubes):
        recorded += [cube, ("r", "e", "s", f"u{index}")]
    return da.blockwise(
        _snapshots_of_block,
        "re",
        *_snapshots(dataset, complete, by_snapshot),
        None if rows is None else da.from_array(rows, chunks=(*by_snapshot, -1, -1)),
        None if rows is None else "relg",
        *(part for grid in grids for part in (grid, None if grid is None else "relw")),
        *recorded,
        concatenate=True,
        dtype=object,
        meta=np.empty((0, 0), object),
        task=task,
    )


def _unit_grids(
    dataset: xr.Dataset, layers: slice, units: slice, chunks: tuple[Any, ...]
) -> tuple[Any, Any]:
    """Return scale and zero point of each unit, dask arrays in chunks of a cube, or None twice."""
    if any(name not in dataset for name in UNIT_GRIDS):
        return None, None
    scales, zero_points = (
        da.asarray(dataset[name].transpose(*UNIT_GRID).data)[:, :, layers, units].rechunk(chunks)
        for name in UNIT_GRIDS
    )
    return scales, zero_points


def _layer(dataset: xr.Dataset, index: int, header: Header) -> Any:
    """Return what was recorded of a layer, (repeat, epoch, sample, unit), whole snapshots."""
    spec, layer = header.layers[index], dataset.isel(layer=index)
    if header.keeps_partition:
        cube = layer["partition"].expand_dims("unit")
    else:
        cube = layer[spec.variable].isel(unit=slice(spec.n_units))
    values = da.asarray(cube.transpose("repeat", "epoch", "sample", "unit").data)
    return values.rechunk({2: -1, 3: -1})


def _layers_of_block(
    complete: NDArray[np.bool_],
    repeat: NDArray[np.integer[Any]],
    epoch: NDArray[np.integer[Any]],
    values: NDArray[Any],
    rows: NDArray[np.float64] | None,
    indices: NDArray[np.intp],
    scales: NDArray[np.float32] | None,
    zero_points: NDArray[np.int32] | None,
    *,
    task: _Task,
) -> tuple[Values, ...]:
    """Compute measures of a chunk (repeat, epoch, layer, sample, unit), layer by layer."""
    values = values[..., np.newaxis] if values.ndim == len(CUBE) - 1 else values
    recorded = [values[:, :, position] for position in range(len(indices))]
    grids = None if scales is None or zero_points is None else (scales, zero_points)
    return _compute_block(complete, repeat, epoch, recorded, rows, indices.tolist(), task, grids)


def _snapshots_of_block(
    complete: NDArray[np.bool_],
    repeat: NDArray[np.integer[Any]],
    epoch: NDArray[np.integer[Any]],
    rows: NDArray[np.float64] | None,
    scales: NDArray[np.float32] | None,
    zero_points: NDArray[np.int32] | None,
    *recorded: NDArray[Any],
    task: _Task,
) -> tuple[Values, ...]:
    """Compute measures of one chunk (repeat, epoch, sample, unit) of every layer."""
    grids = None if scales is None or zero_points is None else (scales, zero_points)
    layers = range(len(recorded))
    return _compute_block(complete, repeat, epoch, recorded, rows, layers, task, grids)


def _compute_block(
    complete: NDArray[np.bool_],
    repeat: NDArray[np.integer[Any]],
    epoch: NDArray[np.integer[Any]],
    recorded: Sequence[NDArray[Any]],
    rows: NDArray[np.float64] | None,
    indices: Sequence[int],
    task: _Task,
    grids: UnitGrids | None,
) -> tuple[Values, ...]:
    """Compute measures of what is complete; all else is missing."""
    sizes = [{**of, "layer": len(indices)} for of in sizes_of(task.measures, task.header)]
    out = tuple(
        {one.name: empty(one, complete.shape, of) for one in measure.variables}
        for measure, of in zip(task.measures, sizes, strict=True)
    )
    if not complete.any():
        return out
    repeats, epochs = np.meshgrid(repeat, epoch, indexing="ij")
    blocks = (
        layer_block(
            _take_complete(values, complete),
            index,
            task.header,
            rows={} if rows is None else _known(rows[:, :, position][complete]),
            global_range=task.global_range,
            most_bits=task.header.most_bits,
            read_unit_grids=None
            if grids is None
            else partial(_of_layer, grids, complete, position, task.header.layers[index].n_units),
        )
        for position, (values, index) in enumerate(zip(recorded, indices, strict=True))
    )
    found = compute(
        task.measures,
        blocks,
        repeat=repeats[complete],
        epoch=epochs[complete],
        header=task.header,
    )
    for values, of in zip(out, found, strict=True):
        for name, numbers in of.items():
            values[name][complete] = numbers
    return out


def _of_layer(
    grids: UnitGrids, complete: NDArray[np.bool_], position: int, n_units: int
) -> UnitGrids:
    """Return the grids of the units of one layer, (block, unit), without padding."""
    scales, zero_points = grids
    where = complete, position, slice(n_units)
    return scales[where], zero_points[where]


def _known(rows: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    return dict(zip(ROWS, rows.T, strict=True))


def _take_complete(recorded: NDArray[Any], complete: NDArray[np.bool_]) -> NDArray[Any]:
    """Return (block, sample, unit) of (repeat, epoch, sample, unit), without a copy if it can."""
    if complete.all() and len(complete) == 1:
        return np.asarray(recorded[0])
    return np.asarray(recorded[complete])
