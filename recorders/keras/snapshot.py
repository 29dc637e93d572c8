"""Take a snapshot: the integer codes of every layer on its quantiser's own grid, certified.

TensorFlow's fake quantisation returns float32 values ``scale * k`` with integer k, so that the code
``k + zero_point`` gives each value back bit for bit. This is not assumed but checked for every
value of every snapshot.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras
from numpy.typing import NDArray

from ibtools.errors import GridError, InputError
from ibtools.recorders.keras.quantise import Tap, TappedModel
from ibtools.recorders.keras.quantizers import has_current_range, range_variables, reset_range
from ibtools.snapshots import LayerValues

Codes = NDArray[np.unsignedinteger[Any]]
"""Integer codes, (sample, unit), uint8 or uint16."""

BATCH_VALUES = 2**24
"""How many float32 values of inputs and recorded layers a batch has by default: 64 MiB."""


@dataclass(frozen=True)
class Grid:
    """The values that a quantiser can return: ``scale * (code - zero_point)``.

    Parameters
    ----------
    scale : numpy.float32
        Distance between neighbours.
    zero_point : int
        The code of the value 0.
    bits : int
        Codes are 0 to 2**bits - 1.

    Examples
    --------
    >>> grid = Grid.from_range(-6, 6, bits=2)
    >>> grid
    Grid(scale=np.float32(4.0), zero_point=2, bits=2)
    >>> grid.encode(np.float32([[-8, 0, 4]]), layer="hidden_1")
    array([[0, 2, 3]], dtype=uint8)
    """

    scale: np.float32
    zero_point: int
    bits: int

    @classmethod
    def from_range(cls, low: float, high: float, bits: int) -> "Grid":
        """Compute the grid of a range as TensorFlow does, in float32.

        Parameters
        ----------
        low, high : float
            Ends of the range, low <= 0 <= high.
        bits : int
            Bits of a code.

        Returns
        -------
        Grid
            The range moved so that 0 is one of its values. For low = high = 0, where TensorFlow
            returns zeros, the scale is 1.

        Raises
        ------
        GridError
            If the range does not include 0 or is not finite.

        Notes
        -----
        ``scale = (high - low) / (2**bits - 1)`` and ``zero_point = -low / scale``, rounded with
        halves away from 0 (`Nudge` in TensorFlow's fake_quant_ops_functor.h).
        """
        lowest, highest = np.float32(low), np.float32(high)
        if not -np.inf < lowest <= 0 <= highest < np.inf:
            raise GridError(
                f"the range of a quantiser must be finite and include 0, but is [{low}, {high}]; "
                "the training may have diverged"
            )
        if lowest == highest:
            return cls(np.float32(1), 0, bits)
        scale = (highest - lowest) / np.float32(2**bits - 1)
        zero_point = int(np.floor(np.float64(-lowest / scale) + 0.5))
        return cls(scale, min(zero_point, 2**bits - 1), bits)

    def encode(self, values: NDArray[np.float32], *, layer: str, first_sample: int = 0) -> Codes:
        """Find the codes of values, and certify that they stand for exactly these values.

        Parameters
        ----------
        values : ndarray, (sample, unit), float32
            Output of the quantiser.
        layer : str
            Its name, for the error.
        first_sample : int
            Number of the first sample, for the error.

        Returns
        -------
        ndarray, (sample, unit), uint8, or uint16 above 8 bits
            Codes; ``decode`` gives equal values (0 for -0).

        Raises
        ------
        GridError
            If a value is not on the grid.
        """
        with np.errstate(invalid="ignore", over="ignore"):
            nearest = np.rint(values / self.scale) + np.float32(self.zero_point)
            clipped = np.clip(nearest, 0, 2**self.bits - 1)
            codes: Codes = clipped.astype(np.uint8 if self.bits <= 8 else np.uint16)
        wrong = self.decode(codes) != values
        if wrong.any():
            sample, unit = (int(i) for i in np.argwhere(wrong)[0])
            raise GridError(
                f"every value of layer {layer!r} must be on the grid {self._describe()}, but "
                f"sample {first_sample + sample}, unit {unit} is {values[sample, unit]}; this "
                "recorder and the quantiser disagree, or the training has diverged"
            )
        return codes

    def decode(self, codes: Codes) -> NDArray[np.float32]:
        """Compute the values that codes stand for.

        Parameters
        ----------
        codes : ndarray, (sample, unit), uint8 or uint16
            Codes.

        Returns
        -------
        ndarray, (sample, unit), float32
        """
        steps = codes.astype(np.int32) - self.zero_point
        return np.multiply(self.scale, steps, dtype=np.float32)

    def _describe(self) -> str:
        return f"{self.scale} * (code - {self.zero_point}), code 0 to {2**self.bits - 1}"


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
    The range of a Tanh layer is that of its output over all samples. In a single pass, each layer
    quantises on exactly that. In several, a range is final only after a round over all batches in
    which those of the layers before it were: one round per Tanh layer, then the one that is
    recorded.
    """

    def __init__(self, tapped: TappedModel, *, batch_size: int | None = None) -> None:
        if batch_size is not None and batch_size < 1:
            raise InputError(f"batch_size must be at least 1, but is {batch_size}")
        self._taps = tapped.taps
        self._batch_size = batch_size or _choose_batch_size(tapped)
        self._ranged = [layer for layer in tapped.model.layers if has_current_range(layer)]
        outputs = [tap.layer.get_output_at(-1) for tap in tapped.taps]
        self._layers = _compile(tapped.model, outputs)
        self._output = _compile(tapped.model, [outputs[-1], tapped.model.output])

    def take(self, x: NDArray[np.float32]) -> dict[str, LayerValues]:
        """Record all layers.

        Parameters
        ----------
        x : ndarray, (sample, ...), float32
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
        taken: dict[str, LayerValues] = {}
        for first, outputs in self._passes(self._layers, x):
            for tap, output in zip(self._taps, outputs, strict=True):
                block = _record(tap, output, first)
                whole = taken.setdefault(tap.spec.name, _allocate(block, len(x)))
                whole.values[first : first + len(block.values)] = block.values
        return taken

    def predict(self, x: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Compute the network's output, without the other layers.

        Parameters
        ----------
        x : ndarray, (sample, ...), float32
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

    def _passes(self, forward: Any, x: NDArray[np.float32]) -> Iterator[tuple[int, list[Any]]]:
        """Yield each batch's first sample and outputs, while the ranges are final."""
        firsts = range(0, len(x), self._batch_size)
        batches = [x[first : first + firsts.step] for first in firsts]
        if len(batches) > 1:
            self._settle_ranges(batches)
        else:
            self._reset_ranges(0)
        for first, batch in zip(firsts, batches, strict=True):
            yield first, forward(batch)

    def _settle_ranges(self, batches: list[NDArray[np.float32]]) -> None:
        for n_final in range(len(self._ranged)):
            self._reset_ranges(n_final)
            for batch in batches:
                self._output(batch)

    def _reset_ranges(self, n_final: int) -> None:
        for layer in self._ranged[n_final:]:
            reset_range(layer)


def _choose_batch_size(tapped: TappedModel) -> int:
    n_inputs = math.prod(int(length) for length in tapped.model.input_shape[1:])
    n_values = n_inputs + sum(tap.spec.n_units for tap in tapped.taps)
    return max(1, BATCH_VALUES // n_values)


def _compile(tapped_model: Any, outputs: list[Any]) -> Any:
    """Compile inference up to some tensors, for batches of any size.

    tfmot copies a model in steps and reuses the layers that it does not wrap, which then keep the
    outputs of earlier steps as well: only the last one (`get_output_at(-1)`) belongs to the model.
    """
    (inputs,) = tapped_model.inputs
    model = tf_keras.Model(inputs, outputs)
    signature = [tf.TensorSpec(inputs.shape, inputs.dtype)]
    return tf.function(
        lambda x: tf.nest.flatten(model(x, training=False)), input_signature=signature
    )


def _record(tap: Tap, output: Any, first_sample: int) -> LayerValues:
    values = output.numpy().reshape(len(output), -1)
    if not tap.spec.quantised:
        return LayerValues(values)
    ends = range_variables(tap.grid_layer or tap.layer, "output")
    low, high = (float(end.numpy()) for end in ends)
    grid = Grid.from_range(low, high, tap.spec.bits)
    codes = grid.encode(values, layer=tap.spec.name, first_sample=first_sample)
    return LayerValues(codes, float(grid.scale), grid.zero_point)


def _allocate(block: LayerValues, n_samples: int) -> LayerValues:
    """Make room for the values of all samples of a layer."""
    shape = (n_samples, block.values.shape[1])
    return LayerValues(np.empty(shape, block.values.dtype), block.scale, block.zero_point)
