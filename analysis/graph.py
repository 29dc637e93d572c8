"""The lazy analysis of a Dataset: one dask task per repeat, layer and block of epochs.

A task reads one chunk and returns a handful of numbers per snapshot, so memory is set by the size
of a chunk times the number of workers, not by the size of the store.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

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
from ibtools.analysis.information import entropy
from ibtools.analysis.ranges import global_range, read_rows
from ibtools.analysis.result_variables import (
    RESULT_COORDINATES,
    result_variables,
    stack_estimators,
)
from ibtools.errors import InputError, StoreError
from ibtools.provenance import provenance
from ibtools.schema import CUBE, STORE_VARIABLES, Variable
from ibtools.snapshots import LAYER_COLUMNS, LayerSpec, layer_specs
from ibtools.store import RECORDED


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
        even of one, the first dimension is `estimator`. Attributes name the estimator and its
        options, the number of samples, and the entropies of input and label. Only `complete`,
        coordinates and ranges are read before something is computed.

    Raises
    ------
    UnknownNameError
        If there is no such estimator.
    InputError
        If an option is out of range, the store keeps the partition only and the estimator needs
        values, or a class has too few samples for it.
    StoreError
        If the Dataset lacks what is needed, has lost a dimension, or holds no complete snapshot.

    Notes
    -----
    All samples are taken as equally likely, and the network as deterministic: then I(X;T) = H(T).
    Where two samples have the same input, H(T) still is I(X;T), for the recorded set of inputs.

    See Also
    --------
    ibtools.analyze_store : Writes the results, and computes none twice.
    """
    results = analyze_each(dataset, get_estimators(estimator))
    several = isinstance(estimator, Sequence) and not isinstance(estimator, str)
    return stack_estimators(results) if several else results[0]


def analyze_each(dataset: xr.Dataset, estimators: Sequence[Estimator]) -> tuple[xr.Dataset, ...]:
    """Compute the results of several estimators in one pass: one Dataset each, from one graph.

    Parameters, exceptions and each of the results are those of `analyze`.
    """
    _validate(dataset)
    _validate_values(dataset, estimators)
    recording = _Recording.of(dataset, estimators)
    _validate_classes(recording.label, estimators)
    statistics = da.stack(
        [
            _layer_statistics(dataset.isel(layer=index), recording, index, estimators)
            for index in range(len(recording.layers))
        ],
        axis=2,
    )
    coordinates = {
        variable.name: dataset[variable.name].variable for variable in RESULT_COORDINATES
    }
    results, start = [], 0
    for estimator in estimators:
        variables = {
            variable.name: _result_variable(variable, statistics[..., start + index])
            for index, variable in enumerate(result_variables(estimator))
        }
        start += len(variables)
        attributes = _attributes(dataset, estimator, recording)
        results.append(xr.Dataset(variables, coordinates, attributes))
    return tuple(results)


@dataclass(frozen=True, eq=False)
class _Recording:
    """What of a store is read before anything is computed."""

    layers: tuple[LayerSpec, ...]
    complete: NDArray[np.bool_]
    label: NDArray[np.integer[Any]]
    rows: NDArray[np.float64]
    global_range: tuple[float, float]

    @classmethod
    def of(cls, dataset: xr.Dataset, estimators: Sequence[Estimator]) -> Self:
        layers = layer_specs({name: dataset[name].values for name in LAYER_COLUMNS})
        complete = np.asarray(dataset["complete"].transpose("repeat", "epoch").values, bool)
        rows, found = np.full((*complete.shape, len(layers), len(ROWS)), np.nan), (np.nan, np.nan)
        if any(estimator.needs_values for estimator in estimators):
            rows = read_rows(dataset)
            found = global_range(rows, layers, complete)
        return cls(layers, complete, np.asarray(dataset["label"].values), rows, found)


def _result_variable(declared: Variable, values: Any) -> xr.Variable:
    if declared.dtypes[0] == "int64":
        values = da.where(da.isnan(values), declared.fill, values).astype("int64")
    return xr.Variable(declared.dims, values, declared.attributes())


def _layer_statistics(
    layer: xr.Dataset, recording: _Recording, index: int, estimators: Sequence[Estimator]
) -> Any:
    """Return the statistics of one layer as a dask array (repeat, epoch, statistic)."""
    spec, label = recording.layers[index], recording.label
    cube = _cube(layer, spec)
    rows = da.from_array(recording.rows[:, :, index], chunks=(*cube.chunks[:2], -1))
    return da.blockwise(
        _block_statistics,
        "rek",
        cube,
        "resu",
        da.from_array(recording.complete, chunks=cube.chunks[:2]),
        "re",
        rows,
        "reg",
        da.from_array(label, chunks=-1),
        "s",
        new_axes={"k": sum(len(estimator.variables) for estimator in estimators)},
        concatenate=True,
        dtype=np.float64,
        meta=np.empty((0, 0, 0)),
        spec=spec,
        estimators=tuple(estimators),
        n_classes=int(label.max()) + 1,
        global_range=recording.global_range,
        keeps_partition="partition" in layer,
    )


def _cube(layer: xr.Dataset, spec: LayerSpec) -> Any:
    """Return what was recorded of a layer, (repeat, epoch, sample, unit), whole snapshots."""
    if "partition" in layer:
        cube = layer["partition"].expand_dims("unit")
    else:
        cube = layer["code" if spec.quantised else "activation"].isel(unit=slice(spec.n_units))
    values = da.asarray(cube.transpose("repeat", "epoch", "sample", "unit").data)
    return values.rechunk({2: -1, 3: -1})


def _block_statistics(
    values: NDArray[Any],
    complete: NDArray[np.bool_],
    rows: NDArray[np.float64],
    label: NDArray[np.integer[Any]],
    *,
    spec: LayerSpec,
    estimators: Sequence[Estimator],
    n_classes: int,
    global_range: tuple[float, float],
    keeps_partition: bool,
) -> NDArray[np.float64]:
    """Reduce a chunk (repeat, epoch, sample, unit) to (repeat, epoch, statistic)."""
    n_statistics = sum(len(estimator.variables) for estimator in estimators)
    out = np.full((*complete.shape, n_statistics), np.nan)
    if complete.any():
        block = LayerBlock(
            values[complete] if not complete.all() else values.reshape(-1, *values.shape[2:]),
            spec,
            y=label,
            n_classes=n_classes,
            rows=dict(zip(ROWS, rows[complete].T, strict=True)),
            global_range=global_range,
            keeps_partition=keeps_partition,
        )
        out[complete] = np.stack(
            [
                found[name]
                for estimator in estimators
                for found in [estimator.statistics(block)]
                for name in estimator.variables
            ],
            axis=-1,
        )
    return out


def _attributes(dataset: xr.Dataset, estimator: Estimator, recording: _Recording) -> dict[str, Any]:
    inherited = ("experiment", "data_checksum", "store_id")
    label = recording.label
    bounds = dict(zip(("bounds_low", "bounds_high"), recording.global_range, strict=True))
    return {
        **provenance(),
        **{name: dataset.attrs[name] for name in inherited if name in dataset.attrs},
        "estimator": estimator.specification,
        **estimator.attributes,
        **(bounds if estimator.needs_global_range else {}),
        "n_samples": int(label.size),
        "entropy_x": float(entropy(np.ones(label.size, np.int64))),
        "entropy_y": float(entropy(np.bincount(label))),
        "coordinates": " ".join(variable.name for variable in RESULT_COORDINATES),
    }


def _validate_values(dataset: xr.Dataset, estimators: Sequence[Estimator]) -> None:
    for estimator in estimators:
        if estimator.needs_values and "partition" in dataset.variables:
            raise InputError(
                f"the estimator {estimator.specification} needs the values of units, but the store "
                "keeps only the partition of whole layers; record again with --keep codes, or "
                "analyse with exact"
            )


def _validate_classes(label: NDArray[np.integer[Any]], estimators: Sequence[Estimator]) -> None:
    in_class = np.bincount(label)
    smallest = int(np.where(in_class > 0, in_class, label.size + 1).argmin())
    for estimator in estimators:
        if in_class[smallest] < estimator.min_class_size:
            raise InputError(
                f"the estimator {estimator.specification} needs at least "
                f"{estimator.min_class_size} samples of every class, but class {smallest} has "
                f"{in_class[smallest]}; analyse with another estimator"
            )


def _validate(dataset: xr.Dataset) -> None:
    needed = [variable.name for variable in STORE_VARIABLES if variable.coordinate]
    needed = [name for name in [*needed, "complete"] if name not in ("trained_epoch", "split")]
    missing = [name for name in needed if name not in dataset.variables]
    if not set(RECORDED) & set(dataset.variables):
        missing.append(" or ".join(RECORDED))
    if missing:
        raise StoreError(
            f"analyze needs the Dataset of a store, but {', '.join(missing)} is missing; open it "
            "with ibtools.open_store(path)"
        )
    cube = CUBE[:4] if "partition" in dataset.variables else CUBE
    lost = [dim for dim in cube if dim not in dataset.dims]
    if lost:
        raise StoreError(
            f"analyze needs all of {', '.join(cube)}, but {', '.join(lost)} was dropped by a "
            f"selection; select with a list, as in ds.isel({lost[0]}=[0])"
        )
    if not bool(dataset["complete"].any()):
        raise StoreError(
            "the store holds no complete snapshot yet; record, or go on with --resume, first"
        )
