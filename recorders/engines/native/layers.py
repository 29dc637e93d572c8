"""What a layer does to the values of a batch, and its gradient, whatever its kind."""

import numpy as np

from ibtools.kernel import float_part
from ibtools.recorders.engines.native.arrays import CONTINUOUS, DENSE, Floats, Layers
from ibtools.recorders.engines.native.dense import add_rows, add_wide, multiply_rows, multiply_wide
from ibtools.recorders.engines.native.elementwise import activate, differentiate
from ibtools.recorders.engines.native.images import apply_to_images, lead_back_of_images
from ibtools.recorders.engines.native.inputs import is_wide
from ibtools.recorders.engines.native.workspace import (
    Workspace,
    activated,
    gradient_of,
    inner_gradient_of,
    inputs_of,
)

_ZERO, _INFINITE = np.float32(0), np.float32(np.inf)


@float_part
def apply(layers: Layers, layer: int, work: Workspace) -> None:
    """Compute a layer's activated values, before they are quantised, with quantised weights."""
    one, out = layers.each[layer], activated(layers, layer, work)
    if one["kind"] == DENSE:
        _multiply(layers, layer, work, out)
    else:
        apply_to_images(layers, layer, work)
    for j in range(len(out)):
        activate(out[j], one["function"])


@float_part
def _multiply(layers: Layers, layer: int, work: Workspace, out: Floats) -> None:
    """Compute the weighted sums of a dense layer."""
    inputs, wide = inputs_of(layers, layer, work), layer == 0 and is_wide(layers)
    kernel = _two_axes(layers, layer, work.weights[0])
    bias = work.weights[0, layers.each[layer]["bias_start"] : layers.each[layer]["stop"]]
    if wide:
        multiply_wide(out, kernel, inputs)
    for j in range(len(out)):
        row = out[j]
        if wide:
            row += bias[j]
        else:
            row[:] = bias[j]
            add_rows(row, kernel[j], inputs)


@float_part
def lead_back(layers: Layers, layer: int, work: Workspace) -> None:
    """Replace the gradient of a layer's values by that of its inputs; keep that of its weights.

    It goes straight through the quantiser of the output, inside of its range. Of the first layer
    only that of the weights is computed.
    """
    _lead_through_function(layers, layer, work)
    if layers.each[layer]["kind"] == DENSE:
        _lead_to_dense_weights(layers, layer, work)
        if layer > 0:
            _lead_to_dense_inputs(layers, layer, work)
    else:
        lead_back_of_images(layers, layer, work)


@float_part
def _lead_through_function(layers: Layers, layer: int, work: Workspace) -> None:
    """Lead the gradient of a layer's values back to what was activated."""
    gradient, values = gradient_of(layers, layer, work), activated(layers, layer, work)
    inner, low, high = inner_gradient_of(layers, layer, work), -_INFINITE, _INFINITE
    if layers.each[layer]["output"] != CONTINUOUS:
        low, high = work.ends[layer, 2, 0], work.ends[layer, 2, 1]
    for j in range(len(values)):
        differentiate(gradient[j], values[j], layers.each[layer]["function"], low, high, inner[j])


@float_part
def _lead_to_dense_weights(layers: Layers, layer: int, work: Workspace) -> None:
    inner, inputs = inner_gradient_of(layers, layer, work), inputs_of(layers, layer, work)
    of_kernel = _two_axes(layers, layer, work.weights[1])
    of_bias = work.weights[1, layers.each[layer]["bias_start"] : layers.each[layer]["stop"]]
    for j in range(len(inner)):
        of_bias[j] = inner[j].sum()
    if layer == 0 and is_wide(layers):
        of_kernel[:] = _ZERO
        add_wide(of_kernel, inner, inputs)
    else:
        for j in range(len(inner)):
            multiply_rows(of_kernel[j], inner[j], inputs)


@float_part
def _lead_to_dense_inputs(layers: Layers, layer: int, work: Workspace) -> None:
    inner, before = inner_gradient_of(layers, layer, work), gradient_of(layers, layer - 1, work)
    kernel = _two_axes(layers, layer, work.weights[0])
    for k in range(len(before)):
        before[k] = _ZERO
        add_rows(before[k], kernel[:, k], inner)


@float_part
def _two_axes(layers: Layers, layer: int, weights: Floats) -> Floats:
    """Return the kernel of a dense layer among all weights: (unit, input)."""
    one = layers.each[layer]
    kernel = weights[one["kernel_start"] : one["bias_start"]]
    return kernel.reshape((one["n_units"], one["n_inputs"]))
