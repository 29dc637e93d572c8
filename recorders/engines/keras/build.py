"""Build a tf_keras model from a network's description, with what must be known to record it."""

import math
from typing import Any

import tensorflow as tf
import tf_keras

from ibtools.recorders.engines.keras.quantise import Tap, TappedModel, quantise_model
from ibtools.recorders.engines.keras.user_model import create_checked
from ibtools.recorders.engines.schemes import Probed
from ibtools.recorders.networks import Conv, Dense, Layer, Network, Pool
from ibtools.recorders.resolve import AnyNetwork
from ibtools.recorders.user_code import import_function
from ibtools.settings import Scheme
from ibtools.store.snapshots import FLOAT_BITS

LOGITS = "logits"
"""Name of the linear layer below the softmax."""

_ACTIVATIONS = {"tanh": tf.nn.tanh, "relu": tf.nn.relu, "relu6": tf.nn.relu6}


def build_model(
    network: AnyNetwork,
    activation: str,
    bits: int,
    *,
    scheme: Scheme = "paper",
    ranges: Probed = "paper",
    initializer: str = "paper",
) -> TappedModel:
    """Build a model with new initial weights, drawn from TensorFlow's global seed.

    Notes
    -----
    The output is a linear layer with quantised output followed by a softmax, whose probabilities
    are what the loss is computed from. That is what tfmot makes of one softmax layer (it quantises
    before the function), with the logits in reach. The model is not compiled, and has the layers
    that a `Network` names, a "flatten" where one is needed, and "logits" before "output"; tfmot
    prefixes what it quantises with ``quant_``, and puts an input quantiser first.
    """
    specs = network.layer_specs(activation, bits, scheme)
    network.validate_initializer(initializer)
    if isinstance(network, Network):
        model = _create_model(network, activation, initializer)
    else:
        model = create_checked(
            import_function(network.name), network.name, network.input_shape, network.n_classes
        )
    if bits == FLOAT_BITS:
        return TappedModel(model, tuple(Tap(spec, model.get_layer(spec.name)) for spec in specs))
    return quantise_model(model, specs, scheme, ranges=ranges)


def _create_model(network: Network, activation: str, initializer: str) -> Any:
    """Create the float32 model of a network from the table."""
    x = inputs = tf_keras.Input(network.input_shape, name="input")
    for layer, name in zip(network.layers[:-1], network.layer_names[:-1], strict=True):
        x = _apply(layer, x, _options(network, layer, initializer, name=name), activation)
    output = network.layers[-1]
    x = _apply(output, x, _options(network, output, initializer, name=LOGITS), None)
    return tf_keras.Model(inputs, tf_keras.layers.Softmax(name="output")(x), name="network")


def _apply(layer: Layer, x: Any, options: dict[str, Any], activation: str | None) -> Any:
    """Append a layer to those that lead to the tensor x."""
    function = _ACTIVATIONS[activation] if activation else None
    match layer:
        case Dense(units):
            flat = x if len(x.shape) == 2 else tf_keras.layers.Flatten(name="flatten")(x)
            return tf_keras.layers.Dense(units, activation=function, **options)(flat)
        case Conv(channels, size):
            return tf_keras.layers.Conv2D(channels, size, activation=function, **options)(x)
        case Pool(size):
            return tf_keras.layers.MaxPooling2D(size, **options)(x)


def _options(network: Network, layer: Layer, initializer: str, *, name: str) -> dict[str, Any]:
    """Return the arguments that every Keras layer of this kind takes: its name, its initialiser."""
    match layer:
        case Dense(width) | Conv(width):
            kind = network.kernel_initializer if initializer == "paper" else initializer
            return {"name": name, "kernel_initializer": _create_initializer(kind, width)}
        case Pool():
            return {"name": name}


def _create_initializer(name: str, width: int) -> Any:
    if name == "width_normal":
        return tf_keras.initializers.TruncatedNormal(stddev=1 / math.sqrt(width))
    return tf_keras.initializers.get(name)
