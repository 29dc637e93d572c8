"""The layers of a tf_keras model as a `Network` has them, if they are no others."""

from typing import Any

import tf_keras

from ibtools.recorders.capture.keras.describe import is_chain, looks_up_input, output_layer
from ibtools.recorders.capture.keras.functions import LINEAR, function_name
from ibtools.recorders.networks import Conv, Dense, Layer, Pool

_LAYERS = tf_keras.layers

_FUNCTIONS = ("tanh", "relu", "relu6", LINEAR)

_NO_LAYER = (_LAYERS.InputLayer, _LAYERS.Flatten)
"""What only hands values on."""


def plain_layers(model: Any) -> tuple[Layer, ...]:
    """List convolutions, pools and dense layers, if the model has no others and trains all of them.

    Parameters
    ----------
    model : tf_keras.Model
        Of the user's own, with one output, a softmax.

    Returns
    -------
    tuple of Dense, Conv or Pool
        Empty if there is any other layer, other than what flattens, or an option that a `Network`
        does not know: padding, strides, regularizers, constraints, frozen weights, other functions.
    """
    if not is_chain(model) or looks_up_input(model):
        return ()
    layers = [layer for layer in model.layers if type(layer) not in _NO_LAYER]
    if _is_only_softmax(output_layer(model)):
        layers.remove(output_layer(model))
    found = [_plain(layer, is_output=layer is layers[-1]) for layer in layers]
    plain = tuple(layer for layer in found if layer is not None)
    ends_dense = bool(found) and isinstance(found[-1], Dense)
    return plain if ends_dense and len(plain) == len(found) else ()


def _is_only_softmax(layer: Any) -> bool:
    kinds = (_LAYERS.Softmax, _LAYERS.Activation)
    return type(layer) in kinds and function_name(layer) == "softmax"


def _plain(layer: Any, *, is_output: bool) -> Layer | None:
    """Describe a layer; None if it can't be."""
    if type(layer) is _LAYERS.MaxPooling2D:
        return _plain_pool(layer)
    if type(layer) not in (_LAYERS.Dense, _LAYERS.Conv2D) or not _is_trained_plainly(layer):
        return None
    function = function_name(layer)
    if function not in ((LINEAR, "softmax") if is_output else _FUNCTIONS):
        return None
    if type(layer) is _LAYERS.Conv2D:
        return _plain_convolution(layer)
    return Dense(layer.units) if len(layer.input_shape) == 2 else None


def _is_trained_plainly(layer: Any) -> bool:
    """Whether kernel and bias are trained, by the gradient of the loss and nothing else."""
    others = [
        getattr(layer, f"{weight}_{kind}")
        for weight in ("kernel", "bias", "activity")
        for kind in ("regularizer", "constraint")
        if hasattr(layer, f"{weight}_{kind}")
    ]
    return bool(layer.use_bias and layer.trainable and all(one is None for one in others))


def _plain_convolution(layer: Any) -> Conv | None:
    height, width = layer.kernel_size
    is_plain = (
        height == width
        and layer.padding == "valid"
        and layer.data_format == "channels_last"
        and layer.groups == 1
        and set(layer.strides) | set(layer.dilation_rate) == {1}
    )
    return Conv(layer.filters, height) if is_plain else None


def _plain_pool(layer: Any) -> Pool | None:
    height, width = layer.pool_size
    is_plain = (
        height == width
        and tuple(layer.strides) == (height, width)
        and layer.padding == "valid"
        and layer.data_format == "channels_last"
    )
    return Pool(height) if is_plain else None
