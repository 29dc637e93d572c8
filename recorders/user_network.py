"""A network that the user builds: a function that returns a tf_keras model, named as text."""

import importlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ibtools.errors import InputError, RecordingError
from ibtools.extras import lacking
from ibtools.recorders.networks import Layer, output_function
from ibtools.recorders.user_code import import_function
from ibtools.settings import validate_setting
from ibtools.store.snapshots import LayerSpec

if TYPE_CHECKING:
    from ibtools.recorders.engines.protocol import Training


@dataclass(frozen=True)
class UserNetwork:
    """A network that a function of the user's builds. It is created by `load_user_network`.

    Parameters
    ----------
    name : str
        "package.module:function".
    input_shape : tuple of int
        Shape of one sample.
    n_classes : int
        Units of the output.
    layers : tuple of LayerSpec
        The recorded layers of the model as it is built, with 32 bits.
    is_chain : bool
        Whether each layer is computed from the one before it and nothing else.
    left_out : tuple of (str, str), optional
        The layers that are not recorded, and why.
    quantises_input : bool, optional
        Whether, where layers are quantised, the input is rounded to 8 bits first; numbers that are
        looked up are not.
    plain_layers : tuple of Dense, Conv or Pool, optional
        All layers, recorded or not, if they are none but such as a `Network` has; else empty.
    """

    name: str
    input_shape: tuple[int, ...]
    n_classes: int
    layers: tuple[LayerSpec, ...]
    is_chain: bool
    left_out: tuple[tuple[str, str], ...] = ()
    quantises_input: bool = True
    plain_layers: tuple[Layer, ...] = ()

    def layer_specs(
        self, activation: str, bits: int, scheme: str = "paper"
    ) -> tuple[LayerSpec, ...]:
        """Describe the recorded layers as a store must know them, each with its own function.

        Only the output can be a "softmax" here: quantised ones inside are "softmax_quantised".
        """
        validate_setting("bits", bits)
        validate_setting("scheme", scheme)
        inner = output_function(bits, "full")
        functions = [inner if spec.activation_function == "softmax" else "" for spec in self.layers]
        functions[-1] = output_function(bits, scheme)
        return tuple(
            replace(spec, bits=bits, activation_function=function or spec.activation_function)
            for spec, function in zip(self.layers, functions, strict=True)
        )

    def validate_initializer(self, initializer: str) -> None:
        """Check that the model's own initialisers are asked for."""
        if initializer != "paper":
            raise InputError(
                f"the initialisers of {self.name} are chosen in the function itself, so that "
                f"initializer must be 'paper', but is {initializer!r}"
            )

    def validate_training(
        self, training: "Training", other: "Training", *, are_repeats: bool
    ) -> None:
        """Check on a few samples that what would be trained is the user's model, new each time.

        `ibtools.recorders.engines.keras.trial.validate_trainings` says what is refused.
        """
        trial = importlib.import_module("ibtools.recorders.engines.keras.trial")
        trial.validate_trainings(training, other, are_repeats=are_repeats)


def load_user_network(name: str, *, input_shape: tuple[int, ...], n_classes: int) -> UserNetwork:
    """Build the user's model once, to check it and to learn what is recorded of it.

    Notes
    -----
    The function is called without arguments, here and again before each training, after the random
    seeds were set. It must return the same network each time, a new one; for several repeats with
    weights drawn from the global seeds (which Keras does by default).
    """
    try:
        user_model = importlib.import_module("ibtools.recorders.engines.keras.user_model")
        describe = importlib.import_module("ibtools.recorders.capture.keras.describe")
        plain = importlib.import_module("ibtools.recorders.capture.keras.plain_layers")
    except ModuleNotFoundError as err:
        raise RecordingError(lacking("a model of one's own", [err.name], "record")) from err
    function = import_function(name)
    model = user_model.create_checked(function, name, input_shape, n_classes)
    return UserNetwork(
        name,
        input_shape,
        n_classes,
        describe.describe(model),
        describe.is_chain(model),
        left_out=describe.left_out(model),
        quantises_input=not describe.looks_up_input(model),
        plain_layers=plain.plain_layers(model),
    )
