"""The layers of a Keras model for a snapshot, of a model in training that is left untouched."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ibtools.errors import IbtoolsError, InputError
from ibtools.recorders.capture.batches import TakenLayers, count_samples, validate_batch_size
from ibtools.recorders.capture.keras_models.fake_quant import FakeQuantCalls
from ibtools.recorders.capture.keras_models.hgq import output_quantiser, quantiser_grid
from ibtools.recorders.capture.keras_models.hooks import Hooks
from ibtools.recorders.capture.keras_models.models import (
    named_layers,
    run,
    untouched,
    validate_built,
    validate_model,
)
from ibtools.recorders.capture.keras_models.outputs import ADVICE, values_of
from ibtools.recorders.capture.names import chosen_as_values, listed, names_in_store
from ibtools.recorders.capture.quantiser_grid import QuantiserGrid
from ibtools.store.encode import validate_bits
from ibtools.store.snapshots import MAX_CODE_BITS, LayerValues

Inputs = Any
"""An array (sample, ...), or a list, tuple or mapping of these, as `model.fit` takes them."""

_KINDS = "an array (sample, ...), or a list, tuple or mapping of arrays"


class KerasCapture:
    """Takes the layers of a model of Keras 3 or tf_keras, as a recorder takes them.

    `ibtools.KerasCallback` does it in `model.fit`; this is for a loop of your own.

    Parameters
    ----------
    model : keras.Model or tf_keras.Model
        The model, in training or not, on the TensorFlow, JAX or PyTorch backend.
    layers : str, iterable of str, or mapping of str to str
        Layers by their names, those inside of others by dotted ones ("encoder.dense_1"), or by
        patterns: `*` stands for anything without a dot, `**` for anything. A mapping gives a layer
        another name in the store: ``{"hidden_1": "encoder.dense_1"}``.
    exclude : str or iterable of str, optional
        Names and patterns of what is left out again.
    values : bool, str or iterable of str, optional
        Record float32 values where codes could be: of all layers, or of those named.
    bits : mapping of str to int, optional
        Width of the codes, 1 to 16, of layers by name. Of HGQ2, whose units learn their widths: 16
        where it is not given. Of layers that are quantised by something that is not known here:
        their grid is found, see `ibtools.LayerValues.on_grid`.
    batch_size : int, optional
        Samples in a pass; 1024 by default. None takes all at once.

    Raises
    ------
    UnknownNameError
        If a name or pattern matches no layer; the error lists them.
    InputError
        If the model is none, or `batch_size` is not positive.
    StoreError
        If a width is none.

    See Also
    --------
    ibtools.KerasCallback : Records while `model.fit` trains.

    Notes
    -----
    *What is taken*. A layer that returns what ``fake_quant_with_min_max_vars`` of Keras or
    TensorFlow returned, as those of tfmot do, and one that is or ends in a quantiser of HGQ2, are
    taken as integer codes on the grid of that quantiser, each certified to stand for the very value
    that the layer returned; see `ibtools.LayerValues.from_values`. Units of HGQ2 have widths of
    their own, and become codes on the finest grid of them. These widths change while they are
    trained, but that of the codes is one in a recording: 16, or what `bits` says, and an error
    where they need more. Every other layer is taken as its values.

    *How.* The model runs on the recorded inputs as for inference, one operation after the other,
    whatever `jit_compile` says; with XLA the training itself may round otherwise. Afterwards the
    variables of the model, with the statistics of batch norm and the states of seed generators, and
    the random states of Python, NumPy and PyTorch are what they were before, to the last bit.

    Examples
    --------
    See docs/keras.md.
    """

    def __init__(
        self,
        model: Any,
        layers: str | Iterable[str] | Mapping[str, str],
        *,
        exclude: str | Iterable[str] = (),
        values: bool | str | Iterable[str] = False,
        bits: Mapping[str, int] | None = None,
        batch_size: int | None = 1024,
    ) -> None:
        validate_model(model)
        validate_batch_size(batch_size)
        self._model = model
        self._batch_size = batch_size
        known = named_layers(model)
        self._names = names_in_store(list(known), layers, listed(exclude))
        self._layers = {name: known[name] for name in self._names}
        self._as_values = chosen_as_values(self._names, values)
        widths = _chosen_bits(self._names, bits or {})
        self._bits = {name: widths[name] for name in widths if name not in self._as_values}

    @property
    def layers(self) -> tuple[str, ...]:
        """Names in the store of the layers that are taken."""
        return tuple(self._names.values())

    def __call__(self, inputs: Inputs) -> dict[str, LayerValues]:
        """Take the layers for some inputs.

        Parameters
        ----------
        inputs : array_like, (sample, ...), or list, tuple or mapping of these
            The recorded inputs, always the same ones, as the model is called on them.

        Returns
        -------
        dict of str to LayerValues
            By name, in the order in which the model calls them: codes (sample, ...) with their
            grid, or float32 values.

        Raises
        ------
        GridError
            If a value is not on its quantiser's grid, or that depends on the batch.
        StoreError
            If a value is NaN.
        InputError
            If the model has no weights yet; if a layer is not called, or more than once, or returns
            no tensor of the samples, or needs codes of more than 16 bits, or than `bits` says.
        """
        validate_built(self._model)
        taken = TakenLayers(self._names, ADVICE)
        n_samples = count_samples(_arrays(inputs), _KINDS)
        with untouched(self._model):
            taken.run(n_samples, self._batch_size, lambda of: self._pass(_cut(inputs, of), taken))
        return taken.whole(self._bits)

    def _pass(self, batch: Inputs, taken: TakenLayers) -> None:
        """Run one batch through the model, and have every layer taken."""
        calls = FakeQuantCalls()
        failed: list[IbtoolsError] = []

        def show(name: str, layer: Any, output: Any) -> None:
            try:
                grids = self._grids(name, layer, output, calls)
                taken.take(name, values_of(self._names[name], output), grids)
            except IbtoolsError as err:  # Keras would write all over an error of a layer
                failed.append(err)

        with Hooks(self._layers, show), calls:
            run(self._model, batch)
        if failed:
            raise failed[0]

    def _grids(
        self, name: str, layer: Any, output: Any, calls: FakeQuantCalls
    ) -> Sequence[QuantiserGrid]:
        """Return the grids that an output may be on; none if it is taken as values."""
        if name in self._as_values or not hasattr(output, "shape"):
            return ()
        quantiser, bits = output_quantiser(layer), self._bits.get(name)
        if quantiser is not None:
            width = MAX_CODE_BITS if bits is None else bits
            return (quantiser_grid(quantiser, tuple(output.shape), width, self._names[name]),)
        if bits is not None:
            return ()
        grids = calls.grids(output)
        if grids and grids[0].bits > MAX_CODE_BITS:
            raise InputError(
                f"layer {self._names[name]!r} must have codes of {MAX_CODE_BITS} bits at most to "
                f"be recorded, found {grids[0].bits}; record values: values=[{name!r}]"
            )
        return grids


def _chosen_bits(names: Mapping[str, str], bits: Mapping[str, int]) -> dict[str, int]:
    """Return the widths of layers that are named as in the model, or in the store."""
    for one, width in bits.items():
        validate_bits(one, width)
    return {
        name: width for one, width in bits.items() for name in sorted(chosen_as_values(names, one))
    }


def _arrays(inputs: Inputs) -> list[Any]:
    if isinstance(inputs, Mapping):
        return list(inputs.values())
    return list(inputs) if isinstance(inputs, list | tuple) else [inputs]


def _cut(inputs: Inputs, samples: slice) -> Inputs:
    """Return the inputs of one batch, in the same structure."""
    if isinstance(inputs, Mapping):
        return {name: one[samples] for name, one in inputs.items()}
    if isinstance(inputs, list | tuple):
        return type(inputs)(one[samples] for one in inputs)
    return inputs[samples]
