"""The unit that recorders hand to a store: one network at one epoch, layer by layer."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

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
        Integer codes of a quantised layer, values of a float layer.
    scale, zero_point : float, int
        Codes stand for ``scale * (code - zero_point)``. Not used for float layers.
    """

    values: NDArray[np.generic]
    scale: float = math.nan
    zero_point: int = 0


def validate_grid(layer: str, scale: ArrayLike, zero_point: ArrayLike) -> None:
    """Check that codes stand for values: one grid per layer and snapshot.

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


@dataclass(frozen=True)
class History:
    """Loss (nats) and accuracy (0 to 1) of the network as it is after one epoch of training."""

    train_loss: float
    train_accuracy: float
    test_loss: float
    test_accuracy: float


HISTORY = tuple(field.name for field in fields(History))
"""The variables of the store that hold a `History`."""
