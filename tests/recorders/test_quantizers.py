import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from ibtools.errors import RecordingError
from ibtools.recorders.engines.keras.build import build_model
from ibtools.recorders.engines.keras.quantizers import (
    CurrentRangeQuantizer,
    calibrate,
    fake_quantise,
    range_variables,
    ranged_layers,
    reset_ranges,
)
from ibtools.recorders.networks import Dense, Network, get_network

TINY = Network("tiny", (3,), (Dense(4), Dense(2)))


@pytest.fixture(scope="module", params=["tanh", "relu", "relu6"])
def tapped(request):
    return build_model(TINY, request.param, 4)


def ranges(layer, quantity):
    return [float(variable.numpy()) for variable in range_variables(layer, quantity)]


def test_build_model__quantises_what_the_scheme_says(tapped):
    names = {
        layer.name: {w.name.split("/")[-1] for w in layer.weights} for layer in tapped.model.layers
    }
    tanh = tapped.taps[0].spec.activation_function == "tanh"
    assert ("kernel_min:0" in names["quant_hidden_1"]) != tanh
    assert "kernel_min:0" in names["quant_logits"]
    assert {"output_min:0", "output_max:0"} <= names["quant_hidden_1"] & names["quant_logits"]
    assert not any("bias_min" in name for layer in names.values() for name in layer)
    assert names["output"] == set()
    assert ranged_layers(tapped.model) == [tap.layer for tap in tapped.taps[:1] if tanh]
    assert tapped.model.output.name.startswith("output/")


def test_build_model__moving_averages_start_at_six(tapped):
    assert ranges(tapped.taps[1].layer, "output") == [-6, 6]


def test_build_model__syn_starts_at_glorot_uniform_and_zero():
    model = build_model(get_network("syn"), "relu", 8).model
    for n_in, n_out, layer in zip((12, 10), (10, 7), model.layers[2:], strict=False):
        kernel, bias = (weight.numpy() for weight in layer.trainable_weights)
        limit = np.sqrt(6 / (n_in + n_out))
        assert kernel.shape == (n_in, n_out)
        assert 0.9 * limit < np.abs(kernel).max() <= limit
        assert not bias.any()


def test_build_model__float_network_has_no_quantiser():
    tapped = build_model(TINY, "tanh", 32)
    kinds = [type(layer).__name__ for layer in tapped.model.layers]
    assert kinds == ["InputLayer", "Dense", "Dense", "Softmax"]
    assert [tap.layer.name for tap in tapped.taps] == ["hidden_1", "output"]


def test_calibrate__input_and_kernels_only(tapped):
    x = np.array([[1, 2, 3], [2, 5, 4]], np.float32)
    calibrate(tapped.model, x)
    quantizer = tapped.model.layers[1]
    assert ranges(quantizer, quantizer.name) == [0, 5]
    logits = tapped.taps[1].layer
    kernel = logits.trainable_weights[0].numpy()
    assert ranges(logits, "kernel") == [min(kernel.min(), 0), max(kernel.max(), 0)]
    assert ranges(logits, "output") == [-6, 6]


def test_calibrate__gives_kernels_the_range_of_the_first_step(tapped):
    x = np.array([[1, 2, 3], [0, 5, 4]], np.float32)
    calibrate(tapped.model, x)
    logits, quantizer = tapped.taps[1].layer, tapped.model.layers[1]
    before = ranges(logits, "kernel"), ranges(quantizer, quantizer.name)
    tapped.model(x, training=True)
    assert before == (ranges(logits, "kernel"), ranges(quantizer, quantizer.name))


class Holder(tf_keras.layers.Layer):
    """A layer with the variables of one quantiser of its output."""

    def __init__(self, num_bits):
        super().__init__()
        self.quantizer = CurrentRangeQuantizer(num_bits)
        self.ends = self.quantizer.build(None, "output", self)

    def call(self, x, training):
        return self.quantizer(x, training, self.ends)


def test_current_range_quantizer__uses_the_range_of_the_tensor():
    outputs = Holder(2)(tf.constant([[-1.0, -0.4, 0.6, 2.0]]), training=True)
    assert outputs.numpy().tolist() == [[-1, 0, 1, 2]]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_current_range_quantizer__range_includes_zero(training, sign):
    """Without it, TensorFlow would shift [0.5, 0.75] to [0, 0.25] and clip both values to 0.25."""
    outputs = Holder(2)(sign * tf.constant([[0.5, 0.75]]), training=training)
    assert outputs.numpy().tolist() == [[sign * 0.5, sign * 0.75]]


def test_current_range_quantizer__is_straight_through_inside_the_range():
    x = tf.constant([[-1.0, -0.4, 0.6, 2.0]])
    layer = Holder(2)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.reduce_sum(layer(x, training=True) * [1.0, 2.0, 3.0, 4.0])
    assert tape.gradient(y, x).numpy().tolist() == [[1, 2, 3, 4]]


def test_current_range_quantizer__inference_keeps_the_range_until_reset():
    layer = Holder(2)
    layer(tf.constant([[-1.0, 2.0]]), training=False)
    layer(tf.constant([[0.25, 0.5]]), training=False)
    layer(tf.constant([[-9.0, 9.0]]), training=True)
    assert ranges(layer, "output") == [-1, 2]
    reset_ranges([layer])
    assert ranges(layer, "output") == [0, 0]


def test_range_variables__names_what_is_missing():
    dense = tf_keras.layers.Dense(2, name="plain")
    dense.build((None, 3))
    with pytest.raises(RecordingError, match=r"'plain' must have the variables output_min and out"):
        range_variables(dense, "output")


@pytest.mark.parametrize("with_xla", [None, True])
def test_fake_quantise__range_without_extent_is_zero_with_a_gradient(with_xla):
    def gradient(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = fake_quantise(x, tf.reduce_min(x), tf.reduce_max(x), 16)
        return y, tape.gradient(y, x)

    y, of_x = tf.function(gradient, jit_compile=with_xla)(tf.zeros([3]))
    assert y.numpy().tolist() == [0, 0, 0]
    assert of_x.numpy().tolist() == [1, 1, 1]
