"""Layers of a model, copied for quantisation: what a copy can't be is refused before."""

from typing import Any

import tensorflow_model_optimization as tfmot
import tf_keras

from ibtools.errors import InputError
from ibtools.recorders.capture.keras.describe import is_known
from ibtools.recorders.capture.keras.functions import (
    COPIED_FUNCTIONS,
    function_name,
    operation_name,
)

_OR_FLOAT = "or record the network with 32 bits (--bits 32), as it is"


def validate_copied(model: Any) -> None:
    """Check that it is known of every layer what quantisation makes of it."""
    _validate_additions(model)
    for layer in model.layers:
        if not isinstance(layer, tf_keras.layers.InputLayer):
            _validate_kind(layer)
            _validate_function(layer)
            _validate_parts(layer)


def validate_wrapped(layer: Any) -> None:
    """Check that a layer loses nothing where tfmot's wrapper calls it."""
    if layer.activity_regularizer is not None:
        raise InputError(
            f"layer {layer.name!r} has an activity_regularizer, which a quantised layer would lose;"
            f" append tf_keras.layers.ActivityRegularization to it instead, {_OR_FLOAT}"
        )


def copy_layer(layer: Any, **changes: Any) -> Any:
    """Create a layer of the same configuration, but for some changes."""
    try:
        return type(layer).from_config(layer.get_config() | changes)
    except (AttributeError, KeyError, NotImplementedError, TypeError, ValueError) as err:
        raise InputError(
            f"a quantised network is made of copies of its layers, but Keras can't copy layer "
            f"{layer.name!r}: {_first_line(err)}; leave out what is your own in it, {_OR_FLOAT}"
        ) from err


def keep_frozen(model: Any) -> None:
    """Leave frozen weights as they are: tfmot trains every kernel that it quantises."""
    for layer in model.layers:
        if isinstance(layer, tfmot.quantization.keras.QuantizeWrapperV2) and not layer.trainable:
            layer._non_trainable_weights.extend(layer._trainable_weights)
            layer._trainable_weights.clear()


def _validate_additions(model: Any) -> None:
    """Check that no loss or metric is added to the model itself."""
    kinds = {"AddLoss": "add_loss", "AddMetric": "add_metric"}
    added = [kinds[type(one).__name__] for one in model.layers if type(one).__name__ in kinds]
    if added:
        raise InputError(
            f"a quantised network is made of copies of its layers, which would lose what "
            f"{added[0]} adds to the model; leave it out, {_OR_FLOAT}"
        )


def _validate_kind(layer: Any) -> None:
    if is_known(layer):
        return
    operation = operation_name(layer)
    kind = f"a {type(layer).__name__}" if operation is None else f"the operation {operation}"
    instead = "use layers of tf_keras with known activation functions instead"
    if operation in COPIED_FUNCTIONS:
        instead = f"write tf_keras.layers.Activation({operation!r}) instead"
    raise InputError(
        f"a quantised network is made of layers that can be copied and quantised, but "
        f"{layer.name!r} is {kind}; {instead}, {_OR_FLOAT}"
    )


def _validate_function(layer: Any) -> None:
    inner = layer.layer if isinstance(layer, tf_keras.layers.Wrapper) else layer
    if getattr(inner, "activation", None) is None or function_name(layer) in COPIED_FUNCTIONS:
        return
    raise InputError(
        f"a quantised layer must have an activation function that Keras knows by name, but that "
        f"of {layer.name!r} is {function_name(layer)}; name one of {', '.join(COPIED_FUNCTIONS)}, "
        f"{_OR_FLOAT}"
    )


def _validate_parts(layer: Any) -> None:
    """Check that regularizers and constraints are Keras' own, which a copy has as well."""
    holders = [
        layer,
        *(getattr(layer, inner) for inner in ("cell", "layer") if hasattr(layer, inner)),
    ]
    for holder in holders:
        for name, part in vars(holder).items():
            own = callable(part) and not type(part).__module__.startswith("tf_keras.")
            if own and name.endswith(("_regularizer", "_constraint")):
                raise InputError(
                    f"a quantised network is made of copies of its layers, which would lose the "
                    f"{name.strip('_')} of {layer.name!r}, one of your own; use one of "
                    f"tf_keras, {_OR_FLOAT}"
                )


def _first_line(err: Exception) -> str:
    return str(err).strip().partition("\n")[0]
