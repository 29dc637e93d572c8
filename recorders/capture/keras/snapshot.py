"""Take a snapshot: the integer codes of every layer on its quantiser's own grid, certified."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras
from numpy.typing import NDArray

from ibtools.errors import InputError
from ibtools.recorders.capture.grid import Grid
from ibtools.recorders.engines.keras.quantise import Tap, TappedModel
from ibtools.recorders.engines.keras.quantizers import range_variables, ranged_layers, reset_ranges
from ibtools.store.snapshots import LayerValues

Output = tuple[NDArray[np.float32], NDArray[np.int64]]
"""Probabilities (sample, class) and predicted classes (sample,)."""

BATCH_VALUES = 2**24
"""How many float32 values of inputs and recorded layers a batch has by default: 64 MiB."""


class SnapshotTaker:
    """Evaluates a model on all samples, with one forward pass that is compiled once.

    Parameters
    ----------
    tapped : TappedModel
        The model; its weights are read anew at every call.
    batch_size : int, optional
        Samples per pass, to bound memory. By default as many as have `BATCH_VALUES` values; a pass
        needs several times the memory of these.

    Raises
    ------
    InputError
        If the batch size is not positive.

    Notes
    -----
    The pass is a graph of TensorFlow's own operations, never fused by XLA, whose quantisation does
    not return values on the grid to the last bit. The codes are computed from its values, each of
    which is certified to be on the grid.

    The range of a Tanh layer is that of its output over all samples. In a single pass, each layer
    quantises on exactly that. In several, a range is final only after a round over all batches in
    which those of the layers before it were: one round per Tanh layer, then the one that is
    recorded.
    """

    def __init__(self, tapped: TappedModel, *, batch_size: int | None = None) -> None:
        if batch_size is not None and batch_size < 1:
            raise InputError(f"batch_size must be at least 1, but is {batch_size}")
        self._taps = tapped.taps
        self._batch_size = batch_size or choose_batch_size(tapped)
        self._n_ranged = len(ranged_layers(tapped.model))
        self._none_final, self._all_final = tf.constant(0), tf.constant(self._n_ranged)
        self._record = _compile_record(tapped)
        self._output = _compile_output(tapped)

    def take(self, x: NDArray[np.float32]) -> dict[str, LayerValues]:
        """Record all layers.

        Parameters
        ----------
        x : ndarray or tf.Tensor, (sample, ...), float32
            All samples: the ranges of Tanh layers depend on them.

        Returns
        -------
        dict of str to LayerValues
            By the layer's name, with values (sample, unit). A quantised network gives certified
            uint8 codes, or uint16 above 8 bits, those of the logits for a "softmax"; one that is
            not quantised gives float32 values.

        Raises
        ------
        GridError
            If a value is not on its quantiser's grid.
        """
        return self.take_and_predict(x)[0]

    def take_and_predict(self, x: NDArray[np.float32]) -> tuple[dict[str, LayerValues], Output]:
        """Record all layers, and compute the output in the same pass: `take` and `predict`."""
        taken: dict[str, LayerValues] = {}
        outputs = []
        for first, (layers, ends, recorded, probabilities) in self._passes(self._record, x):
            outputs.append((probabilities.numpy(), recorded.numpy().argmax(axis=1)))
            for tap, layer, range_ in zip(self._taps, layers, ends.numpy(), strict=True):
                block = _layer_values(tap, layer.numpy(), range_, first)
                whole = taken.setdefault(tap.spec.name, _allocate(block, len(x)))
                whole.values[first : first + len(block.values)] = block.values
        probabilities, predicted = zip(*outputs, strict=True)
        return taken, (np.concatenate(probabilities), np.concatenate(predicted))

    def predict(self, x: NDArray[np.float32]) -> Output:
        """Compute the network's output, without the other layers.

        Parameters
        ----------
        x : ndarray or tf.Tensor, (sample, ...), float32
            All samples, as for `take`.

        Returns
        -------
        probabilities : ndarray, (sample, class), float32
            Those of the loss, never quantised.
        predicted : ndarray, (sample,), int64
            The class whose recorded value is the largest, the first of them if there are several.
        """
        outputs = [outputs for _, outputs in self._passes(self._output, x)]
        return (
            np.concatenate([probabilities.numpy() for _, probabilities in outputs]),
            np.concatenate([recorded.numpy().argmax(axis=1) for recorded, _ in outputs]),
        )

    def _passes(self, forward: Any, x: NDArray[np.float32]) -> Iterator[tuple[int, Any]]:
        """Yield each batch's first sample and outputs, while the ranges are final."""
        firsts = range(0, len(x), self._batch_size)
        if len(firsts) == 1:  # without slicing, which copies
            yield 0, forward(tf.convert_to_tensor(x), self._none_final)
            return
        batches = [tf.convert_to_tensor(x[first : first + firsts.step]) for first in firsts]
        self._settle_ranges(batches)
        for first, batch in zip(firsts, batches, strict=True):
            yield first, forward(batch, self._all_final)

    def _settle_ranges(self, batches: list[Any]) -> None:
        for round_ in range(self._n_ranged):
            for index, batch in enumerate(batches):
                n_final = self._all_final if index else tf.constant(round_)
                self._output(batch, n_final)


def choose_batch_size(tapped: TappedModel, n_values: int = BATCH_VALUES) -> int:
    """Return how many samples have so many values of inputs and recorded layers."""
    n_inputs = math.prod(int(length) for length in tapped.model.input_shape[1:])
    of_sample = n_inputs + sum(tap.spec.n_units for tap in tapped.taps)
    return max(1, n_values // of_sample)


def output_model(tapped: TappedModel, *further: Any) -> Any:
    """Build the model of the same layers that ends in the recorded output and the probabilities.

    tfmot copies a model in steps and reuses the layers that it does not wrap, which then keep the
    outputs of earlier steps as well: only the last one (`get_output_at(-1)`) belongs to the model.
    """
    recorded = tapped.taps[-1].layer.get_output_at(-1)
    return tf_keras.Model(tapped.model.inputs, [*further, recorded, tapped.model.output])


def _compile(forward: Callable[..., Any], model: Any) -> Any:
    """Trace a pass over inputs and the number of ranges that are final."""
    (inputs,) = model.inputs
    signature = [tf.TensorSpec(inputs.shape, tf.float32), tf.TensorSpec([], tf.int32)]
    return tf.function(forward, input_signature=signature).get_concrete_function()


def _compile_output(tapped: TappedModel) -> Any:
    """Compile inference of the recorded output and the probabilities, for any batch size."""
    model, ranged = output_model(tapped), ranged_layers(tapped.model)

    def forward(x: Any, n_final: Any) -> Any:
        reset_ranges(ranged, n_final)
        return model(x, training=False)

    return _compile(forward, model)


def _compile_record(tapped: TappedModel) -> Any:
    """Compile inference of all layers, with the ends of their ranges, for any batch size."""
    layers = [tap.layer.get_output_at(-1) for tap in tapped.taps]
    model, ranged = output_model(tapped, *layers), ranged_layers(tapped.model)

    def forward(x: Any, n_final: Any) -> Any:
        reset_ranges(ranged, n_final)
        *values, recorded, probabilities = model(x, training=False)
        flat = [
            tf.reshape(value, [len(value), tap.spec.n_units])
            for tap, value in zip(tapped.taps, values, strict=True)
        ]
        return flat, tf.stack([_read_range(tap) for tap in tapped.taps]), recorded, probabilities

    return _compile(forward, model)


def _read_range(tap: Tap) -> Any:
    """Read the ends of the range that a layer's values are quantised on, if they are: (2,)."""
    if not tap.spec.quantised:
        return tf.zeros(2)
    ends = range_variables(tap.grid_layer or tap.layer, "output")
    return tf.stack([end.read_value() for end in ends])


def _layer_values(
    tap: Tap, values: NDArray[np.float32], ends: NDArray[np.float32], first_sample: int
) -> LayerValues:
    """Encode a layer's values on its quantiser's grid; every one is certified."""
    if not tap.spec.quantised:
        return LayerValues(values)
    low, high = ends
    grid = Grid.from_range(low, high, tap.spec.bits)
    codes = grid.encode(values, layer=tap.spec.name, first_sample=first_sample)
    return LayerValues(codes, float(grid.scale), grid.zero_point)


def _allocate(block: LayerValues, n_samples: int) -> LayerValues:
    """Make room for the values of all samples of a layer."""
    shape = (n_samples, block.values.shape[1])
    return LayerValues(np.empty(shape, block.values.dtype), block.scale, block.zero_point)
