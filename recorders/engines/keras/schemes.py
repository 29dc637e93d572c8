"""What tfmot is told of the schemes of `ibtools.recorders.engines.schemes`."""

from typing import Any

import tensorflow_model_optimization as tfmot
import tf_keras

from ibtools.recorders.engines.keras.quantizers import (
    CurrentRangeQuantizer,
    FixedRangeQuantizer,
    FlooredAverageQuantizer,
    GrowingRangeQuantizer,
    LastRangeQuantizer,
)
from ibtools.recorders.engines.schemes import FIRST_RANGE, UNIT_RANGE

# tfmot's flags in the order of its constructors: per_axis, symmetric, narrow_range.
_PER_TENSOR = (False, False, False)


class LayerConfig(tfmot.quantization.keras.QuantizeConfig):  # type: ignore[misc]
    """What tfmot quantises in a layer.

    Parameters
    ----------
    bits : int
        Bits of a code.
    weights : sequence of str
        The quantised weights, by the names of their attributes: "kernel", "bias", both or none.
    output : str or pair of float
        Range of the output: see `ibtools.recorders.engines.schemes.Range`.
    """

    def __init__(self, bits: int, weights: Any, output: Any) -> None:
        self.bits = bits
        self.weights = tuple(weights)
        self.output = output if isinstance(output, str) else tuple(output)

    def get_weights_and_quantizers(self, layer: Any) -> list[tuple[Any, Any]]:
        """Quantise weights on the range of their current values."""
        return [
            (getattr(layer, weight), LastRangeQuantizer(self.bits, *_PER_TENSOR))
            for weight in self.weights
        ]

    def set_quantize_weights(self, layer: Any, quantize_weights: list[Any]) -> None:
        """Put the quantised weights in the place of the weights."""
        for weight, quantised in zip(self.weights, quantize_weights, strict=True):
            setattr(layer, weight, quantised)

    def get_activations_and_quantizers(self, layer: Any) -> list[tuple[Any, Any]]:
        """Leave the activation function alone: its output is quantised instead.

        The value is the same, and tfmot accepts few functions here (ReLU6 is none of them).
        """
        return []

    def set_quantize_activations(self, layer: Any, quantize_activations: list[Any]) -> None:
        """Put no activation function back."""
        return  # AutoGraph cannot convert a body that is only a docstring

    def get_output_quantizers(self, layer: Any) -> list[Any]:
        """Quantise the output; a moving average starts at [-6, 6] and decays by 0.999 a step."""
        if self.output == "none":
            return []
        if self.output == "current":
            return [CurrentRangeQuantizer(self.bits)]
        if self.output == "average":
            return [FlooredAverageQuantizer(self.bits, *_PER_TENSOR)]
        ends = FIRST_RANGE if self.output == "kept" else self.output
        return [FixedRangeQuantizer(self.bits, *ends)]

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, for Keras to copy the configuration."""
        return {"bits": self.bits, "weights": list(self.weights), "output": self.output}


class InputScheme(tfmot.quantization.keras.QuantizeScheme):  # type: ignore[misc]
    """How tfmot changes a network besides what is annotated: it quantises the input, no more.

    tfmot's own scheme prepares networks for TFLite: it merges and replaces layers, which would then
    not be the ones that are recorded.

    Parameters
    ----------
    quantises : bool
        False leaves the input as it is.
    """

    def __init__(self, quantises: bool) -> None:
        self._quantises = quantises

    def get_layout_transformer(self) -> Any:
        """Return what puts the input quantiser into a model."""
        return _InputTransform([_InputQuantize()] if self._quantises else [])

    def get_quantize_registry(self) -> Any:
        """Return that no layer is quantised unless it is annotated with how."""
        return _EmptyRegistry()


class _InputTransform(tfmot.quantization.keras.QuantizeLayoutTransform):  # type: ignore[misc]
    def __init__(self, transforms: list[Any]) -> None:
        self._transforms = transforms

    def apply(self, model: Any, layer_quantize_map: dict[str, Any]) -> Any:
        transformer = tfmot.quantization.keras.graph_transformations.model_transformer
        names = {layer.name for layer in model.layers}
        return transformer.ModelTransformer(
            model, self._transforms, names, layer_quantize_map
        ).transform()


class _InputQuantize(
    tfmot.quantization.keras.default_8bit.default_8bit_transforms.InputLayerQuantize  # type: ignore[misc]
):
    """Put tfmot's layer behind the input, with a quantiser that XLA compiles well."""

    def replacement(self, match_layer: Any) -> Any:
        node = super().replacement(match_layer)
        node.layer["config"]["quantizer"]["class_name"] = "GrowingRangeQuantizer"
        return node


class _EmptyRegistry(tfmot.quantization.keras.QuantizeRegistry):  # type: ignore[misc]
    def supports(self, layer: Any) -> bool:
        return False

    def get_quantize_config(self, layer: Any) -> Any:
        return None


CUSTOM_OBJECTS = {
    "GrowingRangeQuantizer": GrowingRangeQuantizer,
    "LayerConfig": LayerConfig,
}
"""What Keras must know by name while tfmot copies a model."""


def is_calibrated(layer: Any) -> bool:
    """Whether calibration, where there is any, sets the range of a layer's output."""
    config = getattr(layer, "quantize_config", None)
    return isinstance(config, LayerConfig) and config.output in ("average", "kept")


def quantise_probabilities(probabilities: Any, bits: int, name: str) -> Any:
    """Build the layer that gives a softmax 2**bits levels on [0, 1]."""
    layer = tfmot.quantization.keras.QuantizeWrapperV2(
        tf_keras.layers.Activation("linear", name=name), LayerConfig(bits, (), UNIT_RANGE)
    )
    layer(probabilities)
    return layer
