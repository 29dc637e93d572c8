from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ibtools.errors import GridError
from ibtools.recorders.capture.grid import Grid
from ibtools.recorders.capture.keras.snapshot import SnapshotTaker
from ibtools.recorders.engines.keras.build import build_model
from ibtools.recorders.engines.keras.quantise import Tap, TappedModel, quantise_model
from ibtools.recorders.engines.keras.quantizers import calibrate, range_variables
from ibtools.recorders.networks import Dense, Network, get_network
from ibtools.store.snapshots import LayerSpec, LayerValues

SYN = get_network("syn")
TWO = Network("two", (2,), (Dense(2), Dense(2)))

lows = st.floats(-(2.0**10), 0, width=32)
highs = st.floats(0, 2.0**10, width=32)


def decode(layer):
    codes = layer.values.astype(np.int32)
    return np.float32(layer.scale) * (codes - layer.zero_point).astype(np.float32)


def encoded(grid, codes):
    return LayerValues(codes, grid.scale, grid.zero_point)


@pytest.fixture(scope="module")
def x():
    return (np.arange(4096)[:, np.newaxis] >> np.arange(12) & 1).astype(np.float32)


@pytest.fixture(
    scope="module",
    params=[("tanh", 2), ("tanh", 8), ("relu", 2), ("relu6", 8)],
    ids=lambda param: f"{param[0]}-{param[1]}",
)
def tapped(request, x):
    """A network some way from its initial state: moved ranges, biases that are not 0."""
    tf_keras.utils.set_random_seed(1)
    built = build_model(SYN, *request.param)
    for layer in built.model.layers[2:-1]:
        bias = layer.trainable_weights[1]
        bias.assign(np.linspace(-0.5, 0.7, bias.shape[0]))
    calibrate(built.model, x)
    for tap in built.taps:
        for variable, end in zip(range_variables(tap.layer, "output"), (-1.3, 2.1), strict=True):
            variable.assign(end)
    return built


@pytest.fixture(scope="module")
def taker(tapped):
    return SnapshotTaker(tapped)


@pytest.fixture(scope="module")
def snapshot(taker, x):
    return taker.take(x)


@settings(deadline=None)  # the first call sets TensorFlow up
@given(lows, highs, st.integers(2, 16), st.integers(0, 2**32 - 1))
def test_grid__is_that_of_tensorflow(low, high, bits, seed):
    """Every value that fake quantisation returns is certified, for any range that includes 0."""
    assume(high - low > 1e-30)
    spread = np.random.default_rng(seed).uniform(1.2 * low - 0.1, 1.2 * high + 0.1, (50, 4))
    inputs = np.append(spread, [[low, high, 0, -0.0]], axis=0).astype(np.float32)
    outputs = tf.quantization.fake_quant_with_min_max_vars(inputs, low, high, bits).numpy()
    grid = Grid.from_range(low, high, bits)
    codes = grid.encode(outputs, layer="layer")
    assert codes.dtype == (np.uint8 if bits <= 8 else np.uint16)
    assert np.array_equal(decode(encoded(grid, codes)), outputs)


@settings(deadline=None)
@given(lows, highs, st.integers(2, 8))
def test_grid__every_code_is_reached(low, high, bits):
    assume(high - low > 1e-30)
    grid = Grid.from_range(low, high, bits)
    codes = np.arange(2**bits, dtype=np.uint8)[:, np.newaxis]
    values = tf.quantization.fake_quant_with_min_max_vars(
        decode(encoded(grid, codes)), low, high, bits
    )
    assert np.array_equal(grid.encode(values.numpy(), layer="layer"), codes)


def test_grid__range_without_extent():
    outputs = tf.quantization.fake_quant_with_min_max_vars([[0.5, -0.5]], 0.0, 0.0).numpy()
    assert Grid.from_range(0, 0, 8).encode(outputs, layer="dead").tolist() == [[0, 0]]


@pytest.mark.parametrize("ends", [(0.1, 1), (-1, -0.1), (np.nan, 1), (0, np.inf)])
def test_grid__refuses_a_range_that_is_not_one(ends):
    with pytest.raises(GridError, match="must be finite and include 0"):
        Grid.from_range(*ends, bits=8)


@pytest.mark.parametrize("wrong", [np.nextafter(np.float32(1), np.float32(2)), 6.5, -0.5, np.nan])
def test_encode__names_the_first_value_off_the_grid(wrong):
    values = np.zeros((5, 3), np.float32)
    values[2, 1] = values[3, 0] = wrong
    grid = Grid.from_range(0, 3.5, bits=3)
    with pytest.raises(
        GridError, match=r"'hidden_2' .* 0\.5 \* \(code - 0\).*sample 102, unit 1 is"
    ):
        grid.encode(values, layer="hidden_2", first_sample=100)


def test_take__two_unit_network_by_hand():
    """Two bits; inputs are whole numbers, and ranges such that the grids are as well."""
    built = build_model(TWO, "relu", 2)
    quantizer = built.model.layers[1]
    hidden, logits = (tap.layer for tap in built.taps)
    # Kernels become [[1, -1], [2, 2]] and [[1, -1], [-1, 0]] on the grid -1, 0, 1, 2.
    hidden.trainable_weights[0].assign([[0.9, -1.2], [2.3, 1.6]])
    hidden.trainable_weights[1].assign([0.5, 0.0])
    logits.trainable_weights[0].assign([[0.6, -0.7], [-0.8, 0.2]])
    logits.trainable_weights[1].assign([0.0, 0.5])
    chosen = [
        (quantizer, quantizer.name, (0, 255)),
        (hidden, "kernel", (-1, 2)),
        (hidden, "output", (0, 6)),
        (logits, "kernel", (-1, 2)),
        (logits, "output", (-4, 8)),
    ]
    for layer, quantity, ends in chosen:
        for variable, end in zip(range_variables(layer, quantity), ends, strict=True):
            variable.assign(end)

    inputs = np.array([[0, 0], [1, 0], [1, 1], [2, 1], [0, 1], [0, 3], [1, 2]], np.float32)
    taken = SnapshotTaker(built).take(inputs)

    # x @ [[1, -1], [2, 2]] + [0.5, 0] is
    # (.5, 0) (1.5, -1) (3.5, 1) (4.5, 0) (2.5, 2) (6.5, 6) (5.5, 3)
    assert (taken["hidden_1"].scale, taken["hidden_1"].zero_point) == (2, 0)
    assert taken["hidden_1"].values.tolist() == [
        [0, 0],
        [1, 0],
        [2, 1],  # 1 is half-way between 0 and 2: up
        [2, 0],
        [1, 1],
        [3, 3],  # 6.5 is beyond the range
        [3, 2],
    ]
    # h @ [[1, -1], [-1, 0]] + [0, 0.5] is
    # (0, .5) (2, -1.5) (2, -3.5) (4, -3.5) (0, -1.5) (0, -5.5) (2, -5.5)
    assert (taken["output"].scale, taken["output"].zero_point) == (4, 1)
    assert taken["output"].values.tolist() == [
        [1, 1],
        [2, 1],  # 2 is half-way between 0 and 4: up
        [2, 0],
        [2, 0],
        [1, 1],
        [1, 0],
        [2, 0],
    ]


def test_take__tanh_by_hand():
    """One hidden unit, tanh(x - 1): its range over the samples decides the grid."""
    built = build_model(Network("one", (1,), (Dense(1), Dense(2))), "tanh", 2)
    quantizer = built.model.layers[1]
    range_variables(quantizer, quantizer.name)[1].assign(255)
    built.taps[0].layer.trainable_weights[0].assign([[1.0]])
    built.taps[0].layer.trainable_weights[1].assign([-1.0])
    hidden = SnapshotTaker(built).take(np.array([[0], [1], [2], [3]], np.float32))["hidden_1"]
    # Range [-0.7616, 0.9640]: scale 0.5752, zero point round(1.324) = 1, values -0.5752 to 1.1504.
    assert hidden.scale == pytest.approx((np.tanh(1) + np.tanh(2)) / 3)
    assert hidden.zero_point == 1
    assert hidden.values.tolist() == [[0], [1], [2], [3]]


def test_take__decodes_to_layer_by_layer_application(tapped, snapshot, x):
    """Up to the last digit, in which compiled and eager operations may differ."""
    values = x
    names = {tap.layer.name: tap.spec.name for tap in tapped.taps}
    for layer in tapped.model.layers[1:]:
        values = layer(values, training=False)
        if layer.name in names:
            assert decode(snapshot[names[layer.name]]) == pytest.approx(values.numpy(), rel=1e-6)


def test_take__softmax_of_decoded_logits_is_the_output(tapped, taker, snapshot, x):
    assert snapshot["output"].values.dtype == np.uint8
    probabilities = tf.nn.softmax(decode(snapshot["output"])).numpy()
    assert probabilities == pytest.approx(tapped.model.predict(x, 4096, verbose=0), abs=1e-6)
    found, predicted = taker.predict(x)
    assert probabilities == pytest.approx(found, abs=1e-6)
    assert np.array_equal(predicted, snapshot["output"].values.argmax(axis=1))


@pytest.mark.parametrize("batch_size", [1000, 4095])
def test_take__is_the_same_in_batches(tapped, snapshot, x, batch_size):
    taken = SnapshotTaker(tapped, batch_size=batch_size).take(x)
    for name, layer in snapshot.items():
        assert np.array_equal(taken[name].values, layer.values)
        assert (taken[name].scale, taken[name].zero_point) == (layer.scale, layer.zero_point)


def test_take__tanh_range_is_that_of_the_samples_taken_now(x):
    built = build_model(SYN, "tanh", 8)
    calibrate(built.model, x)
    taker = SnapshotTaker(built)
    whole, one = taker.take(x)["hidden_1"], taker.take(x[1:2])["hidden_1"]
    assert one.scale < whole.scale
    assert taker.take(x)["hidden_1"].scale == whole.scale


def test_take__fails_when_the_grid_is_not_the_quantisers(tapped, x):
    first = tapped.taps[0]
    wrong = Tap(replace(first.spec, bits=first.spec.bits + 1), first.layer)
    taker = SnapshotTaker(TappedModel(tapped.model, (wrong, *tapped.taps[1:])), batch_size=4000)
    with pytest.raises(GridError, match="every value of layer 'hidden_1' must be on the grid"):
        taker.take(x)


def test_take__float_network(x):
    tapped = build_model(SYN, "tanh", 32)
    taken = SnapshotTaker(tapped).take(x)
    assert [layer.values.shape[1] for layer in taken.values()] == [10, 7, 5, 4, 3, 2]
    assert {layer.values.dtype for layer in taken.values()} == {np.dtype(np.float32)}
    assert taken["output"].values == pytest.approx(tapped.model(x).numpy(), abs=1e-6)


def test_take__network_that_is_not_a_sequence(x):
    """A user's model, in which a layer is used by two others."""
    dense = tf_keras.layers.Dense
    inputs = tf_keras.Input((12,))
    first = dense(4, "relu", name="first")(inputs)
    second = dense(4, "tanh", name="second")(first)
    joined = tf_keras.layers.Concatenate(name="joined")([first, second])
    model = tf_keras.Model(inputs, dense(2, "softmax", name="last")(joined))
    specs = (LayerSpec("first", 4, "relu", 3), LayerSpec("second", 4, "tanh", 3))
    specs += (LayerSpec("last", 2, "softmax", 3),)
    tapped = quantise_model(model, specs, "paper")
    calibrate(tapped.model, x)

    taken = SnapshotTaker(tapped).take(x)

    layers = [tap.layer for tap in tapped.taps]
    a = layers[0](tapped.model.layers[1](x, training=False), training=False)
    b = layers[1](a, training=False)
    c = layers[2](tf.concat([a, b], axis=1), training=False)
    for spec, expected in zip(specs, (a, b, c), strict=True):
        assert decode(taken[spec.name]) == pytest.approx(expected.numpy(), rel=1e-6)


def test_snapshot_taker__batch_size_must_be_positive(tapped):
    with pytest.raises(ValueError, match="batch_size must be at least 1, but is 0"):
        SnapshotTaker(tapped, batch_size=0)
