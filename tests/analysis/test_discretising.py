"""Estimators that bin: what they compute of a block of snapshots."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ibtools.analysis.estimators import Binned, Exact, LayerBlock, Requantised
from ibtools.analysis.information import rounding_bound
from ibtools.decode import decode_values
from ibtools.errors import InputError
from ibtools.snapshots import LayerSpec
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
    return {name: found.tolist() for name, found in estimator.statistics(block).items()}


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
    exact, binned = Exact().statistics(block), estimator.statistics(block)
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
    coarse = Binned(strategy=strategy, n_bins=n_bins).statistics(block)
    fine = Binned(strategy=strategy, n_bins=2 * n_bins).statistics(block)
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
    found = Binned(n_bins=4, bounds=(-1, 1)).statistics(block)
    assert found["n_clipped"].tolist() == [2, 1]
    assert found["n_clipped"].dtype == np.int64


def test_binned__a_bound_that_float32_rounds_is_not_moved():
    """float32(0.1) is above 0.1, float32(0.3) too."""
    block = float_block([[[0.1], [0.3]]])
    assert Binned(bounds=(0.1, 0.3)).statistics(block)["n_clipped"].tolist() == [1]


def test_binned__per_unit_by_hand():
    block = float_block([[[0, 0], [1, 0], [2, 0], [3, 9]]], np.array([0, 0, 1, 1]))
    found = statistics(Binned(True, n_bins=2, bounds="unit"), block)
    one_of_four = 2 - 0.75 * np.log2(3)
    assert found["mi_xt_per_unit"] == [pytest.approx((1 + one_of_four) / 2)]
    assert found["mi_ty_per_unit"] == [pytest.approx((1 + one_of_four - 0.5) / 2)]


def test_binned__infinite_values():
    block = float_block([[[np.inf], [0]]])
    with pytest.raises(InputError, match="layer 'x' has infinite values"):
        Binned().statistics(block)
    found = Binned(n_bins=2, bounds=(0, 1)).statistics(block)
    assert found["n_states"].tolist() == [2]
    assert found["n_clipped"].tolist() == [1]


def test_binned__width_that_is_too_small():
    with pytest.raises(InputError, match="too much for bins of width 1e-20"):
        Binned(strategy="width", bin_width=1e-20).statistics(float_block([[[0], [1]]]))


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
    found = Binned(n_bins=4).statistics(float_block(values, y, 3))
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
    block = code_block(code, scale=scale, zero_point=zero_point)
    assert statistics(Requantised(), block) == statistics(Exact(), block)


@pytest.mark.parametrize(("bits", "dtype"), [(2, np.uint8), (8, np.uint8), (16, np.uint16)])
def test_requantised__equals_exact_on_the_full_range_of_codes(bits, dtype):
    code = np.arange(2**bits, dtype=dtype).reshape(1, -1, 1)
    block = code_block(code, bits=bits)
    assert statistics(Requantised(), block)["n_states"] == [2**bits]


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
