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


LAYER = np.dtype(
    [
        (name, np.int64)
        for name in (
            *("kind", "function", "output", "side"),
            *("n_inputs", "channels_before", "rows_before", "columns_before"),
            *("n_units", "channels", "rows", "columns"),
            *("kernel_start", "bias_start", "stop"),
            *("kernel_is_quantised", "bias_is_quantised"),
            *("activated_at", "quantised_at"),
        )
    ]
)
"""What machine code is told of a layer.

* `kind`: `DENSE`, `CONVOLUTION` without padding and with stride 1, or `POOL`, maxima of squares;
* `function`: the activation function, `TANH`, `RELU`, `RELU6` or `LINEAR`;
* `output`: how the output is quantised, `CONTINUOUS`, `CURRENT`, `AVERAGE` or `FIXED`;
* `side`: height and width of the kernel of a convolution, or of the squares of a pool; else 1;
* `n_inputs`, and the shape of what the layer takes; `n_units`, and the shape of what it gives:
  where samples are flat, each feature or unit is a channel of one row and one column;
* `kernel_start`, `bias_start`, `stop`: where among the parameters its kernel and bias are;
* `kernel_is_quantised`, `bias_is_quantised`: on the range of their current values;
* `activated_at`, `quantised_at`: where the values of a single sample would lie among those of all
  layers; at the same place if the output is continuous.
"""


class Layers(NamedTuple):
    """What a training does not change.

    It is handed from function to function, each of which counts references to its arrays, so that
    these are few.

    Parameters
    ----------
    each : ndarray, (layer,), LAYER
        The layers, from the first to that of the logits.
    largest_code : float32
        2**bits - 1.
    quantised_softmax : bool
        Whether classes are predicted from a softmax that is quantised on [0, 1].
    frozen : bool
        Whether steps change ranges only.
    """

    each: NDArray[np.void]
    largest_code: np.float32
    quantised_softmax: bool
    frozen: bool


class DenseLayers(Layers):
    """Layers without convolutions and pools."""

    __slots__ = ()


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
