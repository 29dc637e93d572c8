import gzip
import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from ibtools.errors import InputError
from ibtools.recorders.capture.grid import Grid
from ibtools.recorders.capture.keras.describe import describe
from ibtools.recorders.capture.keras.snapshot import SnapshotTaker
from ibtools.recorders.data import DataSet, load_data_set
from ibtools.recorders.engines.keras.build import build_model
from ibtools.recorders.engines.keras.fit import FitEngine
from ibtools.recorders.engines.keras.quantizers import (
    SMALLEST_END,
    FixedRangeQuantizer,
    FlooredAverageQuantizer,
    calibrate,
    range_variables,
)
from ibtools.recorders.engines.protocol import Training
from ibtools.recorders.networks import NETWORKS, Conv, Dense, Network, Pool, get_network
from ibtools.recorders.resolve import resolve_network
from ibtools.recorders.training.seeds import SeedStreams
from ibtools.settings import INITIALIZERS
from tests.real_data import real_data_folder

SYN = get_network("syn")
IMAGES = Network("images", (8, 8, 1), (Conv(2), Pool(), Dense(5), Dense(3)), "width_normal")


def create_images(shape, n_classes, n=60, seed=0):
    """Data of the right shape in which the place of a light tells the class."""
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 100, (n, *shape)).astype(np.float32) / np.float32(255)
    y = np.arange(n) % n_classes
    x.reshape(n, -1)[np.arange(n), y] = 1
    return DataSet("images", x, y, np.arange(n) % 4 == 0, "sha256:0", n_classes)


def last_report(training):
    reports = []
    FitEngine().train(
        training, lambda r: not reports.append((r.epoch, r.history, r.snapshot(), r.state()))
    )
    return reports[-1]


def rows(layer):
    return [row.tobytes() for row in np.ascontiguousarray(layer.values)]


def is_function_of(after, before):
    """Whether equal codes of one layer always come with equal codes of the next."""
    return len(set(zip(rows(before), rows(after), strict=True))) == len(set(rows(before)))


@pytest.mark.parametrize("name", NETWORKS.names())
@pytest.mark.parametrize("activation", ["tanh", "relu", "relu6"])
def test_build_model__float_model_is_what_the_specs_say(name, activation):
    network = get_network(name)
    specs = network.layer_specs(activation, 32)
    tapped = build_model(network, activation, 32)
    assert describe(tapped.model) == specs
    assert tapped.model.input_shape == (None, *network.input_shape)
    assert [math.prod(tap.layer.output_shape[1:]) for tap in tapped.taps] == [
        spec.n_units for spec in specs
    ]


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("name", "activation", "bits", "scheme"),
    [
        ("mnist-4x10", "relu", 8, "paper"),
        ("mnist-bottleneck-2", "relu6", 2, "full"),
        ("mnist-bottleneck-4", "tanh", 16, "paper"),
        # not 4 bits: two steps kill it, and its 0.1 for each class lies on an edge, 1.5 of 15
        ("mnist-hourglass", "relu", 6, "full"),
        ("mnist-conv", "relu", 8, "full"),
        ("mnist-conv", "tanh", 5, "paper"),
    ],
)
def test_train__mnist_networks_are_certified(name, activation, bits, scheme):
    """Two steps of training; `take` certifies every value of every layer."""
    network, data = get_network(name), create_images((28, 28, 1), 10)
    seeds = SeedStreams(0, 0)
    training = Training(
        network=network,
        activation=activation,
        bits=bits,
        data=data,
        seeds=seeds,
        epochs=1,
        learning_rate=0.01,
        batch_size=30,
        scheme=scheme,
    )
    _, history, snapshot, _ = last_report(training)
    assert history is not None
    assert [(key, layer.values.shape) for key, layer in snapshot.items()] == [
        (spec.name, (60, spec.n_units)) for spec in network.layer_specs(activation, bits, scheme)
    ]
    dtype = np.uint8 if bits <= 8 else np.uint16
    assert {layer.values.dtype for layer in snapshot.values()} == {np.dtype(dtype)}
    if scheme == "full":
        assert all(is_function_of(b, a) for a, b in pairwise(snapshot.values()))


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("activation", "bits"), [("tanh", 8), ("tanh", 16), ("relu", 2), ("relu6", 3)]
)
def test_train__full_scheme_processes_codes_only(activation, bits):
    """Data processing, exactly: the codes of a layer are a function of those of the one before."""
    data, seeds = load_data_set("SYN"), SeedStreams(1, 0)
    training = Training(
        network=SYN,
        activation=activation,
        bits=bits,
        data=data,
        seeds=seeds,
        epochs=2,
        learning_rate=0.01,
        scheme="full",
    )
    snapshot = last_report(training)[2]
    assert all(is_function_of(after, before) for before, after in pairwise(snapshot.values()))
    if activation == "tanh":
        grid = Grid.from_range(-1, 1, bits)
        for layer in list(snapshot.values())[:-1]:
            assert (layer.scale, layer.zero_point) == (grid.scale, grid.zero_point)
    assert (snapshot["output"].scale, snapshot["output"].zero_point) == (
        np.float32(1) / np.float32(2**bits - 1),
        0,
    )


def test_build_model__full_scheme_quantises_every_weight():
    tapped = build_model(IMAGES, "relu", 4, scheme="full")
    names = {
        layer.name: {w.name.split("/")[-1] for w in layer.weights} for layer in tapped.model.layers
    }
    for layer in ("quant_conv_1", "quant_hidden_1", "quant_logits"):
        assert {"kernel_min:0", "bias_min:0", "output_min:0"} <= names[layer]
    assert names["pool_1"] == names["flatten"] == names["output"] == set()


def test_take__full_scheme_by_hand():
    """One Tanh unit with two bits on [-1, 1]: values -4/3, -2/3, 0, 2/3. Then a softmax."""
    tapped = build_model(Network("one", (1,), (Dense(1), Dense(2))), "tanh", 2, scheme="full")
    hidden, logits = (tapped.model.get_layer(name) for name in ("quant_hidden_1", "quant_logits"))
    hidden.trainable_weights[0].assign([[2.0]])
    hidden.trainable_weights[1].assign([-2.0])
    logits.trainable_weights[0].assign([[3.0, 0.0]])
    calibrate(tapped.model, np.array([[255]], np.float32))
    for variable, end in zip(range_variables(logits, "output"), (-4, 2), strict=True):
        variable.assign(end)

    taken = SnapshotTaker(tapped).take(np.array([[0], [1], [2]], np.float32))

    # The kernel 2 is on the grid of [0, 2], and the bias -2 on that of [-2, 0]. tanh(-2) = -0.96 is
    # nearer to -2/3 than to -4/3, tanh(0) is 0, tanh(2) = 0.96 is beyond 2/3, the last value.
    assert taken["hidden_1"].values.tolist() == [[1], [2], [3]]
    # Logits (-2, 0), (0, 0), (2, 0), on the grid -4, -2, 0, 2. Softmax: 0.119, 0.5 and 0.881 of the
    # first class, on the grid 0, 1/3, 2/3, 1: 0.5 is half-way, and goes up.
    assert taken["output"].values.tolist() == [[0, 3], [2, 2], [3, 0]]
    probabilities, predicted = SnapshotTaker(tapped).predict(np.array([[0], [1]], np.float32))
    assert probabilities == pytest.approx(np.array([[0.1192, 0.8808], [0.5, 0.5]]), abs=1e-4)
    assert predicted.tolist() == [1, 0]


def test_take__pool_has_the_codes_of_the_maxima():
    tapped = build_model(IMAGES, "relu", 8)
    data = create_images((8, 8, 1), 3)
    calibrate(tapped.model, data.x)
    taken = SnapshotTaker(tapped, batch_size=25).take(data.x)
    conv = taken["conv_1"].values.reshape(60, 3, 2, 3, 2, 2)
    assert np.array_equal(taken["pool_1"].values.reshape(60, 3, 3, 2), conv.max(axis=(2, 4)))
    assert taken["pool_1"].scale == taken["conv_1"].scale
    assert len(np.unique(conv)) > 10


def test_fixed_range_quantizer__keeps_its_range():
    class Holder(tf_keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.quantizer = FixedRangeQuantizer(2, 0.0, 6.0)
            self.ends = self.quantizer.build(None, "output", self)

        def call(self, x, training):
            return self.quantizer(x, training, self.ends)

    x = tf.constant([[-1.0, 0.5, 1.1, 9.0]])
    layer = Holder()
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, training=True)
    assert y.numpy().tolist() == [[0, 0, 2, 6]]
    assert tape.gradient(y, x).numpy().tolist() == [[0, 1, 1, 0]]
    assert [float(end) for end in layer.ends.values()] == [0, 6]


@pytest.mark.parametrize("bits", [8, 16])
def test_floored_average_quantizer__dead_layer_stays_finite(bits):
    """After 80 000 steps of nothing but zeros, tfmot's range at 16 bits gives NaN."""
    quantizer = FlooredAverageQuantizer(bits, False, False, False)
    ends = {"min_var": tf.Variable(0.0), "max_var": tf.Variable(2e-35)}
    dead = tf.zeros((4, 1))
    for _ in range(3):
        assert quantizer(dead, True, ends).numpy().tolist() == [[0]] * 4
    assert quantizer(dead, False, ends).numpy().tolist() == [[0]] * 4
    assert 0.99 * SMALLEST_END < float(ends["max_var"]) <= SMALLEST_END


def test_floored_average_quantizer__is_tfmots_when_alive():
    ends = {"min_var": tf.Variable(-6.0), "max_var": tf.Variable(6.0)}
    FlooredAverageQuantizer(8, False, False, False)(tf.constant([[0.0, 16.0]]), True, ends)
    assert [float(end) for end in ends.values()] == pytest.approx([-5.994, 6.01])


def test_create_initializer__width_normal():
    """Of 784 x 16 numbers: standard deviation 1/4, cut off at two of them, which leaves 0.88."""
    tf_keras.utils.set_random_seed(3)
    model = build_model(get_network("mnist-bottleneck-2"), "relu", 8).model
    kernel, bias = (w.numpy() for w in model.get_layer("quant_hidden_1").trainable_weights)
    assert kernel.shape == (784, 16)
    assert 0.49 < np.abs(kernel).max() <= 0.5
    assert kernel.std() == pytest.approx(0.88 / 4, rel=0.02)
    assert not bias.any()


@pytest.mark.parametrize("initializer", INITIALIZERS)
def test_build_model__knows_every_initializer(initializer):
    kernel = build_model(SYN, "tanh", 32, initializer=initializer).model.layers[1].get_weights()[0]
    assert 0 < np.abs(kernel).max() < 3


def test_build_model__initializer_of_keras():
    model = build_model(get_network("mnist-4x10"), "relu", 32, initializer="glorot_uniform").model
    limit = math.sqrt(6 / 794)
    assert 0.98 * limit < np.abs(model.get_layer("hidden_1").get_weights()[0]).max() <= limit


def resolve_user(name, shape=(12,), n_classes=2):
    text = f"tests.recorders.user_models:{name}"
    return resolve_network(text, input_shape=shape, n_classes=n_classes)


@pytest.mark.parametrize(("name", "bits"), [("small", 32), ("small", 3), ("branched", 3)])
def test_train__user_model(name, bits):
    network, seeds = resolve_user(name), SeedStreams(0, 0)
    training = Training(
        network=network,
        activation="tanh",
        bits=bits,
        data=load_data_set("SYN"),
        seeds=seeds,
        epochs=2,
    )
    snapshot = last_report(training)[2]
    specs = network.layer_specs("tanh", bits)
    assert [(key, layer.values.shape[1]) for key, layer in snapshot.items()] == [
        (spec.name, spec.n_units) for spec in specs
    ]


@pytest.mark.parametrize("bits", [8, 32])
def test_train__user_model_with_layers_of_many_kinds(bits):
    data = create_images((8, 8, 1), 10)
    network = resolve_user("mixed", (8, 8, 1), 10)
    training = Training(
        network=network,
        activation="tanh",
        bits=bits,
        data=data,
        seeds=SeedStreams(0, 0),
        epochs=2,
        batch_size=16,
    )
    _, _, snapshot, _ = last_report(training)
    assert list(snapshot) == ["relu", "max", "average", "dense", "output"]
    if bits == 8:
        assert snapshot["max"].scale == snapshot["relu"].scale != snapshot["average"].scale
        blocks = snapshot["relu"].values.reshape(60, 3, 2, 3, 2, 3)
        assert np.array_equal(snapshot["max"].values.reshape(60, 3, 3, 3), blocks.max(axis=(2, 4)))


def test_build_model__user_model_keeps_its_initial_weights():
    network = resolve_user("mixed", (8, 8, 1), 10)
    tf_keras.utils.set_random_seed(5)
    plain = build_model(network, "tanh", 32).model
    tf_keras.utils.set_random_seed(5)
    quantised = build_model(network, "tanh", 8).model
    for found, expected in zip(quantised.trainable_weights, plain.trainable_weights, strict=True):
        assert np.array_equal(found.numpy(), expected.numpy())


def test_build_model__full_scheme_refuses_weights_that_it_leaves_out():
    network = resolve_user("mixed", (8, 8, 1), 10)
    with pytest.raises(InputError, match="layer 'norm' is a BatchNormalization; use scheme paper"):
        build_model(network, "tanh", 8, scheme="full")


@pytest.mark.slow
def test_train__real_mnist():
    """Bottleneck-2 learns within two epochs, and its layers are certified for all images."""
    folder = next(real_data_folder().rglob("train-images-idx3-ubyte.gz")).parent

    def read(kind, offset):
        parts = [folder / f"{split}-{kind}-ubyte.gz" for split in ("train", "t10k")]
        unpacked = [gzip.decompress(part.read_bytes()) for part in parts]
        return np.concatenate([np.frombuffer(part, np.uint8, offset=offset) for part in unpacked])

    x = read("images-idx3", 16).reshape(-1, 28, 28, 1).astype(np.float32) / np.float32(255)
    y = read("labels-idx1", 8).astype(np.int64)
    data = DataSet("MNIST", x, y, np.arange(len(y)) >= 60000, "sha256:0", 10)
    network = get_network("mnist-bottleneck-2")
    training = Training(
        network=network,
        activation="relu",
        bits=8,
        data=data,
        seeds=SeedStreams(0, 0),
        epochs=2,
        learning_rate=1e-3,
    )
    _, history, snapshot, _ = last_report(training)
    assert history.test_accuracy > 0.3
    assert snapshot["hidden_4"].values.shape == (70000, 2)
    float_history = last_report(replace(training, bits=32))[1]
    assert float_history.train_loss == pytest.approx(history.train_loss, abs=0.2)


def test_train__user_model_is_the_same_again():
    data, network = create_images((8, 8, 1), 10), resolve_user("mixed", (8, 8, 1), 10)
    training = Training(
        network=network,
        activation="tanh",
        bits=8,
        data=data,
        seeds=SeedStreams(0, 0),
        epochs=1,
        batch_size=16,
    )
    assert last_report(training)[3] == last_report(training)[3]
