"""Engine `fit`: `Model.fit` and a callback. Other engines are checked against what it does."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras
from numpy.typing import NDArray

from ibtools.recorders.capture.keras.snapshot import SnapshotTaker, choose_batch_size
from ibtools.recorders.engines.keras.build import build_model
from ibtools.recorders.engines.keras.calibration import start_ranges
from ibtools.recorders.engines.keras.quantise import TappedModel
from ibtools.recorders.engines.keras.state import pack_state, unpack_state
from ibtools.recorders.engines.protocol import EpochReport, Training
from ibtools.store.snapshots import History


class FitEngine:
    """Trains with `tf_keras.Model.fit`, in one call for all epochs.

    Notes
    -----
    Training sets the global seeds of Python, NumPy and TensorFlow, and makes TensorFlow's
    operations deterministic for the rest of the process. On one machine, the weights are then the
    same to the last bit in every process, interrupted or not.
    """

    def train(
        self,
        training: Training,
        on_epoch: Callable[[EpochReport], bool],
        *,
        resume: tuple[int, bytes] | None = None,
    ) -> None:
        """Train, calling `on_epoch` after every epoch and, unless resumed, before the first."""
        tapped = create_trainable(training)
        reporter = _Reporter(tapped, training, on_epoch)
        if resume is None:
            start = -training.prefit
            start_ranges(tapped.model, training)
            if not reporter.report_untrained():
                return
        else:
            start, state = resume
            unpack_state(tapped.model, state)
        if start < training.epochs:
            _fit(tapped.model, training, start, reporter)


def create_trainable(training: Training) -> TappedModel:
    """Build and compile the untrained model of a training: equal seeds, equal weights."""
    tf_keras.utils.set_random_seed(training.seeds.model)
    tf.config.experimental.enable_op_determinism()
    tapped = build_model(
        training.network,
        training.activation,
        training.bits,
        scheme=training.scheme,
        ranges=training.ranges,
        initializer=training.initializer,
    )
    tapped.model.compile(
        optimizer=_OPTIMIZERS[training.control](training.learning_rate),
        loss=tf_keras.losses.CategoricalCrossentropy(),
    )
    return tapped


class _IdleAdam(tf_keras.optimizers.Adam):  # type: ignore[misc]
    """Counts the steps, and takes none: no variable changes, nor is a constraint put on any."""

    def apply_gradients(self, grads_and_vars: Any, *_: Any, **__: Any) -> Any:
        """Ignore the gradients."""
        return self.iterations.assign_add(1)


_OPTIMIZERS = {"none": tf_keras.optimizers.Adam, "frozen": _IdleAdam}
"""What takes the steps, by the control that a training is."""


def create_retaker(tapped: TappedModel, training: Training) -> SnapshotTaker:
    """Create what takes snapshots in other batches than usual: at least three."""
    usual = min(choose_batch_size(tapped), len(training.recorded_x))
    return SnapshotTaker(tapped, batch_size=max(1, usual * 2 // 5))


def evaluate(
    probabilities: NDArray[np.float32],
    predicted: NDArray[np.int64],
    label: NDArray[np.int64],
    is_test: NDArray[np.bool_],
) -> History:
    """Compute loss, of probabilities, and accuracy, of predicted classes, for each split.

    Notes
    -----
    A probability that float32 rounds to 0 counts as the smallest normal number, so that the loss is
    finite: at most 87.3 nats.
    """
    of_label = probabilities[np.arange(label.size), label].astype(np.float64)
    loss = -np.log(np.maximum(of_label, np.finfo(np.float32).tiny))
    correct = predicted == label
    return History(
        train_loss=float(loss[~is_test].mean()),
        train_accuracy=float(correct[~is_test].mean()),
        test_loss=float(loss[is_test].mean()),
        test_accuracy=float(correct[is_test].mean()),
    )


class _Reporter(tf_keras.callbacks.Callback):  # type: ignore[misc]
    """Passes the end of every epoch on to `on_epoch`."""

    def __init__(
        self, tapped: TappedModel, training: Training, on_epoch: Callable[[EpochReport], bool]
    ) -> None:
        super().__init__()
        self._tapped = tapped
        self._training = training
        self._on_epoch = on_epoch
        self._taker = SnapshotTaker(tapped)
        self._retaker = create_retaker(tapped, training)
        self._recorded_x = training.recorded_x

    def report_untrained(self) -> bool:
        return self._report(-self._training.prefit, None)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Report the epoch, which Keras counts from 0, and stop when told to."""
        trained = epoch + 1 - self._training.prefit
        data = self._training.data
        probabilities, predicted = self._taker.predict(data.x)
        label = self._training.trained_label(trained)
        history = evaluate(probabilities, predicted, label, data.is_test)
        self.model.stop_training = not self._report(trained, history)

    def _report(self, epoch: int, history: History | None) -> bool:
        report = EpochReport(
            epoch=epoch,
            history=history,
            snapshot=lambda: self._taker.take(self._recorded_x),
            state=lambda: pack_state(self._tapped.model),
            recompute=lambda: self._retaker.take(self._recorded_x),
        )
        return self._on_epoch(report)


def _fit(model: Any, training: Training, start: int, reporter: _Reporter) -> None:
    n_train = int((~training.data.is_test).sum())
    model.fit(
        _create_batches(training, start),
        initial_epoch=training.prefit + start,
        epochs=training.prefit + training.epochs,
        steps_per_epoch=-(-n_train // training.batch_size),
        callbacks=[reporter],
        verbose=0,
    )


def _create_batches(training: Training, start: int) -> Any:
    """Stream the batches of all remaining epochs; Python is asked once per epoch, for the order."""
    data = training.data
    train = ~data.is_test
    n_train = int(train.sum())  # TensorFlow keeps `orders` for ever, which must not refer to x
    x = tf.constant(data.x[train])
    labels = np.stack([label[train] for label in (data.y, training.random_label)])
    y = tf.one_hot(labels, data.n_classes)

    def orders() -> Iterator[tuple[NDArray[np.int64], bool]]:
        for epoch in range(start + 1, training.epochs + 1):
            yield training.seeds.batch_order(epoch, n_train), training.has_random_label(epoch)

    rows = tf.data.Dataset.from_generator(
        orders,
        output_signature=(tf.TensorSpec([n_train], tf.int64), tf.TensorSpec([], tf.bool)),
    )
    batches = rows.flat_map(
        lambda order, is_random: tf.data.Dataset.zip(
            tf.data.Dataset.from_tensor_slices(order).batch(training.batch_size),
            tf.data.Dataset.from_tensors(tf.cast(is_random, tf.int32)).repeat(),
        )
    )
    return batches.map(
        lambda batch, is_random: (tf.gather(x, batch), tf.gather(y[is_random], batch))
    )
