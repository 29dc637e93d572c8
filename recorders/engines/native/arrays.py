"""Arrays that the machine code of a training is told, and those that it changes."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

DENSE, CONVOLUTION, POOL = range(3)
"""Kinds of layers."""

TANH, RELU, RELU6, LINEAR = range(4)
"""Activation functions."""

CONTINUOUS, CURRENT, AVERAGE, FIXED = range(4)
"""How an output is quantised: not at all, or on the range of the current tensor, on a moving
average of the batches' ranges, on a range that nothing changes."""

WIDE = 64
"""Inputs of more features than this are kept (sample, feature)."""


class Layers(NamedTuple):
    """What a training does not change.

    Images lie (channel, row, column): their channels are what loops run over least often. Where
    samples are flat, each feature or unit is a channel of one row and one column.

    Parameters
    ----------
    kinds : ndarray, (layer,), int64
        `DENSE`, `CONVOLUTION` without padding and with stride 1, or `POOL`: maxima of squares.
    shapes : ndarray, (layer + 1, 3), int64
        Channels, rows and columns of a sample, then of each layer; the last is that of the logits.
    widths : ndarray, (layer + 1,), int64
        Their products: features of a sample, then units of each layer.
    sizes : ndarray, (layer,), int64
        Height and width of the kernel of a convolution, or of the squares of a pool; else 1.
    functions : ndarray, (layer,), int64
        Activation functions: `TANH`, `RELU`, `RELU6`, `LINEAR`.
    starts : ndarray, (layer, 3), int64
        Where among the parameters a layer's kernel begins, then its bias, and where that ends.
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

    kinds: Ints
    shapes: Ints
    widths: Ints
    sizes: Ints
    functions: Ints
    starts: Ints
    quantised: NDArray[np.bool_]
    outputs: Ints
    largest_code: np.float32
    quantised_softmax: bool
    frozen: bool


class State(NamedTuple):
    """What a training changes, in place.

    Parameters
    ----------
    parameters, momentum, velocity : ndarray, (parameter,), float32
        Of each layer the kernel (unit, input), of a convolution (channel, channel before, row,
        column), then the bias; and the two moments of Adam.
    ranges : ndarray, (layer, 3, 2), float32
        Lower and upper ends of the ranges of kernels, biases and outputs.
    n_steps : ndarray, (1,), int64
        Steps taken.
    """

    parameters: Floats
    momentum: Floats
    velocity: Floats
    ranges: Floats
    n_steps: Ints


class Samples(NamedTuple):
    """All samples: their codes, where inputs are quantised, or their values; the other is empty.

    Parameters
    ----------
    codes : ndarray, (feature, sample), uint8
        Codes of the input quantiser: a value is scale * (code - zero_point). Of more features than
        `WIDE`, (sample, feature).
    values : ndarray, (feature, sample), float32
        The inputs themselves, with scale 1 and zero point 0, in the same order.
    scale, zero_point : float32
        Of the input quantiser.
    is_test : ndarray, (sample,), bool
        Which samples are evaluated only.
    """

    codes: NDArray[np.uint8]
    values: Floats
    scale: np.float32
    zero_point: np.float32
    is_test: NDArray[np.bool_]
