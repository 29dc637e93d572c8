"""What a convolution or a pool does to the images of a batch, and its gradient.

Machine code of networks without them leaves this out: to compile it takes half of the time.
"""

from ibtools.kernel import float_part, float_part_but_of
from ibtools.recorders.engines.native.arrays import CONVOLUTION, POOL, DenseLayers, Floats, Layers
from ibtools.recorders.engines.native.convolution import (
    convolve,
    gradient_of_inputs,
    gradient_of_kernel,
)
from ibtools.recorders.engines.native.pooling import gradient_of_pool, pool
from ibtools.recorders.engines.native.workspace import (
    Workspace,
    activated,
    gradient_of,
    inner_gradient_of,
    inputs_of,
)


@float_part_but_of(DenseLayers)
def apply_to_images(layers: Layers, layer: int, work: Workspace) -> None:
    """Compute the weighted sums of a convolution, or the maxima of a pool."""
    one, out = layers.each[layer], activated(layers, layer, work)
    inputs = _images_before(layers, layer, inputs_of(layers, layer, work))
    images, n_samples = _images_of(layers, layer, out), out.shape[1]
    if one["kind"] == POOL:
        pool(inputs, one["side"], n_samples, images)
    else:
        bias = work.weights[0, one["bias_start"] : one["stop"]]
        convolve(_four_axes(layers, layer, work.weights[0]), bias, inputs, n_samples, images)


@float_part_but_of(DenseLayers)
def lead_back_of_images(layers: Layers, layer: int, work: Workspace) -> None:
    """Lead the gradient of what was activated back to the weights and, if there are any, inputs."""
    if layers.each[layer]["kind"] == CONVOLUTION:
        _lead_to_convolved_weights(layers, layer, work)
    if layer > 0:
        _lead_to_images(layers, layer, work)


@float_part
def _lead_to_convolved_weights(layers: Layers, layer: int, work: Workspace) -> None:
    inner = inner_gradient_of(layers, layer, work)
    gradient = _images_of(layers, layer, inner)
    inputs = _images_before(layers, layer, inputs_of(layers, layer, work))
    of_bias = work.weights[1, layers.each[layer]["bias_start"] : layers.each[layer]["stop"]]
    for channel in range(of_bias.size):
        of_bias[channel] = gradient[channel].sum()
    of_kernel = _four_axes(layers, layer, work.weights[1])
    gradient_of_kernel(gradient, inputs, inner.shape[1], of_kernel)


@float_part
def _lead_to_images(layers: Layers, layer: int, work: Workspace) -> None:
    """Compute the gradient of the inputs of a convolution or a pool."""
    inner, before = inner_gradient_of(layers, layer, work), gradient_of(layers, layer - 1, work)
    gradient, n_samples = _images_of(layers, layer, inner), inner.shape[1]
    of_images = _images_before(layers, layer, before)
    if layers.each[layer]["kind"] == CONVOLUTION:
        kernel = _four_axes(layers, layer, work.weights[0])
        gradient_of_inputs(kernel, gradient, n_samples, of_images)
    else:
        inputs = _images_before(layers, layer, inputs_of(layers, layer, work))
        pooled = _images_of(layers, layer, activated(layers, layer, work))
        side = layers.each[layer]["side"]
        gradient_of_pool(gradient, inputs, pooled, side, n_samples, of_images)


@float_part
def _images_before(layers: Layers, layer: int, values: Floats) -> Floats:
    """Reshape what a layer takes, (unit, sample), as images (channel, row, column x sample)."""
    one, n_samples = layers.each[layer], values.shape[1]
    shape = one["channels_before"], one["rows_before"], one["columns_before"] * n_samples
    return values.reshape(shape)


@float_part
def _images_of(layers: Layers, layer: int, values: Floats) -> Floats:
    """Reshape what a layer gives, (unit, sample), as images (channel, row, column x sample)."""
    one, n_samples = layers.each[layer], values.shape[1]
    return values.reshape((one["channels"], one["rows"], one["columns"] * n_samples))


@float_part
def _four_axes(layers: Layers, layer: int, weights: Floats) -> Floats:
    """Return the kernel of a convolution: (channel, channel before, row, column)."""
    one = layers.each[layer]
    kernel = weights[one["kernel_start"] : one["bias_start"]]
    return kernel.reshape((one["channels"], one["channels_before"], one["side"], one["side"]))
