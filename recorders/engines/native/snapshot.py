"""Snapshots in machine code: the codes of every layer on its quantiser's own grid, certified."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ibtools.kernel import float_kernel
from ibtools.recorders.capture.grid import Grid
from ibtools.recorders.engines.native.arrays import (
    CONTINUOUS,
    CURRENT,
    Floats,
    Ints,
    Layers,
    Samples,
    State,
)
from ibtools.recorders.engines.native.elementwise import quantise
from ibtools.recorders.engines.native.evaluation import allocate_evaluation, measure_ranges
from ibtools.recorders.engines.native.inputs import take
from ibtools.recorders.engines.native.layers import apply
from ibtools.recorders.engines.native.quantisers import quantise_weights
from ibtools.recorders.engines.native.workspace import Workspace, activated, allocate, quantised
from ibtools.store.snapshots import FLOAT_BITS, LayerSpec, LayerValues

BLOCK = 1024
"""Samples that are computed at once."""


class Grids(NamedTuple):
    """On which grids the outputs of the layers are quantised, (layer,), float32."""

    scale: Floats
    low: Floats
    high: Floats


@float_kernel
def compute(
    layers: Layers, samples: Samples, rows: Ints, state: State, grids: Grids, work: Workspace
) -> None:
    """Compute all layers of some samples, with each output on its grid."""
    quantise_weights(layers, state, work)
    take(layers, samples, rows, work.inputs)
    for layer in range(layers.each.size):
        apply(layers, layer, work)
        if layers.each[layer]["output"] != CONTINUOUS:
            values, out = activated(layers, layer, work), quantised(layers, layer, work)
            scale, low, high = grids.scale[layer], grids.low[layer], grids.high[layer]
            for j in range(len(values)):
                quantise(values[j], scale, low, high, out[j])


def measured_ranges(layers: Layers, samples: Samples, state: State) -> NDArray[np.float32]:
    """Return the ranges of all outputs (layer, 2): kept ones, and those that the samples have."""
    ranges = np.ascontiguousarray(state.ranges[:, 2])
    if (layers.each["output"] == CURRENT).any():
        place = allocate_evaluation(layers, state.parameters.size, len(samples.is_test))
        measure_ranges(layers, samples, state, place, ranges)
    return ranges


class SnapshotMachine:
    """Computes what is recorded of a network.

    Parameters
    ----------
    layers : Layers
        The network.
    specs : sequence of LayerSpec
        What a store is told of its layers.

    Notes
    -----
    A layer's values are those that the next layer takes. Each is certified to be on the grid that
    TensorFlow makes of the range, and travels as its code.

    The range of a Tanh layer is that of its output over all samples that are recorded.
    """

    def __init__(self, layers: Layers, specs: Sequence[LayerSpec]) -> None:
        self._layers = layers
        self._specs = specs

    def take(self, samples: Samples, state: State, *, block: int = BLOCK) -> dict[str, LayerValues]:
        """Record all layers.

        Parameters
        ----------
        samples : Samples
            Those that are recorded.
        state : State
            The network as it is then.
        block : int, optional
            Samples that are computed at once.

        Returns
        -------
        dict of str to LayerValues
            As `ibtools.recorders.capture.keras.snapshot.SnapshotTaker.take` returns them.

        Raises
        ------
        GridError
            If a value is not on its quantiser's grid.
        """
        n = len(samples.is_test)
        grids = self._choose_grids(measured_ranges(self._layers, samples, state))
        quantisers = _as_arrays(grids, self._layers.largest_code)
        work = allocate(self._layers, state.parameters.size, block)
        taken: dict[str, LayerValues] = {}
        for first in range(0, n, block):
            rows = np.minimum(np.arange(first, first + block), n - 1)
            compute(self._layers, samples, rows, state, quantisers, work)
            for layer, spec in enumerate(self._specs):
                values, grid = self._recorded(layer, work), grids[layer]
                part = _encode(spec, values[: n - first], grid, first)
                whole = taken.setdefault(spec.name, _allocate(part, n))
                whole.values[first : first + len(part.values)] = part.values
        return taken

    def _choose_grids(self, ranges: NDArray[np.float32]) -> list[Grid]:
        """Return the grid of each layer's output; pools have that of the layer before."""
        grids: list[Grid] = []
        for one, (low, high), spec in zip(self._layers.each, ranges, self._specs, strict=True):
            if not spec.quantised:
                grids.append(_NO_GRID)
            elif one["output"] == CONTINUOUS:
                grids.append(grids[-1])
            else:
                grids.append(Grid.from_range(low, high, spec.bits))
        return grids

    def _recorded(self, layer: int, work: Workspace) -> NDArray[np.float32]:
        """Return the values of a layer (sample, unit), as Keras orders its units."""
        one = self._layers.each[layer]
        shape = (one["channels"], one["rows"], one["columns"], work.labels.size)
        images = quantised(self._layers, layer, work).reshape(shape)
        values = images.transpose(3, 1, 2, 0).reshape(work.labels.size, -1)
        is_softmax = layer + 1 == len(self._specs) and (
            self._layers.quantised_softmax or not self._specs[layer].quantised
        )
        return _softmax(values) if is_softmax else values


_NO_GRID = Grid(np.float32(1), 0, FLOAT_BITS)


def _as_arrays(grids: Sequence[Grid], largest: np.float32) -> Grids:
    scale = np.array([grid.scale for grid in grids], np.float32)
    zero_point = np.array([grid.zero_point for grid in grids], np.float32)
    return Grids(scale, -zero_point * scale, (largest - zero_point) * scale)


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Compute probabilities (sample, class) as TensorFlow does, but for rounding."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: NDArray[np.float32] = powers / powers.sum(axis=1, keepdims=True)
    return probabilities


def _encode(
    spec: LayerSpec, values: NDArray[np.float32], grid: Grid, first_sample: int
) -> LayerValues:
    """Encode values (sample, unit) on a grid, on which every one is certified to be."""
    if not spec.quantised:
        return LayerValues(values)
    if spec.activation_function == "softmax_quantised":
        grid = Grid.from_range(0, 1, spec.bits)
        values = np.floor(values / grid.scale + np.float32(0.5)) * grid.scale
    codes = grid.encode(values, layer=spec.name, first_sample=first_sample)
    return LayerValues(codes, float(grid.scale), grid.zero_point)


def _allocate(part: LayerValues, n_samples: int) -> LayerValues:
    """Make room for the values of all samples of a layer."""
    shape = (n_samples, part.values.shape[1])
    return LayerValues(np.empty(shape, part.values.dtype), part.scale, part.zero_point)
