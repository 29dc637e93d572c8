import numpy as np
import pytest

from ibtools.analysis.estimators import ESTIMATORS, Exact, get_estimator
from ibtools.errors import UnknownNameError
from ibtools.snapshots import LayerSpec

Y = np.array([0, 0, 1, 1])


def layer(activation_function="tanh", bits=8):
    return LayerSpec("hidden_1", 2, activation_function, bits)


def statistics(values, spec):
    found = Exact().statistics(values, layer=spec, y=Y, n_classes=2)
    return {name: array.tolist() for name, array in found.items()}


def test_exact__codes_by_hand():
    code = np.array([[[0, 1], [0, 1], [1, 0], [1, 0]], [[5, 5]] * 4], dtype=np.uint8)
    assert statistics(code, layer()) == {
        "mi_xt": [1.0, 0.0],
        "mi_ty": [1.0, 0.0],
        "entropy_t": [1.0, 0.0],
        "n_states": [2, 1],
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
    found = Exact().statistics(np.zeros((1, 4, 2), np.uint8), layer=layer(), y=Y, n_classes=2)
    assert not np.shares_memory(found["mi_xt"], found["entropy_t"])


@pytest.mark.parametrize("name", ESTIMATORS)
def test_get_estimator__every_name(name):
    estimator = get_estimator(name)
    assert estimator.name == name
    assert estimator.specification.startswith(name)


def test_get_estimator__unknown():
    with pytest.raises(UnknownNameError, match="unknown estimator 'exakt'; did you mean 'exact'"):
        get_estimator("exakt")
