"""Networks as data: what an engine builds, and what a store is told of it. No TensorFlow here."""

from dataclasses import dataclass
from typing import Literal

from ibtools.errors import InputError, unknown_name
from ibtools.snapshots import FLOAT_BITS, LayerSpec

ACTIVATIONS = ("tanh", "relu", "relu6")
"""Activation functions that hidden layers may have."""

QUANTISED_BITS = range(2, 9)
"""Bit widths that a network can be trained with, besides 32 for one that is not quantised."""

Initializer = Literal["glorot_uniform"]
"""How kernels are drawn; biases start at zero."""


@dataclass(frozen=True)
class Dense:
    """A fully connected layer.

    Parameters
    ----------
    units : int
        How many units it has.
    """

    units: int


@dataclass(frozen=True)
class Network:
    """A network: its last layer is a softmax, the others have the experiment's activation function.

    Parameters
    ----------
    name : str
        As in `NETWORKS`.
    input_shape : tuple of int
        Shape of one sample.
    layers : tuple of Dense
        From the first hidden layer to the output.
    initializer : {"glorot_uniform"}
        Distribution of the initial kernels.

    Raises
    ------
    InputError
        If there is no layer, or a layer without units.

    Examples
    --------
    >>> network = Network("tiny", (4,), (Dense(3), Dense(2)))
    >>> network.layer_names
    ('hidden_1', 'output')
    >>> network.layer_specs("tanh", bits=8)[1]
    LayerSpec(name='output', n_units=2, activation_function='softmax', bits=8)
    """

    name: str
    input_shape: tuple[int, ...]
    layers: tuple[Dense, ...]
    initializer: Initializer = "glorot_uniform"

    def __post_init__(self) -> None:
        if not self.layers:
            raise InputError(f"network {self.name!r} must have at least the output layer")
        for layer, name in zip(self.layers, self.layer_names, strict=True):
            if layer.units < 1:
                raise InputError(
                    f"layer {name!r} of network {self.name!r} must have at least one unit, "
                    f"but has {layer.units}"
                )

    @property
    def layer_names(self) -> tuple[str, ...]:
        """Names of the recorded layers: hidden_1, hidden_2, ..., output."""
        return (*(f"hidden_{i}" for i in range(1, len(self.layers))), "output")

    @property
    def n_classes(self) -> int:
        """Units of the output layer."""
        return self.layers[-1].units

    def layer_specs(self, activation: str, bits: int) -> tuple[LayerSpec, ...]:
        """Describe the recorded layers as a store must know them.

        Parameters
        ----------
        activation : str
            Of the hidden layers, one of `ACTIVATIONS`.
        bits : int
            2 to 8, or 32 for a network that is not quantised.

        Returns
        -------
        tuple of LayerSpec
            From the first hidden layer to the output, which is a "softmax".

        Raises
        ------
        InputError
            If the activation or the bit width is not one of those.
        """
        validate_activation(activation)
        validate_bits(bits)
        functions = [activation] * (len(self.layers) - 1) + ["softmax"]
        rows = zip(self.layer_names, self.layers, functions, strict=True)
        return tuple(LayerSpec(name, layer.units, function, bits) for name, layer, function in rows)


NETWORKS = {
    network.name: network
    for network in (Network("syn", (12,), tuple(Dense(units) for units in (10, 7, 5, 4, 3, 2))),)
}
"""The known networks by name."""


def get_network(name: str) -> Network:
    """Look a network up by its name.

    Parameters
    ----------
    name : str
        A key of `NETWORKS`.

    Returns
    -------
    Network

    Raises
    ------
    UnknownNameError
        If there is none of that name; the message lists those that there are.
    """
    if name not in NETWORKS:
        raise unknown_name("network", name, NETWORKS)
    return NETWORKS[name]


def validate_activation(activation: str) -> None:
    """Check that hidden layers can have this activation function.

    Parameters
    ----------
    activation : str
        Name of the function.

    Raises
    ------
    UnknownNameError
        If it is none of `ACTIVATIONS`.
    """
    if activation not in ACTIVATIONS:
        raise unknown_name("activation", activation, ACTIVATIONS)


def validate_bits(bits: int) -> None:
    """Check that a network can be trained with this bit width.

    Parameters
    ----------
    bits : int
        Bits of a code, or 32 for float32 values.

    Raises
    ------
    InputError
        If it is neither in `QUANTISED_BITS` nor 32.
    """
    if bits not in QUANTISED_BITS and bits != FLOAT_BITS:
        low, high = QUANTISED_BITS[0], QUANTISED_BITS[-1]
        raise InputError(
            f"bits must be {low} to {high}, or {FLOAT_BITS} for a network that is not quantised, "
            f"but is {bits}"
        )
