"""The activation function of a layer, told by what it is, not by what it is called."""

from typing import Any

import tensorflow as tf
import tf_keras

LINEAR = "linear"
"""The function of a layer that has none."""

COPIED_FUNCTIONS = (
    *("elu", "exponential", "gelu", "hard_sigmoid", "leaky_relu", LINEAR, "mish", "relu", "relu6"),
    *("selu", "sigmoid", "softmax", "softplus", "softsign", "swish", "tanh"),
)
"""Functions that Keras finds again by the name that it writes into a configuration."""

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
_OPERATIONS = ("TFOpLambda", "SlicingOpLambda")
_OTHER_NAMES = {"softmax_v2": "softmax", "silu": "swish"}
_MODULES = (tf_keras.activations, tf.nn, tf.math)


def chooses_values(layer: Any) -> bool:
    """Tell whether every value that a layer computes is one of those it receives."""
    return isinstance(layer, _MAX_POOLS + _CHOOSING)


def is_keras(layer: Any) -> bool:
    """Tell whether a layer is one of Keras' own kinds, or an operation of TensorFlow's."""
    return type(layer).__module__.startswith("tf_keras.")


def operation_name(layer: Any) -> str | None:
    """Name the operation that Keras made a layer of, such as "relu" of `tf.nn.relu`, if it did."""
    if type(layer).__name__ not in _OPERATIONS:
        return None
    symbol = layer.symbol or layer.function.__name__
    return str(symbol).rpartition(".")[2]


def function_name(layer: Any) -> str:
    """Name the function of a layer, or of the one it applies; without one it is "linear"."""
    if isinstance(layer, _POOLS):
        return "pool"
    if isinstance(layer, _LAYERS.Softmax):
        return "softmax" if layer.axis in (-1, len(layer.output_shape) - 1) else "softmax_across"
    if isinstance(layer, _LAYERS.ReLU):
        return _rectifier_name(layer)
    if isinstance(layer, _FUNCTIONS):
        return type(layer).__name__.lower()
    if isinstance(layer, _LAYERS.Wrapper):
        return function_name(layer.layer)
    if isinstance(layer, _LAYERS.RNN):
        return _activation_name(getattr(layer.cell, "activation", None))
    return _activation_name(getattr(layer, "activation", None))


def _known_function(function: Any) -> str | None:
    """Name a function that is one of Keras' or TensorFlow's; None for any other."""
    if function is None:
        return LINEAR
    name = getattr(function, "__name__", "")
    name = _OTHER_NAMES.get(name, name)
    ours = any(getattr(module, name, None) is function for module in _MODULES)
    return name if ours and name else None


def _rectifier_name(layer: Any) -> str:
    if layer.negative_slope:
        return "leakyrelu"
    if layer.threshold:
        return "thresholdedrelu"
    return {None: "relu", 6: "relu6"}.get(layer.max_value, "capped_relu")


def _activation_name(function: Any) -> str:
    if isinstance(function, _LAYERS.Layer):
        return function_name(function)
    name = _known_function(function)
    if name is not None:
        return name
    own = str(getattr(function, "__name__", type(function).__name__)).strip("<>").lower()
    is_taken = own == "pool" or any(hasattr(module, own) for module in _MODULES)
    return f"own_{own}" if is_taken else own
