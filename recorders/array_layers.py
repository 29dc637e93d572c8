"""Layers of a snapshot as users give them, made into those that a store takes, or refused."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from ibtools.errors import StoreError, unknown_name
from ibtools.store.floats import as_float32, is_floating
from ibtools.store.snapshots import (
    FLOAT_BITS,
    MAX_CODE_BITS,
    LayerSpec,
    LayerValues,
    of_units,
    validate_grid,
)

Taken = tuple[LayerValues, int]
"""A layer of a snapshot, and the bits that it, or else its dtype, says."""

Bits = int | Mapping[str, int]
"""The width of all layers of codes, or of each."""


def take_snapshot(layers: Any) -> dict[str, Taken]:
    """Make the layers of a snapshot into those that a store takes; arrays are not copied.

    Raises
    ------
    StoreError
        If they are no mapping of layers to arrays that a store has a place for.
    """
    if not isinstance(layers, Mapping) or not layers:
        raise StoreError(
            "a snapshot must be a mapping of layers to arrays, of one layer at least, found "
            f"{'an empty one' if isinstance(layers, Mapping) else type(layers).__name__}"
        )
    return {name: take_layer(name, layer) for name, layer in layers.items()}


def values_of(taken: Mapping[str, Taken]) -> dict[str, LayerValues]:
    """Return what a store takes of each layer."""
    return {name: layer for name, (layer, _) in taken.items()}


def unit_shapes(layers: Mapping[str, Any]) -> dict[str, list[int]]:
    """Return the shape per sample of each layer that is flattened."""
    shapes = {
        name: np.shape(one.values if isinstance(one, LayerValues) else one)[1:]
        for name, one in layers.items()
    }
    return {name: list(shape) for name, shape in shapes.items() if len(shape) > 1}


def take_layer(name: str, layer: Any) -> Taken:
    """Make a layer (sample, unit, ...) into what a store takes; return the bits of its codes, too.

    Further axes of units are flattened in C order; the bits of values are 32.
    """
    grid = layer if isinstance(layer, LayerValues) else LayerValues(np.empty(0), scale=1.0)
    values = _array(name, layer.values if isinstance(layer, LayerValues) else layer)
    if values.ndim < 2:
        raise StoreError(
            f"layer {name!r} must be (sample, unit), or have more axes of units, found shape "
            f"{values.shape}"
        )
    flat = values.reshape(len(values), int(np.prod(values.shape[1:])))
    if is_floating(flat.dtype):
        return LayerValues(as_float32(name, flat)), FLOAT_BITS
    bits = 1 if flat.dtype.kind == "b" else 8 * flat.dtype.itemsize
    codes = flat.astype(np.uint16 if bits > 8 else np.uint8, copy=False)
    scale, zero_point = (
        _flat(name, option, numbers, values.shape[1:])
        for option, numbers in (("scale", grid.scale), ("zero point", grid.zero_point))
    )
    return LayerValues(codes, scale, zero_point, grid.bits), grid.bits or bits


def _flat(name: str, option: str, numbers: ArrayLike, units: tuple[int, ...]) -> Any:
    """Return what a layer has one of as it is, else one for each of its units, flattened."""
    if not np.ndim(numbers):
        return numbers
    return np.broadcast_to(of_units(name, option, numbers, units), units).ravel()


def _array(name: str, layer: Any) -> NDArray[Any]:
    """Return an array of a dtype that a store has a place for, bool included."""
    validate_dims(name, layer, ("sample",))
    if isinstance(layer, tuple):
        raise StoreError(
            f"layer {name!r} must be an array, found a tuple of {len(layer)}; give codes with "
            "their grid as ibtools.LayerValues(codes, scale, zero_point)"
        )
    if np.ma.is_masked(layer):
        raise StoreError(f"layer {name!r} must have no masked values: every unit has one")
    try:
        values = np.asarray(_from_torch(layer))
    except ValueError as err:
        raise StoreError(f"layer {name!r} must be an array (sample, unit): {err}") from err
    known = (
        is_floating(values.dtype)
        or values.dtype.kind == "b"
        or values.dtype.newbyteorder("=") in (np.uint8, np.uint16)
    )
    if not known:
        raise StoreError(
            f"layer {name!r} must be floating (values), uint8, uint16 or bool (codes), found "
            f"{values.dtype}; shift signed codes, and their zero point, by half their range, and "
            "convert them with .astype('uint8') or .astype('uint16')"
        )
    return values


def _from_torch(layer: Any) -> Any:
    """Return what NumPy reads of a tensor of PyTorch's, on whatever device; all else as it is."""
    if not (hasattr(layer, "detach") and hasattr(layer, "cpu")):
        return layer
    tensor = layer.detach().cpu()
    return tensor.float() if "bfloat16" in str(tensor.dtype) else tensor


def validate_dims(name: str, array: Any, expected: tuple[str, ...]) -> None:
    """Check that an array of xarray has the axes in the order that they are read in."""
    if not isinstance(array, xr.DataArray):
        return
    for position, dim in enumerate(expected):
        if dim in array.dims and array.dims[position] != dim:
            raise StoreError(
                f"layer {name!r} must have the axes {', '.join(expected)} first, found "
                f"{', '.join(map(str, array.dims))}; give .transpose({', '.join(expected)}, ...)"
            )


def choose_specs(
    layers: Mapping[str, Taken], functions: Mapping[str, str] | None, bits: Bits | None
) -> tuple[LayerSpec, ...]:
    """Return what a store must know of the layers of a first snapshot, as from `take_layer`.

    Names that are given, of functions and bits, are checked.
    """
    validate_names("activation_functions", functions, layers)
    validate_names("bits", bits if isinstance(bits, Mapping) else None, layers)
    known = functions or {}
    asked = bits if isinstance(bits, Mapping) else _of_codes(layers, bits)
    return tuple(
        LayerSpec(
            name,
            values.values.shape[1],
            known.get(name, "linear"),
            _width(name, asked.get(name, width), width),
        )
        for name, (values, width) in layers.items()
    )


def _of_codes(layers: Mapping[str, Taken], bits: int | None) -> Mapping[str, int]:
    """Return the width that was given for all layers of codes, by their names."""
    if bits is None:
        return {}
    asked = {name: bits for name, (_, width) in layers.items() if width != FLOAT_BITS}
    if not asked:
        raise StoreError(f"bits={bits} is of codes, but no layer has codes; leave it out")
    return asked


def _width(name: str, asked: Any, width: int) -> int:
    if width == FLOAT_BITS and asked != FLOAT_BITS:
        raise StoreError(f"layer {name!r} has values, which are of 32 bits, found bits={asked!r}")
    is_whole = isinstance(asked, int | np.integer) and not isinstance(asked, bool)
    if width != FLOAT_BITS and not (is_whole and 1 <= asked <= MAX_CODE_BITS):
        raise StoreError(
            f"layer {name!r} has codes, of which bits must be 1 to {MAX_CODE_BITS}, found {asked!r}"
        )
    return int(asked)


def validate_names(option: str, given: Any, layers: Mapping[str, Any]) -> None:
    """Check that what is given by layer is of layers that there are."""
    if given is None:
        return
    if not isinstance(given, Mapping):
        raise StoreError(
            f"{option} must be a mapping of layers, such as {{{next(iter(layers))!r}: ...}}, found "
            f"{given!r}"
        )
    for name in given:
        if name not in layers:
            raise unknown_name(f"layer in {option}", str(name), [str(one) for one in layers])


def spread_grid(option: str, name: str, given: ArrayLike, shape: tuple[int, int]) -> NDArray[Any]:
    """Return scale or zero point of a layer for each of its snapshots, (repeat, epoch, ...)."""
    numbers = np.asarray(given)
    if numbers.shape != () and numbers.shape[:2] != shape:
        raise StoreError(
            f"{option} of layer {name!r} must be one number, or an array (repeat, epoch) = "
            f"{shape}, found shape {numbers.shape}; where units have grids of their own, with "
            "further axes that broadcast against the units of a sample"
        )
    validate_grid(name, **{"scale": 1.0, "zero_point": 0} | {option: numbers})
    return numbers if numbers.ndim else np.broadcast_to(numbers, shape)
