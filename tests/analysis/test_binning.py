import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ibtools.analysis.kernels.binning import (
    MAX_BINS,
    bin_dtype,
    bin_quantile,
    bin_uniform,
    bin_unique,
    bin_width,
    bin_width_from_zero,
)

FLOATS = st.floats(width=32, min_value=-1e6, max_value=1e6) | st.integers(-4, 4).map(float)
VALUES = hnp.arrays(
    np.float32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12), elements=FLOATS
)


def slow_uniform(value, low, high, n_bins):
    """The formula of docs/estimators.md, one value at a time, in Python's floats."""
    if low == high:
        return 0
    return max(0, min(math.floor((float(value) - low) * n_bins / (high - low)), n_bins - 1))


def exact_uniform(value, low, high, n_bins):
    """The same in rational numbers, without any rounding."""
    if low == high:
        return 0
    position = (Fraction(float(value)) - Fraction(low)) * n_bins / (Fraction(high) - Fraction(low))
    return max(0, min(math.floor(position), n_bins - 1))


def uniform(values, n_bins, **bounds):
    out = np.empty(values.shape, bin_dtype(n_bins + 1))
    low, high = bounds.pop("low", float(values.min())), bounds.pop("high", float(values.max()))
    bin_uniform(values, low, high, n_bins=n_bins, out=out, **bounds)
    return out


def quantile(values, n_bins):
    out = np.empty(values.shape, bin_dtype(n_bins))
    bin_quantile(values, n_bins=n_bins, out=out)
    return out


@given(VALUES, st.integers(1, 300))
def test_bin_uniform__equals_the_formula(values, n_bins):
    low, high = float(values.min()), float(values.max())
    expected = [[slow_uniform(v, low, high, n_bins) for v in row] for row in values]
    np.testing.assert_array_equal(uniform(values, n_bins), expected)


@given(FLOATS, FLOATS, st.integers(1, 300))
def test_bin_uniform__exactly_n_bins_for_any_range(one, other, n_bins):
    """Bins 0 and n - 1 hold the ends of the range, and none is beyond."""
    low, high = sorted((one, other))
    grid = np.append(np.linspace(low, high, 4 * n_bins, dtype=np.float32), [low, high])
    values = grid.astype(np.float32)[:, np.newaxis]
    found = uniform(values, n_bins)[:, 0]
    assert found.max() <= n_bins - 1
    assert found[values[:, 0] == values.min()].max() == 0
    if values.min() < values.max():
        assert (found[values[:, 0] == values.max()] == n_bins - 1).all()
    else:
        assert (found == 0).all()


@pytest.mark.parametrize("n_bins", [30, 100, 256])
def test_bin_uniform__every_bin_is_used(n_bins):
    rng = np.random.default_rng(n_bins)
    for _ in range(50):
        low, width = rng.normal(), rng.exponential()
        values = np.linspace(low, low + width, 40 * n_bins, dtype=np.float32)[:, np.newaxis]
        assert np.unique(uniform(values, n_bins)).size == n_bins


@given(VALUES, st.integers(1, 100))
def test_bin_uniform__nested_bins_are_unions(values, n_bins):
    """Each of n bins is two of 2n bins: so they have no more information."""
    np.testing.assert_array_equal(uniform(values, n_bins), uniform(values, 2 * n_bins) // 2)


@given(VALUES, st.integers(1, 100))
def test_bins__are_monotone(values, n_bins):
    """v <= w: bin(v) <= bin(w)"""
    order = np.argsort(values, axis=None)
    widths = np.empty(values.shape, np.uint32)
    low, high = float(values.min()), float(values.max())
    bin_width(values, low, high, width=max(high - low, 1) / n_bins, out=widths)
    for bins in (uniform(values, n_bins), quantile(values, n_bins), widths):
        assert (np.diff(bins.ravel()[order].astype(int)) >= 0).all()


def test_bin_uniform__bounds_of_each_unit():
    values = np.array([[0, 5, 7], [1, 6, 7], [2, 9, 7]], np.float32)
    found = uniform(values, 2, low=values.min(axis=0), high=values.max(axis=0))
    assert found.tolist() == [[0, 0, 0], [1, 0, 0], [1, 1, 0]]


def test_bin_uniform__values_outside_go_to_the_end_bins():
    values = np.array([[-np.inf, -2, -1, 0, 1, 2, np.inf]], np.float32)
    assert uniform(values, 4, low=-1, high=1).tolist() == [[0, 0, 0, 2, 3, 3, 3]]


@pytest.mark.parametrize("first", [0, -700, 2**23])
def test_bin_uniform__whole_numbers_never_share_a_bin(first):
    """0 to n in n bins: every bin holds one of them, and the last two."""
    for n_bins in range(1, 1025):
        values = np.arange(first, first + n_bins + 1, dtype=np.float32)[:, np.newaxis]
        expected = np.minimum(np.arange(n_bins + 1), n_bins - 1)
        np.testing.assert_array_equal(uniform(values, n_bins)[:, 0], expected)


@given(st.integers(-(2**20), 2**20), st.integers(1, 2**12), st.integers(-30, 30), st.data())
def test_bin_uniform__equals_rational_arithmetic_on_a_grid(first, steps, exponent, data):
    """Values that are whole numbers of any power of two, edges among them, in any bins."""
    n_bins = data.draw(st.integers(1, 1024) | st.sampled_from([steps, 2 * steps, 3 * steps]))
    numbers = data.draw(st.lists(st.integers(0, steps), max_size=30))
    values = np.array([[first + k] for k in [0, steps, *numbers]]) * 2.0**exponent
    values = values.astype(np.float32)
    low, high = float(values.min()), float(values.max())
    expected = [[exact_uniform(v, low, high, n_bins) for v in row] for row in values]
    np.testing.assert_array_equal(uniform(values, n_bins), expected)


@given(VALUES, st.integers(1, 1024))
def test_bin_uniform__equals_rational_arithmetic_but_for_rounding(values, n_bins):
    """Of any values: a bin is another only where the position is within rounding of its edge."""
    low, high = values.min(axis=0).astype(float), values.max(axis=0).astype(float)
    found = uniform(values, n_bins, low=low, high=high)
    for (_, unit), value, bin_of in zip(
        np.ndindex(values.shape), values.flat, found.flat, strict=True
    ):
        if low[unit] == high[unit]:
            assert bin_of == 0
            continue
        span = Fraction(high[unit]) - Fraction(low[unit])
        position = (Fraction(float(value)) - Fraction(low[unit])) * n_bins / span
        rounding = position / 2**50
        edges = math.floor(position - rounding), math.floor(position + rounding)
        assert min(edges[0], n_bins - 1) <= bin_of <= min(edges[1], n_bins - 1)


@pytest.mark.parametrize("n_bins", [2**31, 2**52, MAX_BINS])
def test_bin_uniform__as_many_bins_as_float64_can_number(n_bins):
    values = np.sort(np.random.default_rng(0).random((200, 1), np.float32), axis=0)
    found = uniform(values, n_bins, low=0.0, high=1.0)[:, 0]
    np.testing.assert_array_equal(found, (values[:, 0].astype(np.float64) * n_bins).astype(int))
    ends = np.array([[-3e38], [3e38]], np.float32)
    assert uniform(ends, n_bins)[:, 0].tolist() == [0, n_bins - 1]


@pytest.mark.parametrize(
    ("low", "high", "width", "expected"),
    [
        (0, 1, 0.5, [0, 0, 1, 1]),
        (0, 1, 0.4, [0, 0, 1, 2]),
        (0, 1, 2, [0, 0, 0, 0]),
        (0.25, 0.5, 0.25, [0, 0, 0, 0]),
    ],
)
def test_bin_width__by_hand(low, high, width, expected):
    values, out = np.array([[0, 0.25, 0.5, 1]], np.float32), np.empty((1, 4), np.uint8)
    bin_width(values, low, high, width=width, out=out)
    assert out.tolist() == [expected]


@pytest.mark.parametrize(("high", "width", "n_bins"), [(21, 0.35, 60), (0.07, 0.01, 7)])
def test_bin_width__no_bin_more_than_there_are_widths(high, width, n_bins):
    """The float64 quotient is above the whole number that it is of decimals."""
    assert high / width > n_bins
    values, out = np.array([[high, 2 * high]], np.float32), np.empty((1, 2), np.uint8)
    bin_width(values, 0, high, width=width, out=out)
    assert out.tolist() == [[n_bins - 1] * 2]


def test_bin_width_from_zero__decimals_are_the_floats_that_they_are():
    """0.6 is above 6 * 0.1 in float32, 0.7 below 7 * 0.1: bins are of the values that there are."""
    values, out = np.array([[0.5, 0.6, 0.7, 0.75]], np.float32), np.empty((1, 4), np.uint8)
    bin_width_from_zero(values, 0.5, 0.75, width=0.1, out=out)
    assert out.tolist() == [[0, 1, 1, 2]]


@given(VALUES, st.sampled_from([0.07, 0.5, 1.0, 1e3]))
def test_bin_width_from_zero__equals_floor(values, width):
    """Saxe et al.: ``floor(v / width)``, here counted from the first."""
    out = np.empty(values.shape, np.uint32)
    bin_width_from_zero(values, float(values.min()), float(values.max()), width=width, out=out)
    slow = np.array([[math.floor(float(v) / width) for v in row] for row in values])
    np.testing.assert_array_equal(out, slow - slow.min())


@given(
    st.lists(st.integers(-1000, 1000), min_size=1, max_size=200, unique=True), st.integers(1, 40)
)
def test_bin_quantile__distinct_values_fill_bins_equally(numbers, n_bins):
    """Counts of the bins differ by 1 at most."""
    found = quantile(np.array(numbers, np.float32), n_bins)
    counts = np.bincount(found, minlength=n_bins)
    assert counts.max() - counts.min() <= 1
    assert counts.size == n_bins


@given(VALUES, st.integers(1, 40))
def test_bin_quantile__equals_the_ranks(values, n_bins):
    flat = values.ravel().tolist()
    smaller = [sum(other < value for other in flat) for value in flat]
    expected = [math.floor(Fraction(rank * n_bins, len(flat))) for rank in smaller]
    np.testing.assert_array_equal(quantile(values, n_bins).ravel(), expected)


@given(VALUES, st.integers(1, 40))
def test_bin_unique__equals_the_ranks_among_different_values(values, n_bins):
    different = sorted(set((values.ravel() + 0).tolist()))
    expected = [
        math.floor(Fraction(different.index(value) * n_bins, len(different)))
        for value in (values.ravel() + 0).tolist()
    ]
    out = np.empty(values.shape, bin_dtype(n_bins))
    bin_unique(values, n_bins=n_bins, out=out)
    np.testing.assert_array_equal(out.ravel(), expected)


@pytest.mark.parametrize(
    ("values", "n_bins", "expected"),
    [
        ([0, 0, 0, 0, 1, 2], 3, [0, 0, 0, 0, 1, 2]),
        ([0, 0, 0, 0, 1, 2], 2, [0, 0, 0, 0, 0, 1]),
        ([4, 1, 3, 2], 2, [1, 0, 1, 0]),
        ([5, 5, 5], 4, [0, 0, 0]),
        ([1, 2], 4, [0, 2]),
        ([-0.0, 0.0, 1.0], 2, [0, 0, 1]),
    ],
)
def test_bin_unique__by_hand(values, n_bins, expected):
    out = np.empty(len(values), bin_dtype(n_bins))
    bin_unique(np.array(values, np.float32), n_bins=n_bins, out=out)
    assert out.tolist() == expected


@given(VALUES, st.integers(1, 20), st.integers(1, 5))
def test_bin_quantile__nested_bins_are_unions(values, n_bins, parts):
    finer = quantile(values, n_bins * parts)
    np.testing.assert_array_equal(quantile(values, n_bins), finer // parts)


@given(hnp.arrays(np.float32, 50, elements=st.integers(-3, 3).map(float)), st.integers(1, 60))
def test_bin_quantile__ties_are_never_split(values, n_bins):
    found = quantile(values, n_bins)
    for value in np.unique(values):
        assert np.unique(found[values == value]).size == 1
