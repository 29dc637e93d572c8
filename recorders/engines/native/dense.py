"""The sums of products of dense layers: of values (unit, sample), or of wide inputs as they are.

Loops run over samples, which are many, and not over units, which are few. Inputs of many features
are the exception: they stay (sample, feature).
"""

import numpy as np

from ibtools.kernel import float_part
from ibtools.recorders.engines.native.arrays import Floats

_ZERO = np.float32(0)


@float_part
def add_rows(row: Floats, weights: Floats, rows: Floats) -> None:
    """Add a weighted sum of rows to a row."""
    n_rows, k = weights.size, 0
    while k + 4 <= n_rows:
        u, v, w, x = weights[k], weights[k + 1], weights[k + 2], weights[k + 3]
        a, b, c, d = rows[k], rows[k + 1], rows[k + 2], rows[k + 3]
        for i in range(row.size):
            row[i] += u * a[i] + v * b[i] + w * c[i] + x * d[i]
        k += 4
    while k < n_rows:
        u, a = weights[k], rows[k]
        for i in range(row.size):
            row[i] += u * a[i]
        k += 1


@float_part
def multiply_rows(products: Floats, row: Floats, rows: Floats) -> None:
    """Take the dot product of a row with each of some rows."""
    n_rows, k = products.size, 0
    while k + 4 <= n_rows:
        a, b, c, d = rows[k], rows[k + 1], rows[k + 2], rows[k + 3]
        s, t, u, v = _ZERO, _ZERO, _ZERO, _ZERO
        for i in range(row.size):
            value = row[i]
            s += value * a[i]
            t += value * b[i]
            u += value * c[i]
            v += value * d[i]
        products[k], products[k + 1], products[k + 2], products[k + 3] = s, t, u, v
        k += 4
    while k < n_rows:
        a, s = rows[k], _ZERO
        for i in range(row.size):
            s += row[i] * a[i]
        products[k] = s
        k += 1


@float_part
def multiply_wide(out: Floats, kernel: Floats, inputs: Floats) -> None:
    """Multiply the kernel (unit, feature) with inputs (sample, feature): 2 by 4 rows at once.

    Eight sums and the six rows fit the sixteen vector registers of a processor with AVX2, which the
    sixteen sums of 4 by 4 rows do not. At the end of either, the last row stands in for those that
    are missing.
    """
    last_unit, last_sample = out.shape[0] - 1, out.shape[1] - 1
    for i in range(0, last_sample + 1, 4):
        i1, i2, i3 = min(i + 1, last_sample), min(i + 2, last_sample), min(i + 3, last_sample)
        w, x, y, z = inputs[i], inputs[i1], inputs[i2], inputs[i3]
        for j in range(0, last_unit + 1, 2):
            j1 = min(j + 1, last_unit)
            a, b = kernel[j], kernel[j1]
            aw, ax, ay, az = _ZERO, _ZERO, _ZERO, _ZERO
            bw, bx, by, bz = _ZERO, _ZERO, _ZERO, _ZERO
            for k in range(w.size):
                p, q, r, s = w[k], x[k], y[k], z[k]
                aw, ax, ay, az = aw + a[k] * p, ax + a[k] * q, ay + a[k] * r, az + a[k] * s
                bw, bx, by, bz = bw + b[k] * p, bx + b[k] * q, by + b[k] * r, bz + b[k] * s
            out[j, i], out[j, i1], out[j, i2], out[j, i3] = aw, ax, ay, az
            out[j1, i], out[j1, i1], out[j1, i2], out[j1, i3] = bw, bx, by, bz


@float_part
def add_wide(products: Floats, gradient: Floats, inputs: Floats) -> None:
    """Add the product of a gradient (unit, sample) with inputs (sample, feature): 2 by 4 rows."""
    n_units, n_samples = gradient.shape
    for i in range(0, n_samples, 4):
        last = n_samples - 1
        a, b = inputs[i], inputs[min(i + 1, last)]
        c, d = inputs[min(i + 2, last)], inputs[min(i + 3, last)]
        for j in range(0, n_units, 2):
            s0, s1, s2, s3 = _four(gradient[j], i)
            t0, t1, t2, t3 = _four(gradient[min(j + 1, n_units - 1)], i)
            if j + 1 == n_units:
                t0, t1, t2, t3 = _ZERO, _ZERO, _ZERO, _ZERO
            x, y = products[j], products[min(j + 1, n_units - 1)]
            for k in range(a.size):
                p, q, r, s = a[k], b[k], c[k], d[k]
                x[k] += s0 * p + s1 * q + s2 * r + s3 * s
                y[k] += t0 * p + t1 * q + t2 * r + t3 * s


@float_part
def _four(row: Floats, first: int) -> tuple[np.float32, np.float32, np.float32, np.float32]:
    """Take four values of a row, zeros behind its end."""
    n = row.size
    b = row[first + 1] if first + 1 < n else _ZERO
    c = row[first + 2] if first + 2 < n else _ZERO
    d = row[first + 3] if first + 3 < n else _ZERO
    return row[first], b, c, d
