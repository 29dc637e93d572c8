"""Codes of quantised values: certified where the grid is known, found where it is not."""

import re
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ibtools import LayerValues, StoreError
from ibtools.errors import GridError
from ibtools.store.decode import dequantise


def decoded(layer: LayerValues) -> NDArray[np.float32]:
    """Decode codes slowly: one value after the other, in float32."""
    scale, zero_point = layer.grid
    return dequantise(layer.values, scale, zero_point)


def fake_quantised(
    codes: NDArray[np.integer], scale: object, zero_point: object
) -> NDArray[np.float32]:
    """Quantisers of PyTorch and Brevitas, in their own arithmetic."""
    return (codes - np.asarray(zero_point)).astype("f4") * np.asarray(scale, "f4")


@st.composite
def grids(draw: st.DrawFn) -> tuple[np.float32, int, int, int]:
    """Scale, zero point, bits, lowest code."""
    bits = draw(st.integers(1, 16))
    scale = draw(st.floats(2.0**-20, 2.0**20, width=32))
    lowest = draw(st.sampled_from([0, -(2 ** (bits - 1)), 3]))
    return np.float32(scale), draw(st.integers(0, 2**bits - 1)) + lowest, bits, lowest


@settings(deadline=None)  # the first example compiles
@given(grids(), st.integers(0, 2**32 - 1))
def test_from_values__inverts_any_quantiser(grid: tuple[np.float32, int, int, int], seed: int):
    """codes(dequantise(codes)) = codes, and decoding gives the very floats."""
    scale, zero_point, bits, lowest = grid
    codes = np.random.default_rng(seed).integers(lowest, lowest + 2**bits, (20, 3))
    values = fake_quantised(codes, scale, zero_point)
    found = LayerValues.from_values(
        values, scale=scale, zero_point=zero_point, bits=bits, lowest_code=lowest
    )
    np.testing.assert_array_equal(found.values, codes - lowest)
    np.testing.assert_array_equal(decoded(found), values)
    assert found.values.dtype == (np.uint8 if bits <= 8 else np.uint16)
    assert (found.bits, found.zero_point) == (bits, zero_point - lowest)


@settings(deadline=None)  # the first example compiles
@given(grids(), st.integers(0, 2**32 - 1))
def test_on_grid__is_a_bijection_on_any_grid(grid: tuple[np.float32, int, int, int], seed: int):
    """Equal codes are equal values, and decoding gives the very floats."""
    scale, zero_point, bits, lowest = grid
    codes = np.random.default_rng(seed).integers(lowest, lowest + 2**bits, (30, 3))
    if bits > 10:
        codes[:4] = np.array([0, 1, 40, 900])[:, None] + codes[4]
        codes = np.clip(codes, lowest, lowest + 2**bits - 1)
    values = fake_quantised(codes, scale, zero_point)
    found = LayerValues.on_grid(values, bits=bits)
    np.testing.assert_array_equal(decoded(found), values)
    assert len(np.unique(found.values)) == len(np.unique(values))
    each = LayerValues.on_grid(values, bits=bits, per_unit=True)
    np.testing.assert_array_equal(decoded(each), values)


@pytest.mark.parametrize("bits", [4, 8, 16])
def test_on_grid__is_that_of_the_quantiser_where_neighbours_occur(bits: int):
    rng = np.random.default_rng(bits)
    codes = np.concatenate([[0, 1, 2**bits - 1], rng.integers(0, 2**bits, 997)])[:, None]
    scale = np.float32(0.0173)
    found = LayerValues.on_grid(fake_quantised(codes, scale, 5), bits=bits)
    assert (np.float32(found.scale), found.zero_point) == (scale, 5)


SCALES = np.float32([0.1, 0.25, 0.7])


@pytest.mark.parametrize("shape", [(3,), (1, 3)])
def test_from_values__a_grid_of_each_unit(shape: tuple[int, ...]):
    codes = np.random.default_rng(0).integers(0, 256, (50, 3))
    zeros = np.array([0, 7, 128])
    found = LayerValues.from_values(
        fake_quantised(codes, SCALES, zeros),
        scale=SCALES.reshape(shape),
        zero_point=zeros.reshape(shape),
        bits=8,
    )
    np.testing.assert_array_equal(found.values, codes)
    np.testing.assert_array_equal(found.scale, SCALES)


def test_from_values__a_grid_of_each_channel():
    codes = np.random.default_rng(1).integers(-128, 128, (9, 3, 2, 4))
    scale = SCALES.reshape(3, 1, 1)
    found = LayerValues.from_values(
        fake_quantised(codes, scale, 0), scale=scale[np.newaxis], bits=8, lowest_code=-128
    )
    np.testing.assert_array_equal(found.values, codes + 128)
    assert found.grid[0].shape == (3, 2, 4)


def test_from_values__mixed_widths_of_powers_of_two():
    """Units of 3, 5 and 8 bits with steps of their own (HGQ) are codes on the finest grid."""
    rng = np.random.default_rng(2)
    values = np.stack(
        [
            rng.integers(-(2 ** (b - 1)), 2 ** (b - 1), 99) * 2.0**-f
            for b, f in [(3, 1), (5, 2), (8, 6)]
        ],
        axis=1,
    ).astype("f4")
    found = LayerValues.on_grid(values, bits=16)
    assert found.scale == 2.0**-6
    np.testing.assert_array_equal(decoded(found), values)
    with pytest.raises(GridError, match=r"different|multiples of one step, 16 codes apart"):
        LayerValues.on_grid(values, bits=4)
    wide = values * np.float32([1, 1, 2.0**-14])
    with pytest.raises(GridError, match="65536 codes apart"):
        LayerValues.on_grid(wide, bits=16)
    each = LayerValues.on_grid(wide, bits=8, per_unit=True)
    np.testing.assert_array_equal(decoded(each), wide)


def test_on_grid__of_constant_units():
    values = np.float32([[0, 5, -3], [0, 5, -3]])
    found = LayerValues.on_grid(values, bits=2, per_unit=True)
    np.testing.assert_array_equal(decoded(found), values)
    assert LayerValues.on_grid(values[:, :1]).values.tolist() == [[0], [0]]


def test_from_values__takes_what_float32_holds():
    values = np.array([[0.5, -0.0]])
    for dtype in ("float16", "float32", "float64"):
        found = LayerValues.from_values(values.astype(dtype), scale=0.5, bits=2)
        assert found.values.tolist() == [[1, 0]]
    with pytest.raises(StoreError, match="loses digits"):
        LayerValues.from_values(np.array([[0.1]]), scale=0.1, bits=8)


ONE = np.float32([[0.5, 1.0]])


@pytest.mark.parametrize(
    ("values", "options", "error"),
    [
        (ONE + np.float32(0.1), {}, r"sample 100, unit 0 is 0\.6.*, and nearest on it is 0\.5"),
        (ONE * 1000, {}, r"sample 100, unit 0 is 500\.0, and nearest on it is 127\.5"),
        (ONE * np.nan, {}, "sample 100, unit 0 is nan"),
        (ONE[0], {}, r"floating \(sample, unit, \.\.\.\), found float32 of shape \(2,\)"),
        (ONE.astype(int), {}, "floating"),
        (ONE, {"bits": 17}, "bits must be a whole number from 1 to 16, found 17; .* as values"),
        (ONE, {"scale": -1.0}, "scale must be positive"),
        (ONE, {"scale": "a"}, "scale must be a number"),
        (ONE, {"scale": [1.0, 2.0, 3.0]}, r"units of a sample, \(2,\), found shape \(3,\)"),
        (ONE, {"zero_point": 0.5}, "zero point must be a whole number"),
        (ONE, {"zero_point": 2**25}, "zero point of quantised values must be at most"),
    ],
)
def test_from_values__refuses(values: NDArray[np.float32], options: dict[str, object], error: str):
    settings = {"scale": 0.5, "bits": 8, "layer": "act", "first_sample": 100} | options
    with pytest.raises(StoreError, match=f"layer 'act'.*{error}"):
        LayerValues.from_values(values, **settings)


def test_from_values__names_the_unit_of_a_channel():
    values = np.zeros((2, 3, 4), "f4")
    values[1, 2, 3] = 0.3
    with pytest.raises(GridError, match=re.escape("sample 1, unit (2, 3) is 0.3")):
        LayerValues.from_values(values, scale=SCALES[:, None], bits=8)


@pytest.mark.parametrize("step", [1, 2, 2.0**-20, 1 / 3])
@pytest.mark.parametrize("start", [2**22, 2**24, 2**26])
def test_on_grid__far_from_0_is_certified_or_refused(start: int, step: float):
    """Where float32 can hardly tell the steps, no code stands for another value."""
    values = (np.float32(start) + np.float32([[0, 2, 4, 10]])) * np.float32(step)
    with suppress(GridError):
        np.testing.assert_array_equal(decoded(LayerValues.on_grid(values)), values)


@pytest.mark.parametrize(
    ("values", "error"),
    [
        (np.random.default_rng(0).random((300, 4), "f4"), "at most 256 different values"),
        (np.float32([[0, 1, np.pi]]), "multiples of one step, 256 codes apart at the most"),
        (np.float32([[0, 1, np.inf]]), "must be finite .* sample 0, unit 2"),
    ],
)
def test_on_grid__says_why_there_is_none(values: NDArray[np.float32], error: str):
    with pytest.raises(GridError, match=error):
        LayerValues.on_grid(values, bits=8)
