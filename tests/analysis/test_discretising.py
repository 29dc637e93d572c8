"""Estimators that bin: what they compute of a block of snapshots."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ibtools.analysis.estimators import Binned, Exact, LayerBlock, Requantised
from ibtools.analysis.kernels.information import rounding_bound
from ibtools.errors import InputError
from ibtools.store.decode import decode_values
from ibtools.store.snapshots import LayerSpec
from tests.analysis.oracle import slow_information, slow_partition


def float_block(values, y=None, n_classes=2, **settings):
    """Make a block (block, sample, unit) of a float layer, with the ranges a recorder writes."""
    values = np.asarray(values, np.float32)
    y = np.arange(values.shape[1]) % n_classes if y is None else y
    rows = {
        "activation_min": values.min(axis=(1, 2)).astype(float),
        "activation_max": values.max(axis=(1, 2)).astype(float),
    }
    layer = LayerSpec("x", values.shape[2], "tanh", 32)
    return LayerBlock(values, layer, y, n_classes, rows, **settings)


def code_block(code, *, scale=0.25, zero_point=3, function="relu", bits=8):
    layer = LayerSpec("x", code.shape[2], function, bits)
    grid = np.float32(scale) * (code.astype(np.int32) - zero_point)
    rows = {
        "scale": np.full(len(code), np.float32(scale), float),
        "zero_point": np.full(len(code), float(zero_point)),
        "activation_min": grid.min(axis=(1, 2)).astype(float),
        "activation_max": grid.max(axis=(1, 2)).astype(float),
    }
    return LayerBlock(code, layer, np.arange(code.shape[1]) % 2, 2, rows)


def statistics(estimator, block):
    return {name: found.tolist() for name, found in estimator.compute(block).items()}


def published_levels(values, bits):
    """The published estimator as it is written, in plain NumPy float32."""
    low, high = values.min(), values.max()
    scaled = (values - low) * np.float32(2**bits) / (high - low)
    assert scaled.dtype == np.float32
    return np.rint(scaled).astype(np.int64)


def oracle(bins, y):
    labels, _ = slow_partition(bins)
    return [float(number) for number in slow_information(labels, y)]


VALUES = hnp.arrays(
    np.float32,
    hnp.array_shapes(min_dims=3, max_dims=3, max_side=10),
    elements=st.floats(width=32, min_value=-100, max_value=100) | st.integers(-3, 3).map(float),
)

ESTIMATORS = [
    Binned(n_bins=7),
    Binned(n_bins=300, bounds="unit"),
    Binned(n_bins=5, bounds=(-1, 1)),
    Binned(n_bins=5, bounds="global"),
    Binned(strategy="quantile", n_bins=4),
    Binned(strategy="quantile", n_bins=4, bounds="unit"),
    Binned(strategy="unique", n_bins=4),
    Binned(strategy="unique", n_bins=4, bounds="unit"),
    Binned(strategy="width", bin_width=0.5),
    Binned(strategy="width", bin_width=0.5, bounds="unit"),
    Binned(strategy="width", bin_width=0.5, bounds=(-1, 1)),
    Requantised(),
]


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda one: one.specification)
@settings(max_examples=25)
@given(values=VALUES)
def test_statistics__of_a_block_are_those_of_its_snapshots(estimator, values):
    block = float_block(values, global_range=(-100.0, 100.0))
    whole = statistics(estimator, block)
    for index in range(len(values)):
        alone = float_block(values[index : index + 1], global_range=(-100.0, 100.0))
        assert {name: found[index : index + 1] for name, found in whole.items()} == statistics(
            estimator, alone
        )


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda one: one.specification)
@settings(max_examples=25)
@given(values=VALUES)
def test_statistics__no_more_than_exact(estimator, values):
    """Bins are a function of the values: H(bins) <= H(T) and I(bins;Y) <= I(T;Y)"""
    block = float_block(values, global_range=(-100.0, 100.0))
    exact, binned = Exact().compute(block), estimator.compute(block)
    bound = 2 * rounding_bound(values.shape[1])
    assert (binned["mi_xt"] <= exact["mi_xt"]).all()
    assert (binned["mi_ty"] <= exact["mi_ty"] + bound).all()


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda one: one.specification)
@settings(max_examples=25)
@given(values=VALUES, data=st.data())
def test_statistics__order_of_samples_and_units_changes_no_bit(estimator, values, data):
    samples = data.draw(st.permutations(range(values.shape[1])))
    units = data.draw(st.permutations(range(values.shape[2])))
    y = np.arange(values.shape[1]) % 2
    block = float_block(values, y, global_range=(-100.0, 100.0))
    moved = values[:, samples][:, :, units]
    permuted = float_block(moved, y[list(samples)], global_range=(-100.0, 100.0))
    assert statistics(estimator, block) == statistics(estimator, permuted)


@pytest.mark.parametrize("strategy", ["uniform", "quantile", "unique"])
@given(values=VALUES, n_bins=st.integers(1, 40))
def test_binned__coarser_nested_bins_have_no_more_information(strategy, values, n_bins):
    block = float_block(values)
    coarse = Binned(strategy=strategy, n_bins=n_bins).compute(block)
    fine = Binned(strategy=strategy, n_bins=2 * n_bins).compute(block)
    assert (coarse["mi_xt"] <= fine["mi_xt"]).all()
    assert (coarse["mi_ty"] <= fine["mi_ty"] + 2 * rounding_bound(values.shape[1])).all()


def test_binned__by_hand():
    """Two bins of [0, 4]: 0, 1 | 2, 4."""
    found = statistics(
        Binned(n_bins=2), float_block([[[0], [1], [2], [4]]], np.array([0, 0, 1, 1]))
    )
    expected = {"mi_xt": [1.0], "mi_ty": [1.0], "entropy_t": [1.0], "n_states": [2]}
    assert expected.items() <= found.items()


def test_binned__bounds_of_layer_and_unit_differ():
    values = [[[0, 10], [1, 10.5], [2, 11], [3, 12]]]
    assert statistics(Binned(n_bins=2), float_block(values))["n_states"] == [1]
    assert statistics(Binned(n_bins=2, bounds="unit"), float_block(values))["n_states"] == [2]


def test_binned__different_values_or_all_of_them():
    """Half of the values are 0, as of a ReLU: they fill a bin of quantiles, but are one value."""
    values = [[[0, 0], [0, 0], [0, 1], [2, 3]]]
    y = np.array([0, 0, 0, 1])
    quantile = Binned(strategy="quantile", n_bins=2).discretise(float_block(values, y))
    assert quantile[0].tolist() == [[0, 0], [0, 0], [0, 1], [1, 1]]
    unique = Binned(strategy="unique", n_bins=2).discretise(float_block(values, y))
    assert unique[0].tolist() == [[0, 0], [0, 0], [0, 0], [1, 1]]
    each = Binned(strategy="unique", n_bins=2, bounds="unit").discretise(float_block(values, y))
    assert each[0].tolist() == [[0, 0], [0, 0], [0, 0], [1, 1]]
    assert statistics(Binned(strategy="unique", n_bins=2), float_block(values, y))["mi_ty"] == [
        pytest.approx(2 - 0.75 * np.log2(3))
    ]


@given(values=VALUES)
def test_binned__all_values_different_is_quantile(values):
    ranks = np.arange(values[0].size, dtype=np.float32).reshape(1, *values[0].shape)
    found = [
        statistics(Binned(strategy=name, n_bins=5), float_block(ranks))
        for name in ("quantile", "unique")
    ]
    assert found[0] == found[1]


@given(values=VALUES, repeats=st.integers(2, 4))
def test_binned__unique_does_not_see_how_often_a_value_occurs(values, repeats):
    once = Binned(strategy="unique", n_bins=4).discretise(float_block(values))
    more = np.concatenate([values, *[values[:, :1]] * repeats], axis=1)
    often = Binned(strategy="unique", n_bins=4).discretise(float_block(more))
    np.testing.assert_array_equal(often[:, : values.shape[1]], once)


def test_binned__given_bounds_count_what_they_clip():
    block = float_block([[[-3, 0], [1, 2]], [[0, 0], [0.5, 1.5]]])
    found = Binned(n_bins=4, bounds=(-1, 1)).compute(block)
    assert found["n_clipped"].tolist() == [2, 1]
    assert found["n_clipped"].dtype == np.int64


def test_binned__a_bound_that_float32_rounds_is_not_moved():
    """float32(0.1) is above 0.1, float32(0.3) too."""
    block = float_block([[[0.1], [0.3]]])
    assert Binned(bounds=(0.1, 0.3)).compute(block)["n_clipped"].tolist() == [1]


def test_binned__per_unit_by_hand():
    block = float_block([[[0, 0], [1, 0], [2, 0], [3, 9]]], np.array([0, 0, 1, 1]))
    found = statistics(Binned(True, n_bins=2, bounds="unit"), block)
    one_of_four = 2 - 0.75 * np.log2(3)
    assert found["mi_xt_per_unit"] == [pytest.approx((1 + one_of_four) / 2)]
    assert found["mi_ty_per_unit"] == [pytest.approx((1 + one_of_four - 0.5) / 2)]


def test_binned__infinite_values():
    block = float_block([[[np.inf], [0]]])
    with pytest.raises(InputError, match="layer 'x' has infinite values"):
        Binned().compute(block)
    found = Binned(n_bins=2, bounds=(0, 1)).compute(block)
    assert found["n_states"].tolist() == [2]
    assert found["n_clipped"].tolist() == [1]


def test_binned__width_that_is_too_small():
    with pytest.raises(InputError, match="too much for bins of width 1e-20"):
        Binned(strategy="width", bin_width=1e-20).compute(float_block([[[0], [1]]]))


@pytest.mark.parametrize("function", ["relu", "softmax"])
@pytest.mark.parametrize("bounds", ["layer", "unit", (0.0, 1.0)])
def test_binned__codes_are_binned_as_their_values(function, bounds):
    code = np.random.default_rng(0).integers(0, 12, (3, 200, 4), np.uint8)
    block = code_block(code, function=function)
    values = np.stack([block.values(index) for index in range(3)])
    np.testing.assert_array_equal(
        values, decode_values(code, block.layer, scale=np.float32(0.25), zero_point=np.int32(3))
    )
    binned = Binned(n_bins=5, bounds=bounds)
    assert statistics(binned, block) == statistics(binned, float_block(values))


def test_binned__equals_the_oracle():
    rng = np.random.default_rng(1)
    values = rng.normal(size=(2, 300, 3)).astype(np.float32)
    y = rng.integers(0, 3, 300)
    found = Binned(n_bins=4).compute(float_block(values, y, 3))
    for index, snapshot in enumerate(values.astype(np.float64)):
        low, high = snapshot.min(), snapshot.max()
        bins = np.minimum(np.floor((snapshot - low) / (high - low) * 4), 3)
        expected = oracle(bins, y)
        assert found["mi_xt"][index] == pytest.approx(expected[0], abs=1e-12)
        assert found["mi_ty"][index] == pytest.approx(expected[1], abs=1e-12)


@given(
    hnp.arrays(np.uint8, hnp.array_shapes(min_dims=3, max_dims=3, max_side=12)),
    st.floats(1e-6, 1e3),
    st.integers(0, 255),
)
def test_requantised__equals_exact_where_codes_are_what_is_counted(code, scale, zero_point):
    """A step of the grid is wider than a level: 2^b / (2^b - 1) at the least."""
    block = code_block(code, scale=scale, zero_point=zero_point)
    assert statistics(Requantised(), block) == statistics(Exact(), block)
    floats = float_block(np.stack([block.values(index) for index in range(len(code))]))
    assert statistics(Requantised(bits=8), floats) == statistics(Exact(), block)


@settings(max_examples=25)
@given(st.integers(1, 10), st.floats(2**-9, 2**6), st.data())
def test_requantised__a_level_for_every_code_up_to_10_bits(bits, scale, data):
    """Whatever part of a grid that holds 0 is used."""
    zero_point = data.draw(st.integers(0, 2**bits - 1))
    first = data.draw(st.integers(0, zero_point))
    last = data.draw(st.integers(zero_point, 2**bits - 1))
    code = np.arange(first, last + 1, dtype=np.uint16).reshape(1, -1, 1)
    block = code_block(code, bits=bits, scale=scale, zero_point=zero_point)
    assert statistics(Requantised(), block)["n_states"] == [last - first + 1]


def test_requantised__float32_merges_codes_of_16_bits():
    """Level 32767.5 of float32 is halfway for two codes, and both go to the even level."""
    code = np.array([0, 32767, 32768, 65535], np.uint16).reshape(1, -1, 1)
    block = code_block(code, bits=16, scale=1.0, zero_point=0)
    assert Requantised().discretise(block).ravel().tolist() == [0, 32768, 32768, 65536]


def test_requantised__is_the_published_arithmetic():
    """Plain float32, with the range of the values; of a softmax, that of the probabilities."""
    rng = np.random.default_rng(5)
    code = rng.integers(0, 256, (2, 300, 3), np.uint8)
    for function in ("tanh", "softmax"):
        block = code_block(code, function=function, scale=0.0471, zero_point=117)
        levels = Requantised().discretise(block)
        for index in range(2):
            values = block.values(index)
            np.testing.assert_array_equal(levels[index], published_levels(values, 8))


def test_requantised__bits_of_a_float_layer_and_of_any_other():
    values = np.linspace(0, 1, 1000, dtype=np.float32).reshape(1, -1, 1)
    for bits in (1, 3, 8):
        found = statistics(Requantised(bits=bits), float_block(values))
        assert found["n_states"] == [2**bits + 1]
    code = np.arange(256, dtype=np.uint8).reshape(1, -1, 1)
    block = code_block(code)
    assert statistics(Requantised(bits=3), block)["n_states"] == [9]
    assert statistics(Requantised(bits=8), block) == statistics(Requantised(), block)


@pytest.mark.parametrize("value", [0.0, 1e-4, -7.5, 3e38])
@pytest.mark.parametrize("bits", [1, 8, 32])
def test_requantised__a_constant_layer_is_one_state(value, bits):
    found = statistics(Requantised(bits=bits), float_block(np.full((1, 6, 2), value)))
    assert (found["mi_xt"], found["mi_ty"], found["n_states"]) == ([0.0], [0.0], [1])


def test_requantised__one_half_of_two_classes_is_in_the_middle_of_a_level():
    """Float noise around it splits no state, as it did where levels were cut off."""
    half = np.float32(0.5)
    p = [0.1, half, np.nextafter(half, 0), np.nextafter(half, 1), 0.9]
    values = np.array([[[one, np.float32(1) - one] for one in np.float32(p)]])
    levels = Requantised(bits=8).discretise(float_block(values))[0]
    assert (levels[1:4] == 128).all()


def test_requantised__splits_a_state_that_float32_splits_at_an_edge():
    """Logits that differ by a shift are one state of the softmax, but float32 rounds them."""
    rng = np.random.default_rng(0)
    code = rng.integers(0, 40, (40, 500, 3), np.uint8)
    shifted = np.concatenate([code, code + np.uint8(101)], axis=1)
    block = code_block(shifted, scale=0.1, zero_point=0, function="softmax")
    more = np.subtract(
        Requantised(bits=24).compute(block)["n_states"], Exact().compute(block)["n_states"]
    )
    assert (more > 0).all()
    assert (Exact().compute(block)["n_states"] <= 500).all()


@pytest.mark.parametrize("values", [[-3e38, 3e38], [0.0, np.inf]])
def test_requantised__a_range_that_float32_cannot_hold(values):
    with pytest.raises(InputError, match=r"layer 'x' spans .*, which float32 cannot divide"):
        Requantised().compute(float_block([[[one] for one in values]]))


def test_requantised__softmax_merges_what_is_nearly_certain():
    """Logits 8 to 255 steps apart are different states, but nearly all of one level of 257."""
    code = np.zeros((1, 248, 2), np.uint8)
    code[0, :, 0] = np.arange(8, 256)
    block = code_block(code, scale=1.0, function="softmax")
    assert statistics(Exact(), block)["n_states"] == [248]
    assert statistics(Requantised(), block)["n_states"][0] < 10


def test_requantised__float_layers_have_2_to_the_32_levels():
    values = np.array([[[0], [1e-12], [2e-12], [0.5], [1]]], np.float32)
    assert statistics(Requantised(), float_block(values))["n_states"] == [3]
