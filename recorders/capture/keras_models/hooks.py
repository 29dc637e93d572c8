"""Hooks on the layers of a model, that show what these return."""

import functools
from collections.abc import Callable
from typing import Any

Show = Callable[[str, Any, Any], None]
"""Takes the name of a layer, the layer, and its output of a batch."""

_METHODS = ("call", "quantized_call")


class Hooks:
    """Hooks on layers, while they are entered.

    Keras has none of its own; here each layer has a `call` of its own meanwhile, that hands on what
    the former one returns.

    Parameters
    ----------
    layers : mapping of str to Layer
        By name.
    show : callable
        Given what each of them returns.
    """

    def __init__(self, layers: dict[str, Any], show: Show) -> None:
        self._layers = layers
        self._show = show
        self._former: list[tuple[dict[str, Any], str, Any]] = []

    def __enter__(self) -> None:
        for name, layer in self._layers.items():
            for method in _METHODS:
                if hasattr(layer, method):
                    self._put(name, layer, method)

    def __exit__(self, *_: object) -> None:
        for attributes, method, former in reversed(self._former):
            if former is None:
                del attributes[method]
            else:
                attributes[method] = former

    def _put(self, name: str, layer: Any, method: str) -> None:
        call = getattr(layer, method)

        @functools.wraps(call)
        def showing(*args: Any, **kwargs: Any) -> Any:
            output = call(*args, **kwargs)
            self._show(name, layer, output)
            return output

        attributes = vars(
            layer
        )  # around __setattr__, with which layers track what they are made of
        self._former.append((attributes, method, attributes.get(method)))
        attributes[method] = showing
