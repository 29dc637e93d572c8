"""Whole epochs as one program: the training steps of a model, and its evaluation after each."""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from ibtools.recorders.capture.keras.snapshot import choose_batch_size, output_model
from ibtools.recorders.engines.keras.quantise import TappedModel
from ibtools.recorders.engines.keras.quantizers import ranged_layers, reset_ranges
from ibtools.recorders.engines.protocol import Training
from ibtools.store.snapshots import History

EVALUATED_VALUES = 2**20
"""How many float32 values a batch has in the evaluation after an epoch: 4 MiB, to stay in cache."""

_CONVOLUTIONS = (tf_keras.layers.Conv1D, tf_keras.layers.Conv2D, tf_keras.layers.Conv3D)

_RANDOM_OPERATIONS = frozenset(
    {
        "Multinomial",
        "ParameterizedTruncatedNormal",
        "RandomGamma",
        "RandomPoissonV2",
        "RandomShuffle",
        "RandomStandardNormal",
        "RandomUniform",
        "RandomUniformInt",
        "TruncatedNormal",
    }
)
"""Operations that draw from TensorFlow's seeded streams, which XLA has its own of."""


class EpochProgram:
    """Trains and evaluates a model for several epochs in one call of one compiled function.

    Parameters
    ----------
    tapped : TappedModel
        Compiled by Keras. Its variables are read and changed by every call.
    training : Training
        What is trained. Its seeds are not part of the program.
    x : tf.Tensor, (sample, ...), float32
        The inputs of all samples, as TensorFlow holds them.
    max_epochs : int
        Epochs of one call, at the most.

    Warns
    -----
    RuntimeWarning
        If XLA can't compile the model, which is then trained as a plain graph.

    Notes
    -----
    The steps are those of `tf_keras.Model.fit`: the gradient of the mean loss of a batch and of the
    layers' own losses, then one step of the model's optimiser. As a plain graph they give the same
    weights. XLA sums in another order, so that weights agree to rounding. Models with convolutions
    stay a plain graph, because XLA makes these no faster on a processor, and so do models that draw
    random numbers while they train.
    """

    def __init__(self, tapped: TappedModel, training: Training, x: Any, max_epochs: int) -> None:
        self.max_epochs = max_epochs
        self._x = tf.reshape(x, [len(x), -1])
        self._function = _build_function(tapped, training, self._x, max_epochs)
        self._signature = _signature(training, max_epochs)
        self._run = self._trace(with_xla=not _has_convolutions(tapped.model))
        if _draws_random_numbers(self._run):
            self._run = self._trace(with_xla=False)
        self._has_run = False

    def run(
        self, training: Training, epochs: Sequence[int], *, n_evaluated: int | None = None
    ) -> list[History]:
        """Train some epochs, at most `max_epochs`; return the histories of the first, or of all."""
        n_evaluated = len(epochs) if n_evaluated is None else n_evaluated
        train = np.flatnonzero(~training.data.is_test)
        positions = np.zeros((self.max_epochs, train.size), np.int64)
        labels = np.zeros((self.max_epochs, len(training.data.y)), np.int64)
        for row, epoch in enumerate(epochs):
            positions[row] = train[training.seeds.batch_order(epoch, train.size)]
            labels[row] = training.trained_label(epoch)
        # Rows are gathered here, because XLA would do it value by value.
        ordered = tf.gather(self._x, positions), tf.gather(labels, positions, batch_dims=1)
        found = self._call(tf.constant([len(epochs), n_evaluated]), *ordered, tf.constant(labels))
        return [History(*map(float, row)) for row in found.numpy()[:n_evaluated]]

    def _call(self, *arguments: Any) -> Any:
        try:
            result = self._run(*arguments)
        except tf.errors.OpError as err:
            if self._has_run:
                raise
            reason = str(err.message).partition("\n")[0]
            warnings.warn(
                f"XLA can't compile this network ({reason}); it is trained as a plain graph, with "
                "the same result, but slower",
                RuntimeWarning,
                stacklevel=2,
            )
            self._run = self._trace(with_xla=False)
            result = self._run(*arguments)
        self._has_run = True
        return result

    def _trace(self, *, with_xla: bool) -> Any:
        function = tf.function(
            self._function,
            input_signature=self._signature,
            jit_compile=True if with_xla else None,
        )
        return function.get_concrete_function()


def _signature(training: Training, max_epochs: int) -> list[Any]:
    """Describe what the function takes: numbers of epochs, inputs and labels in order, labels."""
    x, y = training.data.x, training.data.y
    n_train = int((~training.data.is_test).sum())
    return [
        tf.TensorSpec([2], tf.int32),
        tf.TensorSpec([max_epochs, n_train, x[0].size], tf.float32),
        tf.TensorSpec([max_epochs, n_train], tf.int64),
        tf.TensorSpec([max_epochs, len(y)], tf.int64),
    ]


def _build_function(
    tapped: TappedModel, training: Training, all_x: Any, max_epochs: int
) -> Callable[..., Any]:
    """Build what is compiled: train epochs, return (epoch, 4) float64, a `History` each.

    The first argument says how many are trained, and how many of these are evaluated.
    """
    step = _build_step(tapped.model, training.data.n_classes)
    evaluate = _build_evaluate(tapped, all_x, training.data.is_test)
    n_train, size = int((~training.data.is_test).sum()), training.batch_size
    whole, rest = n_train - n_train % size, n_train % size

    def run(numbers: Any, x: Any, y: Any, labels: Any) -> Any:
        found = tf.zeros([max_epochs, 4], tf.float64)
        for epoch in tf.range(numbers[0]):
            if whole:  # XLA compiles what is never run, too, and has no slice beyond the end
                for first in tf.range(0, whole, size):
                    step(_batch(x, epoch, first, size), _batch(y, epoch, first, size))
            if rest:
                step(_batch(x, epoch, whole, rest), _batch(y, epoch, whole, rest))
            if epoch < numbers[1]:
                found = tf.tensor_scatter_nd_update(found, [[epoch]], [evaluate(labels[epoch])])
        return found

    return run


def _build_step(model: Any, n_classes: int) -> Callable[..., None]:
    """Build the training step of one batch."""
    model.optimizer.build(model.trainable_variables)

    def step(x: Any, y: Any) -> None:
        with tf.GradientTape() as tape:
            probabilities = model(_samples(model, x), training=True)
            loss = tf.add_n([model.loss(tf.one_hot(y, n_classes), probabilities), *model.losses])
        model.optimizer.minimize(loss, model.trainable_variables, tape=tape)

    return step


def _build_evaluate(tapped: TappedModel, x: Any, is_test: Any) -> Callable[..., Any]:
    """Build the evaluation of all samples, in the batches and rounds of `SnapshotTaker`."""
    model, ranged = output_model(tapped), ranged_layers(tapped.model)
    is_test = tf.constant(is_test)
    n_samples, size = len(x), min(len(x), choose_batch_size(tapped, EVALUATED_VALUES))
    whole, rest = n_samples - n_samples % size, n_samples % size
    n_rounds = len(ranged) if n_samples > size else 0

    def settle(first: Any, length: int) -> None:
        model(_samples(model, _rows(x, first, length)), training=False)

    def sums(first: Any, length: int, label: Any) -> Any:
        samples = _samples(model, _rows(x, first, length))
        recorded, probabilities = model(samples, training=False)
        label, test = _rows(label, first, length), _rows(is_test, first, length)
        return _sums(recorded, probabilities, label, test)

    def evaluate(label: Any) -> Any:
        for n_final in range(n_rounds):
            reset_ranges(ranged, n_final)
            for first in tf.range(0, whole, size):
                settle(first, size)
            if rest:
                settle(whole, rest)
        if n_rounds == 0:
            reset_ranges(ranged)
        total = tf.zeros([4], tf.float64)
        for first in tf.range(0, whole, size):
            total += sums(first, size, label)
        if rest:
            total += sums(whole, rest, label)
        n_test = tf.math.count_nonzero(is_test)
        counts = tf.stack([n_samples - n_test, n_samples - n_test, n_test, n_test])
        return total / tf.cast(counts, tf.float64)

    return evaluate


def _sums(recorded: Any, probabilities: Any, label: Any, is_test: Any) -> Any:
    """Sum loss and hits of training, then of test samples, as `evaluate` takes their means."""
    of_label = tf.cast(tf.gather(probabilities, label, axis=1, batch_dims=1), tf.float64)
    loss = -tf.math.log(tf.maximum(of_label, float(np.finfo(np.float32).tiny)))
    hit = tf.cast(tf.argmax(recorded, axis=1) == label, tf.float64)
    test = tf.cast(is_test, tf.float64)
    return tf.stack([tf.reduce_sum(n * part) for part in (1 - test, test) for n in (loss, hit)])


def _samples(model: Any, rows: Any) -> Any:
    """Shape rows as the model takes samples; XLA works fastest on what begins as a matrix."""
    return tf.reshape(rows, [len(rows), *model.input_shape[1:]])


def _rows(array: Any, first: Any, length: int) -> Any:
    """Slice rows of a fixed number, as XLA needs it."""
    others = [int(n) for n in array.shape[1:]]
    return tf.slice(array, [first, *(0 for _ in others)], [length, *others])


def _batch(array: Any, epoch: Any, first: Any, length: int) -> Any:
    """Slice a batch of an epoch in one step: XLA would copy the epoch first."""
    others = [int(n) for n in array.shape[2:]]
    batch = tf.slice(array, [epoch, first, *(0 for _ in others)], [1, length, *others])
    return tf.reshape(batch, [length, *others])


def _has_convolutions(model: Any) -> bool:
    layers = [getattr(layer, "layer", layer) for layer in model.layers]
    return any(isinstance(layer, _CONVOLUTIONS) for layer in layers)


def _draws_random_numbers(function: Any) -> bool:
    graph = function.graph.as_graph_def()
    nodes = [*graph.node, *(node for inner in graph.library.function for node in inner.node_def)]
    return any(node.op in _RANDOM_OPERATIONS for node in nodes)
