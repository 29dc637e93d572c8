"""A model that the user builds: checked before anything is trained."""

from collections.abc import Callable
from typing import Any

import tf_keras

from ibtools.errors import InputError
from ibtools.recorders.capture.keras.describe import output_layer, recorded_name
from ibtools.recorders.user_code import running
from ibtools.shown import counted

_REPLACEABLE = (
    *("__call__", "call", "compute_loss", "fit", "make_train_function", "train_step"),
    *("losses", "trainable_weights"),
)
"""What a model of a kind of its own may do in another way than this recorder, which then differs
from what the user means."""

_FUNCTIONAL = tf_keras.Sequential.__mro__[1]

_OTHER_TYPES = ("bfloat16", "float16", "float64")

_TRAINED = "networks are trained on the cross-entropy of a softmax over the classes"


def create_checked(
    function: Callable[[], Any], name: str, input_shape: tuple[int, ...], n_classes: int
) -> Any:
    """Let the user's function build its model, and check that it can be trained and recorded.

    Notes
    -----
    The seed of every random operation inside the model, such as dropout, is drawn when it is built.
    How far each has got is not part of what is saved, so that a training with dropout is repeated
    to the last bit, but not when it is interrupted and resumed.

    Keras numbers layers without a name on and on in a process. Counting begins anew before each
    call, so that they have the same names every time the model is built.
    """
    tf_keras.backend.reset_uids()
    with running(name, "the function fails"):
        model = function()
    _validate_kind(model, name)
    _validate_training(model, name)
    _validate_layers(model, name)
    _validate_output(model, name, n_classes)
    found = (model.input_shape, model.output_shape)
    expected = ((None, *input_shape), (None, n_classes))
    if found != expected:
        raise InputError(
            f"{name} must return a model from the shape {expected[0]} to {expected[1]}, as the "
            f"data have them (None stands for the samples), but its model goes from {found[0]} to "
            f"{found[1]}"
        )
    return model


def _validate_kind(model: Any, name: str) -> None:
    if not isinstance(model, tf_keras.Model):
        kind = f"{type(model).__module__}.{type(model).__qualname__}"
        raise InputError(
            f"{name} must return a tf_keras.Model, but returns a {kind}{_describe_other(model)}"
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
    if not (model.inputs[0].dtype.is_floating or model.inputs[0].dtype.is_integer):
        raise InputError(
            f"{name} must return a model of numbers, but its input is {model.inputs[0].dtype.name}"
        )


def _describe_other(model: Any) -> str:
    """Say what to do with what is no tf_keras model."""
    if model is None:
        return "; does it end with return?"
    arrays = "record its activations with ibtools.record_arrays, which takes those of any framework"
    if type(model).__module__.partition(".")[0] == "keras":
        return (
            ", a Keras 3 model; train it yourself with model.fit, and give that the callback "
            "ibtools.KerasCallback, which records it; or write `import tf_keras` instead of keras "
            "or tensorflow.keras, the only one that ibtools itself trains"
        )
    return f"; {arrays}"


def _validate_training(model: Any, name: str) -> None:
    """Check that the model leaves its training to the recorder, and has something to train."""
    plain = tf_keras.Sequential if isinstance(model, tf_keras.Sequential) else _FUNCTIONAL
    own = [one for one in _REPLACEABLE if getattr(type(model), one) is not getattr(plain, one)]
    if own:
        raise InputError(
            f"{name} must return a model that is trained and computed as any other, but its "
            f"{type(model).__name__} has its own {', '.join(own)}, which would not be used; return "
            "a tf_keras.Model or Sequential, or record its activations with ibtools.record_arrays"
        )
    if model.optimizer is not None:
        raise InputError(
            f"{name} must return a model that is not compiled, but its model has the optimizer "
            f"{type(model.optimizer).__name__}, which would not be used: {_TRAINED}, by Adam with "
            "the learning rate of the recording; leave compile() out, or load the model with "
            "compile=False"
        )
    if not model.trainable_weights:
        raise InputError(f"{name} must return a model with weights to train, but its has none")


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
                f"used {len(layer.inbound_nodes)} times; which of them is recorded? Build a new "
                "model in every call, and each layer once"
            )
    for layer in (one for one in model.submodules if isinstance(one, tf_keras.layers.Layer)):
        if layer.compute_dtype in _OTHER_TYPES:
            raise InputError(
                f"{name} must return a model that computes in float32, as its activations are "
                f"recorded, but {layer.name!r} computes in {layer.compute_dtype}"
            )
        if isinstance(layer, tf_keras.layers.RNN) and layer.stateful:
            raise InputError(
                f"{name} must return a model that computes every sample by itself, but "
                f"{layer.name!r} is stateful: its values depend on the batch before"
            )


def _validate_output(model: Any, name: str, n_classes: int) -> None:
    output = output_layer(model)
    function, n_units = recorded_name(output), model.output_shape[-1]
    if function == "softmax":
        return
    hint = "give it activation='softmax', or append tf_keras.layers.Softmax()"
    if n_units == 1:
        hint = f"make it Dense({n_classes}, activation='softmax'), a unit for each class"
    raise InputError(
        f"{name} must return a model whose last layer is a softmax over the classes, but "
        f"{output.name!r} is {function}, of {counted(n_units, 'unit')}; {_TRAINED}: "
        f"{hint}"
    )
