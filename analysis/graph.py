"""The lazy analysis of a Dataset: one dask task per repeat, layer and block of epochs.

A task reads one chunk and returns a handful of numbers per snapshot, so memory is set by the size
of a chunk times the number of workers, not by the size of the store.
"""

from collections.abc import Mapping
from typing import Any

import dask.array as da
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ibtools.analysis.estimators import Estimator, get_estimator
from ibtools.analysis.information import entropy
from ibtools.errors import StoreError
from ibtools.provenance import provenance
from ibtools.schema import CUBE, RESULT_VARIABLES, STORE_VARIABLES
from ibtools.snapshots import LAYER_COLUMNS, LayerSpec, layer_specs

STATISTICS = tuple(variable for variable in RESULT_VARIABLES if variable.dims == CUBE[:3])
"""The declared variables that an estimator fills, per (repeat, epoch, layer)."""

RESULT_COORDINATES = tuple(
    variable
    for variable in STORE_VARIABLES
    if variable.coordinate and set(variable.dims) <= set(CUBE[:3])
)
"""The declared coordinates of a store that its results carry too."""


def analyze(dataset: xr.Dataset, *, estimator: str = "exact") -> xr.Dataset:
    """Compute the information of every layer about input and label; lazy.

    Parameters
    ----------
    dataset : Dataset
        As `ibtools.open_store` or plain `xarray.open_zarr` open a store, or a selection that keeps
        all five dimensions, such as ``ds.isel(epoch=[0, -1])`` or ``ds.sel(layer=["output"])``.
    estimator : str, optional
        Name in `ibtools.analysis.estimators.ESTIMATORS`.

    Returns
    -------
    Dataset
        `mi_xt`, `mi_ty`, `entropy_t` (float64, bits; NaN where a snapshot is not complete) and
        `n_states` (int64; 0 there), all (repeat, epoch, layer), backed by dask; `sample` and `unit`
        are consumed. Attributes name the estimator, the number of samples, and the entropies of
        input and label.

    Raises
    ------
    UnknownNameError
        If there is no such estimator.
    StoreError
        If the Dataset lacks what is needed, has lost a dimension, or holds no complete snapshot.

    Notes
    -----
    All samples are taken as equally likely, and the network as deterministic: then I(X;T) = H(T).
    Where two samples have the same input, H(T) still is I(X;T), for the recorded set of inputs.
    """
    chosen = get_estimator(estimator)
    _validate(dataset)
    complete = np.asarray(dataset["complete"].values, bool)
    label = np.asarray(dataset["label"].values)
    layers = [
        _layer_statistics(dataset.isel(layer=index), spec, chosen, complete, label)
        for index, spec in enumerate(
            layer_specs({name: dataset[name].values for name in LAYER_COLUMNS})
        )
    ]
    statistics = da.stack(layers, axis=2)
    variables = {
        variable.name: _result_variable(variable.name, statistics[..., index])
        for index, variable in enumerate(STATISTICS)
    }
    coordinates = {
        variable.name: dataset[variable.name].variable for variable in RESULT_COORDINATES
    }
    return xr.Dataset(variables, coordinates, _attributes(dataset, chosen, label))


def _result_variable(name: str, values: Any) -> xr.Variable:
    declared = next(variable for variable in STATISTICS if variable.name == name)
    if declared.dtypes[0] == "int64":
        values = da.where(da.isnan(values), declared.fill, values).astype("int64")
    return xr.Variable(declared.dims, values, declared.attributes())


def _layer_statistics(
    layer: xr.Dataset,
    spec: LayerSpec,
    estimator: Estimator,
    complete: NDArray[np.bool_],
    label: NDArray[np.integer[Any]],
) -> Any:
    """Return the statistics of one layer as a dask array (repeat, epoch, statistic)."""
    cube = layer["code" if spec.quantised else "activation"].isel(unit=slice(spec.n_units))
    values = da.asarray(cube.transpose("repeat", "epoch", "sample", "unit").data)
    values = values.rechunk({2: -1, 3: -1})
    return da.blockwise(
        _block_statistics,
        "rek",
        values,
        "resu",
        da.from_array(complete, chunks=values.chunks[:2]),
        "re",
        da.from_array(label, chunks=-1),
        "s",
        new_axes={"k": len(STATISTICS)},
        concatenate=True,
        dtype=np.float64,
        meta=np.empty((0, 0, 0)),
        spec=spec,
        estimator=estimator,
        n_classes=int(label.max()) + 1,
    )


def _block_statistics(
    values: NDArray[Any],
    complete: NDArray[np.bool_],
    label: NDArray[np.integer[Any]],
    *,
    spec: LayerSpec,
    estimator: Estimator,
    n_classes: int,
) -> NDArray[np.float64]:
    """Reduce a chunk (repeat, epoch, sample, unit) to (repeat, epoch, statistic)."""
    out = np.full((*complete.shape, len(STATISTICS)), np.nan)
    if complete.any():
        snapshots = (
            values[complete] if not complete.all() else values.reshape(-1, *values.shape[2:])
        )
        found: Mapping[str, NDArray[Any]] = estimator.statistics(
            snapshots, layer=spec, y=label, n_classes=n_classes
        )
        out[complete] = np.stack([found[variable.name] for variable in STATISTICS], axis=-1)
    return out


def _attributes(
    dataset: xr.Dataset, estimator: Estimator, label: NDArray[np.integer[Any]]
) -> dict[str, Any]:
    inherited = ("experiment", "data_checksum", "store_id")
    return {
        **provenance(),
        **{name: dataset.attrs[name] for name in inherited if name in dataset.attrs},
        "estimator": estimator.specification,
        "n_samples": int(label.size),
        "entropy_x": float(entropy(np.ones(label.size, np.int64))),
        "entropy_y": float(entropy(np.bincount(label))),
        "coordinates": " ".join(variable.name for variable in RESULT_COORDINATES),
    }


def _validate(dataset: xr.Dataset) -> None:
    needed = [variable.name for variable in STORE_VARIABLES if variable.coordinate]
    needed = [name for name in [*needed, "complete"] if name not in ("trained_epoch", "split")]
    missing = [name for name in needed if name not in dataset.variables]
    if not {"code", "activation"} & set(dataset.variables):
        missing.append("code or activation")
    if missing:
        raise StoreError(
            f"analyze needs the Dataset of a store, but {', '.join(missing)} is missing; open it "
            "with ibtools.open_store(path)"
        )
    lost = [dim for dim in CUBE if dim not in dataset.dims]
    if lost:
        raise StoreError(
            f"analyze needs all of {', '.join(CUBE)}, but {', '.join(lost)} was dropped by a "
            f"selection; select with a list, as in ds.isel({lost[0]}=[0])"
        )
    if not bool(dataset["complete"].any()):
        raise StoreError(
            "the store holds no complete snapshot yet; record, or go on with --resume, first"
        )
