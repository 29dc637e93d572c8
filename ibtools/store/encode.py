"""From the values that a quantiser returned to its codes, each certified: the way back of decode.

A quantiser returns float32 values ``scale * k`` with integer k, so that the code ``k + zero_point``
gives each value back bit for bit. This is not assumed but checked for every value.
"""

from typing import Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ibtools.errors import GridError, StoreError
from ibtools.kernel import kernel
from ibtools.store.decode import dequantise
from ibtools.store.floats import as_float32, is_floating
from ibtools.store.snapshots import MAX_CODE_BITS, of_units, validate_grid

Codes = NDArray[np.unsignedinteger[Any]]
"""Integer codes, uint8 or uint16."""

Encoded = tuple[Codes, Any, Any]
"""Codes, scale and zero point: a number each, or an array that broadcasts against the units."""

_LARGEST_ZERO_POINT = 2**23
"""Up to this, the steps between any code and the zero point are a float32 number."""


def encode(
    values: ArrayLike,
    scale: ArrayLike,
    zero_point: ArrayLike,
    *,
    bits: int,
    lowest_code: ArrayLike = 0,
    layer: str,
    first_sample: int = 0,
) -> Encoded:
    """Find the codes of values, and certify that they stand for exactly these.

    Parameters and errors are those of `ibtools.LayerValues.from_values`.

    Returns
    -------
    codes : ndarray, (sample, unit, ...), uint8, or uint16 above 8 bits
        0 to 2**bits - 1.
    scale, zero_point : float and int, or ndarray, float32 and int32
        The grid of these codes.
    """
    array = quantised_values(layer, values)
    validate_bits(layer, bits)
    steps, zeros, lowest = (
        of_units(layer, name, numbers, array.shape[1:])
        for name, numbers in (
            ("scale", scale),
            ("zero point", zero_point),
            ("lowest code", lowest_code),
        )
    )
    zeros = zeros - lowest
    validate_grid(layer, _plain(steps), _plain(zeros))
    if (np.abs(zeros) > _LARGEST_ZERO_POINT).any():
        raise StoreError(
            f"layer {layer!r}: the zero point of quantised values must be at most "
            f"{_LARGEST_ZERO_POINT}, found {np.abs(zeros).max()}"
        )
    steps, zeros = steps.astype(np.float32), zeros.astype(np.int32)
    codes, is_right = encode_steps(array, steps, zeros, bits)
    if not is_right:
        _raise_off_grid(array, codes, steps, zeros, bits, layer, first_sample)
    return codes, _plain(steps), _plain(zeros)


def encode_steps(
    values: NDArray[np.float32], steps: NDArray[np.float32], zeros: NDArray[np.int32], bits: int
) -> tuple[Codes, bool]:
    """Return the codes nearest to values (sample, unit, ...), and whether all stand for them."""
    units, is_one = values.shape[1:], not steps.ndim and not zeros.ndim
    if is_one:
        rows = np.ascontiguousarray(values).reshape(1, -1)
        of_rows = steps.reshape(1), zeros.reshape(1)
    else:
        rows = np.ascontiguousarray(values.reshape(len(values), -1).T)
        of_rows = (
            np.ascontiguousarray(np.broadcast_to(steps, units)).ravel(),
            np.ascontiguousarray(np.broadcast_to(zeros, units)).ravel(),
        )
    codes: Codes = np.empty(rows.shape, np.uint8 if bits <= 8 else np.uint16)
    n_wrong = _encode(rows, *of_rows, np.float32(2**bits - 1), codes)
    found = codes if is_one else np.ascontiguousarray(codes.T)
    return found.reshape(values.shape), not n_wrong


@kernel
def _encode(
    rows: NDArray[np.float32],
    scales: NDArray[np.float32],
    zero_points: NDArray[np.int32],
    largest: np.float32,
    codes: Codes,
) -> int:
    """Compute the codes of rows of one grid each, and return how many values are not on it.

    Everything is rounded to float32 after each operation, as quantisers do.
    """
    n_wrong = 0
    for row in range(rows.shape[0]):
        scale, zero_point = scales[row], np.float32(zero_points[row])
        values, found = rows[row], codes[row]
        for i in range(values.size):
            code = min(max(np.rint(values[i] / scale) + zero_point, np.float32(0)), largest)
            found[i] = np.int32(code)
            n_wrong += (code - zero_point) * scale != values[i]
    return n_wrong


def quantised_values(layer: str, values: ArrayLike) -> NDArray[np.float32]:
    """Return values (sample, unit, ...) as float32, after checking that they can be quantised."""
    array = np.asarray(values)
    if array.ndim < 2 or not array.size or not is_floating(array.dtype):
        raise StoreError(
            f"layer {layer!r}: quantised values must be floating (sample, unit, ...), found "
            f"{array.dtype} of shape {array.shape}"
        )
    return as_float32(layer, array)


def validate_bits(layer: str, bits: Any) -> None:
    """Check the width of codes."""
    whole = isinstance(bits, int | np.integer) and not isinstance(bits, bool)
    if not whole or not 1 <= bits <= MAX_CODE_BITS:
        raise StoreError(
            f"layer {layer!r}: bits must be a whole number from 1 to {MAX_CODE_BITS}, found "
            f"{bits!r}; wider codes are recorded as values"
        )


def _plain(numbers: NDArray[Any]) -> Any:
    return numbers if numbers.ndim else numbers.item()


def _number(unit: list[int]) -> Any:
    return unit[0] if len(unit) == 1 else tuple(unit)


def _raise_off_grid(
    values: NDArray[np.float32],
    codes: Codes,
    steps: NDArray[np.float32],
    zeros: NDArray[np.int32],
    bits: int,
    layer: str,
    first_sample: int,
) -> NoReturn:
    nearest = dequantise(codes, steps, zeros)
    sample, *unit = np.argwhere(nearest != values)[0].tolist()
    place = (sample, *unit)
    step, zero = (np.broadcast_to(one, values.shape[1:])[tuple(unit)] for one in (steps, zeros))
    raise GridError(
        f"every value of layer {layer!r} must be on the grid {step} * (code - {zero}), code 0 to "
        f"{2**bits - 1}, but sample {first_sample + sample}, unit {_number(unit)} is "
        f"{values[place]}, and nearest on it is {nearest[place]}; what recorded and the quantiser "
        "disagree, or the training has diverged; if the grid is not known, record the values"
    )
