"""From what a store holds to what the network computed."""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ibtools.errors import StoreError, unknown_name
from ibtools.store.derived import as_store
from ibtools.store.schema import CUBE, STORE_VARIABLES, UNIT_GRIDS, kept
from ibtools.store.snapshots import LAYER_COLUMNS, LayerSpec, layer_specs

_GRID = ("code", "scale", "zero_point")
_AS_STORED = next(one.description for one in STORE_VARIABLES if one.name == "activation")
_DECODED = "value of each unit"


def dequantise(
    code: NDArray[np.unsignedinteger], scale: NDArray[np.float32], zero_point: NDArray[np.int32]
) -> NDArray[np.float32]:
    """Return the values that codes stand for, bit for bit as the network computed them.

    Parameters
    ----------
    code : ndarray, uint8 or uint16
        Codes; broadcast against `scale` and `zero_point`.
    scale, zero_point : ndarray, float32, int32
        The grid.

    Returns
    -------
    ndarray, float32
        ``scale * (code - zero_point)``, one rounding, as in ONNX and TFLite.

    Examples
    --------
    >>> dequantise(np.array([0, 2, 3], "uint8"), np.float32(0.5), np.int32(2))
    array([-1. ,  0. ,  0.5], dtype=float32)
    """
    steps = code.astype(np.int32) - zero_point
    values: NDArray[np.float32] = np.multiply(scale, steps, dtype=np.float32)
    return values


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the softmax over the last axis (unit); rows of NaN stay NaN."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    probabilities: NDArray[np.float32] = powers / powers.sum(axis=-1, keepdims=True)
    return probabilities


def decode_values(
    code: NDArray[np.unsignedinteger],
    layer: LayerSpec,
    *,
    scale: NDArray[np.float32],
    zero_point: NDArray[np.int32],
) -> NDArray[np.float32]:
    """Return the values of a quantised layer, (..., sample, unit), of which all units are given.

    They are as from `dequantise`; the softmax of that for a softmax layer.
    """
    values = dequantise(code, scale, zero_point)
    return softmax(values) if layer.is_softmax_of_codes else values


def decode(dataset: xr.Dataset) -> xr.Dataset:
    """Add the decoded `activation` of every layer to a store's Dataset, or to a selection; lazy.

    It is float32, NaN where a layer has no such unit and where a snapshot is not complete. A store
    that keeps the partition only has no values, and its Dataset is returned as it is.
    """
    dataset = as_store(dataset)
    if kept(dataset) == "partition":
        return dataset
    _validate_names(dataset, (*LAYER_COLUMNS, "complete"))
    specs = layer_specs(dataset)
    for spec in specs:
        _validate_names(dataset, _GRID if spec.quantised else ("activation",))
        _validate_units(dataset, spec)
    lost = [dim for dim in CUBE if dim not in dataset.dims]
    names = (*_GRID, *UNIT_GRIDS, "activation", "complete")
    recorded = [name for name in names if name in dataset]
    bare = dataset.drop_vars(dataset.coords)[recorded].expand_dims(lost)
    layers = [
        _decode_layer(bare.isel(layer=slice(index, index + 1)), spec)
        for index, spec in enumerate(specs)
    ]
    activation = xr.concat(layers, "layer").transpose(*CUBE).squeeze(lost)
    activation.attrs = {"long_name": "activation", "description": _DECODED}
    return dataset.assign(activation=activation)


def decoded(dataset: xr.Dataset) -> xr.Dataset:
    """Return a Dataset of a store as `decode` does, or as it is if it is decoded already; lazy."""
    dataset = as_store(dataset)
    return decode(dataset) if _is_as_stored(dataset) else dataset


def _is_as_stored(dataset: xr.Dataset) -> bool:
    """Whether there is no activation, or that of layers that are not quantised, as on disk."""
    said = dataset["activation"].attrs if "activation" in dataset else {"long_name": _AS_STORED}
    return _AS_STORED in (said.get("description"), said.get("long_name"))


def select_layer(dataset: xr.Dataset, name: str) -> xr.Dataset:
    """Select one layer, with decoded `activation` and without the padding of its units; lazy.

    Parameters
    ----------
    dataset : Dataset
        With the dimension `layer`: of a store, as `ibtools.open_store` or plain `xarray.open_zarr`
        open it, or results; or a selection of these.
    name : str
        Of the layer.

    Returns
    -------
    Dataset
        Without the dimension `layer`, which is a scalar coordinate, and with as many `unit` as the
        layer has. No `activation` where a store keeps the partition only, and none in results.

    Raises
    ------
    UnknownNameError
        If there is no such layer.
    StoreError
        If the Dataset has no dimension `layer`, units of the layer were dropped, or it is that of
        several stores.
    """
    if "layer" not in dataset.dims:
        raise StoreError(
            "a layer is selected from a Dataset with the dimension layer, found "
            f"{', '.join(str(dim) for dim in dataset.dims) or 'none'}; use the Dataset that "
            "ibtools.open_store, ibtools.open_results or ibtools.analyze returns"
        )
    names = [str(known) for known in dataset["layer"].values]
    if name not in names:
        raise unknown_name("layer", name, names)
    dataset = as_store(dataset)
    layer = dataset.isel(layer=names.index(name))
    if "unit" in layer.dims and "n_units" in layer.coords:
        layer = layer.isel(unit=slice(int(layer["n_units"])))
    return decoded(layer) if "code" in layer or "activation" in layer else layer


def _validate_names(dataset: xr.Dataset, names: Sequence[str]) -> None:
    missing = [name for name in names if name not in dataset.variables]
    if missing:
        raise StoreError(
            f"values are decoded from the Dataset of a store, but {', '.join(missing)} is missing; "
            "open it with ibtools.open_store(path)"
        )


def _validate_units(dataset: xr.Dataset, spec: LayerSpec) -> None:
    n_units = dataset.sizes.get("unit", 0)
    if spec.n_units > n_units:
        raise StoreError(
            f"values are decoded from all units of a layer, but of {spec.name}, which has "
            f"{spec.n_units}, a selection left {n_units}; decode first, then select units"
        )


def _decode_layer(layer: xr.Dataset, spec: LayerSpec) -> xr.DataArray:
    """Decode the values of a Dataset of one layer (dimension kept)."""
    if not spec.quantised:
        return layer["activation"].where(layer["complete"])
    values = _decode_codes(layer.isel(unit=slice(spec.n_units)), spec)
    values = values.where(layer["complete"])
    padded: xr.DataArray = values.pad(unit=(0, layer.sizes["unit"] - spec.n_units))
    # in the chunks of the store, not of the layer: xarray saves no uneven ones
    return padded.chunk(layer["code"].chunksizes) if padded.chunks else padded


def _decode_codes(layer: xr.Dataset, spec: LayerSpec) -> xr.DataArray:
    values: xr.DataArray = xr.apply_ufunc(
        dequantise,
        layer["code"],
        *_grid(layer),
        dask="parallelized",
        output_dtypes=[np.float32],
    )
    if not spec.is_softmax_of_codes:
        return values
    probabilities: xr.DataArray = xr.apply_ufunc(
        softmax,
        values.chunk(unit=-1) if values.chunks else values,
        input_core_dims=[["unit"]],
        output_core_dims=[["unit"]],
        dask="parallelized",
        output_dtypes=[np.float32],
    )
    return probabilities


def _grid(layer: xr.Dataset) -> tuple[xr.DataArray, xr.DataArray]:
    """Return scale and zero point of codes, of each unit where units have grids of their own."""
    scale, zero_point = layer["scale"], layer["zero_point"]
    if UNIT_GRIDS[0] not in layer:
        return scale, zero_point
    is_one, (unit_scale, unit_zero_point) = scale.notnull(), (layer[name] for name in UNIT_GRIDS)
    return scale.where(is_one, unit_scale), zero_point.where(is_one, unit_zero_point)
