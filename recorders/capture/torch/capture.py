"""The layers of a PyTorch model for a snapshot, of a model in training that is left untouched."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import torch

from ibtools.errors import InputError
from ibtools.recorders.capture.batches import TakenLayers, count_samples, validate_batch_size
from ibtools.recorders.capture.names import chosen_as_values, listed, names_in_store
from ibtools.recorders.capture.quantiser_grid import QuantiserGrid
from ibtools.recorders.capture.torch.exported import find_places, is_exported, run_exported
from ibtools.recorders.capture.torch.hooks import Hooks, named_layers, plain_model
from ibtools.recorders.capture.torch.outputs import ADVICE, values_of
from ibtools.recorders.capture.torch.quantisers import refuse_unobserved, unobserved_quantisers
from ibtools.recorders.capture.torch.untouched import untouched
from ibtools.store.snapshots import LayerValues

Inputs = Any
"""A tensor or array (sample, ...), a tuple of these for several arguments, or a mapping of them for
keyword arguments."""

_KINDS = "a tensor (sample, ...), or a tuple or mapping of tensors"


class TorchCapture:
    """Takes the layers of a PyTorch model, as `ibtools.record_arrays` and a recorder take them.

    Parameters
    ----------
    model : torch.nn.Module
        The model, in training or not; compiled, wrapped in (Distributed)DataParallel, prepared for
        quantisation-aware training by torch.ao, torchao (PT2E) or Brevitas, or plain.
    layers : str, iterable of str, or mapping of str to str
        Modules by their dotted names, as `named_modules` has them, or by patterns: `*` stands for
        anything without a dot, `**` for anything. A mapping gives a module another name in the
        store: ``{"hidden_1": "encoder.0.act"}``. Layers of an exported graph are called after the
        modules that it was made of.
    exclude : str or iterable of str, optional
        Names and patterns of what is left out again.
    values : bool, str or iterable of str, optional
        Record float32 values where codes could be: of all layers, or of those named.
    batch_size : int, optional
        Samples in a pass; 1024 by default. None takes all at once.
    device : optional
        Where inputs go to; by default to the device of the model's first parameter.
    forward : callable, optional
        Calls the model on a batch: ``forward(model, *inputs)``; by default ``model(*inputs)``.

    Raises
    ------
    UnknownNameError
        If a name or pattern matches no module; the error lists them.
    InputError
        If the model is TorchScript, or `batch_size` is not positive.

    See Also
    --------
    ibtools.record_arrays : Writes what this takes into a store.

    Notes
    -----
    *What is taken*. A module that quantises its output is taken as integer codes on the grid of its
    own quantiser, each certified to stand for the very value that the module returned; see
    `ibtools.LayerValues.from_values`. These are `FakeQuantize` and its kind (of torch.ao and
    torchao, a module itself or attached to another, per tensor or per channel), and modules of
    Brevitas (QuantReLU, QuantIdentity, whatever returns a QuantTensor or has an output quantiser).
    Every other module is taken as its values, and so are quantisers that are switched off, and
    those whose codes are wider than 16 bits.

    *The training is not touched.* Modules are hooked while the recorded inputs run through the
    model in eval mode without gradients, and unhooked then. Meanwhile the model has copies of its
    buffers and small parameters, and its observers are off. Parameters, buffers (those of batch
    norm and of observers), gradients, modes, hooks, and the random states of Python, NumPy and
    PyTorch are after it what they were before, to the last bit. What a module keeps elsewhere, in a
    list or outside of the model, is its own affair. Compiled models are run as they were written.

    Examples
    --------
    >>> import torch, ibtools
    >>> model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2))
    >>> capture = ibtools.TorchCapture(model, {"hidden": "1", "output": "2"})
    >>> {name: layer.values.shape for name, layer in capture(torch.rand(10, 4)).items()}
    {'hidden': (10, 3), 'output': (10, 2)}
    """

    def __init__(
        self,
        model: torch.nn.Module,
        layers: str | Iterable[str] | Mapping[str, str],
        *,
        exclude: str | Iterable[str] = (),
        values: bool | str | Iterable[str] = False,
        batch_size: int | None = 1024,
        device: Any = None,
        forward: Callable[..., Any] | None = None,
    ) -> None:
        if not isinstance(model, torch.nn.Module):
            raise InputError(f"model must be a torch.nn.Module, found {type(model).__name__}")
        validate_batch_size(batch_size)
        self._model: Any = plain_model(model)
        self._is_exported = is_exported(self._model)
        if forward is not None and self._is_exported:
            raise InputError("an exported model has one way to be called; leave forward out")
        self._batch_size = batch_size
        self._device = device
        self._forward = forward or _call
        known = find_places(self._model) if self._is_exported else named_layers(self._model)
        self._names = names_in_store(list(known), layers, listed(exclude))
        self._as_values = chosen_as_values(self._names, values)

    @property
    def layers(self) -> tuple[str, ...]:
        """Names in the store of the modules that are taken."""
        return tuple(self._names.values())

    def __call__(self, inputs: Inputs) -> dict[str, LayerValues]:
        """Take the layers for some inputs.

        Parameters
        ----------
        inputs : tensor or ndarray, (sample, ...), or tuple or mapping of these
            The recorded inputs, always the same ones. A tuple is several arguments of the model, a
            mapping its keyword arguments.

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
            If a layer is not called, or more than once, or returns no tensor of the samples; if a
            quantiser has no range yet.
        """
        unobserved = unobserved_quantisers(self._model)
        taken = TakenLayers(self._names, ADVICE)
        device = self._device or _device_of(self._model)
        n_samples = count_samples(_tensors(inputs), _KINDS)
        with untouched(self._model):
            refuse_unobserved(unobserved)
            taken.run(
                n_samples,
                self._batch_size,
                lambda samples: self._pass(taken, *_cut(inputs, samples, device)),
            )
        return taken.whole()

    def _pass(self, taken: TakenLayers, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Run one batch through the model, and have every layer taken."""

        def show(name: str, output: Any, grid: QuantiserGrid | None) -> None:
            grids = () if grid is None or name in self._as_values else (grid,)
            taken.take(name, values_of(self._names[name], output), grids)

        if self._is_exported:
            if kwargs:
                raise InputError("inputs of an exported model must be a tensor or a tuple of these")
            run_exported(self._model, list(self._names), show, args)
        else:
            with Hooks(self._model, list(self._names), show):
                self._forward(self._model, *args, **kwargs)


def _call(model: torch.nn.Module, *args: Any, **kwargs: Any) -> Any:
    return model(*args, **kwargs)


def _device_of(model: torch.nn.Module) -> Any:
    for tensor in (*model.parameters(), *model.buffers()):
        return tensor.device
    return "cpu"


def _tensors(inputs: Inputs) -> list[Any]:
    if isinstance(inputs, Mapping):
        return list(inputs.values())
    return list(inputs) if isinstance(inputs, tuple) else [inputs]


def _cut(inputs: Inputs, samples: slice, device: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the arguments of one batch."""
    if isinstance(inputs, Mapping):
        return (), {name: _on(one, samples, device) for name, one in inputs.items()}
    return tuple(_on(one, samples, device) for one in _tensors(inputs)), {}


def _on(array: Any, samples: slice, device: Any) -> Any:
    """Return a batch on a device: a copy, for models that write to their inputs."""
    if isinstance(array, torch.Tensor):
        return array.detach()[samples].clone().to(device)
    return torch.tensor(np.asarray(array)[samples]).to(device)
