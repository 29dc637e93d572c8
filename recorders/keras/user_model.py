"""A model that the user builds: checked before anything is trained."""

from collections.abc import Callable
from typing import Any

import tf_keras

from ibtools.errors import InputError
from ibtools.recorders.keras.describe import function_name, output_layer


def create_checked(
    function: Callable[[], Any], name: str, input_shape: tuple[int, ...], n_classes: int
) -> Any:
    """Let the user's function build its model, and check that it can be trained and recorded.

    Parameters
    ----------
    function : callable
        Called without arguments.
    name : str
        Of the function, for the errors.
    input_shape : tuple of int
        Shape of a sample of the data.
    n_classes : int
        Of the data.

    Returns
    -------
    tf_keras.Model

    Raises
    ------
    InputError
        If the function returns anything but a Functional or Sequential tf_keras model of plain
        layers, from one input of the data's shape to one softmax over the classes.

    Notes
    -----
    The seed of every random operation inside the model, such as dropout, is drawn when it is built.
    How far each has got is not part of what is saved, so that a training with dropout is repeated
    to the last bit, but not when it is interrupted and resumed.

    Keras numbers layers without a name on and on in a process. Counting begins anew before each
    call, so that they have the same names every time the model is built.
    """
    tf_keras.backend.reset_uids()
    model = function()
    _validate_kind(model, name)
    _validate_layers(model, name)
    found = (model.input_shape, model.output_shape)
    expected = ((None, *input_shape), (None, n_classes))
    if found != expected:
        raise InputError(
            f"{name} must return a model from the shape {expected[0]} to {expected[1]}, as the "
            f"data have them (None stands for the samples), but its model goes from {found[0]} to "
            f"{found[1]}"
        )
    _validate_softmax(model, name)
    return model


def _validate_kind(model: Any, name: str) -> None:
    if not isinstance(model, tf_keras.Model):
        kind = f"{type(model).__module__}.{type(model).__qualname__}"
        hint = (
            ", a Keras 3 model; write `import tf_keras` instead of keras or tensorflow.keras, "
            "because quantisation-aware training works with that one only"
        )
        raise InputError(
            f"{name} must return a tf_keras.Model, but returns a {kind}"
            f"{hint if kind.startswith('keras.') else ''}"
        )
    if not getattr(model, "inputs", None) or not hasattr(model, "output_names"):
        raise InputError(
            f"{name} must return a Functional or Sequential model that knows its input shape, but "
            f"its {type(model).__name__} does not; start it with tf_keras.Input(shape)"
        )
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise InputError(
            f"{name} must return a model with one input and one output, but its model has "
            f"{len(model.inputs)} and {len(model.outputs)}"
        )


def _validate_layers(model: Any, name: str) -> None:
    for layer in model.layers:
        if isinstance(layer, tf_keras.Model):
            raise InputError(
                f"{name} must return a model of plain layers, but {layer.name!r} is a model of its "
                "own, whose layers could not be recorded; apply its layers one by one"
            )
        if len(layer.inbound_nodes) > 1:
            raise InputError(
                f"{name} must return a model that uses every layer once, but {layer.name!r} is "
                f"used {len(layer.inbound_nodes)} times; which of them is recorded?"
            )


def _validate_softmax(model: Any, name: str) -> None:
    output = output_layer(model)
    if function_name(output) != "softmax":
        raise InputError(
            f"{name} must return a model whose last layer is a softmax over the classes, but "
            f"{output.name!r} is {function_name(output)}; give it activation='softmax', or append "
            "tf_keras.layers.Softmax()"
        )
