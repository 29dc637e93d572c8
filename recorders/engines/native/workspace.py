"""The arrays of a batch, which are made once, and where the values of each layer are in them."""

from typing import NamedTuple

import numpy as np

from ibtools.kernel import float_kernel
from ibtools.recorders.engines.native.arrays import CONTINUOUS, Floats, Ints, Layers
from ibtools.recorders.engines.native.inputs import is_wide


class Workspace(NamedTuple):
    """Arrays for a batch of one size."""

    inputs: Floats  # (feature, sample), or (sample, feature) if wide
    labels: Ints  # (sample,)
    values: Floats  # of every layer (unit, sample), activated and, behind these, quantised
    places: Ints  # (layer, 2): where these begin; at the same place if outputs are continuous
    gradient: Floats  # (unit, sample), of the layer at hand; there is room for the widest
    inner: Floats  # (unit, sample), the same before the activation function
    weights: Floats  # (parameter,), quantised
    weights_gradient: Floats  # (parameter,)
    ends: Floats  # (layer, 3, 2), of the ranges as `grid` moves them


@float_kernel
def allocate(layers: Layers, n_parameters: int, n_samples: int) -> Workspace:
    """Make room for a batch of so many samples."""
    n_layers, n_in, widest = layers.kinds.size, layers.widths[0], layers.widths[1:].max()
    places, n_values = np.empty((n_layers, 2), np.int64), 0
    for layer in range(n_layers):
        size = layers.widths[layer + 1] * n_samples
        places[layer, 0], places[layer, 1] = n_values, n_values
        if layers.outputs[layer] != CONTINUOUS:
            places[layer, 1] += size
        n_values = places[layer, 1] + size
    return Workspace(
        np.empty((n_samples, n_in) if is_wide(layers) else (n_in, n_samples), np.float32),
        np.empty(n_samples, np.int64),
        np.empty(n_values, np.float32),
        places,
        np.empty(widest * n_samples, np.float32),
        np.empty(widest * n_samples, np.float32),
        np.empty(n_parameters, np.float32),
        np.empty(n_parameters, np.float32),
        np.empty((n_layers, 3, 2), np.float32),
    )


@float_kernel
def activated(layers: Layers, layer: int, work: Workspace) -> Floats:
    """Return the values of a layer before they are quantised, (unit, sample)."""
    return _part(work.values, work.places[layer, 0], layers.widths[layer + 1], work.labels.size)


@float_kernel
def quantised(layers: Layers, layer: int, work: Workspace) -> Floats:
    """Return the values of a layer as the next one takes them, (unit, sample)."""
    return _part(work.values, work.places[layer, 1], layers.widths[layer + 1], work.labels.size)


@float_kernel
def inputs_of(layers: Layers, layer: int, work: Workspace) -> Floats:
    """Return what a layer is computed from."""
    return work.inputs if layer == 0 else quantised(layers, layer - 1, work)


@float_kernel
def gradient_of(layers: Layers, layer: int, work: Workspace) -> Floats:
    """Return where the gradient of a layer's values is, (unit, sample)."""
    return _part(work.gradient, 0, layers.widths[layer + 1], work.labels.size)


@float_kernel
def _part(values: Floats, first: int, n_units: int, n_samples: int) -> Floats:
    return values[first : first + n_units * n_samples].reshape(n_units, n_samples)
