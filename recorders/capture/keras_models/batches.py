"""What layers return of one batch, and of all."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ibtools.errors import GridError, InputError, StoreError
from ibtools.recorders.capture.keras_models.models import as_array
from ibtools.recorders.capture.quantiser_grid import QuantiserGrid
from ibtools.store.floats import as_float32, is_floating
from ibtools.store.snapshots import LayerValues

_NOT_COMPILED = (
    "XLA rounds otherwise than the operations it was given: switch it off for this layer "
    "(jit_compile=False, no jax.jit around what quantises), or record the values"
)


class Taken:
    """A layer, batch by batch."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._parts: list[NDArray[np.float32]] = []
        self._grids: Sequence[QuantiserGrid] = ()
        self._n_calls = 0

    def begin(self) -> None:
        """Begin a batch."""
        self._n_calls = 0

    def add(self, output: Any, grids: Sequence[QuantiserGrid], n_samples: int) -> None:
        """Take what the layer returned of a batch, and the grids that it may be on."""
        self._n_calls += 1
        values = self._values(output, n_samples)
        if self._parts and not _equal(grids, self._grids):
            raise GridError(
                f"layer {self._name!r} must be on one grid, whatever the batch, but its quantiser "
                "takes another for each: take all inputs at once (batch_size=None), or record "
                f"values (values=[{self._name!r}])"
            )
        self._parts.append(values)
        self._grids = grids

    def end(self) -> None:
        """Check that the layer was called once in the batch."""
        if not self._n_calls:
            raise InputError(
                f"layer {self._name!r} must be called when the model is, but is not, or is so "
                "inside of a compiled function: leave it out, or take the layer around it"
            )
        if self._n_calls > 1:
            raise InputError(
                f"layer {self._name!r} must be called once in a pass, but is called "
                f"{self._n_calls} times: give each use a layer of its own"
            )

    def _values(self, output: Any, n_samples: int) -> NDArray[np.float32]:
        array = as_array(output)
        if array is None:
            raise InputError(
                f"layer {self._name!r} must return a tensor with values, found "
                f"{type(output).__name__}: take a layer inside of it or around it"
            )
        if not array.ndim or len(array) != n_samples:
            raise InputError(
                f"layer {self._name!r} must have the {n_samples} samples of a batch along its "
                f"first axis, found shape {array.shape}"
            )
        if not is_floating(array.dtype):
            raise InputError(f"layer {self._name!r} must return floats, found {array.dtype}")
        values = as_float32(self._name, array if array.ndim > 1 else array[:, None])
        if np.isnan(values).any():
            sample, *unit = np.argwhere(np.isnan(values))[0].tolist()
            raise StoreError(
                f"layer {self._name!r} must have no NaN, found one at sample "
                f"{sum(map(len, self._parts)) + sample}, unit {', '.join(map(str, unit))}: the "
                "training diverged"
            )
        return values

    def whole(self, bits: int | None) -> LayerValues:
        """Put the batches together: codes where there are grids, or bits to find one by."""
        values = np.concatenate(self._parts)
        try:
            if self._grids:
                return self._encode(values)
            if bits is not None:
                return LayerValues.on_grid(values, bits=bits, layer=self._name)
        except GridError as err:
            raise GridError(f"{err}; {_NOT_COMPILED}: values=[{self._name!r}]") from err
        return LayerValues(values)

    def _encode(self, values: NDArray[np.float32]) -> LayerValues:
        """Make codes on the first grid that holds all values."""
        failed: GridError | None = None
        for grid in self._grids:
            try:
                return LayerValues.from_values(
                    values,
                    scale=grid.scale,
                    zero_point=grid.zero_point,
                    bits=grid.bits,
                    lowest_code=grid.lowest_code,
                    layer=self._name,
                )
            except GridError as err:
                failed = failed or err
        raise failed or GridError(f"layer {self._name!r} has no grid")


def _equal(grids: Sequence[QuantiserGrid], others: Sequence[QuantiserGrid]) -> bool:
    return len(grids) == len(others) and all(
        one.equals(other) for one, other in zip(grids, others, strict=True)
    )
