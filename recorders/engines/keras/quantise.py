"""Models for quantisation-aware training, made of float32 models; and where layers are in them."""

from dataclasses import dataclass
from typing import Any

import tensorflow_model_optimization as tfmot
import tf_keras

from ibtools.errors import InputError
from ibtools.recorders.capture.keras.describe import looks_up_input, output_layer
from ibtools.recorders.capture.keras.functions import chooses_values, function_name
from ibtools.recorders.engines.keras.copying import (
    copy_layer,
    keep_frozen,
    validate_copied,
    validate_wrapped,
)
from ibtools.recorders.engines.keras.schemes import (
    CUSTOM_OBJECTS,
    InputScheme,
    LayerConfig,
    quantise_probabilities,
)
from ibtools.recorders.engines.schemes import Probed, output_range, quantised_weights
from ibtools.settings import Scheme
from ibtools.store.snapshots import LayerSpec

_LAYERS = tf_keras.layers

_KERNELS: dict[type, tuple[str, ...]] = {
    _LAYERS.Dense: ("kernel",),
    _LAYERS.EinsumDense: ("kernel",),
    **dict.fromkeys((_LAYERS.Conv1D, _LAYERS.Conv2D, _LAYERS.Conv3D), ("kernel",)),
    **dict.fromkeys((_LAYERS.Conv1DTranspose, _LAYERS.Conv2DTranspose), ("kernel",)),
    _LAYERS.Conv3DTranspose: ("kernel",),
    **dict.fromkeys((_LAYERS.DepthwiseConv1D, _LAYERS.DepthwiseConv2D), ("depthwise_kernel",)),
    **dict.fromkeys(
        (_LAYERS.SeparableConv1D, _LAYERS.SeparableConv2D), ("depthwise_kernel", "pointwise_kernel")
    ),
}
"""The kernels of dense and convolutional layers, by the names of their attributes."""


@dataclass(frozen=True)
class Tap:
    """Where a recorded layer is found in a model.

    Parameters
    ----------
    spec : LayerSpec
        The layer as a store knows it.
    layer : tf_keras.layers.Layer
        The layer whose output is recorded. In a quantised network of scheme `paper` that of the
        softmax is the layer of the logits.
    grid_layer : tf_keras.layers.Layer, optional
        The layer whose output quantiser has the grid of the values, if it is another: that before a
        max pooling.
    """

    spec: LayerSpec
    layer: Any
    grid_layer: Any = None


@dataclass(frozen=True)
class TappedModel:
    """A model, and the layers of it that are recorded.

    Parameters
    ----------
    model : tf_keras.Model
        Its output are probabilities (sample, class), never quantised.
    taps : tuple of Tap
        From the first hidden layer to the output, each computed from those before it. In scheme
        `full`, the last one is computed from the output of the model.
    """

    model: Any
    taps: tuple[Tap, ...]


def quantise_model(
    model: Any,
    specs: tuple[LayerSpec, ...],
    scheme: Scheme,
    *,
    ranges: Probed = "paper",
    quantisers: bool = True,
) -> TappedModel:
    """Make a model for quantisation-aware training, with copies of the weights of a float32 model.

    Without `quantisers` it must compute what that does.
    """
    validate_copied(model)
    logits_model = _remove_softmax(model)
    chosen = _Quantisation(logits_model, specs, scheme, ranges, quantisers=quantisers)
    quantised = _quantise(logits_model, chosen)
    keep_frozen(quantised)
    probabilities = tf_keras.layers.Softmax(name=_free_name("output", quantised))(quantised.output)
    full = tf_keras.Model(quantised.inputs, probabilities, name=model.name)
    taps = [chosen.tap(full, spec) for spec in specs[:-1]]
    return TappedModel(full, (*taps, _tap_output(full, chosen, specs[-1])))


class _Quantisation:
    """Decides what is quantised in each layer of a model that ends in logits."""

    def __init__(
        self,
        model: Any,
        specs: tuple[LayerSpec, ...],
        scheme: Scheme,
        ranges: Probed,
        *,
        quantisers: bool,
    ) -> None:
        self.logits = output_layer(model)
        self.quantises_input = quantisers and not looks_up_input(model)
        self._quantisers = quantisers
        self._bits = specs[-1].bits
        self._scheme = scheme
        self._ranges = ranges
        self._recorded = {spec.name for spec in specs[:-1]} | {self.logits.name}
        self._configs = {layer.name: self._choose_config(layer) for layer in model.layers}
        self._grids = {layer.name: self._find_grid(layer).name for layer in model.layers}

    def config(self, layer: Any) -> LayerConfig | None:
        """Return what tfmot quantises in a layer, or None."""
        config = self._configs[layer.name]
        return config if self._quantisers or config is None else LayerConfig(self._bits, (), "none")

    def tap(self, model: Any, spec: LayerSpec, name: str = "") -> Tap:
        """Find a recorded layer in the quantised model."""
        name = name or spec.name
        layer, grid = (model.get_layer(self._name(key)) for key in (name, self._grids[name]))
        return Tap(spec, layer, None if grid is layer else grid)

    def _name(self, name: str) -> str:
        return f"quant_{name}" if self._configs[name] else name

    def _choose_config(self, layer: Any) -> LayerConfig | None:
        function = function_name(layer)
        weights: tuple[str, ...] = ()
        if type(layer) in _KERNELS:
            has_bias = layer.bias is not None
            kernels = _KERNELS[type(layer)]
            weights = quantised_weights(function, kernels, has_bias=has_bias, scheme=self._scheme)
        elif layer.weights and self._scheme == "full":
            raise InputError(
                "scheme full quantises the weights of dense and convolutional layers, but layer "
                f"{layer.name!r} is a {type(layer).__name__}; use scheme paper, which quantises "
                "kernels and outputs"
            )
        needs_grid = layer.name in self._recorded and self._find_grid(layer) is layer
        output = output_range(function, self._scheme, self._ranges) if needs_grid else "none"
        if not weights and not needs_grid:
            return None
        validate_wrapped(layer)
        return LayerConfig(self._bits, weights, output)

    def _find_grid(self, layer: Any) -> Any:
        """Find the layer whose quantiser decides the grid of a layer's values."""
        source = layer
        while chooses_values(source):
            (source,) = _layers_before(source)
        return source if source.name in self._recorded else layer


def _layers_before(layer: Any) -> list[Any]:
    layers = layer.inbound_nodes[-1].inbound_layers
    return layers if isinstance(layers, list) else [layers]


def _remove_softmax(model: Any) -> Any:
    """Copy a model up to the values that its softmax is computed from."""
    output = output_layer(model)
    if isinstance(output, (tf_keras.layers.Softmax, tf_keras.layers.Activation)):
        return tf_keras.Model(model.inputs, output.input)

    def copy(layer: Any) -> Any:
        return copy_layer(layer, **({"activation": "linear"} if layer is output else {}))

    functional = tf_keras.Model(model.inputs, model.outputs)
    linear = tf_keras.models.clone_model(functional, clone_function=copy)
    linear.set_weights(functional.get_weights())
    return linear


def _quantise(model: Any, chosen: _Quantisation) -> Any:
    """Annotate a copy of a model and let tfmot quantise it."""

    def annotate(layer: Any) -> Any:
        copy = copy_layer(layer)
        config = chosen.config(layer)
        if config is None:
            return copy
        return tfmot.quantization.keras.quantize_annotate_layer(copy, config)

    with tfmot.quantization.keras.quantize_scope(CUSTOM_OBJECTS):
        annotated = tf_keras.models.clone_model(model, clone_function=annotate)
        annotated.set_weights(model.get_weights())
        return tfmot.quantization.keras.quantize_apply(
            annotated, InputScheme(chosen.quantises_input)
        )


def _tap_output(model: Any, chosen: _Quantisation, spec: LayerSpec) -> Tap:
    if spec.activation_function == "softmax":
        return chosen.tap(model, spec, chosen.logits.name)
    name = _free_name(f"{spec.name}_code", model)
    return Tap(spec, quantise_probabilities(model.output, spec.bits, name))


def _free_name(name: str, model: Any) -> str:
    """Return a name that no layer of the model has."""
    taken = {layer.name for layer in model.layers}
    return name if name not in taken else _free_name(f"{name}_", model)
