"""The lazy analysis of a Dataset: one dask task per chunk of snapshots of a layer.

A task reads one chunk and returns a handful of numbers per snapshot, so memory is set by the size
of a chunk times the number of workers, not by the size of the store. All of the graph stays
symbolic (dask's Blockwise) until something is computed, so building it costs the same for any
number of chunks.
"""

from collections.abc import Sequence
from itertools import accumulate, groupby
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ibtools.analysis.estimators import (
    Estimator,
    EstimatorLike,
    LayerBlock,
    get_estimators,
)
from ibtools.analysis.estimators.block import ROWS
from ibtools.analysis.ranges import read_rows
from ibtools.analysis.recording import Recording
from ibtools.analysis.result_variables import (
    RESULT_COORDINATES,
    count_statistics,
    from_statistic,
    result_variables,
    stack_statistics,
)
from ibtools.analysis.stacking import stack_estimators
from ibtools.derived import as_store
from ibtools.schema import CUBE, Variable
from ibtools.snapshots import LayerSpec

_DIMS = "relsu"  # the dims of a cube, one letter each, as dask.array.blockwise names them


def analyze(
    dataset: xr.Dataset, *, estimator: EstimatorLike | Sequence[EstimatorLike] = "exact"
) -> xr.Dataset:
    """Compute the information of every layer about input and label; lazy.

    Parameters
    ----------
    dataset : Dataset
        As `ibtools.open_store` or plain `xarray.open_zarr` open a store, or a selection that keeps
        all dimensions, such as ``ds.isel(epoch=[0, -1])`` or ``ds.sel(layer=["output"])``.
    estimator : str or Estimator, or sequence of them, optional
        A name in `ibtools.analysis.estimators.ESTIMATORS`, or a specification such as
        "binned-uniform-30-global". Of several, each chunk is read once for all of them.

    Returns
    -------
    Dataset
        `mi_xt`, `mi_ty`, `entropy_t` (float64, bits; NaN where a snapshot is not complete) and
        `n_states` (int64; 0 there), and what else the estimator computes, all (repeat, epoch,
        layer), backed by dask; `sample` and `unit` are consumed. For a sequence of estimators,
        even of one, the first dimension is `estimator`, and the attributes in which they differ are
        coordinates along it; see `ibtools.analysis.stacking`. Attributes name the estimator and its
        options, the number of samples, and the entropies of input and label. Only `complete`,
        coordinates and ranges are read before something is computed.

    Raises
    ------
    UnknownNameError
        If there is no such estimator.
    InputError
        If an option is out of range, the store keeps the partition only and the estimator needs
        values, a class has too few samples for it, or the recorded inputs are the population that
        is to be estimated.
    StoreError
        If the Dataset lacks what is needed, has lost a dimension, or holds no complete snapshot.

    Notes
    -----
    All samples are taken as equally likely, and the network as deterministic: then I(X;T) = H(T).
    Samples that are known to have the same input count as one input in H(X); see `input` of the
    store.
    A task holds whole snapshots of a layer in memory, however large they are.

    See Also
    --------
    ibtools.analyze_store : Writes the results, computes none twice, and keeps to a given memory.
    """
    results = analyze_each(dataset, get_estimators(estimator))
    several = isinstance(estimator, Sequence) and not isinstance(estimator, str)
    return stack_estimators(results) if several else results[0]


def analyze_each(dataset: xr.Dataset, estimators: Sequence[Estimator]) -> tuple[xr.Dataset, ...]:
    """Compute the results of several estimators in one pass: one Dataset each, from one graph.

    Parameters, exceptions and each of the results are those of `analyze`.
    """
    dataset = as_store(dataset)
    recording = Recording.of(dataset, estimators)
    statistics = _statistics(dataset, recording, estimators)
    coordinates = {
        variable.name: dataset[variable.name].variable for variable in RESULT_COORDINATES
    }
    results, start = [], 0
    for estimator in estimators:
        variables = {
            variable.name: _result_variable(variable, statistics, start + index)
            for index, variable in enumerate(result_variables(estimator))
        }
        start += len(variables)
        attributes = recording.attributes(estimator)
        results.append(xr.Dataset(variables, coordinates, attributes))
    return tuple(results)


def _result_variable(declared: Variable, statistics: Any, index: int) -> xr.Variable:
    values = da.blockwise(
        _statistic,
        "rel",
        statistics,
        "relk",
        concatenate=True,
        dtype=declared.dtypes[0],
        index=index,
        declared=declared,
    )
    return xr.Variable(declared.dims, values, declared.attributes())


def _statistic(statistics: NDArray[np.float64], *, index: int, declared: Variable) -> NDArray[Any]:
    """Take one statistic out of a block (repeat, epoch, layer, statistic)."""
    return from_statistic(declared, statistics[..., index])


def _statistics(dataset: xr.Dataset, recording: Recording, estimators: Sequence[Estimator]) -> Any:
    """Return all statistics as a dask array (repeat, epoch, layer, statistic)."""
    needs_values = any(estimator.needs_values for estimator in estimators)
    rows = read_rows(dataset) if needs_values else None
    parts = [
        _statistics_of_layers(
            _cube(dataset, name, layers, recording), layers, rows, recording, estimators
        )
        for name, layers in _runs(dataset, recording)
    ]
    return parts[0] if len(parts) == 1 else da.concatenate(parts, axis=2)


def _runs(dataset: xr.Dataset, recording: Recording) -> list[tuple[str, slice]]:
    """Group neighbouring layers that are in one variable and as many chunks of units wide."""

    def kind(index: int) -> tuple[str, int]:
        if "partition" in dataset:
            return "partition", 1
        layer = recording.layers[index]
        name = "code" if layer.quantised else "activation"
        chunks = dataset[name].variable.chunksizes.get("unit", (dataset.sizes["unit"],))
        return name, _to_whole_chunks(layer.n_units, chunks)

    groups = [
        (name, list(indices))
        for (name, _), indices in groupby(range(len(recording.layers)), key=kind)
    ]
    return [(name, slice(indices[0], indices[-1] + 1)) for name, indices in groups]


def _to_whole_chunks(n_units: int, chunks: Sequence[int]) -> int:
    return next(end for end in accumulate(chunks) if end >= n_units)


def _cube(dataset: xr.Dataset, name: str, layers: slice, recording: Recording) -> Any:
    """Return some layers of what was recorded, without chunks that are padding of them all."""
    dims = CUBE[:4] if name == "partition" else CUBE
    cube = da.asarray(dataset[name].transpose(*dims).data)
    if layers != slice(0, cube.shape[2]):  # slicing spells the graph out, chunk by chunk
        cube = cube[:, :, layers]
    if name != "partition":
        widest = max(layer.n_units for layer in recording.layers[layers])
        units = _to_whole_chunks(widest, cube.chunks[4])
        cube = cube if units == cube.shape[4] else cube[..., :units]
    return cube


def _statistics_of_layers(
    cube: Any,
    layers: slice,
    rows: NDArray[np.float64] | None,
    recording: Recording,
    estimators: Sequence[Estimator],
) -> Any:
    by_snapshot, by_layer = cube.chunks[:2], cube.chunks[2]
    indices = np.arange(layers.start, layers.stop)
    rows_chunks = (*by_snapshot, by_layer, -1)
    return da.blockwise(
        _block_statistics,
        "relk",
        cube,
        _DIMS[: cube.ndim],
        da.from_array(recording.complete, chunks=by_snapshot),
        "re",
        None if rows is None else da.from_array(rows[:, :, layers], chunks=rows_chunks),
        None if rows is None else "relg",
        da.from_array(recording.label, chunks=(cube.chunks[3],)),
        "s",
        da.from_array(indices, chunks=(by_layer,)),
        "l",
        new_axes={"k": count_statistics(estimators)},
        concatenate=True,
        dtype=np.float64,
        meta=np.empty((0, 0, 0, 0)),
        layers=recording.layers,
        estimators=tuple(estimators),
        n_classes=recording.n_classes,
        entropy_x=recording.entropy_x,
        global_range=recording.global_range,
    )


def _block_statistics(
    values: NDArray[Any],
    complete: NDArray[np.bool_],
    rows: NDArray[np.float64] | None,
    label: NDArray[np.integer[Any]],
    indices: NDArray[np.intp],
    *,
    layers: Sequence[LayerSpec],
    estimators: Sequence[Estimator],
    n_classes: int,
    entropy_x: float,
    global_range: tuple[float, float],
) -> NDArray[np.float64]:
    """Reduce a chunk (repeat, epoch, layer, sample, unit) to (repeat, epoch, layer, statistic)."""
    keeps_partition = values.ndim == len(CUBE) - 1
    values = values[..., np.newaxis] if keeps_partition else values
    out = np.full((*values.shape[:3], count_statistics(estimators)), np.nan)
    if not complete.any():
        return out
    for position, index in enumerate(indices):
        layer = layers[index]
        recorded = values[:, :, position, :, : None if keeps_partition else layer.n_units]
        known = () if rows is None else rows[:, :, position][complete].T
        block = LayerBlock(
            _take_complete(recorded, complete),
            layer,
            y=label,
            n_classes=n_classes,
            entropy_x=entropy_x,
            rows=dict(zip(ROWS, known, strict=False)),
            global_range=global_range,
            keeps_partition=keeps_partition,
        )
        out[complete, position] = stack_statistics(estimators, block)
    return out


def _take_complete(recorded: NDArray[Any], complete: NDArray[np.bool_]) -> NDArray[Any]:
    """Return (block, sample, unit) of (repeat, epoch, sample, unit), without a copy if it can."""
    if complete.all() and len(complete) == 1:
        return np.asarray(recorded[0])
    return np.asarray(recorded[complete])
