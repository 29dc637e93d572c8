"""What a layer does to the values of a batch, and its gradient, whatever its kind."""

import numpy as np

from ibtools.kernel import float_kernel
from ibtools.recorders.engines.native.arrays import (
    CONTINUOUS,
    CONVOLUTION,
    DENSE,
    POOL,
    Floats,
    Ints,
    Layers,
)
from ibtools.recorders.engines.native.convolution import (
    convolve,
    gradient_of_inputs,
    gradient_of_kernel,
)
from ibtools.recorders.engines.native.dense import add_rows, add_wide, multiply_rows, multiply_wide
from ibtools.recorders.engines.native.elementwise import activate, differentiate
from ibtools.recorders.engines.native.inputs import is_wide
from ibtools.recorders.engines.native.pooling import gradient_of_pool, pool
from ibtools.recorders.engines.native.workspace import (
    Workspace,
    activated,
    gradient_of,
    inputs_of,
)

_ZERO, _INFINITE = np.float32(0), np.float32(np.inf)


@float_kernel
def apply(layers: Layers, layer: int, work: Workspace) -> None:
    """Compute a layer's activated values, before they are quantised, with quantised weights."""
    inputs, out = inputs_of(layers, layer, work), activated(layers, layer, work)
    n_samples = out.shape[1]
    start, middle, end = layers.starts[layer]
    kernel, bias = work.weights[start:middle], work.weights[middle:end]
    if layers.kinds[layer] == POOL:
        images = _images(inputs, layers.shapes[layer])
        pool(images, layers.sizes[layer], n_samples, _images(out, layers.shapes[layer + 1]))
    elif layers.kinds[layer] == CONVOLUTION:
        images = _images(inputs, layers.shapes[layer])
        out_images = _images(out, layers.shapes[layer + 1])
        convolve(_four_axes(kernel, layers, layer), bias, images, n_samples, out_images)
    else:
        _multiply(layers, layer, kernel, bias, inputs, out)
    for j in range(len(out)):
        activate(out[j], layers.functions[layer])


@float_kernel
def _multiply(
    layers: Layers, layer: int, kernel: Floats, bias: Floats, inputs: Floats, out: Floats
) -> None:
    """Compute the weighted sums of a dense layer."""
    of_units = kernel.reshape(bias.size, layers.widths[layer])
    wide = layer == 0 and is_wide(layers)
    if wide:
        multiply_wide(out, of_units, inputs)
    for j in range(bias.size):
        row = out[j]
        if wide:
            row += bias[j]
        else:
            row[:] = bias[j]
            add_rows(row, of_units[j], inputs)


@float_kernel
def lead_back(layers: Layers, layer: int, work: Workspace) -> None:
    """Replace the gradient of a layer's values by that of its inputs; keep that of its weights.

    It goes straight through the quantiser of the output, inside of its range. Of the first layer
    only that of the weights is computed.
    """
    inner = _lead_to_sums(layers, layer, work)
    if layers.kinds[layer] == DENSE:
        _lead_to_dense_weights(layers, layer, inner, work)
    elif layers.kinds[layer] == CONVOLUTION:
        _lead_to_convolved_weights(layers, layer, inner, work)
    if layer > 0:
        _lead_to_inputs(layers, layer, inner, work)


@float_kernel
def _lead_to_sums(layers: Layers, layer: int, work: Workspace) -> Floats:
    """Lead the gradient of a layer's values back to what was activated, in another array."""
    gradient, values = gradient_of(layers, layer, work), activated(layers, layer, work)
    inner = work.inner[: gradient.size].reshape(gradient.shape)
    low, high = -_INFINITE, _INFINITE
    if layers.outputs[layer] != CONTINUOUS:
        low, high = work.ends[layer, 2, 0], work.ends[layer, 2, 1]
    for j in range(len(values)):
        differentiate(gradient[j], values[j], layers.functions[layer], low, high, inner[j])
    return inner


@float_kernel
def _lead_to_dense_weights(layers: Layers, layer: int, inner: Floats, work: Workspace) -> None:
    start, middle, end = layers.starts[layer]
    of_units = work.weights_gradient[start:middle].reshape(len(inner), layers.widths[layer])
    of_bias, inputs = work.weights_gradient[middle:end], inputs_of(layers, layer, work)
    for j in range(len(inner)):
        of_bias[j] = inner[j].sum()
    if layer == 0 and is_wide(layers):
        of_units[:] = _ZERO
        add_wide(of_units, inner, inputs)
    else:
        for j in range(len(inner)):
            multiply_rows(of_units[j], inner[j], inputs)


@float_kernel
def _lead_to_convolved_weights(layers: Layers, layer: int, inner: Floats, work: Workspace) -> None:
    start, middle, end = layers.starts[layer]
    of_kernel = _four_axes(work.weights_gradient[start:middle], layers, layer)
    of_bias, gradient = work.weights_gradient[middle:end], _images(inner, layers.shapes[layer + 1])
    inputs = _images(inputs_of(layers, layer, work), layers.shapes[layer])
    for channel in range(of_bias.size):
        of_bias[channel] = gradient[channel].sum()
    gradient_of_kernel(gradient, inputs, inner.shape[1], of_kernel)


@float_kernel
def _lead_to_inputs(layers: Layers, layer: int, inner: Floats, work: Workspace) -> None:
    start, middle, _ = layers.starts[layer]
    kernel, before = work.weights[start:middle], gradient_of(layers, layer - 1, work)
    if layers.kinds[layer] == DENSE:
        of_units = kernel.reshape(len(inner), len(before))
        for k in range(len(before)):
            before[k] = _ZERO
            add_rows(before[k], of_units[:, k], inner)
        return
    gradient = _images(inner, layers.shapes[layer + 1])
    of_images, n_samples = _images(before, layers.shapes[layer]), inner.shape[1]
    if layers.kinds[layer] == CONVOLUTION:
        gradient_of_inputs(_four_axes(kernel, layers, layer), gradient, n_samples, of_images)
    else:
        inputs = _images(inputs_of(layers, layer, work), layers.shapes[layer])
        pooled = _images(activated(layers, layer, work), layers.shapes[layer + 1])
        gradient_of_pool(gradient, inputs, pooled, layers.sizes[layer], n_samples, of_images)


@float_kernel
def _images(values: Floats, shape: Ints) -> Floats:
    """Reshape values (unit, sample) as images (channel, row, column x sample)."""
    return values.reshape(shape[0], shape[1], shape[2] * values.shape[1])


@float_kernel
def _four_axes(kernel: Floats, layers: Layers, layer: int) -> Floats:
    """Reshape the kernel of a convolution: (channel, channel before, row, column)."""
    n_channels, n_before = layers.shapes[layer + 1, 0], layers.shapes[layer, 0]
    return kernel.reshape(n_channels, n_before, layers.sizes[layer], layers.sizes[layer])
