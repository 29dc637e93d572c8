"""The inputs of a batch: decoded, and laid out as the first layer takes them."""

import numpy as np
from numpy.typing import NDArray

from ibtools.kernel import float_part
from ibtools.recorders.engines.native.arrays import DENSE, WIDE, Floats, Ints, Layers, Samples

Codes = NDArray[np.uint8] | NDArray[np.float32]

_FLOAT = np.float32
_SIDE_BY_SIDE = 8  # samples that are turned at once


@float_part
def is_wide(layers: Layers) -> bool:
    """Whether inputs of a batch lie (sample, feature): those of a dense layer of many features."""
    return bool(layers.each[0]["n_inputs"] > WIDE and layers.each[0]["kind"] == DENSE)


@float_part
def take(layers: Layers, samples: Samples, rows: Ints, inputs: Floats) -> None:
    """Decode the inputs of some samples, (feature, sample), or (sample, feature) if wide."""
    by_sample, wide = layers.each[0]["n_inputs"] > WIDE, is_wide(layers)
    scale, zero = samples.scale, samples.zero_point
    if samples.codes.size:
        _take(samples.codes, scale, zero, rows, by_sample, wide, inputs)
    else:
        _take(samples.values, scale, zero, rows, by_sample, wide, inputs)


@float_part
def _take(
    codes: Codes,
    scale: np.float32,
    zero: np.float32,
    rows: Ints,
    by_sample: bool,
    wide: bool,
    inputs: Floats,
) -> None:
    if wide:
        for i in range(rows.size):
            code, row = codes[rows[i]], inputs[i]
            for k in range(code.size):
                row[k] = (_FLOAT(code[k]) - zero) * scale
    elif by_sample:
        _turn(codes, scale, zero, rows, inputs)
    else:
        for k in range(len(codes)):
            code, row = codes[k], inputs[k]
            for i in range(rows.size):
                row[i] = (_FLOAT(code[rows[i]]) - zero) * scale


@float_part
def _turn(codes: Codes, scale: np.float32, zero: np.float32, rows: Ints, inputs: Floats) -> None:
    """Decode samples that lie (sample, feature) to inputs that lie (feature, sample)."""
    whole = rows.size - rows.size % _SIDE_BY_SIDE
    for i in range(0, whole, _SIDE_BY_SIDE):
        a, b, c, d = codes[rows[i]], codes[rows[i + 1]], codes[rows[i + 2]], codes[rows[i + 3]]
        e, f, g, h = codes[rows[i + 4]], codes[rows[i + 5]], codes[rows[i + 6]], codes[rows[i + 7]]
        for k in range(a.size):
            row = inputs[k, i : i + _SIDE_BY_SIDE]
            row[0], row[1] = (_FLOAT(a[k]) - zero) * scale, (_FLOAT(b[k]) - zero) * scale
            row[2], row[3] = (_FLOAT(c[k]) - zero) * scale, (_FLOAT(d[k]) - zero) * scale
            row[4], row[5] = (_FLOAT(e[k]) - zero) * scale, (_FLOAT(f[k]) - zero) * scale
            row[6], row[7] = (_FLOAT(g[k]) - zero) * scale, (_FLOAT(h[k]) - zero) * scale
    for i in range(whole, rows.size):
        code = codes[rows[i]]
        for k in range(code.size):
            inputs[k, i] = (_FLOAT(code[k]) - zero) * scale
