"""Quantisation-aware training in machine code: whole epochs, with the evaluation after each.

An epoch of a small network is some thousand steps on a few thousand numbers, for which a graph of
operations is mostly the starting of operations. Here it is one function. It does what the tfmot
network does, from the same numbers, and is tested against it; sums round in another order.

A layer's values lie (unit, sample), so that loops run over samples, which are many, and not over
units or channels, which are few.
"""

import numpy as np
from numpy.typing import NDArray

from ibtools.kernel import float_kernel, float_part
from ibtools.recorders.engines.native.arrays import CONTINUOUS, Ints, Layers, Samples, State
from ibtools.recorders.engines.native.evaluation import allocate_evaluation, evaluate
from ibtools.recorders.engines.native.inputs import take
from ibtools.recorders.engines.native.layers import apply, lead_back
from ibtools.recorders.engines.native.loss import gradient_of_logits
from ibtools.recorders.engines.native.optimiser import adam
from ibtools.recorders.engines.native.quantisers import (
    choose_range,
    cut_gradient_of_weights,
    measure_weights,
    quantise_output,
    quantise_weights,
)
from ibtools.recorders.engines.native.workspace import (
    Workspace,
    allocate,
    gradient_of,
    quantised,
)


@float_kernel
def train(
    layers: Layers,
    samples: Samples,
    orders: Ints,
    labels: Ints,
    batch_size: int,
    rate: float,
    n_evaluated: int,
    state: State,
) -> NDArray[np.float64]:
    """Train some epochs.

    Parameters
    ----------
    layers : Layers
        The network.
    samples : Samples
        All samples.
    orders : ndarray, (epoch, training sample), int64
        Positions of the training samples in the order in which each epoch visits them.
    labels : ndarray, (epoch, sample), int64
        Classes that each epoch trains on.
    batch_size : int
        Samples per step; a last batch that is smaller is kept.
    rate : float
        Learning rate of Adam.
    n_evaluated : int
        After how many of the epochs, from the first on, all samples are evaluated.
    state : State
        The network before; after the call, as it is then.

    Returns
    -------
    ndarray, (evaluated epoch, 4), float64
        Training loss in nats and accuracy, then those of the test samples.
    """
    n_train, found = orders.shape[1], np.empty((n_evaluated, 4), np.float64)
    whole, rest = n_train // batch_size, n_train % batch_size
    work = allocate(layers, state.parameters.size, min(batch_size, n_train))
    last = allocate(layers, state.parameters.size, rest)
    place = allocate_evaluation(layers, state.parameters.size, len(samples.is_test))
    for epoch in range(orders.shape[0]):
        order, label = orders[epoch], labels[epoch]
        for batch in range(whole):
            rows = order[batch * batch_size : (batch + 1) * batch_size]
            _train_batch(layers, samples, rows, label, np.float32(rate), state, work)
        if rest:
            rows = order[whole * batch_size :]
            _train_batch(layers, samples, rows, label, np.float32(rate), state, last)
        if epoch < n_evaluated:
            evaluate(layers, samples, label, state, place, found[epoch])
    return found


@float_part
def _train_batch(
    layers: Layers,
    samples: Samples,
    rows: Ints,
    label: Ints,
    rate: np.float32,
    state: State,
    work: Workspace,
) -> None:
    take(layers, samples, rows, work.inputs)
    for i in range(rows.size):
        work.labels[i] = label[rows[i]]
    _forward(layers, state, work)
    if layers.frozen:
        state.n_steps[0] += 1
        return
    _backward(layers, state, work)
    adam(state, work.weights[1], rate)


@float_part
def _forward(layers: Layers, state: State, work: Workspace) -> None:
    """Compute all layers of a batch as a training step does, which sets the ranges."""
    measure_weights(layers, state)
    quantise_weights(layers, state, work)
    for layer in range(layers.each.size):
        apply(layers, layer, work)
        if layers.each[layer]["output"] != CONTINUOUS:
            low, high = choose_range(layers, layer, state, work)
            quantise_output(layers, layer, low, high, work)


@float_part
def _backward(layers: Layers, state: State, work: Workspace) -> None:
    """Compute the gradient of all parameters; straight through each quantiser inside its range."""
    last = layers.each.size - 1
    gradient_of_logits(quantised(layers, last, work), work.labels, gradient_of(layers, last, work))
    for layer in range(last, -1, -1):
        lead_back(layers, layer, work)
    cut_gradient_of_weights(layers, state, work)
