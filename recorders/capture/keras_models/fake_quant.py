"""The grids of `fake_quant_with_min_max_vars`, of Keras and of TensorFlow, wherever it is called.

tfmot quantises with it as well. What a layer returns does not say on which grid it is, so the calls
are watched while the model runs: which returned what, with which ends of the range.
"""

import inspect
import sys
import weakref
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ibtools.recorders.capture.keras_models.models import as_array
from ibtools.recorders.capture.quantiser_grid import QuantiserGrid

_OF_TENSORFLOW = (
    "fake_quant_with_min_max_vars",
    "fake_quant_with_min_max_vars_per_channel",
    "fake_quant_with_min_max_args",
)

Call = dict[str, Any]
"""The local variables of a call."""


class FakeQuantCalls:
    """Watches fake quantisation in this thread, while it is entered."""

    def __init__(self) -> None:
        self._watched = _watched()
        self._calls: list[tuple[weakref.ref[Any], str, Call]] = []

    def __enter__(self) -> "FakeQuantCalls":
        self._profile: Callable[..., Any] | None = sys.getprofile()
        if self._watched:
            sys.setprofile(self._see)
        return self

    def __exit__(self, *_: object) -> None:
        if self._watched:
            sys.setprofile(self._profile)
        self._calls.clear()

    def _see(self, frame: FrameType, event: str, returned: Any) -> None:
        name = self._watched.get(frame.f_code) if event == "return" else None
        if name is not None and returned is not None:  # None: an exception passes through
            self._calls.append((weakref.ref(returned), name, dict(frame.f_locals)))

    def grids(self, output: Any) -> tuple[QuantiserGrid, ...]:
        """Return the grids of what fake quantisation returned; none if it was something else.

        One of them is that of the values: which one depends on how the operation was computed.
        """
        for returned, name, call in reversed(self._calls):
            if returned() is output:
                return _grids(name, call, len(output.shape))
        return ()


def _watched() -> dict[CodeType, str]:
    """Return the functions that quantise, of what is loaded, by their code."""
    found: dict[CodeType, str] = {}
    of_keras = getattr(sys.modules.get("keras"), "quantizers", None)
    of_tensorflow = getattr(sys.modules.get("tensorflow"), "quantization", None)
    for module, names in ((of_tensorflow, _OF_TENSORFLOW), (of_keras, _OF_TENSORFLOW[:1])):
        for name in names:
            function = getattr(module, name, None)
            if function is not None:
                found[inspect.unwrap(function).__code__] = name
    return found


def _grids(name: str, call: Call, n_axes: int) -> tuple[QuantiserGrid, ...]:
    ends = [call.get(f"{end}_vals", call.get(end)) for end in ("min", "max")]
    arrays = [as_array(one) if hasattr(one, "shape") else np.asarray(one) for one in ends]
    if any(one is None for one in arrays):
        return ()
    low, high = (_shaped(one, name, call.get("axis"), n_axes) for one in arrays)
    return candidates(low, high, int(call["num_bits"]), narrow=bool(call["narrow_range"]))


def _shaped(end: Any, name: str, axis: int | None, n_axes: int) -> NDArray[np.float32]:
    """Return ends of ranges so that they broadcast against the output."""
    array: NDArray[np.float32] = np.asarray(end, np.float32)
    if axis is None:
        axis = -1 if name.endswith("per_channel") else None
    if axis is None or array.ndim != 1:
        return array.reshape(()) if array.size == 1 else array
    shape = [1] * n_axes
    shape[axis] = array.size
    return array.reshape(shape)


def candidates(
    low: NDArray[np.float32], high: NDArray[np.float32], bits: int, *, narrow: bool = False
) -> tuple[QuantiserGrid, ...]:
    """Return the grids that a range may have.

    TensorFlow divides the range by the number of steps and rounds the zero point with halves away
    from 0. XLA multiplies by the reciprocal instead, and Keras rounds halves to even.

    Parameters
    ----------
    low, high : ndarray
        Ends of the range of each layer or channel.
    bits : int
        Width of the codes.
    narrow : bool
        Whether code 0 is not used.

    Examples
    --------
    >>> first, *_ = candidates(np.float32(-1), np.float32(1), 2)
    >>> first.scale, first.zero_point
    (array(0.6666667, dtype=float32), array(2))
    """
    lowest, highest = np.float32(narrow), np.float32(2**bits - 1)
    n_steps, span = highest - lowest, high - low
    grids: list[QuantiserGrid] = []
    with np.errstate(all="ignore"):
        for scale in (span / n_steps, span * (np.float32(1) / n_steps)):
            step = np.where(span == 0, np.float32(1), scale)
            zero = np.clip(lowest - low / step, lowest, highest)
            for rounded in (np.floor(zero.astype(np.float64) + 0.5), np.rint(zero)):
                whole = np.asarray(np.nan_to_num(rounded), np.int64)
                grid = QuantiserGrid(step, whole, bits, 0)
                if not any(grid.equals(other) for other in grids):
                    grids.append(grid)
    return tuple(grids)
