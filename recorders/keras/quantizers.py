"""Quantisation-aware training in scheme `paper`: what is quantised, and on which range.

================= ========================================= =======================================
quantity          ReLU and ReLU6 layers, logits             Tanh layers
================= ========================================= =======================================
input             8 bits, range grows to that of the data   same
kernel            b bits, range of its current values       not quantised
bias              not quantised                             not quantised
output            b bits, moving average of batch ranges    b bits, range of the current tensor
================= ========================================= =======================================

Every range includes 0, as tfmot has it everywhere: TensorFlow's operation would otherwise shift a
range of one sign towards 0 and clip what it leaves out. Ranges are per tensor and not symmetric.
"""

from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_model_optimization as tfmot
from numpy.typing import NDArray

from ibtools.errors import RecordingError

# tfmot's flags in the order of its constructors: per_axis, symmetric, narrow_range.
_PER_TENSOR = (False, False, False)


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
    evaluates resets it before (`reset_range`); an evaluation in a single batch then uses exactly
    the range of that batch, and one in several batches can be made to use the same
    (`ibtools.recorders.keras.snapshot`).
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
        return tf.quantization.fake_quant_with_min_max_vars(
            inputs, low, high, num_bits=self.num_bits
        )

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, for Keras to copy the quantiser."""
        return {"num_bits": self.num_bits}


class OutputConfig(tfmot.quantization.keras.QuantizeConfig):  # type: ignore[misc]
    """Quantise the output of a layer on the range of the current tensor, and nothing else.

    Parameters
    ----------
    bits : int
        Bits of a code.
    """

    def __init__(self, bits: int) -> None:
        self.bits = bits

    def get_weights_and_quantizers(self, layer: Any) -> list[tuple[Any, Any]]:
        """Quantise no weight."""
        return []

    def set_quantize_weights(self, layer: Any, quantize_weights: list[Any]) -> None:
        """Put no weight back."""
        return  # AutoGraph cannot convert a body that is only a docstring

    def get_activations_and_quantizers(self, layer: Any) -> list[tuple[Any, Any]]:
        """Leave the activation function alone: its output is quantised instead.

        The value is the same, and tfmot accepts few functions here (ReLU6 is none of them).
        """
        return []

    def set_quantize_activations(self, layer: Any, quantize_activations: list[Any]) -> None:
        """Put no activation function back."""
        return  # as above

    def get_output_quantizers(self, layer: Any) -> list[Any]:
        """Quantise the output."""
        return [CurrentRangeQuantizer(self.bits)]

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, for Keras to copy the configuration."""
        return {"bits": self.bits}


class KernelOutputConfig(OutputConfig):
    """Quantise the kernel on the range of its values, and the output on a moving average of ranges.

    Parameters
    ----------
    bits : int
        Bits of a code, in both.
    """

    def get_weights_and_quantizers(self, layer: Any) -> list[tuple[Any, Any]]:
        """Quantise the kernel."""
        return [
            (
                layer.kernel,
                tfmot.quantization.keras.quantizers.LastValueQuantizer(self.bits, *_PER_TENSOR),
            )
        ]

    def set_quantize_weights(self, layer: Any, quantize_weights: list[Any]) -> None:
        """Put the quantised kernel in the place of the kernel."""
        (layer.kernel,) = quantize_weights

    def get_output_quantizers(self, layer: Any) -> list[Any]:
        """Quantise the output; the moving average starts at [-6, 6] and decays by 0.999 a step."""
        return [tfmot.quantization.keras.quantizers.MovingAverageQuantizer(self.bits, *_PER_TENSOR)]


CUSTOM_OBJECTS = {
    cls.__name__: cls for cls in (CurrentRangeQuantizer, OutputConfig, KernelOutputConfig)
}
"""What Keras must know to copy a model that uses the scheme."""


def layer_config(activation: str, bits: int) -> OutputConfig:
    """Choose what is quantised in a layer.

    Parameters
    ----------
    activation : str
        "tanh", "relu", "relu6" or, for the logits, "linear".
    bits : int
        Bits of a code.

    Returns
    -------
    OutputConfig
    """
    return OutputConfig(bits) if activation == "tanh" else KernelOutputConfig(bits)


def range_variables(layer: Any, quantity: str) -> tuple[Any, Any]:
    """Find the variables that hold the range of a quantiser.

    Parameters
    ----------
    layer : tf_keras.layers.Layer
        A layer that tfmot wrapped, or its input quantiser.
    quantity : str
        "output", "kernel", or the name of the input quantiser itself.

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


def has_current_range(layer: Any) -> bool:
    """Tell whether a `CurrentRangeQuantizer` quantises the output of a layer."""
    config = getattr(layer, "quantize_config", None)
    quantizers = config.get_output_quantizers(layer) if config else []
    return any(isinstance(quantizer, CurrentRangeQuantizer) for quantizer in quantizers)


def reset_range(layer: Any) -> None:
    """Make a `CurrentRangeQuantizer` forget the tensors it has seen.

    Parameters
    ----------
    layer : tf_keras.layers.Layer
        The layer whose output it quantises.
    """
    for variable in range_variables(layer, "output"):
        variable.assign(0.0)


def calibrate(model: Any, x: NDArray[np.float32]) -> None:
    """Give the ranges of input and kernels the values that the first training step gives them.

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
    Training is the same with and without, because its first step sets both ranges anew: that of a
    kernel to the same values, that of the input to the first batch's. For SYN, or any other data
    whose every batch attains the extremes, the latter are the same as well.
    """
    for layer in model.layers:
        names = {short_name(weight) for weight in layer.weights}
        if f"{layer.name}_min" in names:
            _set_range(layer, layer.name, x)
        if "kernel_min" in names:
            kernel = next(w for w in layer.trainable_weights if short_name(w) == "kernel")
            _set_range(layer, "kernel", kernel.numpy())


def _set_range(layer: Any, quantity: str, values: NDArray[np.float32]) -> None:
    low, high = range_variables(layer, quantity)
    low.assign(min(values.min(), np.float32(0)))
    high.assign(max(values.max(), np.float32(0)))
