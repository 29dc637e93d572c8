"""The layers of a network as machine code is told of them: their shapes, and what is quantised."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ibtools.recorders.engines.native import arrays
from ibtools.recorders.engines.native.arrays import Layers
from ibtools.recorders.engines.protocol import Training
from ibtools.recorders.engines.schemes import Probed, Range, output_range, quantised_weights
from ibtools.recorders.networks import Conv, Dense, Layer, Network, Pool
from ibtools.store.snapshots import FLOAT_BITS

QUANTITIES = ("kernel", "bias", "output")
"""What may be quantised in a layer, in the order of `State.ranges`."""

FUNCTIONS = {
    "tanh": arrays.TANH,
    "relu": arrays.RELU,
    "relu6": arrays.RELU6,
    "linear": arrays.LINEAR,
    "pool": arrays.LINEAR,
    "softmax": arrays.LINEAR,  # of the output: machine code begins with the logits
}

_KINDS: dict[type[Layer], int] = {
    Dense: arrays.DENSE,
    Conv: arrays.CONVOLUTION,
    Pool: arrays.POOL,
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
    """A layer that machine code trains.

    Parameters
    ----------
    kind : int
        `DENSE`, `CONVOLUTION` or `POOL`.
    function : int
        The activation function.
    inputs, outputs : tuple of int
        Shapes of what it takes and gives: channels, rows and columns.
    side : int
        Height and width of the kernel or the squares; 1 of a dense layer.
    weights : tuple of str
        Which of "kernel" and "bias" are quantised.
    output : str or pair of float
        Range of the output.
    """

    kind: int
    function: int
    inputs: Shape
    outputs: Shape
    side: int = 1
    weights: tuple[str, ...] = ()
    output: Range = "none"

    @property
    def output_rule(self) -> int:
        """How the output is quantised."""
        return _OUTPUTS.get(str(self.output), arrays.FIXED)

    @property
    def axes(self) -> tuple[Axes, ...]:
        """Axes of kernel and bias; a pool has neither.

        The kernel of a dense layer is that of a convolution over the whole image.
        """
        if self.kind == arrays.POOL:
            return ()
        channels, *image = self.inputs
        rows, columns = image if self.kind == arrays.DENSE else (self.side, self.side)
        return (rows, columns, channels, self.outputs[0]), (1, 1, 1, self.outputs[0])

    def is_quantised(self, quantity: str) -> bool:
        """Whether the kernel, the bias or the output is."""
        return self.output != "none" if quantity == "output" else quantity in self.weights


def plan_stages(network: Network, training: Training, *, ranges: Probed) -> list[Stage]:
    """List the layers of a network from the table, quantised as tfmot is made to quantise them.

    Pools choose among values that are quantised, so that only those of the input have a quantiser.
    """
    stages: list[Stage] = []
    for layer, function, inputs, outputs in _shaped(network, training.activation):
        is_first = all(stage.kind == arrays.POOL for stage in stages)
        weights, output = _quantised(training, function, ranges, has_grid=is_first)
        side = 1 if isinstance(layer, Dense) else layer.size
        kind = _KINDS[type(layer)]
        stages.append(Stage(kind, FUNCTIONS[function], inputs, outputs, side, weights, output))
    return stages


def _shaped(network: Network, activation: str) -> Iterator[tuple[Layer, str, Shape, Shape]]:
    """Yield layers with their functions and the shapes of what they take and give."""
    shape = network.input_shape
    if isinstance(network.layers[0], Dense):  # flattens in the order of the samples
        shape = (math.prod(shape),)
    for number, layer in enumerate(network.layers, start=1):
        before, shape = shape, layer.output_shape(shape)
        function = "linear" if number == len(network.layers) else activation
        function = "pool" if isinstance(layer, Pool) else function
        yield layer, function, image_shape(before), image_shape(shape)


def _quantised(
    training: Training, function: str, ranges: Probed, *, has_grid: bool
) -> tuple[tuple[str, ...], Range]:
    """Choose the weights of a layer that are quantised, and the range of its output.

    A pool has a grid of its own if no layer before it has one.
    """
    if training.bits == FLOAT_BITS or (function == "pool" and not has_grid):
        return (), "none"
    output = output_range(function, training.scheme, ranges)
    if function == "pool":
        return (), output
    return quantised_weights(function, ("kernel",), has_bias=True, scheme=training.scheme), output


def describe(stages: Sequence[Stage], training: Training) -> Layers:
    """Describe layers to the machine code."""
    bits = 1 if training.bits == FLOAT_BITS else training.bits
    each = np.zeros(len(stages), arrays.LAYER)
    n_parameters = n_values = 0
    for row, stage in zip(each, stages, strict=True):
        _fill_in(row, stage)
        n_weights = [math.prod(axes) for axes in stage.axes] or [0, 0]
        row["kernel_start"], row["bias_start"] = n_parameters, n_parameters + n_weights[0]
        row["stop"] = n_parameters = n_parameters + sum(n_weights)
        is_continuous = stage.output_rule == arrays.CONTINUOUS
        row["activated_at"], row["quantised_at"] = n_values, n_values
        row["quantised_at"] += 0 if is_continuous else row["n_units"]
        n_values = row["quantised_at"] + row["n_units"]
    is_dense = all(stage.kind == arrays.DENSE for stage in stages)
    return (arrays.DenseLayers if is_dense else arrays.Layers)(
        each,
        largest_code=np.float32(2**bits - 1),
        quantised_softmax=training.scheme == "full" and training.bits != FLOAT_BITS,
        frozen=training.control == "frozen",
    )


def _fill_in(row: np.void, stage: Stage) -> None:
    """Describe a layer, but for its place among the others."""
    row["kind"], row["function"], row["output"] = stage.kind, stage.function, stage.output_rule
    row["side"] = stage.side
    row["n_inputs"], row["n_units"] = math.prod(stage.inputs), math.prod(stage.outputs)
    row["channels_before"], row["rows_before"], row["columns_before"] = stage.inputs
    row["channels"], row["rows"], row["columns"] = stage.outputs
    row["kernel_is_quantised"] = stage.is_quantised("kernel")
    row["bias_is_quantised"] = stage.is_quantised("bias")


def image_shape(shape: Sequence[int]) -> Shape:
    """Return channels, rows and columns of (row, column, channel), or of (unit,)."""
    rows, columns, channels = shape if len(shape) == 3 else (1, 1, math.prod(shape))
    return channels, rows, columns
