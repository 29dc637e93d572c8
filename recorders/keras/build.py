"""Build a tf_keras model from a network's description, with what must be known to record it."""

from dataclasses import dataclass
from typing import Any

import tensorflow as tf
import tensorflow_model_optimization as tfmot
import tf_keras

from ibtools.recorders.keras.quantizers import CUSTOM_OBJECTS, layer_config
from ibtools.recorders.networks import Network
from ibtools.snapshots import LayerSpec

LOGITS = "logits"
"""Name of the linear layer below the softmax."""

_ACTIVATIONS = {"tanh": tf.nn.tanh, "relu": tf.nn.relu, "relu6": tf.nn.relu6, "linear": None}


@dataclass(frozen=True)
class Tap:
    """Where a recorded layer is found in a model.

    Parameters
    ----------
    spec : LayerSpec
        The layer as a store knows it.
    layer : tf_keras.layers.Layer
        The layer whose output is recorded. In a quantised network that of the softmax is the layer
        of the logits.
    """

    spec: LayerSpec
    layer: Any


@dataclass(frozen=True)
class TappedModel:
    """A model, and the layers of it that are recorded.

    Parameters
    ----------
    model : tf_keras.Model
        Its output are probabilities (sample, class).
    taps : tuple of Tap
        From the first hidden layer to the output, each computed from those before it.
    """

    model: Any
    taps: tuple[Tap, ...]


def build_model(network: Network, activation: str, bits: int) -> TappedModel:
    """Build a model with new initial weights, drawn from TensorFlow's global seed.

    Parameters
    ----------
    network : Network
        Its description.
    activation : str
        Of the hidden layers.
    bits : int
        2 to 8 for quantisation-aware training in scheme `paper`, 32 for a float32 network.

    Returns
    -------
    TappedModel
        Not compiled. The layers are hidden_1, hidden_2, ..., "logits" (linear) and "output"
        (softmax). tfmot prefixes those that it quantises with ``quant_``, and puts an input
        quantiser first.

    Raises
    ------
    UnknownNameError, InputError
        If the activation or the bit width is none that a network can have.

    Notes
    -----
    The output is a linear layer with quantised output followed by a softmax that is not quantised.
    That is what tfmot makes of one softmax layer (it quantises before the function), with the
    logits in reach.
    """
    specs = network.layer_specs(activation, bits)
    model = _create_model(network, specs)
    if not specs[0].quantised:
        return TappedModel(model, tuple(Tap(spec, model.get_layer(spec.name)) for spec in specs))
    with tfmot.quantization.keras.quantize_scope(CUSTOM_OBJECTS):
        model = tfmot.quantization.keras.quantize_apply(model)
    taps = (Tap(spec, model.get_layer(f"quant_{_linear_name(spec)}")) for spec in specs)
    return TappedModel(model, tuple(taps))


def _create_model(network: Network, specs: tuple[LayerSpec, ...]) -> Any:
    x = inputs = tf_keras.Input(network.input_shape, name="input")
    for spec in specs:
        x = _create_layer(spec, network.initializer)(x)
    return tf_keras.Model(inputs, tf_keras.layers.Softmax(name="output")(x), name=network.name)


def _create_layer(spec: LayerSpec, initializer: str) -> Any:
    """Create the layer, annotated for tfmot when it is quantised; of a softmax its linear part."""
    activation = "linear" if spec.activation_function == "softmax" else spec.activation_function
    dense = tf_keras.layers.Dense(
        spec.n_units,
        activation=_ACTIVATIONS[activation],
        kernel_initializer=initializer,
        name=_linear_name(spec),
    )
    if not spec.quantised:
        return dense
    config = layer_config(activation, spec.bits)
    return tfmot.quantization.keras.quantize_annotate_layer(dense, config)


def _linear_name(spec: LayerSpec) -> str:
    return LOGITS if spec.activation_function == "softmax" else spec.name
