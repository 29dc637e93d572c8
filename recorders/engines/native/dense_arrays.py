"""Arrays that the machine code of dense networks is told, and those that it changes."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

TANH, RELU, RELU6, LINEAR = range(4)
"""Activation functions."""

CONTINUOUS, CURRENT, AVERAGE, FIXED = range(4)
"""How an output is quantised: not at all, or on the range of the current tensor, on a moving
average of the batches' ranges, on a range that nothing changes."""

WIDE = 64
"""Inputs of more features than this are not transposed for a batch."""


class DenseLayers(NamedTuple):
    """What a training does not change.

    Parameters
    ----------
    widths : ndarray, (layer + 1,), int64
        Features of a sample, then units of each layer; the last one is that of the logits.
    functions : ndarray, (layer,), int64
        Activation functions: `TANH`, `RELU`, `RELU6`, `LINEAR`.
    quantised : ndarray, (layer, 2), bool
        Whether kernel and bias are quantised, on the range of their current values.
    outputs : ndarray, (layer,), int64
        How outputs are quantised: `CONTINUOUS`, `CURRENT`, `AVERAGE`, `FIXED`.
    largest_code : float32
        2**bits - 1.
    quantised_softmax : bool
        Whether classes are predicted from a softmax that is quantised on [0, 1].
    frozen : bool
        Whether steps change ranges only.
    """

    widths: NDArray[np.int64]
    functions: NDArray[np.int64]
    quantised: NDArray[np.bool_]
    outputs: NDArray[np.int64]
    largest_code: np.float32
    quantised_softmax: bool
    frozen: bool


class State(NamedTuple):
    """What a training changes, in place.

    Parameters
    ----------
    parameters, momentum, velocity : ndarray, (parameter,), float32
        Of each layer the kernel (unit, input), then the bias; and the two moments of Adam.
    ranges : ndarray, (layer, 3, 2), float32
        Lower and upper ends of the ranges of kernels, biases and outputs.
    n_steps : ndarray, (1,), int64
        Steps taken.
    """

    parameters: Floats
    momentum: Floats
    velocity: Floats
    ranges: Floats
    n_steps: NDArray[np.int64]


class Samples(NamedTuple):
    """All samples; a value of an input is scale * (code - zero_point).

    Parameters
    ----------
    codes : ndarray, (feature, sample), uint8 or float32
        Codes of the input quantiser, or the inputs themselves, with scale 1 and zero point 0. Of
        more features than `WIDE`, (sample, feature).
    scale, zero_point : float32
        Of the input quantiser.
    is_test : ndarray, (sample,), bool
        Which samples are evaluated only.
    """

    codes: NDArray[np.uint8] | Floats
    scale: np.float32
    zero_point: np.float32
    is_test: NDArray[np.bool_]
