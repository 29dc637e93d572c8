"""The layers of a PyTorch model for a snapshot, of a model in training that is left untouched."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ibtools.errors import GridError, InputError, StoreError
from ibtools.recorders.capture.names import choose_names
from ibtools.recorders.capture.torch.exported import (
    Evaluation,
    called_again,
    find_places,
    is_exported,
    validate_places,
)
from ibtools.recorders.capture.torch.quantisers import (
    QuantiserGrid,
    brevitas_quantiser,
    fake_quantiser,
    fake_quantiser_grid,
    is_quant_tensor,
    quant_tensor_grid,
    validate_observed,
    value_of,
)
from ibtools.recorders.capture.torch.untouched import untouched
from ibtools.store.snapshots import LayerValues

Inputs = Any
"""A tensor or array (sample, ...), a tuple of these for several arguments, or a mapping of them for
keyword arguments."""

Show = Callable[[str, Any, QuantiserGrid | None], None]
"""Takes the name of a layer, its output of a batch, and its grid."""


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

    *The training is not touched.* Modules are hooked while the recorded inputs run through the model
    in eval mode without gradients, and unhooked then. Meanwhile the model has copies of its buffers
    and small parameters, and its observers are off. Parameters, buffers (those of batch norm and of
    observers), gradients, modes, hooks, and the random states of Python, NumPy and PyTorch are
    after it what they were before, to the last bit. What a module keeps elsewhere, in a list or
    outside of the model, is its own affair. Compiled models are run as they were written.

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
        if batch_size is not None and batch_size < 1:
            raise InputError(f"batch_size must be at least 1, or None, found {batch_size}")
        self._model = plain_model(model)
        self._batch_size = batch_size
        self._device = device
        self._forward = forward or _call
        if forward is not None and is_exported(self._model):
            raise InputError("an exported model has one way to be called; leave forward out")
        known = module_names(self._model)
        self._names = _names_in_store(known, layers, _listed(exclude))
        self._as_values = set(self._names) if values is True else set()
        if not isinstance(values, bool):
            of_store = [*self._names, *(known_as for known_as in self._names.values())]
            asked = choose_names(list(dict.fromkeys(of_store)), _listed(values))
            self._as_values = {
                name for name, other in self._names.items() if {name, other} & set(asked)
            }

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
        taken: dict[str, _Taken] = {}
        device = self._device or _device_of(self._model)
        n_samples = _count_samples(inputs)
        step = self._batch_size or n_samples
        validate_observed(self._model)
        with untouched(self._model):
            for first in range(0, n_samples, step):
                batch = _Batch(first, min(step, n_samples - first))
                self._pass(batch, _cut(inputs, slice(first, first + step), device))
                for name, layer in batch.layers.items():
                    taken.setdefault(name, _Taken(self._names[name])).add(layer)
        return {self._names[name]: layer.whole() for name, layer in taken.items()}

    def _pass(self, batch: "_Batch", arguments: tuple[tuple[Any, ...], dict[str, Any]]) -> None:
        """Run one batch through the model, and have every layer taken."""

        def show(name: str, output: Any, grid: QuantiserGrid | None) -> None:
            used = None if name in self._as_values else grid
            batch.take(name, self._names[name], output, used)

        args, kwargs = arguments
        if is_exported(self._model):
            if kwargs:
                raise InputError("inputs of an exported model must be a tensor or a tuple of these")
            _run_exported(self._model, list(self._names), show, args)
        else:
            with _Hooks(self._model, list(self._names), show):
                self._forward(self._model, *args, **kwargs)
        for name, known_as in self._names.items():
            if name not in batch.layers:
                raise InputError(
                    f"layer {known_as!r} must be called when the model is, but is not: leave it "
                    "out, or call what uses it with forward="
                )
            if batch.n_calls[name] > 1:
                raise called_again(known_as, batch.n_calls[name])


def _call(model: torch.nn.Module, *args: Any, **kwargs: Any) -> Any:
    return model(*args, **kwargs)


def plain_model(model: torch.nn.Module) -> torch.nn.Module:
    """Return the model that was compiled or distributed, or the model itself."""
    while True:
        inner = getattr(model, "_orig_mod", None)
        if inner is None and isinstance(
            model, torch.nn.DataParallel | torch.nn.parallel.DistributedDataParallel
        ):
            inner = model.module
        if not isinstance(inner, torch.nn.Module):
            return model
        model = inner


def module_names(model: torch.nn.Module) -> list[str]:
    """Return the names by which layers of a model can be chosen."""
    if is_exported(model):
        return list(find_places(model))  # type: ignore[arg-type]
    return [name.replace("_orig_mod.", "") for name, _ in model.named_modules() if name]


def _names_in_store(
    known: list[str], layers: str | Iterable[str] | Mapping[str, str], exclude: list[str]
) -> dict[str, str]:
    """Return the names in the store by those of the chosen modules."""
    if not isinstance(layers, Mapping):
        return {name: name for name in choose_names(known, _listed(layers), exclude)}
    chosen = {one: choose_names(known, [pattern], ()) for one, pattern in layers.items()}
    for one, found in chosen.items():
        if len(found) > 1:
            raise InputError(
                f"layer {one!r} must be one module, found {', '.join(found)} by {layers[one]!r}"
            )
    excluded = set(choose_names(known, exclude)) if exclude else set()
    return {name: one for one, (name,) in chosen.items() if name not in excluded}


def _listed(names: str | Iterable[str]) -> list[str]:
    return [names] if isinstance(names, str) else list(names)


class _Hooks:
    """Hooks on modules, while they are entered."""

    def __init__(self, model: torch.nn.Module, names: list[str], show: Show) -> None:
        modules = {name.replace("_orig_mod.", ""): module for name, module in model.named_modules()}
        self._modules = {name: plain_model(modules[name]) for name in names}
        self._show = show
        self._handles: list[Any] = []
        self._quant_tensors: dict[str, Any] = {}

    def __enter__(self) -> None:
        for name, module in self._modules.items():
            proxy = brevitas_quantiser(module)
            if proxy is not None:
                self._handles.append(proxy.register_forward_hook(self._keeping(name)))
            self._handles.append(module.register_forward_hook(self._showing(name)))

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:
            handle.remove()

    def _keeping(self, name: str) -> Callable[..., None]:
        def keep(module: torch.nn.Module, args: Any, output: Any) -> None:
            self._quant_tensors[name] = output

        return keep

    def _showing(self, name: str) -> Callable[..., None]:
        def show(module: torch.nn.Module, args: Any, output: Any) -> None:
            self._show(name, value_of(output), self._grid(name, module, output))

        return show

    def _grid(self, name: str, module: torch.nn.Module, output: Any) -> QuantiserGrid | None:
        source = output if is_quant_tensor(output) else self._quant_tensors.get(name)
        if is_quant_tensor(source):
            return quant_tensor_grid(source)
        quantiser = fake_quantiser(module)
        if quantiser is None or not isinstance(output, torch.Tensor):
            return None
        return fake_quantiser_grid(quantiser, output.ndim)


def _run_exported(model: Any, names: list[str], show: Show, args: tuple[Any, ...]) -> None:
    """Evaluate a graph, and show the layers."""
    places = find_places(model)
    validate_places(places, names)
    wanted: dict[Any, list[str]] = {}
    for name in names:
        wanted.setdefault(places[name].node, []).append(name)

    def show_node(node: Any, output: Any) -> None:
        for name in wanted.get(node, ()):
            quantiser = places[name].quantiser
            grid = quantiser and fake_quantiser_grid(quantiser, output.ndim)
            show(name, output, grid)

    Evaluation(model, show_node).run(*args)


class _Batch:
    """The layers of one batch."""

    def __init__(self, first: int, n_samples: int) -> None:
        self._first = first
        self._n_samples = n_samples
        self.layers: dict[str, tuple[LayerValues, QuantiserGrid | None]] = {}
        self.n_calls: dict[str, int] = {}

    def take(self, name: str, known_as: str, output: Any, grid: QuantiserGrid | None) -> None:
        """Take what a layer returned, at once: a later operation may overwrite it."""
        self.n_calls[name] = self.n_calls.get(name, 0) + 1
        values = self._values(known_as, output)
        if grid is None:
            self.layers[name] = LayerValues(values), None
            return
        coded = LayerValues.from_values(
            values,
            scale=grid.scale,
            zero_point=grid.zero_point,
            bits=grid.bits,
            lowest_code=grid.lowest_code,
            layer=known_as,
            first_sample=self._first,
        )
        self.layers[name] = coded, grid

    def _values(self, name: str, output: Any) -> NDArray[Any]:
        if not isinstance(output, torch.Tensor):
            raise InputError(
                f"layer {name!r} must return a tensor, found {type(output).__name__}: take a "
                "module inside of it, or put torch.nn.Identity() where the tensor is"
            )
        if not output.ndim or output.shape[0] != self._n_samples:
            raise InputError(
                f"layer {name!r} must have the {self._n_samples} samples of a batch along its "
                f"first axis, found shape {tuple(output.shape)}; put torch.nn.Identity() where they are"
            )
        if not output.is_floating_point():
            raise InputError(f"layer {name!r} must return floats, found {output.dtype}")
        tensor = (
            output.detach().reshape(self._n_samples, -1) if output.ndim == 1 else output.detach()
        )
        if tensor.dtype in (torch.float16, torch.bfloat16):
            tensor = tensor.float()
        values: NDArray[Any] = np.array(tensor.cpu().numpy())
        if np.isnan(values).any():
            sample, *unit = np.argwhere(np.isnan(values))[0].tolist()
            raise StoreError(
                f"layer {name!r} must have no NaN, found one at sample {self._first + sample}, "
                f"unit {', '.join(map(str, unit))}: the training diverged"
            )
        return values


class _Taken:
    """A layer, batch by batch."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._parts: list[LayerValues] = []
        self._grid: QuantiserGrid | None = None

    def add(self, layer: tuple[LayerValues, QuantiserGrid | None]) -> None:
        """Add a batch, after checking that it is on the grid of those before."""
        values, grid = layer
        if self._parts and not (grid is self._grid is None or (grid and grid.equals(self._grid))):
            raise GridError(
                f"layer {self._name!r} must be on one grid, whatever the batch, but its quantiser "
                "takes another for each: take all inputs at once (batch_size=None), or record "
                f"values (values=[{self._name!r}])"
            )
        self._parts.append(values)
        self._grid = grid

    def whole(self) -> LayerValues:
        """Put the batches together."""
        first = self._parts[0]
        values = np.concatenate([one.values for one in self._parts])
        return LayerValues(values, first.scale, first.zero_point, first.bits)


def _device_of(model: torch.nn.Module) -> Any:
    tensors: Iterator[torch.Tensor] = iter([*model.parameters(), *model.buffers()])
    first = next(tensors, None)
    return "cpu" if first is None else first.device


def _tensors(inputs: Inputs) -> list[Any]:
    if isinstance(inputs, Mapping):
        return list(inputs.values())
    return list(inputs) if isinstance(inputs, tuple) else [inputs]


def _count_samples(inputs: Inputs) -> int:
    shapes = [np.shape(one) for one in _tensors(inputs)]
    lengths = {shape[0] if shape else 0 for shape in shapes}
    if len(lengths) != 1 or lengths == {0}:
        raise InputError(
            "inputs must be a tensor (sample, ...), or a tuple or mapping of tensors of as many "
            f"samples, found shapes {shapes}"
        )
    return int(lengths.pop())


def _cut(inputs: Inputs, samples: slice, device: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the arguments of one batch."""
    if isinstance(inputs, Mapping):
        return (), {name: _on(one, samples, device) for name, one in inputs.items()}
    return tuple(_on(one, samples, device) for one in _tensors(inputs)), {}


def _on(array: Any, samples: slice, device: Any) -> Any:
    return torch.as_tensor(array)[samples].to(device)
