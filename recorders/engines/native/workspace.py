"""The arrays of a batch, which are made once, and where the values of each layer are in them."""

from typing import NamedTuple

import numpy as np

from ibtools.kernel import float_part
from ibtools.recorders.engines.native.arrays import Floats, Ints, Layers
from ibtools.recorders.engines.native.inputs import is_wide


class Workspace(NamedTuple):
    """Arrays for a batch of one size."""

    inputs: Floats  # (feature, sample), or (sample, feature) if wide
    labels: Ints  # (sample,)
    values: Floats  # of every layer (unit, sample), activated and, behind these, quantised
    gradients: Floats  # (2, value): of the layer at hand, outside and inside of its function
    weights: Floats  # (2, parameter): quantised, and their gradient
    ends: Floats  # (layer, 3, 2), of the ranges as `grid` moves them


@float_part
def allocate(layers: Layers, n_parameters: int, n_samples: int) -> Workspace:
    """Make room for a batch of so many samples."""
    n_layers, n_in, widest = layers.each.size, layers.each[0]["n_inputs"], 0
    for layer in range(n_layers):
        widest = max(widest, layers.each[layer]["n_units"])
    last = layers.each[n_layers - 1]
    return Workspace(
        np.empty((n_samples, n_in) if is_wide(layers) else (n_in, n_samples), np.float32),
        np.empty(n_samples, np.int64),
        np.empty((last["quantised_at"] + last["n_units"]) * n_samples, np.float32),
        np.empty((2, widest * n_samples), np.float32),
        np.empty((2, n_parameters), np.float32),
        np.empty((n_layers, 3, 2), np.float32),
    )


@float_part
def activated(layers: Layers, layer: int, work: Workspace) -> Floats:
    """Return the values of a layer before they are quantised, (unit, sample)."""
    one, n_samples = layers.each[layer], work.labels.size
    return _part(work.values, one["activated_at"], one["n_units"], n_samples)


@float_part
def quantised(layers: Layers, layer: int, work: Workspace) -> Floats:
    """Return the values of a layer as the next one takes them, (unit, sample)."""
    one, n_samples = layers.each[layer], work.labels.size
    return _part(work.values, one["quantised_at"], one["n_units"], n_samples)


@float_part
def inputs_of(layers: Layers, layer: int, work: Workspace) -> Floats:
    """Return what a layer is computed from."""
    return work.inputs if layer == 0 else quantised(layers, layer - 1, work)


@float_part
def gradient_of(layers: Layers, layer: int, work: Workspace) -> Floats:
    """Return where the gradient of a layer's values is, (unit, sample)."""
    return _part(work.gradients[0], 0, layers.each[layer]["n_units"], work.labels.size)


@float_part
def inner_gradient_of(layers: Layers, layer: int, work: Workspace) -> Floats:
    """Return where that is kept which was led back through a layer's function, (unit, sample)."""
    return _part(work.gradients[1], 0, layers.each[layer]["n_units"], work.labels.size)


@float_part
def _part(values: Floats, first: int, n_units: int, n_samples: int) -> Floats:
    start = first * n_samples
    return values[start : start + n_units * n_samples].reshape(n_units, n_samples)
