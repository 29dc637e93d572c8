"""The lazy details of a Dataset: one dask task per repeat and block of epochs, all layers at once.

A task reads one chunk of every layer, partitions it, and returns the numbers of all details that
are asked for, so that each chunk is read and each layer partitioned once for all of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ibtools.analysis.details.kinds import (
    Detail,
    DetailLike,
    get_details,
)
from ibtools.analysis.details.options import Permutations
from ibtools.analysis.details.snapshots import (
    UNIT_STATISTICS,
    Snapshots,
    Subject,
    partition_layer,
)
from ibtools.analysis.estimators import (
    CountingEstimator,
    EstimatorLike,
    LayerBlock,
    get_estimator,
)
from ibtools.analysis.estimators.block import ROWS
from ibtools.analysis.graph import analyze
from ibtools.analysis.ranges import global_range, read_rows
from ibtools.analysis.result_variables import from_statistic
from ibtools.derived import as_store
from ibtools.detail_schema import DETAIL_VARIABLES
from ibtools.errors import InputError
from ibtools.schema import Variable

_REPEAT, _EPOCH, _SAMPLE, _NUMBER, _ROW, _UNIT = range(6)
"""Names of dimensions for dask; the units of layer i are `_UNIT` + i."""


def details(
    dataset: xr.Dataset,
    what: DetailLike | Sequence[DetailLike],
    *,
    estimator: EstimatorLike = "exact",
) -> xr.Dataset | dict[str, xr.Dataset]:
    """Compute more from the states of the layers than `ibtools.analyze` does; lazy.

    Parameters
    ----------
    dataset : Dataset
        As for `ibtools.analyze`.
    what : str or Detail, or sequence of them
        "classes", "layers", "prediction", "splits", "units"; or
        `ibtools.analysis.details.About` for another label of the samples, or
        `ibtools.analysis.details.Permutations`. Of several, each chunk is read once for all.
    estimator : str or CountingEstimator, optional
        What a state is: any estimator that counts states.

    Returns
    -------
    Dataset, or dict of str to Dataset
        For a sequence one Dataset by the name of each detail. The variables and dims of each are
        declared in `ibtools.detail_schema`: (repeat, epoch, layer) and, for some, `class`,
        `other_layer`, `split` or `unit`; in bits, NaN where a snapshot is not complete, backed by
        dask. `sample` is consumed. Attributes are those of `ibtools.analyze` and the options.

    Raises
    ------
    UnknownNameError
        If there is no such detail or estimator.
    InputError
        If the estimator counts no states, an option is out of range, or the store does not hold
        what a detail needs: single units, a unit for every class, or as many samples as the label.
    StoreError
        If the Dataset lacks what is needed, has lost a dimension, or holds no complete snapshot.

    See Also
    --------
    ibtools.details_store : Writes the details, and computes none twice.
    """
    kinds = get_details(what)
    found = details_each(dataset, kinds, get_estimator(estimator))
    if isinstance(what, Sequence) and not isinstance(what, str):
        return {kind.name: one for kind, one in zip(kinds, found, strict=True)}
    return found[0]


def permutation_test(
    dataset: xr.Dataset,
    *,
    n_permutations: int = 1000,
    seed: int = 0,
    estimator: EstimatorLike = "exact",
) -> xr.Dataset:
    """Compare I(T;Y) with what permutations of the labels give; lazy.

    Parameters
    ----------
    dataset : Dataset
        As for `ibtools.analyze`.
    n_permutations, seed : int, optional
        As for `ibtools.analysis.details.Permutations`, which has the definitions. Any chunking or
        selection gives the same numbers.
    estimator : str or CountingEstimator, optional
        What a state is.

    Returns
    -------
    Dataset
        `permuted_mean`, `permuted_sd` (bits), `permuted_z` and `permuted_p`, float64, (repeat,
        epoch, layer).

    Raises
    ------
    UnknownNameError, InputError, StoreError
        As `details`.
    """
    kind = Permutations(n_permutations, seed)
    return details_each(dataset, (kind,), get_estimator(estimator))[0]


def details_each(
    dataset: xr.Dataset, kinds: Sequence[Detail], estimator: Any
) -> tuple[xr.Dataset, ...]:
    """Compute several details in one pass: one Dataset each, from one graph.

    Parameters, exceptions and each of the results are those of `details`.
    """
    counting = validate_counting(estimator)
    dataset = as_store(dataset)
    ordinary = analyze(dataset, estimator=counting)  # checks the Dataset; not computed
    subject = Subject.of(dataset)
    for kind in kinds:
        _validate(kind, subject)
    repeats, epochs = np.asarray(dataset["repeat"].values), np.asarray(dataset["epoch"].values)
    rows, found = _ranges(dataset, subject, counting)
    task = _Task(subject, counting, tuple(kinds), repeats, epochs, rows, found)
    numbers = _numbers(dataset, task)
    results, start = [], 0
    for kind in kinds:
        one = xr.Dataset(coords=ordinary.coords).assign_coords(_coordinates(kind, subject))
        for variable in data_variables(kind):
            shape = _shape(variable, kind, subject)
            values = numbers[..., start : start + prod(shape)]
            one[variable.name] = _result(variable, values, shape)
            start += prod(shape)
        results.append(one.assign_attrs({**ordinary.attrs, **kind.attributes}))
    return tuple(results)


def data_variables(kind: Detail) -> tuple[Variable, ...]:
    """Return the declarations of what a detail computes, without its coordinates."""
    return tuple(one for one in DETAIL_VARIABLES[kind.kind] if not one.coordinate)


def validate_counting(estimator: Any) -> CountingEstimator:
    """Check that an estimator counts states, from which all details are computed.

    Raises
    ------
    InputError
        If it does not.
    """
    if not isinstance(estimator, CountingEstimator):
        raise InputError(
            f"details are computed from the states of layers, which the estimator "
            f"{estimator.specification} does not count; choose exact, binned or requantised"
        )
    return estimator


def _validate(kind: Detail, subject: Subject) -> None:
    if subject.keeps_partition and (kind.needs_units or kind.needs_prediction):
        raise InputError(
            f"{kind.name} needs the values of units, but the store keeps only the partition of "
            "whole layers; record again with --keep codes, or leave it out"
        )
    kind.validate(subject)


def _coordinates(kind: Detail, subject: Subject) -> dict[str, xr.Variable]:
    values = kind.coordinates(subject)
    return {
        variable.name: xr.Variable(variable.dims, values[variable.name], variable.attributes())
        for variable in DETAIL_VARIABLES[kind.kind]
        if variable.coordinate
    }


def _shape(variable: Variable, kind: Detail, subject: Subject) -> tuple[int, ...]:
    """Return the sizes of the dims after repeat and epoch."""
    coordinates = kind.coordinates(subject)
    sizes = {"layer": len(subject.layers), **{name: len(v) for name, v in coordinates.items()}}
    return tuple(sizes[dim] for dim in variable.dims[2:])


def _result(variable: Variable, values: Any, shape: tuple[int, ...]) -> xr.Variable:
    values = values.reshape(*values.shape[:2], *shape)
    values = values.map_blocks(partial(from_statistic, variable), dtype=variable.dtypes[0])
    return xr.Variable(variable.dims, values, variable.attributes())


def _ranges(
    dataset: xr.Dataset, subject: Subject, estimator: CountingEstimator
) -> tuple[NDArray[np.float64] | None, tuple[float, float]]:
    """Return grids and ranges (repeat, epoch, layer, row), and the range of all, if needed."""
    if not estimator.needs_values:
        return None, (np.nan, np.nan)
    rows = read_rows(dataset)
    complete = np.asarray(dataset["complete"].transpose("repeat", "epoch").values, bool)
    return rows, global_range(rows, subject.layers, complete)


@dataclass(frozen=True, eq=False)
class _Task:
    """What every task is given beside its chunks.

    Parameters
    ----------
    subject : Subject
        What snapshots have in common.
    estimator : CountingEstimator
        What a state is.
    kinds : tuple of Detail
        What to compute.
    repeats, epochs : ndarray, (repeat,), (epoch,), integer
        Labels of repeats and epochs.
    rows : ndarray, (repeat, epoch, layer, row), float64, or None
        For estimators that look at values.
    global_range : tuple of float and float
        The same.
    """

    subject: Subject
    estimator: CountingEstimator
    kinds: tuple[Detail, ...]
    repeats: NDArray[np.integer]
    epochs: NDArray[np.integer]
    rows: NDArray[np.float64] | None
    global_range: tuple[float, float]

    @property
    def n_numbers(self) -> int:
        """Numbers per snapshot."""
        return sum(
            prod(_shape(variable, kind, self.subject))
            for kind in self.kinds
            for variable in data_variables(kind)
        )


def _numbers(dataset: xr.Dataset, task: _Task) -> Any:
    """Return all numbers as a dask array (repeat, epoch, number)."""
    cubes = [_cube(dataset, index, task.subject) for index in range(len(task.subject.layers))]
    chunks = cubes[0].chunks[:2]
    complete = np.asarray(dataset["complete"].transpose("repeat", "epoch").values, bool)
    positions = [np.arange(n) for n in complete.shape]
    arguments: list[Any] = []
    for values, dims in (
        (da.from_array(complete, chunks=chunks), (_REPEAT, _EPOCH)),
        (da.from_array(positions[0], chunks=(chunks[0],)), (_REPEAT,)),
        (da.from_array(positions[1], chunks=(chunks[1],)), (_EPOCH,)),
        *((cube, (_REPEAT, _EPOCH, _SAMPLE, _UNIT + index)) for index, cube in enumerate(cubes)),
    ):
        arguments += [values, dims]
    return da.blockwise(
        _block_numbers,
        (_REPEAT, _EPOCH, _NUMBER),
        *arguments,
        new_axes={_NUMBER: task.n_numbers},
        concatenate=True,
        dtype=np.float64,
        meta=np.empty((0, 0, 0)),
        task=task,
    )


def _cube(dataset: xr.Dataset, index: int, subject: Subject) -> Any:
    """Return what was recorded of a layer, (repeat, epoch, sample, unit), whole snapshots."""
    spec, layer = subject.layers[index], dataset.isel(layer=index)
    if subject.keeps_partition:
        cube = layer["partition"].expand_dims("unit")
    else:
        cube = layer["code" if spec.quantised else "activation"].isel(unit=slice(spec.n_units))
    values = da.asarray(cube.transpose("repeat", "epoch", "sample", "unit").data)
    return values.rechunk({2: -1, 3: -1})


def _block_numbers(
    complete: NDArray[np.bool_],
    repeat: NDArray[np.intp],
    epoch: NDArray[np.intp],
    *recorded: NDArray[Any],
    task: _Task,
) -> NDArray[np.float64]:
    """Reduce one chunk (repeat, epoch, sample, unit) of every layer to (repeat, epoch, number)."""
    out = np.full((*complete.shape, task.n_numbers), np.nan)
    if complete.any():
        rows, columns = np.meshgrid(repeat, epoch, indexing="ij")
        chosen = [values[complete] for values in recorded]
        snapshots = _take_snapshots(chosen, rows[complete], columns[complete], task)
        numbers = [
            found[variable.name].reshape(len(snapshots), -1)
            for kind in task.kinds
            for found in [kind.compute(snapshots, task.subject)]
            for variable in data_variables(kind)
        ]
        out[complete] = np.concatenate(numbers, axis=1)
    return out


def _take_snapshots(
    recorded: list[NDArray[Any]], repeat: NDArray[np.intp], epoch: NDArray[np.intp], task: _Task
) -> Snapshots:
    """Partition all layers (block, sample, unit) of snapshots at these positions."""
    subject, n_snapshots = task.subject, len(repeat)
    labels = np.empty((len(recorded), n_snapshots, subject.label.size), np.uint32)
    units = prediction = None
    if any(kind.needs_units for kind in task.kinds):
        shape = (len(UNIT_STATISTICS), n_snapshots, len(recorded), subject.n_units)
        units = np.full(shape, np.nan)
    for index, values in enumerate(recorded):
        rows = () if task.rows is None else task.rows[repeat, epoch, index].T
        block = LayerBlock(
            values,
            subject.layers[index],
            y=subject.label,
            n_classes=subject.n_classes,
            entropy_x=subject.entropy_x,
            rows=dict(zip(ROWS, rows, strict=False)),
            global_range=task.global_range,
            keeps_partition=subject.keeps_partition,
        )
        of_layer = None if units is None else units[:, :, index]
        labels[index] = partition_layer(block, task.estimator, units=of_layer)
    if any(kind.needs_prediction for kind in task.kinds):
        prediction = recorded[-1].argmax(axis=2)
    return Snapshots(labels, task.repeats[repeat], task.epochs[epoch], prediction, units)
