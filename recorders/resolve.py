"""The network that a name or a text stands for: one place for every kind of name."""

import math
import re
from dataclasses import replace

from ibtools.errors import InputError
from ibtools.recorders.networks import Dense, Network, dense_layers, get_network
from ibtools.recorders.user_code import validate_no_file
from ibtools.recorders.user_network import UserNetwork, load_user_network

AnyNetwork = Network | UserNetwork
"""What can be trained."""

_DENSE = "dense"


def resolve_network(text: str, *, input_shape: tuple[int, ...], n_classes: int) -> AnyNetwork:
    """Find or build the network that a text names, for data of this shape.

    Parameters
    ----------
    text : str
        One of

        * a key of `ibtools.recorders.networks.NETWORKS`, such as "mnist-bottleneck-2";
        * "dense:784-64-32-10": any fully connected network, from the number of inputs to the number
          of classes, drawn with Keras' default initialiser when "paper" is asked for;
        * "package.module:function": a function that returns a tf_keras model
          (`ibtools.recorders.user_network.load_user_network`).
    input_shape : tuple of int
        Shape of a sample of the data. A fully connected network takes any shape with the right
        number of values, in C order.
    n_classes : int
        Of the data.

    Returns
    -------
    Network or UserNetwork
        Its `input_shape` is that of the data.

    Raises
    ------
    UnknownNameError
        If the table has no such network.
    InputError
        If the text is not of one of these forms, or the network does not fit the data.
    RecordingError
        If the network needs TensorFlow to be found, and TensorFlow is not installed.

    Examples
    --------
    >>> resolve_network("dense:784-64-10", input_shape=(28, 28, 1), n_classes=10).layer_names
    ('hidden_1', 'output')
    """
    validate_no_file(text)
    kind, colon, _ = text.partition(":")
    if colon and kind != _DENSE:
        return load_user_network(text, input_shape=input_shape, n_classes=n_classes)
    network = _parse_dense(text) if colon else get_network(text)
    _validate_fit(network, input_shape, n_classes)
    return replace(network, input_shape=input_shape)


def _parse_dense(text: str) -> Network:
    if not re.fullmatch(rf"{_DENSE}:[1-9][0-9]*(-[1-9][0-9]*)+", text):
        raise InputError(
            "a dense network must be written as in dense:784-64-32-10, with the number of inputs "
            f"first and that of classes last, but is {text!r}"
        )
    n_inputs, *units = (int(number) for number in text.partition(":")[2].split("-"))
    return Network(text, (n_inputs,), dense_layers(*units))


def _validate_fit(network: Network, input_shape: tuple[int, ...], n_classes: int) -> None:
    wanted, found = network.input_shape, input_shape
    if all(isinstance(layer, Dense) for layer in network.layers):
        wanted, found = (math.prod(wanted),), (math.prod(found),)
    if wanted != found:
        raise InputError(
            f"network {network.name!r} takes samples of shape {wanted}, but those of the data are "
            f"{found}; choose another, such as dense:{math.prod(found)}-16-{n_classes}"
        )
    if network.n_classes != n_classes:
        raise InputError(
            f"network {network.name!r} tells {network.n_classes} classes apart, but the data have "
            f"{n_classes}; choose another, such as dense:{math.prod(found)}-16-{n_classes}"
        )
