"""The modules of a model by name, and hooks that show what they return."""

from collections.abc import Callable
from typing import Any

import torch

from ibtools.recorders.capture.quantiser_grid import QuantiserGrid
from ibtools.recorders.capture.torch.quantisers import (
    brevitas_quantiser,
    fake_quantiser,
    fake_quantiser_grid,
    is_quant_tensor,
    quant_tensor_grid,
    value_of,
)

Show = Callable[[str, Any, QuantiserGrid | None], None]
"""Takes the name of a layer, its output of a batch, and its grid."""


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


def named_layers(model: torch.nn.Module) -> dict[str, torch.nn.Module]:
    """Return the modules whose outputs can be taken, by their dotted names.

    Parts that were compiled have the names that they had before. In a graph of modules, as
    `prepare_qat_fx` makes it, a module whose output goes to a FakeQuantize stands for that.
    """
    found: dict[str, torch.nn.Module] = {}
    for name, module in model.named_modules(remove_duplicate=False):
        plain = ".".join(part for part in name.split(".") if part != "_orig_mod")
        if plain:
            found.setdefault(plain, plain_model(module))
    return found | _quantised_in_graph(model)


def _quantised_in_graph(model: Any) -> dict[str, torch.nn.Module]:
    if not isinstance(model, torch.fx.GraphModule):
        return {}
    quantised = {}
    for node in model.graph.nodes:
        if node.op != "call_module" or not node.all_input_nodes:
            continue
        module, source = model.get_submodule(node.target), node.all_input_nodes[0]
        if source.op == "call_module" and fake_quantiser(module) is module:
            quantised[source.target] = module
    return quantised


class Hooks:
    """Hooks on modules, while they are entered.

    Parameters
    ----------
    model : Module
        The model.
    names : list of str
        Of `named_layers`.
    show : callable
        Given what each of them returns.
    """

    def __init__(self, model: torch.nn.Module, names: list[str], show: Show) -> None:
        modules = named_layers(model)
        self._modules = {name: modules[name] for name in names}
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
        source = output if is_quant_tensor(output) else self._quant_tensors.pop(name, None)
        if is_quant_tensor(source):
            return quant_tensor_grid(source)
        quantiser = fake_quantiser(module)
        if quantiser is None or not isinstance(output, torch.Tensor):
            return None
        return fake_quantiser_grid(quantiser, output.ndim)
