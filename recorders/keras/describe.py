"""What is recorded of a tf_keras model.

Recorded is every layer that has an activation function (an argument ``activation`` that is not
linear, or a layer that is nothing but such a function, as `ReLU`), every pooling layer, and the
output. Not recorded are layers that only carry values on or prepare them: inputs, flattening,
reshaping, dropout, normalisation, and linear layers whose function is a layer of its own.
"""

import math
from typing import Any

import tf_keras

from ibtools.snapshots import FLOAT_BITS, LayerSpec

_LAYERS = tf_keras.layers
_FUNCTIONS = (_LAYERS.ELU, _LAYERS.LeakyReLU, _LAYERS.PReLU, _LAYERS.ThresholdedReLU)
_MAX_POOLS = (_LAYERS.MaxPooling1D, _LAYERS.MaxPooling2D, _LAYERS.MaxPooling3D)
_POOLS = (
    *_MAX_POOLS,
    *(_LAYERS.AveragePooling1D, _LAYERS.AveragePooling2D, _LAYERS.AveragePooling3D),
    *(_LAYERS.GlobalMaxPooling1D, _LAYERS.GlobalMaxPooling2D, _LAYERS.GlobalMaxPooling3D),
    *(_LAYERS.GlobalAveragePooling1D, _LAYERS.GlobalAveragePooling2D),
    _LAYERS.GlobalAveragePooling3D,
)
_CHOOSING = (
    *(_LAYERS.GlobalMaxPooling1D, _LAYERS.GlobalMaxPooling2D, _LAYERS.GlobalMaxPooling3D),
    *(_LAYERS.Flatten, _LAYERS.Reshape, _LAYERS.Permute, _LAYERS.Dropout),
)


def describe(model: Any) -> tuple[LayerSpec, ...]:
    """List the recorded layers of a model.

    Parameters
    ----------
    model : tf_keras.Model
        Functional or Sequential, not quantised, with one output.

    Returns
    -------
    tuple of LayerSpec
        With 32 bits; each layer is computed from those before it, and the output is the last.
    """
    output = output_layer(model)
    inner = [layer for layer in model.layers if is_recorded(layer) and layer is not output]
    return tuple(
        LayerSpec(layer.name, math.prod(layer.output_shape[1:]), function_name(layer), FLOAT_BITS)
        for layer in (*inner, output)
    )


def is_chain(model: Any) -> bool:
    """Tell whether every layer takes the output of one layer, and no two take the same."""
    return all(
        len(layer.outbound_nodes) <= 1 and not isinstance(layer.input, list)
        for layer in model.layers
    )


def output_layer(model: Any) -> Any:
    """Return the layer that computes the output of a model which has one."""
    return model.get_layer(model.output_names[0])


def is_recorded(layer: Any) -> bool:
    """Tell whether a layer is recorded wherever it is in a model."""
    return function_name(layer) != "linear"


def chooses_values(layer: Any) -> bool:
    """Tell whether every value that a layer computes is one of those it receives."""
    return isinstance(layer, _MAX_POOLS + _CHOOSING)


def function_name(layer: Any) -> str:
    """Name the activation function of a layer.

    Parameters
    ----------
    layer : tf_keras.layers.Layer
        Of any kind.

    Returns
    -------
    str
        As in a `LayerSpec`: "tanh", "relu", "relu6", "softmax", ..., "pool" for pooling, "linear"
        where there is none.
    """
    if isinstance(layer, _POOLS):
        return "pool"
    if isinstance(layer, _LAYERS.Softmax):
        return "softmax"
    if isinstance(layer, _LAYERS.ReLU):
        return "relu6" if layer.max_value == 6 else "relu"
    if isinstance(layer, _FUNCTIONS):
        return type(layer).__name__.lower()
    function = getattr(layer, "activation", None)
    if function is None:
        return "linear"
    return str(getattr(function, "__name__", type(function).__name__.lower()))
