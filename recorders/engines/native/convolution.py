"""Convolutions without padding, with stride 1, of images (channel, row, column x sample).

The samples of a batch lie side by side, and so a whole row of images is one long row of numbers: a
kernel's column to the right is the same row, shifted by as many numbers as there are samples. Few
channels, which leave little to do for each pixel, are no loss.
"""

import numpy as np

from ibtools.kernel import float_part
from ibtools.recorders.engines.native.arrays import Floats
from ibtools.recorders.engines.native.elementwise import copy

_ZERO = np.float32(0)


@float_part
def convolve(kernel: Floats, bias: Floats, inputs: Floats, n_samples: int, out: Floats) -> None:
    """Convolve images.

    Parameters
    ----------
    kernel : ndarray, (channel, channel of the inputs, row, column), float32
        Of the convolution, which is a correlation as in all neural networks.
    bias : ndarray, (channel,), float32
        Added to every pixel.
    inputs : ndarray, (channel, row, column x sample), float32
        Images.
    n_samples : int
        How many there are of them.
    out : ndarray, (channel, row, column x sample), float32
        Where the result is written.
    """
    n_channels, n_rows, _ = out.shape
    for channel in range(n_channels):
        for row in range(n_rows):
            sums = out[channel, row]
            sums[:] = bias[channel]
            for before in range(kernel.shape[1]):
                for down in range(kernel.shape[2]):
                    weights = kernel[channel, before, down]
                    _add_shifted(sums, weights, inputs[before, row + down], n_samples)


@float_part
def gradient_of_kernel(gradient: Floats, inputs: Floats, n_samples: int, out: Floats) -> None:
    """Compute the gradient of a kernel from that of the result of a convolution.

    Shapes are those of `convolve`; `out` has that of the kernel.
    """
    n_channels, n_rows, _ = gradient.shape
    out[:] = _ZERO
    for channel in range(n_channels):
        for row in range(n_rows):
            for before in range(out.shape[1]):
                for down in range(out.shape[2]):
                    products, values = out[channel, before, down], inputs[before, row + down]
                    _multiply_shifted(products, gradient[channel, row], values, n_samples)


@float_part
def gradient_of_inputs(kernel: Floats, gradient: Floats, n_samples: int, out: Floats) -> None:
    """Compute the gradient of the inputs of a convolution from that of its result.

    It is a convolution too: of the gradient between zeros, with the kernel the other way round.
    Shapes are those of `convolve`; `out` has that of the inputs.
    """
    n_channels, n_rows, length = gradient.shape
    edge = (kernel.shape[3] - 1) * n_samples
    between = np.zeros(edge + length + edge, np.float32)
    out[:] = _ZERO
    for channel in range(n_channels):
        for row in range(n_rows):
            copy(gradient[channel, row], between[edge : edge + length])
            for before in range(kernel.shape[1]):
                for down in range(kernel.shape[2]):
                    weights = kernel[channel, before, down, ::-1].copy()
                    _add_shifted(out[before, row + down], weights, between, n_samples)


@float_part
def _add(sums: Floats, weight: np.float32, values: Floats) -> None:
    for i in range(sums.size):
        sums[i] += weight * values[i]


@float_part
def _add_shifted(sums: Floats, weights: Floats, values: Floats, shift: int) -> None:
    """Add the products of weights with values that begin one shift further for each weight."""
    n, k = sums.size, 0
    while k + 3 <= weights.size:
        u, v, w = weights[k], weights[k + 1], weights[k + 2]
        a, b, c = values[k * shift :], values[(k + 1) * shift :], values[(k + 2) * shift :]
        for i in range(n):
            sums[i] += u * a[i] + v * b[i] + w * c[i]
        k += 3
    while k < weights.size:
        _add(sums, weights[k], values[k * shift : k * shift + n])
        k += 1


@float_part
def _multiply_shifted(products: Floats, row: Floats, values: Floats, shift: int) -> None:
    """Add to each product that of a row with values that begin one shift further for each."""
    n, k = row.size, 0
    while k + 3 <= products.size:
        a, b, c = values[k * shift :], values[(k + 1) * shift :], values[(k + 2) * shift :]
        s, t, u = _ZERO, _ZERO, _ZERO
        for i in range(n):
            s, t, u = s + row[i] * a[i], t + row[i] * b[i], u + row[i] * c[i]
        products[k], products[k + 1] = products[k] + s, products[k + 1] + t
        products[k + 2] += u
        k += 3
    while k < products.size:
        a, s = values[k * shift :], _ZERO
        for i in range(n):
            s += row[i] * a[i]
        products[k] += s
        k += 1
