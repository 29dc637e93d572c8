"""The evaluation of all samples after an epoch."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ibtools.kernel import float_kernel, float_part
from ibtools.recorders.engines.native.arrays import (
    CONTINUOUS,
    CURRENT,
    POOL,
    Floats,
    Ints,
    Layers,
    Samples,
    State,
)
from ibtools.recorders.engines.native.elementwise import copy, find_range, grid, quantise
from ibtools.recorders.engines.native.inputs import take
from ibtools.recorders.engines.native.layers import apply
from ibtools.recorders.engines.native.loss import add_losses
from ibtools.recorders.engines.native.quantisers import quantise_output, quantise_weights
from ibtools.recorders.engines.native.workspace import Workspace, activated, allocate, quantised

_BLOCK = 256  # samples that are evaluated at once: their values stay in the processor's cache

_ZERO = np.float32(0)


class Evaluation(NamedTuple):
    """Arrays for the evaluation of all samples."""

    work: Workspace  # for a block
    rows: Ints  # (sample of a block,)
    stored: Floats  # (block, value), of the layer that a stage ends with


@float_part
def allocate_evaluation(layers: Layers, n_parameters: int, n_samples: int) -> Evaluation:
    """Make room for the evaluation of so many samples."""
    first, widest = 0, 0
    while first < layers.each.size:
        first = _after_pools(layers, _end_of_stage(layers, first))
        widest = max(widest, layers.each[first - 1]["n_units"])
    rows = np.empty(_BLOCK, np.int64)
    return Evaluation(
        allocate(layers, n_parameters, rows.size),
        rows,
        np.empty((-(-n_samples // _BLOCK), widest * _BLOCK), np.float32),
    )


@float_part
def evaluate(
    layers: Layers,
    samples: Samples,
    label: Ints,
    state: State,
    place: Evaluation,
    found: NDArray[np.float64],
) -> None:
    """Compute loss and accuracy of training, then of test samples.

    The range of a `CURRENT` output is that of all samples, which must have been computed up to it.
    So this goes in stages from one of them to the next, each for all blocks of samples. Between
    stages values are kept before they are quantised, and after pools: the largest of quantised
    values is the largest, quantised.
    """
    first, low, high = 0, _ZERO, _ZERO
    quantise_weights(layers, state, place.work)
    while first < layers.each.size:
        last = _end_of_stage(layers, first)
        ends = state.ranges[last, 2].copy()
        if layers.each[last]["output"] == CURRENT:
            ends[:] = _ZERO
        _pass_stage(layers, samples, state, first, last, low, high, place, ends)
        first, low, high = _after_pools(layers, last), ends[0], ends[1]
    found[:] = 0.0
    for block in range(len(place.stored)):
        _begin(layers, samples, first, block, low, high, place)
        logits = quantised(layers, first - 1, place.work)
        add_losses(layers, block * _BLOCK, label, samples.is_test, logits, found)
    n_test = samples.is_test.sum()
    for which in range(4):
        found[which] /= n_test if which >= 2 else label.size - n_test


@float_kernel
def measure_ranges(
    layers: Layers, samples: Samples, state: State, place: Evaluation, ranges: Floats
) -> None:
    """Set the ranges (layer, 2) of `CURRENT` outputs to those of all samples, stage by stage."""
    first, low, high = 0, _ZERO, _ZERO
    quantise_weights(layers, state, place.work)
    while first < layers.each.size:
        last = _end_of_stage(layers, first)
        if layers.each[last]["output"] != CURRENT:
            return
        ends = ranges[last]
        ends[:] = _ZERO
        _pass_stage(layers, samples, state, first, last, low, high, place, ends)
        first, low, high = _after_pools(layers, last), ends[0], ends[1]


@float_part
def _pass_stage(
    layers: Layers,
    samples: Samples,
    state: State,
    first: int,
    last: int,
    low: np.float32,
    high: np.float32,
    place: Evaluation,
    ends: Floats,
) -> None:
    """Compute a stage for all blocks of samples, and keep the values of its last layer."""
    for block in range(len(place.stored)):
        _begin(layers, samples, first, block, low, high, place)
        _advance(layers, state, first, last, place.work, ends)
        _keep(layers, last, block, place)


@float_part
def _end_of_stage(layers: Layers, first: int) -> int:
    """Return the first layer from some layer on whose range is that of all samples, or the last."""
    for layer in range(first, layers.each.size):
        if layers.each[layer]["output"] == CURRENT:
            return layer
    return int(layers.each.size - 1)


@float_part
def _after_pools(layers: Layers, layer: int) -> int:
    """Return the first layer after some layer that is no pool of its values."""
    after = layer + 1
    while after < layers.each.size and layers.each[after]["kind"] == POOL:
        if layers.each[after]["output"] != CONTINUOUS:
            break
        after += 1
    return after


@float_part
def _begin(
    layers: Layers,
    samples: Samples,
    first: int,
    block: int,
    low: np.float32,
    high: np.float32,
    place: Evaluation,
) -> None:
    """Take what the layer `first` is computed from: samples, or what is kept, now quantised."""
    work = place.work
    if first == 0:
        for i in range(_BLOCK):  # the last block repeats the last sample
            place.rows[i] = min(block * _BLOCK + i, samples.is_test.size - 1)
        take(layers, samples, place.rows, work.inputs)
        return
    out = quantised(layers, first - 1, work)
    kept = place.stored[block, : out.size].reshape(out.shape)
    if layers.each[_before_pools(layers, first)]["output"] == CONTINUOUS:
        for j in range(len(out)):
            copy(kept[j], out[j])
    else:
        scale, low, high = grid(low, high, layers.largest_code)
        for j in range(len(out)):
            quantise(kept[j], scale, low, high, out[j])


@float_part
def _before_pools(layers: Layers, layer: int) -> int:
    """Return the last layer before some layer that is no pool of another's values."""
    before = layer - 1
    while before > 0 and _after_pools(layers, before - 1) == layer:
        before -= 1
    return before


@float_part
def _advance(
    layers: Layers, state: State, first: int, last: int, work: Workspace, ends: Floats
) -> None:
    """Compute the layers of a stage, the last without its quantiser, whose range may grow."""
    for layer in range(first, last):
        apply(layers, layer, work)
        if layers.each[layer]["output"] != CONTINUOUS:
            low, high = state.ranges[layer, 2]
            quantise_output(layers, layer, low, high, work)
    apply(layers, last, work)
    if layers.each[last]["output"] == CURRENT:
        low, high = find_range(activated(layers, last, work))
        ends[0], ends[1] = min(ends[0], low), max(ends[1], high)


@float_part
def _keep(layers: Layers, last: int, block: int, place: Evaluation) -> None:
    """Keep the values of the last layer of a stage, or what pools make of them."""
    work, after = place.work, _after_pools(layers, last)
    if after > last + 1:
        values, out = activated(layers, last, work), quantised(layers, last, work)
        for j in range(len(out)):
            copy(values[j], out[j])
        for layer in range(last + 1, after):
            apply(layers, layer, work)
    values = activated(layers, after - 1, work)
    copy(values.ravel(), place.stored[block, : values.size])
