import pytest

from ibtools.errors import InputError, UnknownNameError
from ibtools.recorders.networks import Conv, Dense, Network, Pool, get_network
from ibtools.store.snapshots import LayerSpec


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


@pytest.mark.parametrize("bits", [-1, 0, 1, 9, 15, 17, 31, 33])
def test_layer_specs__bits_out_of_range(bits):
    with pytest.raises(ValueError, match=rf"bits must be 2 to 8 or 16, or 32 .* but is {bits}"):
        get_network("syn").layer_specs("relu", bits)


@pytest.mark.parametrize(
    ("name", "units"),
    [
        ("mnist-4x10", [10, 10, 10, 10, 10]),
        ("mnist-bottleneck-2", [16, 8, 4, 2, 10]),
        ("mnist-bottleneck-4", [16, 12, 8, 4, 10]),
        ("mnist-hourglass", [16, 8, 4, 2, 4, 8, 10]),
    ],
)
def test_networks__mnist_dense(name, units):
    network = get_network(name)
    assert network.name == name
    assert (network.input_shape, network.n_classes) == ((28, 28, 1), 10)
    specs = network.layer_specs("relu", 4)
    assert [spec.n_units for spec in specs] == units
    assert [spec.activation_function for spec in specs] == ["relu"] * (len(units) - 1) + ["softmax"]


def test_networks__mnist_conv():
    """28 - 2 = 26, 26 / 2 = 13, 13 - 2 = 11, 11 // 2 = 5."""
    specs = get_network("mnist-conv").layer_specs("relu", 8)
    assert specs == (
        LayerSpec("conv_1", 26 * 26 * 2, "relu", 8),
        LayerSpec("pool_1", 13 * 13 * 2, "pool", 8),
        LayerSpec("conv_2", 11 * 11 * 2, "relu", 8),
        LayerSpec("pool_2", 5 * 5 * 2, "pool", 8),
        LayerSpec("hidden_1", 16, "relu", 8),
        LayerSpec("output", 10, "softmax", 8),
    )


@pytest.mark.parametrize(
    ("bits", "scheme", "function"),
    [
        (8, "paper", "softmax"),
        (8, "full", "softmax_quantised"),
        (32, "paper", "softmax"),
        (32, "full", "softmax"),
    ],
)
def test_layer_specs__output_says_whether_its_codes_are_logits(bits, scheme, function):
    assert get_network("syn").layer_specs("tanh", bits, scheme)[-1].activation_function == function


def test_layer_specs__unknown_scheme():
    with pytest.raises(UnknownNameError, match=r"unknown quantisation scheme 'all'.*paper, full"):
        get_network("syn").layer_specs("tanh", 8, "all")


def test_network__pool_drops_what_is_left_over():
    network = Network("odd", (5, 7, 3), (Pool(2), Dense(2)))
    assert network.layer_specs("relu", 8)[0].n_units == 2 * 3 * 3


@pytest.mark.parametrize(
    ("shape", "layers", "message"),
    [
        ((3,), (), "at least the output layer"),
        ((8, 8, 1), (Dense(2), Pool()), "at least the output layer, a Dense"),
        ((3,), (Dense(0), Dense(2)), "'hidden_1' of network 'hole' must have at least one"),
        ((12,), (Conv(2), Dense(2)), r"'conv_1' of network 'hole' must follow .* follows \(12,\)"),
        ((4, 4, 1), (Conv(1), Conv(1), Dense(2)), r"'conv_2' .* has the shape \(0, 0, 1\)"),
        ((8, 8, 1), (Dense(2), Pool(), Dense(2)), r"'pool_1' .* but follows \(2,\)"),
    ],
)
def test_network__refuses_layers_that_do_not_fit(shape, layers, message):
    with pytest.raises(InputError, match=message):
        Network("hole", shape, layers)
