"""From what was recorded to the exact symbols of a layer (docs/exact.md).

The symbol of a sample is its row of unsigned integers; two samples are in the same state of the
layer if their rows are equal. All functions are injective up to what provably cannot matter, and
take arrays (..., sample, unit) without consuming a dim.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ibtools.store.snapshots import LayerSpec

_NEGATIVE_ZERO = np.uint32(0x80000000)
_SHORT_AXIS = 32  # numpy is slow along a last axis that is shorter


def exact_symbols(values: NDArray[Any], layer: LayerSpec) -> NDArray[np.unsignedinteger]:
    """Choose the exact symbols of a layer, from its codes or values (..., sample, unit).

    They are from `code_symbols`, `softmax_symbols` or `float_symbols`: uint8, uint16 or uint32.
    """
    if not layer.quantised:
        return float_symbols(values)
    if layer.is_softmax_of_codes:
        return softmax_symbols(values)
    return code_symbols(values)


def code_symbols(code: NDArray[np.unsignedinteger]) -> NDArray[np.unsignedinteger]:
    """Take the codes of a quantised layer, on the quantiser's own grid, as they are."""
    if code.dtype.kind != "u":
        raise TypeError(f"codes must be unsigned integers, found {code.dtype}.")
    return code


def softmax_symbols(code: NDArray[np.unsignedinteger]) -> NDArray[np.unsignedinteger]:
    """Take the codes of logits up to a common shift per row, which softmax does not see.

    Parameters
    ----------
    code : ndarray, (..., sample, unit), uint8 or uint16
        Integer codes of the logits, all units on one grid.

    Returns
    -------
    ndarray, (..., sample, unit), dtype of code
        How far each code is below the largest of its row.

    Raises
    ------
    TypeError
        If the codes are not unsigned integers.

    Notes
    -----
    softmax(a) = softmax(b) if and only if a - b is the same for all units. On one grid with
    positive scale, that is when ``max(code) - code`` agrees, in integers. This is of the softmax as
    a function; one that is computed in float32 rounds, and so splits and merges some of its states.

    Examples
    --------
    >>> import numpy as np
    >>> softmax_symbols(np.array([[200, 10], [255, 65]], dtype=np.uint8)).tolist()
    [[0, 190], [0, 190]]
    """
    code = code_symbols(code)
    if code.shape[-1] > _SHORT_AXIS:
        symbols: NDArray[np.unsignedinteger] = code.max(axis=-1, keepdims=True) - code
        return symbols
    largest = code[..., 0]
    for unit in range(1, code.shape[-1]):
        largest = np.maximum(largest, code[..., unit])
    symbols = np.empty(code.shape, code.dtype)
    for unit in range(code.shape[-1]):
        np.subtract(largest, code[..., unit], out=symbols[..., unit])
    return symbols


def float_symbols(values: NDArray[np.float32]) -> NDArray[np.uint32]:
    """Take the bit patterns of float values, with -0 as +0.

    Parameters
    ----------
    values : ndarray, (..., sample, unit), float32
        Values of a layer that is not quantised. Infinite values are allowed.

    Returns
    -------
    ndarray, (..., sample, unit), uint32
        Equal where the values are equal, and only there.

    Raises
    ------
    TypeError
        If the values are not float32.
    ValueError
        If a value is NaN, which equals nothing.

    Examples
    --------
    >>> import numpy as np
    >>> float_symbols(np.array([[0.0, -0.0, 1.0]], dtype=np.float32)).tolist()
    [[0, 0, 1065353216]]
    """
    if values.dtype != np.float32:
        raise TypeError(f"values must be float32, found {values.dtype}.")
    missing = np.isnan(values)
    if missing.any():
        *_, sample, unit = np.argwhere(missing)[0]
        raise ValueError(
            f"values must not be NaN, found one at sample {sample}, unit {unit} "
            f"({missing.sum()} in all); the training diverged, or the unit is padding."
        )
    bits = values.view(np.uint32)
    return np.where(bits == _NEGATIVE_ZERO, np.uint32(0), bits)
