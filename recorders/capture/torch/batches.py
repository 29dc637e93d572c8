"""What layers return of one batch, and of all."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ibtools.errors import GridError, InputError, StoreError
from ibtools.recorders.capture.quantiser_grid import QuantiserGrid
from ibtools.store.snapshots import LayerValues


class Batch:
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
                f"first axis, found shape {tuple(output.shape)}; put torch.nn.Identity() where "
                "they are"
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


class Taken:
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
