"""Quantised weights and outputs, and the ranges on which they are quantised."""

import numpy as np

from ibtools.kernel import float_kernel
from ibtools.recorders.engines.native.arrays import CURRENT, FIXED, Layers, State
from ibtools.recorders.engines.native.elementwise import cut, find_range, grid, quantise
from ibtools.recorders.engines.native.workspace import Workspace, activated, quantised

_FLOAT = np.float32
_ZERO = _FLOAT(0)
_SMALLEST_END = _FLOAT(1e-30)  # as in ibtools.recorders.engines.keras.quantizers
_FORGOTTEN = _FLOAT(0.001)  # part of a moving average that a batch replaces


@float_kernel
def measure_weights(layers: Layers, state: State) -> None:
    """Set the ranges of kernels and biases to those of their current values."""
    for layer in range(layers.kinds.size):
        for which in range(2):
            if layers.quantised[layer, which]:
                start, end = layers.starts[layer, which], layers.starts[layer, which + 1]
                low, high = find_range(state.parameters[start:end].reshape(1, end - start))
                state.ranges[layer, which, 0], state.ranges[layer, which, 1] = low, high


@float_kernel
def quantise_weights(layers: Layers, state: State, work: Workspace) -> None:
    """Quantise kernels and biases on their ranges."""
    for layer in range(layers.kinds.size):
        for which in range(2):
            start, end = layers.starts[layer, which], layers.starts[layer, which + 1]
            weights, out = state.parameters[start:end], work.weights[start:end]
            if layers.quantised[layer, which]:
                low, high = state.ranges[layer, which]
                scale, low, high = grid(low, high, layers.largest_code)
                quantise(weights, scale, low, high, out)
                work.ends[layer, which, 0], work.ends[layer, which, 1] = low, high
            else:
                out[:] = weights


@float_kernel
def cut_gradient_of_weights(layers: Layers, state: State, work: Workspace) -> None:
    """Take the gradient of weights that their range clips."""
    for layer in range(layers.kinds.size):
        for which in range(2):
            if layers.quantised[layer, which]:
                start, end = layers.starts[layer, which], layers.starts[layer, which + 1]
                low, high = work.ends[layer, which]
                cut(work.weights_gradient[start:end], state.parameters[start:end], low, high)


@float_kernel
def quantise_output(
    layers: Layers, layer: int, low: np.float32, high: np.float32, work: Workspace
) -> None:
    """Quantise a layer's values on a range, of which `grid` moves the ends, as they are kept."""
    values, out = activated(layers, layer, work), quantised(layers, layer, work)
    scale, low, high = grid(low, high, layers.largest_code)
    work.ends[layer, 2, 0], work.ends[layer, 2, 1] = low, high
    for j in range(len(values)):
        quantise(values[j], scale, low, high, out[j])


@float_kernel
def choose_range(
    layers: Layers, layer: int, state: State, work: Workspace
) -> tuple[np.float32, np.float32]:
    """Return the range on which a training step quantises an output, and keep an average's."""
    ends, rule = state.ranges[layer, 2], layers.outputs[layer]
    if rule == FIXED:
        return ends[0], ends[1]
    low, high = find_range(activated(layers, layer, work))
    if rule == CURRENT:
        return low, high
    ends[1] = max(ends[1], _SMALLEST_END)
    ends[0] -= (ends[0] - low) * _FORGOTTEN
    ends[1] -= (ends[1] - high) * _FORGOTTEN
    return ends[0], ends[1]
