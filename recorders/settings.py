"""What a training can be set to, by name or number, whichever network it trains."""

from typing import Literal

from ibtools.errors import InputError, unknown_name
from ibtools.snapshots import FLOAT_BITS

ACTIVATIONS = ("tanh", "relu", "relu6")
"""Activation functions that hidden layers may have."""

QUANTISED_BITS = (2, 3, 4, 5, 6, 7, 8, 16)
"""Bit widths that a network can be trained with, besides 32 for one that is not quantised."""

Scheme = Literal["paper", "full"]
"""What is quantised: see `ibtools.recorders.keras.schemes`."""

SCHEMES = ("paper", "full")
"""The quantisation schemes."""

KernelInitializer = Literal["glorot_uniform", "width_normal"]
"""How the kernels of a network are drawn when the initialiser is "paper".

"glorot_uniform" is Keras' default. "width_normal" is a normal distribution with standard deviation
1 / sqrt(units), or of a convolution 1 / sqrt(channels), cut off and drawn again beyond two of them.
Biases start at zero.
"""

INITIALIZERS = (
    "paper",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "lecun_normal",
    "lecun_uniform",
    "orthogonal",
    "random_normal",
    "random_uniform",
    "truncated_normal",
    "variance_scaling",
)
"""Initialisers of kernels: that of the network itself, and Keras' random ones by name."""


def output_function(bits: int, scheme: str) -> str:
    """Name the function of the output layer as a store must know it.

    Parameters
    ----------
    bits : int
        Of the network.
    scheme : {"paper", "full"}
        What is quantised.

    Returns
    -------
    str
        "softmax", whose codes are those of the logits, or "softmax_quantised", whose codes are
        those of the probabilities.
    """
    quantised = scheme == "full" and bits != FLOAT_BITS
    return "softmax_quantised" if quantised else "softmax"


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
        raise InputError(
            f"bits must be 2 to 8 or 16, or {FLOAT_BITS} for a network that is not quantised, "
            f"but is {bits}"
        )


def validate_scheme(scheme: str) -> None:
    """Check that there is such a quantisation scheme.

    Parameters
    ----------
    scheme : str
        Its name.

    Raises
    ------
    UnknownNameError
        If it is none of `SCHEMES`.
    """
    if scheme not in SCHEMES:
        raise unknown_name("quantisation scheme", scheme, SCHEMES)


def validate_initializer(initializer: str) -> None:
    """Check that there is such an initialiser.

    Parameters
    ----------
    initializer : str
        Its name.

    Raises
    ------
    UnknownNameError
        If it is none of `INITIALIZERS`.
    """
    if initializer not in INITIALIZERS:
        raise unknown_name("initializer", initializer, INITIALIZERS)
