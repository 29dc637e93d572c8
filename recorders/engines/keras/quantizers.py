"""Quantisers of single tensors, and the ranges that they quantise on.

Every range includes 0, as tfmot has it everywhere: TensorFlow's operation would otherwise shift a
range of one sign towards 0 and clip what it leaves out. Ranges are per tensor and not symmetric.
Which tensor gets which quantiser is decided in `ibtools.recorders.engines.schemes`.
"""

from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_model_optimization as tfmot
import tf_keras
from numpy.typing import NDArray

from ibtools.errors import RecordingError

SMALLEST_END = 1e-30
"""The smallest upper end that is quantised on: 16 bits still have a normal float32 step."""


class CurrentRangeQuantizer(tfmot.quantization.keras.quantizers.Quantizer):  # type: ignore[misc]
    """Quantise on the range of the current tensor.

    Parameters
    ----------
    num_bits : int
        Bits of a code.

    Notes
    -----
    In training the range is that of the batch. It is a constant to the gradient, which is therefore
    straight-through inside the range and zero outside, as with tfmot's own quantisers.

    In inference the range grows to that of each tensor seen, and is kept in two variables. Whoever
    evaluates resets it before (`reset_ranges`); an evaluation in a single batch then uses exactly
    the range of that batch, and one in several batches can be made to use the same
    (`ibtools.recorders.capture.keras.snapshot`).
    """

    def __init__(self, num_bits: int) -> None:
        self.num_bits = num_bits

    def build(self, tensor_shape: Any, name: str, layer: Any) -> dict[str, Any]:
        """Create the two variables of the range in the layer."""
        return {
            f"{end}_var": layer.add_weight(f"{name}_{end}", initializer="zeros", trainable=False)
            for end in ("min", "max")
        }

    def __call__(self, inputs: Any, training: bool, weights: dict[str, Any], **_: Any) -> Any:
        """Quantise a tensor, which keeps its shape and becomes multiples of one scale."""
        low = tf.stop_gradient(tf.minimum(tf.reduce_min(inputs), 0.0))
        high = tf.stop_gradient(tf.maximum(tf.reduce_max(inputs), 0.0))
        if not training:
            low = weights["min_var"].assign(tf.minimum(weights["min_var"], low))
            high = weights["max_var"].assign(tf.maximum(weights["max_var"], high))
        return fake_quantise(inputs, low, high, self.num_bits)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, for Keras to copy the quantiser."""
        return {"num_bits": self.num_bits}


class FixedRangeQuantizer(tfmot.quantization.keras.quantizers.Quantizer):  # type: ignore[misc]
    """Quantise on a range that is given once and for all.

    Parameters
    ----------
    num_bits : int
        Bits of a code.
    low, high : float
        Ends of the range, low <= 0 <= high.

    Notes
    -----
    TensorFlow moves the range by up to half a step, so that 0 is one of its 2**num_bits values:
    with 8 bits, [-1, 1] becomes [-0.9961, 1.0039]. The ends are kept in two variables, as by any
    other quantiser, but nothing changes them.
    """

    def __init__(self, num_bits: int, low: float, high: float) -> None:
        self.num_bits = num_bits
        self.low = low
        self.high = high

    def build(self, tensor_shape: Any, name: str, layer: Any) -> dict[str, Any]:
        """Create the two variables of the range in the layer."""
        return {
            f"{end}_var": layer.add_weight(
                f"{name}_{end}", initializer=tf_keras.initializers.Constant(value), trainable=False
            )
            for end, value in (("min", self.low), ("max", self.high))
        }

    def __call__(self, inputs: Any, training: bool, weights: dict[str, Any], **_: Any) -> Any:
        """Quantise a tensor, which keeps its shape and becomes multiples of one scale."""
        return fake_quantise(inputs, weights["min_var"], weights["max_var"], self.num_bits)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, for Keras to copy the quantiser."""
        return {"num_bits": self.num_bits, "low": self.low, "high": self.high}


class FlooredAverageQuantizer(tfmot.quantization.keras.quantizers.MovingAverageQuantizer):  # type: ignore[misc]
    """Quantise on the moving average of the batches' ranges, as tfmot does, but never a tiny one.

    Notes
    -----
    The average of a layer that is dead, in which every value is 0, decays towards 0. It would end
    near 1e-35, where 16 bits need steps so small that TensorFlow takes them for 0, and returns NaN.
    Its upper end is therefore kept at `SMALLEST_END` or above before each step. A layer that is
    alive is far from that, and has exactly the range that tfmot gives it.
    """

    def __call__(self, inputs: Any, training: bool, weights: dict[str, Any], **kwargs: Any) -> Any:
        """Quantise a tensor, which keeps its shape and becomes multiples of one scale."""
        if training:
            weights["max_var"].assign(tf.maximum(weights["max_var"], SMALLEST_END))
        return super().__call__(inputs, training, weights, **kwargs)


class LastRangeQuantizer(tfmot.quantization.keras.quantizers.LastValueQuantizer):  # type: ignore[misc]
    """Quantise on the range of the current tensor, and in inference on that of the last step.

    Notes
    -----
    It does what tfmot does, also where every value is 0 and XLA's operation would return NaN.
    """

    def __call__(self, inputs: Any, training: bool, weights: dict[str, Any], **_: Any) -> Any:
        """Quantise a tensor, which keeps its shape and becomes multiples of one scale."""
        if training:
            weights["min_var"].assign(tf.minimum(tf.reduce_min(inputs), 0.0))
            weights["max_var"].assign(tf.maximum(tf.reduce_max(inputs), 0.0))
        return fake_quantise(inputs, weights["min_var"], weights["max_var"], self.num_bits)


class GrowingRangeQuantizer(tfmot.quantization.keras.quantizers.AllValuesQuantizer):  # type: ignore[misc]
    """Quantise on the range of all tensors that a training has seen.

    Notes
    -----
    It does what tfmot does, on rows rather than images: XLA works on the last axis of a tensor
    side by side, which in grey images has a single value.
    """

    def __call__(self, inputs: Any, training: bool, weights: dict[str, Any], **_: Any) -> Any:
        """Quantise a tensor, which keeps its shape and becomes multiples of one scale."""
        low, high = weights["min_var"], weights["max_var"]
        rows = tf.reshape(inputs, [tf.shape(inputs)[0], -1])
        if training:
            low = low.assign(tf.minimum(tf.minimum(low, tf.reduce_min(rows)), 0.0))
            high = high.assign(tf.maximum(tf.maximum(high, tf.reduce_max(rows)), 0.0))
        quantised = fake_quantise(rows, low, high, self.num_bits)
        return tf.ensure_shape(tf.reshape(quantised, tf.shape(inputs)), inputs.shape)


def fake_quantise(inputs: Any, low: Any, high: Any, bits: int) -> Any:
    """Round a tensor to the 2**bits values of a range, with a straight-through gradient.

    Parameters
    ----------
    inputs : tf.Tensor, float32
        Of any shape.
    low, high : tf.Tensor, (), float32
        Ends of the range, low <= 0 <= high.
    bits : int
        Bits of a code.

    Returns
    -------
    tf.Tensor, float32
        Where the range is [0, 0], zeros whose gradient is that of the inputs: TensorFlow's own
        kernel has that case, XLA's operation would return NaN.
    """
    return tf.quantization.fake_quant_with_min_max_vars(
        inputs, low, tf.maximum(high, SMALLEST_END), num_bits=bits
    )


def range_variables(layer: Any, quantity: str) -> tuple[Any, Any]:
    """Find the variables that hold the range of a quantiser.

    Parameters
    ----------
    layer : tf_keras.layers.Layer
        A layer that tfmot wrapped, or its input quantiser.
    quantity : str
        "output", "kernel", "bias", or the name of the input quantiser itself.

    Returns
    -------
    tuple of tf.Variable
        Lower and upper end.

    Raises
    ------
    RecordingError
        If the layer quantises no such quantity.
    """
    variables = {short_name(weight): weight for weight in layer.weights}
    ends = (f"{quantity}_min", f"{quantity}_max")
    if not all(end in variables for end in ends):
        raise RecordingError(
            f"layer {layer.name!r} must have the variables {' and '.join(ends)} of a quantiser, "
            f"but has {', '.join(variables) or 'none'}; was the model built by build_model?"
        )
    return variables[ends[0]], variables[ends[1]]


def short_name(variable: Any) -> str:
    """Strip a variable's name of its layer and its output index: "kernel" of "dense/kernel:0"."""
    return str(variable.name).split("/")[-1].split(":")[0]


def ranged_layers(model: Any) -> list[Any]:
    """Return the layers that a `CurrentRangeQuantizer` quantises, in the order of the model."""
    return [layer for layer in model.layers if _has_current_range(layer)]


def reset_ranges(layers: list[Any], n_final: Any = 0) -> None:
    """Make the quantisers of layers forget the tensors they have seen; may be part of a graph.

    Parameters
    ----------
    layers : list of tf_keras.layers.Layer
        From `ranged_layers`.
    n_final : int or tf.Tensor, (), int32, optional
        How many of the first keep their range.
    """
    for index, layer in enumerate(layers):
        for end in range_variables(layer, "output"):
            end.assign(tf.where(index < n_final, end, 0.0))


def _has_current_range(layer: Any) -> bool:
    config = getattr(layer, "quantize_config", None)
    quantizers = config.get_output_quantizers(layer) if config else []
    return any(isinstance(quantizer, CurrentRangeQuantizer) for quantizer in quantizers)


def calibrate(model: Any, x: NDArray[np.float32]) -> None:
    """Give the ranges of input and weights the values that the first training step gives them.

    Before training they are [0, 0] and [-6, 6], grids that no step ever uses: the untrained network
    would see a constant input, through kernels coarser than any later. The moving averages stay
    where training starts them.

    Parameters
    ----------
    model : tf_keras.Model
        Untrained. Without quantisers it is left as it is.
    x : ndarray, (sample, ...), float32
        All training inputs.

    Notes
    -----
    Training is the same with and without, because its first step sets all of them anew: that of a
    weight to the same values, that of the input to the first batch's. For SYN, or any other data
    whose every batch attains the extremes, the latter are the same as well.
    """
    for layer in model.layers:
        names = {short_name(weight) for weight in layer.weights}
        if f"{layer.name}_min" in names:
            _set_range(layer, layer.name, x)
        for weight in layer.weights:
            if f"{short_name(weight)}_min" in names:
                _set_range(layer, short_name(weight), weight.numpy())


def range_with_zero(values: NDArray[np.float32]) -> tuple[np.float32, np.float32]:
    """Return the smallest range of values and 0."""
    return min(values.min(), np.float32(0)), max(values.max(), np.float32(0))


def _set_range(layer: Any, quantity: str, values: NDArray[np.float32]) -> None:
    for variable, end in zip(
        range_variables(layer, quantity), range_with_zero(values), strict=True
    ):
        variable.assign(end)
