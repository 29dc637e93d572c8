"""The cross-entropy of a softmax: its gradient, and its mean with the accuracy."""

import numpy as np
from numpy.typing import NDArray

from ibtools.kernel import float_part
from ibtools.recorders.engines.native.arrays import Floats, Ints, Layers

_FLOAT = np.float32
_ZERO, _HALF, _ONE = _FLOAT(0), _FLOAT(0.5), _FLOAT(1)
_TINY = np.finfo(np.float32).tiny


@float_part
def gradient_of_logits(logits: Floats, labels: Ints, gradient: Floats) -> None:
    """Compute the gradient of the mean cross-entropy with regard to the logits."""
    n_classes, n_samples = logits.shape
    share = _ONE / _FLOAT(n_samples)
    for i in range(n_samples):
        largest, total = logits[0, i], _ZERO
        for j in range(1, n_classes):
            largest = max(largest, logits[j, i])
        for j in range(n_classes):
            gradient[j, i] = np.exp(logits[j, i] - largest)
            total += gradient[j, i]
        for j in range(n_classes):
            gradient[j, i] *= share / total
        gradient[labels[i], i] -= share


@float_part
def add_losses(
    layers: Layers,
    first: int,
    label: Ints,
    is_test: NDArray[np.bool_],
    logits: Floats,
    sums: NDArray[np.float64],
) -> None:
    """Add the losses and hits of the samples from `first` on to those of training, then of test.

    The first of several classes with the largest value is the predicted one.

    Parameters
    ----------
    layers : Layers
        The network.
    first : int
        The sample that the first column of the logits is of.
    label, is_test : ndarray, (sample,)
        Of all samples.
    logits : ndarray, (class, sample), float32
        Of some; those beyond the last are left out.
    sums : ndarray, (4,), float64
        Loss in nats and hits of training samples, then of test samples.
    """
    n_classes = len(logits)
    probability = np.empty(n_classes, np.float32)
    for i in range(min(logits.shape[1], label.size - first)):
        largest, total = logits[0, i], _ZERO
        for j in range(1, n_classes):
            largest = max(largest, logits[j, i])
        for j in range(n_classes):
            probability[j] = np.exp(logits[j, i] - largest)
            total += probability[j]
        of_label = probability[label[first + i]] / total
        predicted = 0
        for j in range(n_classes):
            value = logits[j, i]
            if layers.quantised_softmax:
                value = np.floor(probability[j] / total * layers.largest_code + _HALF)
            probability[j] = value
            predicted = j if value > probability[predicted] else predicted
        part = 2 if is_test[first + i] else 0
        sums[part] -= np.log(max(of_label, _TINY))
        sums[part + 1] += predicted == label[first + i]
