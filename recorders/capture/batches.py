"""What the layers of a model return, batch by batch, and put together to a snapshot."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ibtools.errors import GridError, InputError, StoreError
from ibtools.recorders.capture.quantiser_grid import QuantiserGrid
from ibtools.store.floats import is_floating
from ibtools.store.snapshots import LayerValues


@dataclass(frozen=True)
class Advice:
    """What to do about a layer that can't be taken: the ends of errors, for one framework.

    Parameters
    ----------
    not_called, called_again, no_samples : str
        If it is not called in a pass, if it is called several times, and if what it returns does
        not have the samples along its first axis.
    off_grid : str
        If a value is not on its grid.
    """

    not_called: str
    called_again: str
    no_samples: str = ""
    off_grid: str = ""


class TakenLayers:
    """The layers of a snapshot, in the order in which the model calls them.

    Parameters
    ----------
    names : mapping of str to str
        Names in the store, by those in the model.
    advice : Advice
        For errors.
    """

    def __init__(self, names: Mapping[str, str], advice: Advice) -> None:
        self._layers = {name: _Taken(known_as, advice) for name, known_as in names.items()}
        self._order: dict[str, None] = {}

    def run(
        self, n_samples: int, batch_size: int | None, evaluate: Callable[[slice], None]
    ) -> None:
        """Evaluate all samples in batches, in each of which every layer must be taken once."""
        step = batch_size or n_samples
        for first in range(0, n_samples, step):
            samples = slice(first, min(first + step, n_samples))
            for layer in self._layers.values():
                layer.begin(samples)
            evaluate(samples)
            for layer in self._layers.values():
                layer.end()

    def take(self, name: str, output: NDArray[Any], grids: Sequence[QuantiserGrid]) -> None:
        """Take what a layer returned of a batch; the grids are those that it may be on, if any."""
        self._order[name] = None
        self._layers[name].take(output, grids)

    def whole(self, bits: Mapping[str, int] | None = None) -> dict[str, LayerValues]:
        """Put the batches together; `bits` are of layers for whose values a grid is to be found."""
        widths = bits or {}
        layers = [(self._layers[name], widths.get(name)) for name in self._order]
        return {layer.name: layer.whole(width) for layer, width in layers}


class _Taken:
    """A layer, batch by batch: codes on each grid that holds all values so far, or values."""

    def __init__(self, name: str, advice: Advice) -> None:
        self.name = name
        self._advice = advice
        self._grids: Sequence[QuantiserGrid] | None = None
        self._coded: list[tuple[QuantiserGrid, list[LayerValues]]] = []
        self._values: list[NDArray[Any]] = []
        self._failed: GridError | None = None

    def begin(self, samples: slice) -> None:
        """Begin a batch."""
        self._samples, self._n_calls = samples, 0

    def take(self, output: NDArray[Any], grids: Sequence[QuantiserGrid]) -> None:
        """Take what the layer returned, at once: a later operation may overwrite it."""
        self._n_calls += 1
        if self._n_calls > 1:  # an error when the batch ends
            return
        values = self._checked(output)
        if self._grids is None:
            self._grids, self._coded = grids, [(grid, []) for grid in grids]
        self._require_same(grids)
        if grids:
            self._encode(values)
        else:
            self._values.append(np.array(values))

    def end(self) -> None:
        """Check that the layer was called once in the batch."""
        if not self._n_calls:
            raise InputError(
                f"layer {self.name!r} must be called when the model is, but is not"
                f"{self._advice.not_called}"
            )
        if self._n_calls > 1:
            raise called_again(self.name, self._n_calls, self._advice)

    def whole(self, bits: int | None) -> LayerValues:
        """Put the batches together: codes where there are grids, or bits to find one by."""
        if self._coded:
            _, parts = self._coded[0]
            return replace(parts[0], values=np.concatenate([part.values for part in parts]))
        values = np.concatenate(self._values)
        if bits is None:
            return LayerValues(values)
        try:
            return LayerValues.on_grid(values, bits=bits, layer=self.name)
        except GridError as err:
            raise self._off_grid(err) from err

    def _checked(self, output: NDArray[Any]) -> NDArray[Any]:
        """Return values (sample, unit, ...) after checking that they are."""
        first, n_samples = self._samples.start, self._samples.stop - self._samples.start
        if not output.ndim or len(output) != n_samples:
            raise InputError(
                f"layer {self.name!r} must have the {n_samples} samples of a batch along its "
                f"first axis, found shape {output.shape}{self._advice.no_samples}"
            )
        if not is_floating(output.dtype):
            raise InputError(f"layer {self.name!r} must return floats, found {output.dtype}")
        values = output if output.ndim > 1 else output[:, np.newaxis]
        if np.isnan(values).any():
            sample, *unit = np.argwhere(np.isnan(values))[0].tolist()
            raise StoreError(
                f"layer {self.name!r} must have no NaN, found one at sample {first + sample}, "
                f"unit {', '.join(map(str, unit))}: the training diverged"
            )
        return values

    def _require_same(self, grids: Sequence[QuantiserGrid]) -> None:
        first = self._grids or ()
        same = len(grids) == len(first) and all(
            one.equals(other) for one, other in zip(grids, first, strict=True)
        )
        if not same:
            raise GridError(
                f"layer {self.name!r} must be on one grid, whatever the batch, but its quantiser "
                "takes another for each: take all inputs at once (batch_size=None), or record "
                f"values (values=[{self.name!r}])"
            )

    def _encode(self, values: NDArray[Any]) -> None:
        """Make codes on all grids that have held all values so far, and hold these."""
        holding = []
        for grid, parts in self._coded:
            try:
                parts.append(grid.encode(values, layer=self.name, first_sample=self._samples.start))
            except GridError as err:
                self._failed = self._failed or err
            else:
                holding.append((grid, parts))
        if not holding and self._failed is not None:
            raise self._off_grid(self._failed)
        self._coded = holding

    def _off_grid(self, err: GridError) -> GridError:
        advice = self._advice.off_grid
        return GridError(f"{err}; {advice}: values=[{self.name!r}]") if advice else err


def called_again(name: str, n_calls: int, advice: Advice) -> InputError:
    """Build the error for a layer that has several outputs."""
    return InputError(
        f"layer {name!r} must be called once in a pass, but is called {n_calls} times: "
        f"{advice.called_again}"
    )


def validate_batch_size(batch_size: int | None) -> None:
    """Check the number of samples in a pass."""
    if batch_size is not None and batch_size < 1:
        raise InputError(f"batch_size must be at least 1, or None, found {batch_size}")


def count_samples(arrays: Sequence[Any], kinds: str) -> int:
    """Return how many samples the inputs of a model have; `kinds` says what these may be."""
    shapes = [np.shape(one) for one in arrays]
    lengths = {shape[0] if shape else 0 for shape in shapes}
    if len(lengths) != 1 or lengths == {0}:
        raise InputError(f"inputs must be {kinds} of as many samples, found shapes {shapes}")
    return int(lengths.pop())
