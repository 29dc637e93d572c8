"""From what a store holds to what the network computed."""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ibtools.schema import CUBE
from ibtools.snapshots import LAYER_COLUMNS, LayerSpec, layer_specs


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
    """Return the values of a quantised layer, of which all units are given.

    Parameters
    ----------
    code : ndarray, (..., sample, unit), uint8 or uint16
        Codes; broadcast against `scale` and `zero_point`.
    layer : LayerSpec
        The layer that the codes are of.
    scale, zero_point : ndarray, float32, int32
        The grid.

    Returns
    -------
    ndarray, (..., sample, unit), float32
        As from `dequantise`; the softmax of that for a softmax layer.
    """
    values = dequantise(code, scale, zero_point)
    return softmax(values) if layer.activation_function == "softmax" else values


def decode(dataset: xr.Dataset) -> xr.Dataset:
    """Add the decoded `activation` of every layer to a store's Dataset; lazy.

    Parameters
    ----------
    dataset : Dataset
        As plain `xarray.open_zarr` shows it, or a selection of it that keeps all five dimensions.

    Returns
    -------
    Dataset
        With `activation` (repeat, epoch, layer, sample, unit), float32, NaN where a layer has no
        such unit and where a snapshot is not complete. A store that keeps the partition only has
        no values, and its Dataset is returned as it is.
    """
    if "partition" in dataset:
        return dataset
    bare = dataset.drop_vars(dataset.coords)
    specs = layer_specs({name: dataset[name].values for name in LAYER_COLUMNS})
    layers = [
        _decode_layer(bare.isel(layer=slice(index, index + 1)), spec)
        for index, spec in enumerate(specs)
    ]
    activation = xr.concat(layers, "layer").transpose(*CUBE)
    activation.attrs = {"long_name": "value of each unit", "units": "1"}
    return dataset.assign(activation=activation)


def _decode_layer(layer: xr.Dataset, spec: LayerSpec) -> xr.DataArray:
    """Decode the values of a Dataset of one layer (dimension kept)."""
    if not spec.quantised:
        return layer["activation"].where(layer["complete"])
    values = _decode_codes(layer.isel(unit=slice(spec.n_units)), spec)
    values = values.where(layer["complete"])
    return values.pad(unit=(0, layer.sizes["unit"] - spec.n_units))


def _decode_codes(layer: xr.Dataset, spec: LayerSpec) -> xr.DataArray:
    values: xr.DataArray = xr.apply_ufunc(
        dequantise,
        layer["code"],
        layer["scale"],
        layer["zero_point"],
        dask="parallelized",
        output_dtypes=[np.float32],
    )
    if spec.activation_function != "softmax":
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
