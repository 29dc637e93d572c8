"""Quantised weights and outputs, and the ranges on which they are quantised."""

import numpy as np

from ibtools.kernel import float_part
from ibtools.recorders.engines.native.arrays import CURRENT, FIXED, Layers, State
from ibtools.recorders.engines.native.elementwise import copy, cut, find_range, grid, quantise
from ibtools.recorders.engines.native.workspace import Workspace, activated, quantised

_FLOAT = np.float32
_ZERO = _FLOAT(0)
_SMALLEST_END = _FLOAT(1e-30)  # as in ibtools.recorders.engines.keras.quantizers
_FORGOTTEN = _FLOAT(0.001)  # part of a moving average that a batch replaces


@float_part
def measure_weights(layers: Layers, state: State) -> None:
    """Set the ranges of kernels and biases to those of their current values."""
    for layer in range(layers.each.size):
        for which in range(2):
            start, stop = _find_quantised(layers, layer, which)
            if start < stop:
                low, high = find_range(state.parameters[start:stop].reshape(1, stop - start))
                state.ranges[layer, which, 0], state.ranges[layer, which, 1] = low, high


@float_part
def quantise_weights(layers: Layers, state: State, work: Workspace) -> None:
    """Quantise kernels and biases on their ranges."""
    copy(state.parameters, work.weights[0])
    for layer in range(layers.each.size):
        for which in range(2):
            start, stop = _find_quantised(layers, layer, which)
            if start < stop:
                low, high = state.ranges[layer, which]
                scale, low, high = grid(low, high, layers.largest_code)
                weights, out = state.parameters[start:stop], work.weights[0, start:stop]
                quantise(weights, scale, low, high, out)
                work.ends[layer, which, 0], work.ends[layer, which, 1] = low, high


@float_part
def cut_gradient_of_weights(layers: Layers, state: State, work: Workspace) -> None:
    """Take the gradient of weights that their range clips."""
    for layer in range(layers.each.size):
        for which in range(2):
            start, stop = _find_quantised(layers, layer, which)
            if start < stop:
                low, high = work.ends[layer, which]
                cut(work.weights[1, start:stop], state.parameters[start:stop], low, high)


@float_part
def _find_quantised(layers: Layers, layer: int, which: int) -> tuple[int, int]:
    """Return where the kernel, or the bias, begins and ends; nothing if it is not quantised."""
    one = layers.each[layer]
    start, stop = one["kernel_start"], one["bias_start"]
    is_quantised = one["kernel_is_quantised"]
    if which == 1:
        start, stop = one["bias_start"], one["stop"]
        is_quantised = one["bias_is_quantised"]
    return start, stop if is_quantised else start


@float_part
def quantise_output(
    layers: Layers, layer: int, low: np.float32, high: np.float32, work: Workspace
) -> None:
    """Quantise a layer's values on a range, of which `grid` moves the ends, as they are kept."""
    values, out = activated(layers, layer, work), quantised(layers, layer, work)
    scale, low, high = grid(low, high, layers.largest_code)
    work.ends[layer, 2, 0], work.ends[layer, 2, 1] = low, high
    for j in range(len(values)):
        quantise(values[j], scale, low, high, out[j])


@float_part
def choose_range(
    layers: Layers, layer: int, state: State, work: Workspace
) -> tuple[np.float32, np.float32]:
    """Return the range on which a training step quantises an output, and keep an average's."""
    ends, rule = state.ranges[layer, 2], layers.each[layer]["output"]
    if rule == FIXED:
        return ends[0], ends[1]
    low, high = find_range(activated(layers, layer, work))
    if rule == CURRENT:
        return low, high
    ends[1] = max(ends[1], _SMALLEST_END)
    ends[0] -= (ends[0] - low) * _FORGOTTEN
    ends[1] -= (ends[1] - high) * _FORGOTTEN
    return ends[0], ends[1]
