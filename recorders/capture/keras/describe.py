"""The layers of a tf_keras model: which are recorded, and which are not.

Recorded is every layer that has an activation function (an argument ``activation`` that is not
linear, or a layer or operation that is nothing but such a function, as `ReLU` or `tf.nn.relu`),
every pooling layer, every layer whose function is not known here, as one of the user's own, and the
output. Not recorded are layers that only hand values on or prepare them: inputs, flattening,
reshaping, dropout, normalisation, and linear layers whose function is a layer of its own.
"""

import math
from typing import Any

import tensorflow as tf
import tf_keras

from ibtools.recorders.capture.keras.functions import (
    LINEAR,
    function_name,
    is_keras,
    operation_name,
)
from ibtools.store.snapshots import FLOAT_BITS, LayerSpec

_LAYERS = tf_keras.layers

_IN_TRAINING_ONLY = "acts in training only"

_LEFT_OUT: dict[str, tuple[type, ...]] = {
    "only hands values on": (
        *(_LAYERS.Flatten, _LAYERS.Reshape, _LAYERS.Permute, _LAYERS.RepeatVector),
        *(_LAYERS.Cropping1D, _LAYERS.Cropping2D, _LAYERS.Cropping3D),
        *(_LAYERS.ZeroPadding1D, _LAYERS.ZeroPadding2D, _LAYERS.ZeroPadding3D),
        *(_LAYERS.UpSampling1D, _LAYERS.UpSampling2D, _LAYERS.UpSampling3D),
        *(_LAYERS.Identity, _LAYERS.Masking),
    ),
    _IN_TRAINING_ONLY: (
        *(_LAYERS.Dropout, _LAYERS.AlphaDropout, _LAYERS.GaussianDropout, _LAYERS.GaussianNoise),
        *(_LAYERS.SpatialDropout1D, _LAYERS.SpatialDropout2D, _LAYERS.SpatialDropout3D),
        _LAYERS.ActivityRegularization,
    ),
    "normalises, without an activation function": (
        *(_LAYERS.BatchNormalization, _LAYERS.LayerNormalization, _LAYERS.GroupNormalization),
        *(_LAYERS.UnitNormalization, _LAYERS.Normalization, _LAYERS.Rescaling),
    ),
    "joins layers, without an activation function": (
        *(_LAYERS.Add, _LAYERS.Subtract, _LAYERS.Multiply, _LAYERS.Average, _LAYERS.Maximum),
        *(_LAYERS.Minimum, _LAYERS.Concatenate, _LAYERS.Dot),
    ),
    "looks vectors up, without an activation function": (_LAYERS.Embedding,),
}

_PLAIN_OPERATIONS = frozenset(
    {
        *("add", "subtract", "multiply", "truediv", "divide", "negative", "concat", "matmul"),
        *("reshape", "transpose", "expand_dims", "squeeze", "getitem", "identity"),
    }
)
"""Operations without an activation function, by the names that TensorFlow gives them."""


def describe(model: Any) -> tuple[LayerSpec, ...]:
    """List the recorded layers of a model."""
    output = output_layer(model)
    inner = [layer for layer in model.layers if is_recorded(layer) and layer is not output]
    return tuple(
        LayerSpec(layer.name, math.prod(layer.output_shape[1:]), recorded_name(layer), FLOAT_BITS)
        for layer in (*inner, output)
    )


def left_out(model: Any) -> tuple[tuple[str, str], ...]:
    """Say of every layer but the input that is not recorded why it is not, by names and reasons.

    A layer inside another one, of which only the output is recorded, is named after both.
    """
    output = output_layer(model)
    found = []
    for layer in model.layers:
        reason = None if layer is output or _is_input(layer) else _reason(layer)
        if reason is not None:
            found.append((layer.name, reason))
        inside = f"is inside {layer.name}, of which only the output is recorded"
        found += [(f"{layer.name}/{inner.name}", inside) for inner in _inner_layers(layer)]
    return tuple(found)


def is_chain(model: Any) -> bool:
    """Tell whether every layer takes the output of one layer, and no two take the same."""
    return all(
        len(layer.outbound_nodes) <= 1 and not isinstance(layer.input, list)
        for layer in model.layers
    )


def looks_up_input(model: Any) -> bool:
    """Tell whether a model takes whole numbers that stand for something.

    They are not quantised: the nearest value on a grid of 8 bits would stand for something else.
    """
    return model.inputs[0].dtype.is_integer or any(
        isinstance(layer, _LAYERS.Embedding) for layer in model.layers
    )


def output_layer(model: Any) -> Any:
    """Return the layer that computes the output of a model which has one."""
    return model.get_layer(model.output_names[0])


def is_recorded(layer: Any) -> bool:
    """Tell whether a layer is recorded wherever it is in a model."""
    return not _is_input(layer) and _reason(layer) is None


def recorded_name(layer: Any) -> str:
    """Name the function of a recorded layer; one that is not known is called after its kind."""
    name = function_name(layer)
    if name != LINEAR or _has_function(layer):
        return name
    return operation_name(layer) or type(layer).__name__.lower()


def is_known(layer: Any) -> bool:
    """Tell whether a layer is of a kind, or has a function, that is listed here."""
    return _known_reason(layer) is not None or (is_keras(layer) and _has_function(layer))


def _reason(layer: Any) -> str | None:
    """Say why a layer is not recorded; None if it is."""
    if is_known(layer) and function_name(layer) == LINEAR:
        return _known_reason(layer) or "has no activation function"
    outputs = tf.nest.flatten(layer.output)
    if len(outputs) != 1:
        return f"has {len(outputs)} outputs"
    if not outputs[0].shape.rank or outputs[0].shape[0] is not None:
        return "has no values of single samples"
    return None if outputs[0].dtype.is_floating else f"has values of type {outputs[0].dtype.name}"


def _known_reason(layer: Any) -> str | None:
    """Say why layers of this kind are not recorded, whatever their options; None if they may be."""
    if operation_name(layer) in _PLAIN_OPERATIONS:
        return "is an operation without an activation function"
    if not is_keras(layer):
        return None
    if type(layer).__name__ in ("AddLoss", "AddMetric"):
        return _IN_TRAINING_ONLY
    kind = layer.layer if isinstance(layer, _LAYERS.Wrapper) else layer
    found = (reason for reason, kinds in _LEFT_OUT.items() if isinstance(kind, kinds))
    return next(found, None)


def _has_function(layer: Any) -> bool:
    """Tell whether a layer has an activation function, if only a linear one."""
    inner = layer.layer if isinstance(layer, _LAYERS.Wrapper) else layer
    return function_name(layer) != LINEAR or hasattr(inner, "activation")


def _is_input(layer: Any) -> bool:
    return isinstance(layer, _LAYERS.InputLayer)


def _inner_layers(layer: Any) -> list[Any]:
    """List the layers inside a layer of the user's own, or inside a model that a layer applies."""
    if is_keras(layer) and not isinstance(getattr(layer, "layer", None), tf_keras.Model):
        return []
    inner = [one for one in layer.submodules if isinstance(one, _LAYERS.Layer)]
    return [one for one in inner if not isinstance(one, (_LAYERS.InputLayer, tf_keras.Model))]
