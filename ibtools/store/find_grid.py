"""Finding the grid that values are on, where nobody knows the quantiser."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ibtools.errors import GridError
from ibtools.store.encode import Codes, Encoded, encode_steps, quantised_values, validate_bits

_NEAR = 0.25
"""A value is taken for the whole multiple of a step that it is nearer to than this, in steps."""


def find_grid(values: ArrayLike, *, bits: int, per_unit: bool, layer: str) -> Encoded:
    """Find the coarsest grid that holds every value and 0; as `ibtools.LayerValues.on_grid`.

    Returns
    -------
    codes : ndarray, (sample, unit, ...), uint8, or uint16 above 8 bits
        0 to 2**bits - 1.
    scale, zero_point : float and int, or ndarray (unit, ...), float32 and int32
        Their grid.
    """
    validate_bits(layer, bits)
    array = quantised_values(layer, values)
    if not np.isfinite(array).all():
        sample, *unit = np.argwhere(~np.isfinite(array))[0].tolist()
        raise GridError(
            f"every value of layer {layer!r} must be finite to be on a grid, found "
            f"{array[(sample, *unit)]} at sample {sample}, unit {', '.join(map(str, unit))}: the "
            "training diverged, or the layer is not quantised; record it as values"
        )
    if not per_unit:
        step, zero = _find(np.unique(array), bits, f"layer {layer!r}")
        codes = _codes(array, np.asarray(step), np.asarray(zero, np.int32), bits, layer)
        return codes, float(step), zero
    columns = np.ascontiguousarray(array.reshape(len(array), -1).T)
    found = [
        _find(np.unique(column), bits, f"unit {unit} of layer {layer!r}")
        for unit, column in enumerate(columns)
    ]
    steps = np.array([step for step, _ in found], np.float32).reshape(array.shape[1:])
    zeros = np.array([zero for _, zero in found], np.int32).reshape(array.shape[1:])
    return _codes(array, steps, zeros, bits, layer), steps, zeros


def _codes(
    array: NDArray[np.float32],
    steps: NDArray[np.float32],
    zeros: NDArray[np.int32],
    bits: int,
    layer: str,
) -> Codes:
    codes, is_right = encode_steps(array, steps, zeros, bits)
    if not is_right:
        raise GridError(
            f"layer {layer!r} must be on a grid that holds 0, but its values are too many steps "
            "away from 0 for float32; record it as values"
        )
    return codes


def _find(values: NDArray[np.float32], bits: int, where: str) -> tuple[np.float32, int]:
    """Return step and zero point of ascending different values."""
    points = np.union1d(values, np.float32(0))
    if len(values) > 2**bits:
        raise GridError(
            f"{where} must have at most {2**bits} different values to be codes of {bits} bits, "
            f"found {len(values)}; give more bits (16 at the most), or record it as values"
        )
    if len(points) == 1:
        return np.float32(1), 0
    gaps = np.diff(points.astype(np.float64))
    smallest = float(gaps.min())
    widest = smallest + float(np.spacing(np.abs(points).max()))  # both ends of a gap were rounded
    n_steps = (float(values[-1]) - float(values[0])) / widest
    for parts in range(1, int((2**bits - 1) / max(n_steps, 1)) + 1):
        multiples = _multiples(points, smallest / parts)
        step = None if multiples is None else _common_step(points, multiples)
        if step is not None and _n_codes(values, step) <= 2**bits:
            return step, _zero_point(values, step, bits)
    raise GridError(
        f"{where} must have values that are multiples of one step, {2**bits} codes apart at the "
        f"most: {len(values)} different ones from {values[0]} to {values[-1]} are not, those next "
        f"to each other differ by {gaps.min():.6g} to {gaps.max():.6g}; give more bits (16 at the "
        "most), or its own grid to each unit (per_unit=True), or record it as values"
    )


def _multiples(points: NDArray[np.float32], guess: float) -> NDArray[np.float64] | None:
    """Return which whole multiple of a step each point is; None if one is far from any.

    The guess comes from two neighbours, whose difference has few digits. The longer a distance is,
    the better it says how long a step is: gaps come first, then distances from the first of these
    neighbours. Up to 10 bits, the digits of any guess are enough.
    """
    wide = points.astype(np.float64)
    gaps = np.diff(wide)
    away = wide - wide[gaps.argmin()]
    step, longest = guess, 0.0
    for length in (*np.sort(gaps).tolist(), *np.sort(np.abs(away))[1:].tolist()):
        multiple = round(length / step)
        if not multiple or abs(length / step - multiple) > _NEAR:
            return None
        if length > longest:
            step, longest = length / multiple, length
    found: NDArray[np.float64] = np.rint(away / step)
    return np.asarray(found - found[points == 0])


def _common_step(points: NDArray[np.float32], multiples: NDArray[np.float64]) -> np.float32 | None:
    """Return the float32 step whose multiples, rounded once, are the points; None without one."""
    apart = multiples != 0
    wide, many = points[apart].astype(np.float64), multiples[apart]
    half = np.spacing(np.abs(points[apart])).astype(np.float64) / 2
    low = ((np.abs(wide) - half) / np.abs(many)).max()
    high = ((np.abs(wide) + half) / np.abs(many)).min()
    step = np.float32((low + high) / 2)
    near = [step, np.nextafter(step, np.float32(0)), np.nextafter(step, np.float32(np.inf))]
    for one in near:
        if one > 0 and np.array_equal(one * multiples.astype(np.float32), points):
            return np.float32(one)
    return None


def _ends(values: NDArray[np.float32], step: np.float32) -> tuple[int, int]:
    lowest, highest = np.rint(values[[0, -1]].astype(np.float64) / np.float64(step))
    return int(lowest), int(highest)


def _n_codes(values: NDArray[np.float32], step: np.float32) -> int:
    lowest, highest = _ends(values, step)
    return highest - lowest + 1


def _zero_point(values: NDArray[np.float32], step: np.float32, bits: int) -> int:
    """Return the code of 0, which is one of the codes if they reach so far."""
    lowest, highest = _ends(values, step)
    return 0 if lowest >= 0 and highest < 2**bits else -lowest
