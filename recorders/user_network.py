"""A network that the user builds: a function that returns a tf_keras model, named as text."""

import importlib
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from ibtools.errors import InputError, RecordingError
from ibtools.recorders.settings import output_function, validate_bits, validate_scheme
from ibtools.snapshots import LayerSpec


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
    """

    name: str
    input_shape: tuple[int, ...]
    n_classes: int
    layers: tuple[LayerSpec, ...]
    is_chain: bool

    def layer_specs(
        self, activation: str, bits: int, scheme: str = "paper"
    ) -> tuple[LayerSpec, ...]:
        """Describe the recorded layers as a store must know them.

        Parameters
        ----------
        activation : str
            Not used: the layers of the model have their own.
        bits : int
            2 to 8 or 16, or 32 to leave the model as it is.
        scheme : {"paper", "full"}
            What is quantised.

        Returns
        -------
        tuple of LayerSpec
            In the order of the model. Only the output can be a "softmax" here: in a quantised
            network, a softmax inside it is a "softmax_quantised".

        Raises
        ------
        InputError
            If bit width or scheme is not one of those.
        """
        validate_bits(bits)
        validate_scheme(scheme)
        inner = output_function(bits, "full")
        functions = [inner if spec.activation_function == "softmax" else "" for spec in self.layers]
        functions[-1] = output_function(bits, scheme)
        return tuple(
            replace(spec, bits=bits, activation_function=function or spec.activation_function)
            for spec, function in zip(self.layers, functions, strict=True)
        )

    def validate_initializer(self, initializer: str) -> None:
        """Check that the model's own initialisers are asked for.

        Parameters
        ----------
        initializer : str
            Must be "paper", which is the network's own.

        Raises
        ------
        InputError
            If it is another.
        """
        if initializer != "paper":
            raise InputError(
                f"the initialisers of {self.name} are chosen in the function itself, so that "
                f"initializer must be 'paper', but is {initializer!r}"
            )


def load_user_network(name: str, *, input_shape: tuple[int, ...], n_classes: int) -> UserNetwork:
    """Build the user's model once, to check it and to learn what is recorded of it.

    Parameters
    ----------
    name : str
        "package.module:function".
    input_shape : tuple of int
        Shape of a sample of the data.
    n_classes : int
        Of the data.

    Returns
    -------
    UserNetwork

    Raises
    ------
    InputError
        If the function can't be found, or returns something that can't be trained and recorded.
    RecordingError
        If TensorFlow is not installed.

    Notes
    -----
    The function is called without arguments, here and again before each training, after the random
    seeds were set. It must return the same network each time, untrained, with its weights drawn
    from TensorFlow's global seed (which Keras does by default).
    """
    try:
        user_model = importlib.import_module("ibtools.recorders.keras.user_model")
        describe = importlib.import_module("ibtools.recorders.keras.describe")
    except ModuleNotFoundError as err:
        raise RecordingError(
            f"a model of one's own needs TensorFlow, but {err.name} is not installed; "
            "install it with: pip install 'ibtools-nn[record]'"
        ) from err
    function = import_function(name)
    model = user_model.create_checked(function, name, input_shape, n_classes)
    layers, is_chain = describe.describe(model), describe.is_chain(model)
    return UserNetwork(name, input_shape, n_classes, layers, is_chain)


def import_function(name: str) -> Callable[[], Any]:
    """Import a function by its name.

    Parameters
    ----------
    name : str
        "package.module:function". Modules of the current folder are found as well, after all
        others.

    Returns
    -------
    callable

    Raises
    ------
    InputError
        If there is no such module, or no such function in it.
    """
    module_name, _, function_name = name.partition(":")
    if not all(part.isidentifier() for part in (*module_name.split("."), function_name)):
        raise InputError(
            "a network is named as in the table, as dense:784-64-32-10, or as "
            f"package.module:function, but is {name!r}"
        )
    function = getattr(_import_module(module_name, name), function_name, None)
    if not callable(function):
        raise InputError(
            f"{name}: module {module_name} must define a function {function_name}, which returns "
            f"a tf_keras model, but {'has none' if function is None else f'it is {function!r}'}"
        )
    return function  # type: ignore[no-any-return]


def _import_module(module_name: str, name: str) -> Any:
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as err:
        raise InputError(
            f"{name}: {module_name} can't be imported, because there is no module {err.name}; "
            "install it, or run in the folder that it is in"
        ) from err
