"""A callback that records while `model.fit` trains."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ibtools.errors import InputError, StoreError
from ibtools.recorders.capture.keras_models.capture import Inputs, KerasCapture
from ibtools.store.schema import validate_scalar_name

if TYPE_CHECKING:
    from ibtools.recorders.recorder import Recorder

_KNOWN = {
    "loss": "train_loss",
    "accuracy": "train_accuracy",
    "acc": "train_accuracy",
    "val_loss": "test_loss",
    "val_accuracy": "test_accuracy",
    "val_acc": "test_accuracy",
}
"""What Keras calls the numbers that every store has."""


class _Default:
    """A moment of the training that is let pass; Keras asks which callbacks do nothing in it."""

    _is_default = True

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing."""


class KerasCallback:
    """Records a training of `model.fit`: of Keras 3 on any backend, and of tf_keras.

    Parameters
    ----------
    recorder : Recorder
        What records; it belongs to your ``with``, so that several calls of `fit` may go on with it.
    inputs : array_like, (sample, ...), or list, tuple or mapping of these
        The recorded inputs, in the order of the recorder's `label`, as `fit` takes them.
    layers, exclude, values, bits, batch_size
        As for `ibtools.KerasCapture`.
    scalars : mapping of str to str, optional
        What numbers of the training's logs are called in the store, by their names there:
        ``{"sparse_categorical_accuracy": "train_accuracy"}``.

    Raises
    ------
    UnknownNameError
        When `fit` begins: if a name or pattern matches no layer of the model.
    InputError
        When `fit` begins: if it goes back behind what is recorded.

    See Also
    --------
    ibtools.KerasCapture : Takes layers at any time; what is taken, and how.

    Notes
    -----
    What a training starts from is recorded if the recorder wants it; epoch 0 is the untrained
    network. ``fit(initial_epoch=recorder.next_epoch - 1)`` goes on with a recording. After each
    epoch come the numbers of its logs, and the layers if the recorder wants the epoch.

    `loss` and `accuracy` are called `train_loss` and `train_accuracy`, `val_loss` and
    `val_accuracy` are `test_loss` and `test_accuracy`; all others keep their names, in which what
    is no letter or digit becomes `_`. Those of the training data are what Keras computes while it
    trains: means over the epoch.

    It is no subclass of `keras.callbacks.Callback`, of which there are two, but has its methods.

    Examples
    --------
    See docs/keras.md.
    """

    on_train_begin = on_train_end = on_test_begin = on_test_end = _Default()
    on_predict_begin = on_predict_end = on_batch_begin = on_batch_end = _Default()
    on_train_batch_begin = on_train_batch_end = on_test_batch_begin = on_test_batch_end = _Default()
    on_predict_batch_begin = on_predict_batch_end = _Default()

    _supports_tf_logs = False  # tf_keras: logs come as numbers

    def __init__(
        self,
        recorder: Recorder,
        inputs: Inputs,
        layers: str | Iterable[str] | Mapping[str, str],
        *,
        exclude: str | Iterable[str] = (),
        values: bool | str | Iterable[str] = False,
        bits: Mapping[str, int] | None = None,
        batch_size: int | None = 1024,
        scalars: Mapping[str, str] | None = None,
    ) -> None:
        self._recorder, self._inputs = recorder, inputs
        self._layers = layers
        self._options: dict[str, Any] = {
            "exclude": exclude,
            "values": values,
            "bits": bits,
            "batch_size": batch_size,
        }
        self._scalars = {**_KNOWN, **(scalars or {})}
        self._capture: KerasCapture | None = None

    def set_params(self, params: Any) -> None:
        """Take the parameters of a training; nothing is needed of them."""

    def set_model(self, model: Any) -> None:
        """Take the model of a training that begins."""
        self._model, self._capture = model, None

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Record what the training starts from, before its first epoch."""
        if self._capture is not None:
            return
        if epoch < self._recorder.next_epoch - 1:
            raise InputError(
                f"fit must go on after epoch {self._recorder.next_epoch - 1}, the last that is "
                f"recorded, found initial_epoch={epoch}; load the weights of that epoch and call "
                "fit(initial_epoch=recorder.next_epoch - 1)"
            )
        self._capture = KerasCapture(self._model, self._layers, **self._options)
        self._record(epoch)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Record an epoch."""
        self._recorder.epoch(epoch + 1, **name_scalars(logs or {}, self._scalars))
        self._record(epoch + 1)

    def _record(self, epoch: int) -> None:
        if self._capture is not None and self._recorder.wants(epoch):
            self._recorder.snapshot(epoch, self._capture(self._inputs))

    def _implements_train_batch_hooks(self) -> bool:
        """Say to tf_keras, as the next two, that nothing is done for batches."""
        return False

    _implements_test_batch_hooks = _implements_predict_batch_hooks = _implements_train_batch_hooks


def name_scalars(logs: Mapping[str, Any], known: Mapping[str, str]) -> dict[str, Any]:
    """Return the numbers of logs by the names that they have in a store.

    Parameters
    ----------
    logs : mapping of str to float
        By Keras' names.
    known : mapping of str to str
        Names in the store, of those that have others than Keras'.

    Raises
    ------
    InputError
        If two have the same.

    Examples
    --------
    >>> name_scalars({"loss": 0.5, "top-5 rate": 1.0, "epoch": 3.0}, {"loss": "train_loss"})
    {'train_loss': 0.5, 'top_5_rate': 1.0, 'metric_epoch': 3.0}
    """
    named: dict[str, Any] = {}
    for name, number in logs.items():
        valid = known[name] if name in known else _valid(name)
        if valid in named:
            raise InputError(
                f"numbers of the training must have different names, but {name!r} and another are "
                f"{valid!r} in the store; give it another: scalars={{{name!r}: ...}}"
            )
        named[valid] = number
    return named


def _valid(name: str) -> str:
    """Return a name of Keras', changed so that a store takes it."""
    plain = re.sub(r"[^A-Za-z0-9_]", "_", name)[:64]
    try:
        validate_scalar_name(plain)
    except StoreError:  # no letter comes first, or a variable of stores is called so
        return f"metric_{plain}"[:64]
    return plain
