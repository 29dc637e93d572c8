"""The unit that recorders hand to a store: one network at one epoch, layer by layer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ibtools.errors import StoreError
from ibtools.store.schema import Keep

FLOAT_BITS = 32
"""The `bits` of a layer that is not quantised."""

MAX_CODE_BITS = 16
"""The widest codes that a store holds."""

LAYER_COLUMNS = ("layer", "n_units", "activation_function", "bits")
"""The coordinates of a store that describe its layers."""


@dataclass(frozen=True)
class LayerSpec:
    """What a store must know of a layer before anything is recorded.

    Parameters
    ----------
    name : str
        Unique within the network.
    n_units : int
        Units of the layer; those of a convolution are all positions of all channels.
    activation_function : str
        "tanh", "relu", "relu6", "softmax", "softmax_quantised", "linear", "pool", or the user's own
        word. Only "softmax" has a meaning to ibtools: the codes of such a layer are those of its
        logits. Those of a "softmax_quantised" are of the probabilities themselves.
    bits : int
        2 to 16 for integer codes, 32 for float32 values.
    """

    name: str
    n_units: int
    activation_function: str
    bits: int

    @property
    def quantised(self) -> bool:
        """Whether the layer is recorded as integer codes."""
        return self.bits != FLOAT_BITS

    @property
    def variable(self) -> str:
        """The variable of a store that holds the layer where the cube is kept."""
        return "code" if self.quantised else "activation"

    @property
    def is_softmax_of_codes(self) -> bool:
        """Whether codes of logits are recorded, and the values are their softmax."""
        return self.quantised and self.activation_function == "softmax"

    def row_bytes(self, keep: Keep) -> int:
        """Return the bytes that one sample takes in a store, without padding."""
        if keep == "partition":
            return 4
        return self.n_units * (4 if not self.quantised else 1 if self.bits <= 8 else 2)


def layer_specs(columns: Mapping[Any, ArrayLike]) -> tuple[LayerSpec, ...]:
    """Return the layers, in the order of the network, that the coordinates of a store describe.

    Parameters
    ----------
    columns : mapping
        The arrays (layer,) `layer`, `n_units`, `activation_function` and `bits`, or those of one
        layer, without a dim: a Dataset is one.
    """
    rows = zip(*(np.atleast_1d(columns[name]) for name in LAYER_COLUMNS), strict=True)
    return tuple(
        LayerSpec(str(name), int(n_units), str(function), int(bits))
        for name, n_units, function, bits in rows
    )


@dataclass(frozen=True)
class LayerValues:
    """One layer of one snapshot.

    Parameters
    ----------
    values : ndarray, (sample, unit), uint8, uint16 or float32
        Integer codes of a quantised layer, values of a float layer. What users give, to
        `ibtools.record_arrays`, may have several axes of units, such as (sample, channel, height,
        width).
    scale, zero_point : float, int or array_like
        Codes stand for ``scale * (code - zero_point)``. One of each, or an array that broadcasts
        against the units of a sample: (unit,), or (channel, 1, 1) for channels that come first,
        (channel,) for channels that come last. Not used for float layers.
    bits : int, optional
        Width of the codes, where it is less than that of their dtype.

    See Also
    --------
    LayerValues.from_values : Codes of the values that a quantiser returned.
    LayerValues.on_grid : The same where the grid is not known.
    """

    values: NDArray[np.generic]
    scale: ArrayLike = math.nan
    zero_point: ArrayLike = 0
    bits: int | None = None

    @property
    def has_unit_grids(self) -> bool:
        """Whether units may have grids of their own."""
        return np.ndim(self.scale) > 0 or np.ndim(self.zero_point) > 0

    @property
    def grid(self) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """Scale and zero point, () or (unit,), as a store holds them."""
        scale, zero_point = np.asarray(self.scale, "f4"), np.asarray(self.zero_point, "i4")
        if not self.has_unit_grids:
            return scale, zero_point
        n_units = self.values.shape[1:]
        return np.broadcast_to(scale, n_units), np.broadcast_to(zero_point, n_units)

    @classmethod
    def from_values(
        cls,
        values: ArrayLike,
        *,
        scale: ArrayLike,
        bits: int,
        zero_point: ArrayLike = 0,
        lowest_code: ArrayLike = 0,
        layer: str = "values",
        first_sample: int = 0,
    ) -> Self:
        """Find the codes of fake-quantised values, and certify each, bit for bit.

        Parameters
        ----------
        values : array_like, (sample, unit, ...), floating
            What a quantiser returned: float32, or of any dtype that converts without loss.
        scale : float or array_like
            Step of the quantiser: one, or one for each unit or channel, as for `LayerValues`; also
            with an axis of length 1 in the place of samples, as (1, channel, 1, 1).
        bits : int
            Width of the codes, 1 to 16: the quantiser has 2**bits codes, or fewer.
        zero_point : int or array_like, optional
            The quantiser's code of the value 0; shaped as `scale`.
        lowest_code : int or array_like, optional
            The quantiser's smallest code, which is stored as 0: -128 for signed codes of 8 bits.
        layer : str, optional
            Name, for errors.
        first_sample : int, optional
            Number of the first sample, for errors.

        Returns
        -------
        LayerValues
            Codes (sample, unit, ...), uint8, or uint16 above 8 bits, with their grid.

        Raises
        ------
        GridError
            If a value is not on the grid: which, and what is nearest to it.
        StoreError
            If values, grid or bits can't be those of a quantiser.

        Notes
        -----
        Certified is ``float32(scale) * float32(code - zero_point)``, rounded once: what a store
        decodes codes to, and what TensorFlow's ``fake_quant_with_min_max_vars``, PyTorch's
        ``fake_quantize_per_tensor_affine`` and ``fake_quantize_per_channel_affine``, Brevitas, ONNX
        and TFLite compute. -0 counts as 0. Values that a quantiser computed otherwise (in bfloat16,
        say, where neighbouring codes may become one value) are not on the grid to the last bit, and
        are recorded as values; their exact information is that of the values.

        Examples
        --------
        >>> import numpy as np
        >>> values = np.float32([[-0.5, 0.0, 0.75]])
        >>> layer = LayerValues.from_values(values, scale=0.25, bits=8, lowest_code=-128)
        >>> layer.values, layer.zero_point
        (array([[126, 128, 131]], dtype=uint8), 128)
        """
        from ibtools.store.encode import encode  # numba is loaded where it is needed only

        codes, step, zero = encode(
            values,
            scale,
            zero_point,
            bits=bits,
            lowest_code=lowest_code,
            layer=layer,
            first_sample=first_sample,
        )
        return cls(codes, step, zero, bits)

    @classmethod
    def on_grid(
        cls, values: ArrayLike, *, bits: int = 8, per_unit: bool = False, layer: str = "values"
    ) -> Self:
        """Find the grid that values are on, and their codes, certified as by `from_values`.

        Parameters
        ----------
        values : array_like, (sample, unit, ...), floating
            What a quantiser returned, whose grid is not known.
        bits : int, optional
            Width of the codes at the most, 1 to 16.
        per_unit : bool, optional
            Find a grid for each unit, rather than one for the layer.
        layer : str, optional
            Name, for errors.

        Returns
        -------
        LayerValues
            Codes (sample, unit, ...) on the coarsest grid that holds every value and 0. It is that
            of the quantiser where neighbouring codes occur, else a coarser one: different codes
            stand for different values on either, so the exact information is the same. Of units
            whose steps are different multiples of one, such as powers of two, it is the finest. Up
            to 10 bits it is found if there is one; with more, if some values are few codes apart.

        Raises
        ------
        GridError
            If there is none of so many bits, and why: too many different values, or no step that
            all of them are multiples of.
        StoreError
            If the values are no finite floats, or bits are out of range.

        Examples
        --------
        >>> import numpy as np
        >>> LayerValues.on_grid(np.float32([[0.0, 0.3], [0.1, 0.6]]) * 2, bits=4)
        LayerValues(values=array([[0, 3],
               [1, 6]], dtype=uint8), scale=0.20000000298023224, zero_point=0, bits=4)
        """
        from ibtools.store.find_grid import find_grid  # numba is loaded where it is needed only

        codes, step, zero = find_grid(values, bits=bits, per_unit=per_unit, layer=layer)
        return cls(codes, step, zero, bits)


def of_units(layer: str, name: str, numbers: ArrayLike, units: tuple[int, ...]) -> NDArray[Any]:
    """Return scale or zero point after checking that it broadcasts against units.

    Parameters
    ----------
    layer, name : str
        Of the layer, and what the numbers are, for the error.
    numbers : array_like
        One, or (unit, ...), perhaps with an axis of length 1 in the place of samples.
    units : tuple of int
        Shape of a sample.

    Returns
    -------
    ndarray, () or at most as many axes as units have, float64 or int64

    Raises
    ------
    StoreError
        If they are no numbers, or do not broadcast.
    """
    array = np.asarray(numbers)
    if array.dtype.kind not in "iuf":
        raise StoreError(f"layer {layer!r}: {name} must be a number, found {array.dtype}")
    if array.ndim > len(units) and array.shape[0] == 1:
        array = array[0]
    if array.size == 1:
        array = array.reshape(())
    try:
        if array.ndim:
            np.broadcast_to(array, units)
    except ValueError as err:
        raise StoreError(
            f"layer {layer!r}: {name} must be one number, or broadcast against the units of a "
            f"sample, {units}, found shape {np.shape(numbers)}; where channels come first give "
            "(channel, 1, 1)"
        ) from err
    return array.astype(np.float64 if array.dtype.kind == "f" else np.int64)


def validate_grid(layer: str, scale: ArrayLike, zero_point: ArrayLike) -> None:
    """Check that codes stand for values.

    Parameters
    ----------
    layer : str
        Name of the layer, for the error.
    scale, zero_point : array_like, any shape
        Of some snapshots.

    Raises
    ------
    StoreError
        If a scale is not a positive float32, or a zero point not a whole int32.
    """
    if _is_plain(scale, zero_point):
        return
    scales, zeros = np.asarray(scale), np.asarray(zero_point)
    for name, numbers in (("scale", scales), ("zero point", zeros)):
        if numbers.dtype.kind not in "iuf":
            raise StoreError(f"layer {layer!r}: {name} must be a number, found {numbers.dtype}")
    with np.errstate(over="ignore", under="ignore"):
        steps = scales.astype(np.float32)
    wrong = ~(np.isfinite(steps) & (steps > 0))
    if wrong.any():
        raise StoreError(
            f"layer {layer!r}: scale must be positive, found {scales[wrong][0]}, which is "
            f"{steps[wrong][0]} as float32"
        )
    limits = np.iinfo(np.int32)
    wrong = (zeros != np.rint(zeros)) | (zeros < limits.min) | (zeros > limits.max)
    if wrong.any():
        raise StoreError(
            f"layer {layer!r}: zero point must be a whole number of 32 bits, the code that stands "
            f"for 0, found {zeros[wrong][0]}"
        )


def _is_plain(scale: object, zero_point: object) -> bool:
    """Whether they are plain numbers, far from what no store can hold: most are, quickly seen."""
    if not (type(scale) is float and type(zero_point) is int):
        return False
    return 1e-30 < scale < 1e30 and abs(zero_point) < 2**30


@dataclass(frozen=True)
class History:
    """Loss (nats) and accuracy (0 to 1) of the network as it is after one epoch of training."""

    train_loss: float
    train_accuracy: float
    test_loss: float
    test_accuracy: float


HISTORY = tuple(field.name for field in fields(History))
"""The variables of the store that hold a `History`."""
