"""Layers of an exported graph, as torchao's PT2E prepares them: by the modules it was made of."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from ibtools.recorders.capture.batches import called_again
from ibtools.recorders.capture.torch.hooks import Show
from ibtools.recorders.capture.torch.outputs import ADVICE
from ibtools.recorders.capture.torch.quantisers import fake_quantiser, fake_quantiser_grid


@dataclass(frozen=True, eq=False)
class Place:
    """Where a graph has the output of a layer.

    Parameters
    ----------
    node : torch.fx.Node
        That computes it.
    quantiser : Module or None
        The FakeQuantize that it comes from.
    n_calls : int
        How often the module that it was made of was called.
    """

    node: torch.fx.Node
    quantiser: Any
    n_calls: int = 1


def is_exported(model: torch.nn.Module) -> bool:
    """Whether a model is a graph of operations that `torch.export` made."""
    return isinstance(model, torch.fx.GraphModule) and any(
        isinstance(node.target, torch._ops.OpOverload) for node in model.graph.nodes
    )


def find_places(model: torch.fx.GraphModule) -> dict[str, Place]:
    """Find the outputs of the modules that a graph was made of, and of its quantisers, by name.

    The output of a module is that of its last operation, or what a FakeQuantize makes of it.
    """
    last: dict[str, torch.fx.Node] = {}
    calls: dict[str, set[str]] = {}
    quantised: dict[str, Place] = {}
    for node in _of_inputs(model):
        if node.op == "call_module":
            quantiser = fake_quantiser(model.get_submodule(str(node.target)))
            if quantiser is not None:
                quantised[str(node.target)] = Place(node, quantiser)
        if node.op != "call_function":
            continue
        for key, path in _modules_of(node):
            last[path] = node
            calls.setdefault(path, set()).add(key)
    places = {path: _after(model, node, len(calls[path])) for path, node in last.items()}
    return places | quantised


def _of_inputs(model: torch.fx.GraphModule) -> list[torch.fx.Node]:
    """Return the nodes that depend on inputs, in order: not those of weights alone."""
    found: dict[torch.fx.Node, None] = {}
    for node in model.graph.nodes:
        if node.op == "placeholder" or any(one in found for one in node.all_input_nodes):
            found[node] = None
    return list(found)


def _modules_of(node: torch.fx.Node) -> list[tuple[str, str]]:
    """Return the key of each call that an operation was part of, and the path of its module."""
    stack: Mapping[str, Any] = node.meta.get("nn_module_stack") or {}
    found = []
    for key, (path, *_) in stack.items():
        plain = str(path).removeprefix("L['self']").lstrip(".").partition("@")[0]
        if plain:
            found.append((key, plain))
    return found


def _after(model: torch.fx.GraphModule, node: torch.fx.Node, n_calls: int) -> Place:
    """Return what a FakeQuantize makes of an operation, if one does, else the operation."""
    for user in node.users:
        if user.op == "call_module":
            quantiser = fake_quantiser(model.get_submodule(str(user.target)))
            if quantiser is not None:
                return Place(user, quantiser, n_calls)
    return Place(node, None, n_calls)


class Evaluation(torch.fx.Interpreter):  # type: ignore[misc]  # untyped here
    """Evaluates a graph that was exported for training, and shows what nodes compute.

    Parameters
    ----------
    model : torch.fx.GraphModule
        The graph; it is not changed.
    show : callable
        Given each node and its output.
    """

    def __init__(
        self, model: torch.fx.GraphModule, show: Callable[[torch.fx.Node, Any], None]
    ) -> None:
        super().__init__(model)
        self.extra_traceback = False  # errors say what is wrong by themselves
        self._show = show

    def run_node(self, n: torch.fx.Node) -> Any:
        """Compute a node."""
        found = super().run_node(n)
        self._show(n, found)
        return found

    def call_function(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Compute an operation as in eval mode: that of training is written into the graph."""
        if isinstance(target, torch._ops.OpOverload):
            args, kwargs = _evaluating(target, args, kwargs)
        return super().call_function(target, args, kwargs)


def _evaluating(
    target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    for place, argument in enumerate(target._schema.arguments):
        if argument.name in ("train", "training"):
            if place < len(args):
                return (*args[:place], False, *args[place + 1 :]), kwargs
            return args, {**kwargs, argument.name: False}
    return args, kwargs


def run_exported(model: Any, names: list[str], show: Show, args: tuple[Any, ...]) -> None:
    """Evaluate a graph, and show the layers."""
    places = find_places(model)
    for name in names:
        if places[name].n_calls > 1:
            raise called_again(name, places[name].n_calls, ADVICE)
    wanted: dict[Any, list[str]] = {}
    for name in names:
        wanted.setdefault(places[name].node, []).append(name)

    def show_node(node: Any, output: Any) -> None:
        for name in wanted.get(node, ()):
            quantiser = places[name].quantiser
            grid = quantiser and fake_quantiser_grid(quantiser, output.ndim)
            show(name, output, grid)

    Evaluation(model, show_node).run(*args)
