import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibtools.analysis.estimators import (
    ESTIMATORS,
    Binned,
    Exact,
    Knn,
    LayerBlock,
    Requantised,
    create_estimators,
    get_estimator,
    get_estimators,
    parse_estimator,
)
from ibtools.errors import InputError, UnknownNameError
from ibtools.store.snapshots import LayerSpec

Y = np.array([0, 0, 1, 1])


def layer(activation_function="tanh", bits=8):
    return LayerSpec("hidden_1", 2, activation_function, bits)


def statistics(values, spec):
    found = Exact().compute(LayerBlock(values, spec, y=Y, n_classes=2))
    return {name: array.tolist() for name, array in found.items()}


def test_exact__codes_by_hand():
    code = np.array([[[0, 1], [0, 1], [1, 0], [1, 0]], [[5, 5]] * 4], dtype=np.uint8)
    assert statistics(code, layer()) == {
        "mi_xt": [1.0, 0.0],
        "mi_ty": [1.0, 0.0],
        "entropy_t": [1.0, 0.0],
        "n_states": [2, 1],
        "n_singletons": [0, 0],
        "saturation": [0.5, 0.0],
        "mi_ty_null": [pytest.approx(1 / 3, abs=1e-15), 0.0],
        "mi_ty_above_null": [pytest.approx(2 / 3, abs=1e-15), 0.0],
    }


def test_exact__softmax_codes_count_up_to_a_shift():
    code = np.array([[[3, 1], [4, 2], [9, 9], [0, 0]]], dtype=np.uint8)
    assert statistics(code, layer("softmax"))["n_states"] == [2]
    assert statistics(code, layer("linear"))["n_states"] == [4]


def test_exact__float_bit_patterns():
    values = np.array([[[0.0, 1.0], [-0.0, 1.0], [1e-45, 1.0], [0.0, 1.0000001]]], np.float32)
    assert statistics(values, layer(bits=32))["n_states"] == [3]


@pytest.mark.parametrize(("bits", "dtype"), [(8, np.float32), (32, np.uint8)])
def test_exact__dtype_that_does_not_fit_the_layer(bits, dtype):
    with pytest.raises(TypeError, match="found"):
        statistics(np.zeros((1, 4, 2), dtype), layer(bits=bits))


def test_exact__variables_do_not_share_memory():
    found = Exact().compute(LayerBlock(np.zeros((1, 4, 2), np.uint8), layer(), Y, 2))
    assert not np.shares_memory(found["mi_xt"], found["entropy_t"])


@pytest.mark.parametrize("name", ESTIMATORS.names())
def test_get_estimator__every_name(name):
    estimator = get_estimator(name)
    assert estimator.name == name
    assert estimator.specification.startswith(name)


def test_get_estimator__unknown():
    with pytest.raises(UnknownNameError, match="unknown estimator 'exakt'; did you mean 'exact'"):
        get_estimator("exakt")


def per_unit(values, spec):
    found = Exact(per_unit=True).compute(LayerBlock(np.array(values, np.uint8), spec, Y, 2))
    return found["mi_xt_per_unit"].tolist(), found["mi_ty_per_unit"].tolist()


def test_exact__per_unit_by_hand():
    """The first unit is a fair coin that tells the class, the second is constant."""
    code = [[[0, 5], [0, 5], [1, 5], [1, 5]], [[0, 0], [1, 1], [2, 2], [3, 3]]]
    assert per_unit(code, layer()) == ([0.5, 2.0], [0.5, 1.0])


def test_exact__single_units_of_a_softmax():
    """p_1 of two classes is a function of the difference of the logits, whichever is larger."""
    code = [[[3, 1], [2, 0], [1, 3], [0, 9]]]
    assert per_unit(code, layer("softmax")) == ([1.5], [1.0])


def test_exact__single_units_of_a_softmax_are_those_of_the_probabilities():
    rng = np.random.default_rng(0)
    code = rng.integers(0, 5, (1, 500, 3), np.uint8)
    powers = np.exp(code[0].astype(np.float64) * 0.37)
    probabilities = np.round(powers / powers.sum(axis=1, keepdims=True), 12)
    expected = []
    for unit in range(3):
        _, counts = np.unique(probabilities[:, unit], return_counts=True)
        expected.append(-(counts / 500 * np.log2(counts / 500)).sum())
    block = LayerBlock(code, LayerSpec("x", 3, "softmax", 8), np.zeros(500, int), 1)
    found = Exact(per_unit=True).compute(block)["mi_xt_per_unit"]
    assert found[0] == pytest.approx(np.mean(expected), abs=1e-12)


SPECIFICATIONS = [
    "exact",
    "exact-per-unit",
    "requantised",
    "requantised-8",
    "requantised-32-per-unit",
    "requantised-8-population-chao-shen",
    "binned-uniform-30-layer",
    "binned-uniform-256-global",
    "binned-uniform-30--1_1",
    "binned-uniform-30--0.5_0.00001-per-unit",
    "binned-quantile-4-unit",
    "binned-unique-30-layer",
    "binned-width-0.07-zero",
    "binned-width-0.07-layer-per-unit",
]


@pytest.mark.parametrize("specification", SPECIFICATIONS)
def test_parse_estimator__round_trip(specification: str):
    estimator = parse_estimator(specification)
    assert estimator.specification == specification
    assert get_estimator(estimator) is estimator
    assert set(specification) <= set("abcdefghijklmnopqrstuvwxyz0123456789-_.")


@given(
    st.floats(width=64, allow_nan=False, allow_infinity=False, min_value=-1e9, max_value=1e9),
    st.floats(min_value=1e-9, max_value=1e9),
)
def test_parse_estimator__round_trip_of_any_bounds(low: float, width: float):
    estimator = Binned(n_bins=7, bounds=(low, low + 2 * width + abs(low)))
    assert parse_estimator(estimator.specification) == estimator


@pytest.mark.parametrize(
    ("specification", "kind", "message"),
    [
        ("exact-30", InputError, "exact has no option '30'"),
        ("requantised-0", InputError, "requantised must be a whole number from 1 to 32, found 0"),
        ("requantised-33", InputError, "a whole number from 1 to 32, found 33; write requantised"),
        ("requantised-x", InputError, "a whole number from 1 to 32, found 'x'; write requantised"),
        ("requantised-8.5", InputError, "from 1 to 32, found '8.5'; .* for example requantised-8"),
        ("bined-uniform-30-layer", UnknownNameError, "'bined'; did you mean 'binned'"),
        ("binned-unifrom-30", UnknownNameError, "strategy 'unifrom'; did you mean 'uniform'"),
        ("binned-uniform-0", InputError, "n_bins must be a positive whole number, found 0"),
        ("binned-uniform-x", InputError, "n_bins must be a number, found 'x'"),
        ("binned-width-0", InputError, "bin_width must be a positive number, found 0"),
        ("binned-uniform-30-lyaer", UnknownNameError, "bounds 'lyaer'; did you mean 'layer'"),
        ("binned-uniform-30-1_1", InputError, r"the lower first, found \(1.0, 1.0\)"),
        ("binned-uniform-30-0_inf", InputError, "the lower first"),
        (f"binned-uniform-30-0_1{'0' * 308}", InputError, "no further apart than float32 values"),
        ("binned-uniform-30-zero", UnknownNameError, "bounds of the strategy uniform 'zero'"),
        ("binned-quantile-30-global", UnknownNameError, "bounds of the strategy quantile"),
        ("binned-quantile-30-0_1", InputError, "quantile takes the bounds layer or unit"),
        ("binned-unique-30-0_1", InputError, "unique takes the bounds layer or unit"),
        ("binned-unique-30-zero", UnknownNameError, "bounds of the strategy unique"),
    ],
)
def test_parse_estimator__refuses(specification: str, kind: type, message: str):
    with pytest.raises(kind, match=message):
        parse_estimator(specification)


def test_binned__settings_that_contradict():
    with pytest.raises(InputError, match="uniform takes n_bins, not bin_width; found bin_width"):
        Binned(bin_width=0.1)
    with pytest.raises(InputError, match="width takes bin_width, not n_bins; found n_bins = 30"):
        Binned(strategy="width", n_bins=30)


def test_estimators__whole_numbers_of_any_type_have_one_name():
    """The results are called as the estimator, and are found by that name."""
    found = [Requantised(bits=np.int64(8)), Binned(n_bins=np.float64(30)), Knn(np.uint8(3))]
    names = [one.specification for one in found]
    assert names == ["requantised-8", "binned-uniform-30-layer", "knn-3"]
    assert [parse_estimator(name) for name in names] == found


def test_create_estimators__options_are_for_the_bare_name():
    found = create_estimators(
        ["exact", "binned", "binned-width"], n_bins=5, bounds="global", per_unit=True
    )
    assert [one.specification for one in found] == [
        "exact-per-unit",
        "binned-uniform-5-global-per-unit",
        "binned-width-0.07-zero-per-unit",
    ]
    with pytest.raises(
        InputError, match="n_bins is an option of the estimator binned, found exact"
    ):
        create_estimators(["exact"], n_bins=5)


def test_get_estimators__each_once():
    assert [one.name for one in get_estimators(["exact", Exact(), "requantised"])] == [
        "exact",
        "requantised",
    ]
    with pytest.raises(InputError, match="at least one estimator"):
        get_estimators([])
