"""A Keras model described to the machine code: which layers it can train, and what they are."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tf_keras

from ibtools.recorders.capture.keras.functions import LINEAR, function_name
from ibtools.recorders.engines.keras.quantizers import short_name
from ibtools.recorders.engines.native import arrays
from ibtools.recorders.engines.native.arrays import Layers
from ibtools.recorders.engines.protocol import Training
from ibtools.store.snapshots import FLOAT_BITS

QUANTITIES = ("kernel", "bias", "output")
"""What may be quantised in a layer, in the order of `State.ranges`."""

_KINDS = {
    tf_keras.layers.Dense: arrays.DENSE,
    tf_keras.layers.Conv2D: arrays.CONVOLUTION,
    tf_keras.layers.MaxPooling2D: arrays.POOL,
}

_FUNCTIONS = {
    "tanh": arrays.TANH,
    "relu": arrays.RELU,
    "relu6": arrays.RELU6,
    LINEAR: arrays.LINEAR,
    "pool": arrays.LINEAR,
    "softmax": arrays.LINEAR,  # of the output: machine code begins with the logits
}

_OUTPUTS = {
    "none": arrays.CONTINUOUS,
    "current": arrays.CURRENT,
    "average": arrays.AVERAGE,
}

Shape = tuple[int, int, int]
"""Of an image: channels, rows and columns."""

Axes = tuple[int, int, int, int]
"""Of a weight: rows, columns, channels before, units."""


@dataclass(frozen=True)
class Stage:
    """A layer of a model that machine code trains.

    Parameters
    ----------
    layer : tf_keras.layers.Layer
        Wrapped by tfmot or not.
    inputs, outputs : tuple of int
        Shapes of what it takes and gives: channels, rows and columns.
    """

    layer: Any
    inputs: Shape
    outputs: Shape

    @property
    def kind(self) -> int:
        """`DENSE`, `CONVOLUTION` or `POOL`."""
        return _KINDS[type(unwrapped(self.layer))]

    @property
    def side(self) -> int:
        """Height and width of the kernel or the squares; 1 of a dense layer."""
        inner = unwrapped(self.layer)
        sizes = {arrays.CONVOLUTION: "kernel_size", arrays.POOL: "pool_size"}
        return int(getattr(inner, sizes[self.kind])[0]) if self.kind in sizes else 1

    @property
    def function(self) -> int:
        """The activation function."""
        return _FUNCTIONS[function_name(unwrapped(self.layer))]

    @property
    def output_rule(self) -> int:
        """How the output is quantised."""
        config = getattr(self.layer, "quantize_config", None)
        return _OUTPUTS.get(config.output if config else "none", arrays.FIXED)

    @property
    def weights(self) -> list[tuple[Any, Axes]]:
        """Kernel and bias, each with its axes; a pool has neither.

        The kernel of a dense layer is that of a convolution over the whole image.
        """
        if self.kind == arrays.POOL:
            return []
        named = {short_name(weight): weight for weight in self.layer.trainable_weights}
        channels, *image = self.inputs
        area = image if self.kind == arrays.DENSE else [self.side] * 2
        units = self.outputs[0]
        return [
            (named["kernel"], (area[0], area[1], channels, units)),
            (named["bias"], (1, 1, 1, units)),
        ]

    def is_quantised(self, quantity: str) -> bool:
        """Whether the kernel, the bias or the output is."""
        config = getattr(self.layer, "quantize_config", None)
        if config is None:
            return False
        return config.output != "none" if quantity == "output" else quantity in config.weights


def unwrapped(layer: Any) -> Any:
    """Return the layer that tfmot wrapped, or the layer itself."""
    return getattr(layer, "layer", layer)


def find_stages(model: Any) -> list[Stage]:
    """List the layers of a model that are computed, in their order.

    Left out are what hands values on, the quantiser of the input, and the softmax, which belongs to
    the loss.
    """
    layers = [layer for layer in model.layers if type(unwrapped(layer)) in _KINDS]
    shape = _image_shape(layers[0].input_shape)
    stages = []
    for layer in layers:
        after = _image_shape(layer.output_shape)
        stages.append(Stage(layer, shape, after))
        shape = after
    return stages


def describe(stages: Sequence[Stage], training: Training) -> Layers:
    """Describe the layers of a model to the machine code."""
    bits = 1 if training.bits == FLOAT_BITS else training.bits
    each = np.zeros(len(stages), arrays.LAYER)
    n_parameters = n_values = 0
    for row, stage in zip(each, stages, strict=True):
        _fill_in(row, stage)
        n_weights = [int(np.prod(axes)) for _, axes in stage.weights] or [0, 0]
        row["kernel_start"], row["bias_start"] = n_parameters, n_parameters + n_weights[0]
        row["stop"] = n_parameters = n_parameters + sum(n_weights)
        is_continuous = stage.output_rule == arrays.CONTINUOUS
        row["activated_at"], row["quantised_at"] = n_values, n_values
        row["quantised_at"] += 0 if is_continuous else row["n_units"]
        n_values = row["quantised_at"] + row["n_units"]
    return Layers(
        each,
        largest_code=np.float32(2**bits - 1),
        quantised_softmax=training.scheme == "full" and training.bits != FLOAT_BITS,
        frozen=training.control == "frozen",
    )


def _fill_in(row: Any, stage: Stage) -> None:
    """Describe a layer, but for its place among the others."""
    row["kind"], row["function"], row["output"] = stage.kind, stage.function, stage.output_rule
    row["side"] = stage.side
    row["n_inputs"], row["n_units"] = math.prod(stage.inputs), math.prod(stage.outputs)
    row["channels_before"], row["rows_before"], row["columns_before"] = stage.inputs
    row["channels"], row["rows"], row["columns"] = stage.outputs
    row["kernel_is_quantised"] = stage.is_quantised("kernel")
    row["bias_is_quantised"] = stage.is_quantised("bias")


def _image_shape(shape: Sequence[int | None]) -> Shape:
    """Return channels, rows and columns of (sample, row, column, channel), or of (sample, unit)."""
    rows, columns, channels = (1, 1, shape[1]) if len(shape) == 2 else shape[1:]
    return int(channels or 0), int(rows or 0), int(columns or 0)
