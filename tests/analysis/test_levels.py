"""Levels of the published estimator, bit for bit those of plain NumPy in float32."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ibtools.analysis.kernels.levels import MAX_BITS, level_dtype, nearest_levels

FLOATS = st.floats(width=32, min_value=-1e6, max_value=1e6) | st.integers(-4, 4).map(float)
VALUES = hnp.arrays(
    np.float32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12), elements=FLOATS
)


def levels(values, bits):
    out = np.empty(values.shape, level_dtype(bits))
    nearest_levels(values, float(values.min()), float(values.max()), bits=bits, out=out)
    return out


def published(values, bits):
    """``(v - lo) * 2^b / (hi - lo)`` as it is written, every operation in float32."""
    low, high = values.min(), values.max()
    if low == high:
        return np.zeros(values.shape, np.int64)
    scaled = (values - low) * np.float32(2**bits) / (high - low)
    assert scaled.dtype == np.float32
    return np.rint(scaled).astype(np.int64)


@given(VALUES, st.integers(1, MAX_BITS))
def test_nearest_levels__equal_the_published_ones(values, bits):
    np.testing.assert_array_equal(levels(values, bits), published(values, bits))


@pytest.mark.parametrize("bits", [1, 4, 8, 16, 24, 32])
def test_nearest_levels__equal_the_published_ones_of_many_values(bits):
    """A fused or widened operation would change some of these."""
    rng = np.random.default_rng(bits)
    for scale in (1e-30, 1e-3, 1.0, 1e25):
        values = (rng.normal(size=(500, 8)) * scale).astype(np.float32)
        values[::7] = np.tanh(values[::7])
        np.testing.assert_array_equal(levels(values, bits), published(values, bits))


def test_nearest_levels__are_not_those_of_float64():
    values = np.random.default_rng(0).random((20000, 1), np.float32)
    low, high = (float(end) for end in (values.min(), values.max()))
    wide = np.rint((values.astype(np.float64) - low) * 2**24 / (high - low))
    assert (levels(values, 24) != wide).any()


@given(VALUES, st.integers(1, MAX_BITS))
def test_nearest_levels__laws(values, bits):
    """The ends of the range have levels 0 and 2^b, and a larger value never has a lower level."""
    found = levels(values, bits).ravel()
    order = np.argsort(values, axis=None)
    assert (np.diff(found[order].astype(np.int64)) >= 0).all()
    assert found[order[0]] == 0
    assert found[order[-1]] == (2**bits if values.min() < values.max() else 0)


def test_nearest_levels__ties_go_to_the_even_level():
    values = np.arange(9, dtype=np.float32)[:, np.newaxis] / 8
    assert levels(values, 2).ravel().tolist() == [0, 0, 1, 2, 2, 2, 3, 4, 4]
    halves = [round(Fraction(k, 2)) for k in range(9)]
    assert halves == levels(values, 2).ravel().tolist()


def test_nearest_levels__32_bits_merge_what_is_small_beside_the_range():
    """Below 2^-33 of the range to level 0, and beside a large low what v - low rounds."""
    values = np.array([[0, 2**-34, 2**-33, 2**-32, 1]], np.float32)
    assert levels(values, 32).ravel().tolist() == [0, 0, 0, 1, 2**32]
    beside = np.array([[-1, 0, 2**-26, 1]], np.float32)
    assert levels(beside, 32).ravel().tolist() == [0, 2**31, 2**31, 2**32]


def test_nearest_levels__the_largest_float32_has_the_last_level():
    """Multiplied first, as it is written, 2^32 would overflow."""
    values = np.array([[0, 1e38, 3e38]], np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        assert not np.isfinite((values * np.float32(2**32)).max())
    assert levels(values, 32).ravel().tolist()[::2] == [0, 2**32]


def test_nearest_levels__beyond_the_bounds_are_the_end_levels():
    """Of a store whose ranges are not those of its values."""
    out = np.empty((1, 3), np.uint8)
    nearest_levels(np.array([[-5, 0.5, 7]], np.float32), 0.0, 1.0, bits=2, out=out)
    assert out.tolist() == [[0, 2, 4]]
