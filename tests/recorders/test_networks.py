import pytest

from ibtools.errors import UnknownNameError
from ibtools.recorders.networks import Dense, Network, get_network
from ibtools.snapshots import LayerSpec


def test_get_network__syn():
    network = get_network("syn")
    assert network.input_shape == (12,)
    assert network.n_classes == 2
    assert network.layer_specs("tanh", 8) == (
        LayerSpec("hidden_1", 10, "tanh", 8),
        LayerSpec("hidden_2", 7, "tanh", 8),
        LayerSpec("hidden_3", 5, "tanh", 8),
        LayerSpec("hidden_4", 4, "tanh", 8),
        LayerSpec("hidden_5", 3, "tanh", 8),
        LayerSpec("output", 2, "softmax", 8),
    )


def test_get_network__unknown():
    with pytest.raises(UnknownNameError, match=r"unknown network 'sin'.*Known: syn"):
        get_network("sin")


def test_layer_specs__unknown_activation():
    with pytest.raises(
        UnknownNameError, match=r"unknown activation 'relu7'.*Known: tanh, relu, relu6"
    ):
        get_network("syn").layer_specs("relu7", 8)


@pytest.mark.parametrize("bits", [-1, 0, 1, 9, 16, 31, 33])
def test_layer_specs__bits_out_of_range(bits):
    with pytest.raises(ValueError, match=rf"bits must be 2 to 8, or 32 .* but is {bits}"):
        get_network("syn").layer_specs("relu", bits)


def test_network__must_have_layers_with_units():
    with pytest.raises(ValueError, match="at least the output layer"):
        Network("empty", (3,), ())
    with pytest.raises(ValueError, match="'hidden_1' of network 'hole' must have at least one"):
        Network("hole", (3,), (Dense(0), Dense(2)))
