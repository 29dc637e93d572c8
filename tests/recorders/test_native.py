"""Engine `native` does what `fit` does, resumes, and takes the networks that it can train."""

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from ibtools.errors import InputError
from ibtools.recorders.capture.keras.plain_layers import plain_layers
from ibtools.recorders.data import DataSet
from ibtools.recorders.engines import choose_engine
from ibtools.recorders.engines.keras.fit import FitEngine, create_trainable
from ibtools.recorders.engines.keras.native import NativeKerasEngine
from ibtools.recorders.engines.keras.state import unpack_state
from ibtools.recorders.engines.native import pooling
from ibtools.recorders.engines.protocol import Training
from ibtools.recorders.networks import Conv, Dense, Network, Pool, dense_layers, get_network
from ibtools.recorders.training.seeds import SeedStreams
from ibtools.recorders.user_network import load_user_network
from tests.recorders.trainings import create_training, digest, record

MODELS = "tests.recorders.user_models"

EXACT = 1e-6
"""How far float32 sums in another order lead weights apart in an epoch."""

SETTINGS = [
    (activation, bits, scheme)
    for activation in ("tanh", "relu", "relu6")
    for bits in (2, 8, 16, 32)
    for scheme in ("paper", "full")
]

OF_IMAGES = [
    *(("tanh", 8, "paper"), ("tanh", 4, "full"), ("tanh", 32, "paper")),
    *(("relu", 8, "paper"), ("relu", 16, "full"), ("relu", 2, "paper")),
    *(("relu6", 8, "full"), ("relu6", 32, "paper")),
]

CONVOLVED = (Conv(3), Pool(2), Conv(2, 2), Dense(4), Dense(2))


def variables(model, state):
    """Return weights and ranges, and the optimiser's variables, each as one array."""
    unpack_state(model, state)
    return [
        np.concatenate([variable.numpy().ravel().astype(float) for variable in group])
        for group in (model.weights, model.optimizer.variables)
    ]


def assert_same_variables(training, *reports):
    """Check that weights, ranges and moments of two reports agree but for rounding."""
    model = create_trainable(training).model
    for found, expected in zip(*(variables(model, report[3]) for report in reports), strict=True):
        np.testing.assert_allclose(found, expected, atol=EXACT)


def differences_of_gradients(trainings):
    """Yield by how much the gradients of a first step differ, relative to their length.

    It is infinite if weights or ranges differ by more than Adam makes of it.
    """
    engine = NativeKerasEngine()
    for training in trainings:
        ours, theirs = (record(each, training)[-1] for each in (engine, FitEngine()))
        yield difference_of_gradients(training, ours, theirs)


def difference_of_gradients(training, *reports):
    model = create_trainable(training).model
    (found, moments), (expected, of_fit) = (variables(model, report[3]) for report in reports)
    # Where a gradient is 0 but for rounding, the first step of Adam goes either way.
    largest, most = np.quantile(np.abs(found - expected), [1, 0.9])
    if largest > 2.01 * training.learning_rate or most > EXACT:
        return np.inf
    return np.linalg.norm(moments - of_fit) / np.linalg.norm(of_fit[2:])


def create_wide(n_features, *, n_units=(5, 3), activation="relu", **settings):
    """A training on images of random numbers, in batches of which the last one is odd."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-0.3, 1, (643, n_features)).astype(np.float32)
    network = Network("wide", (n_features,), dense_layers(*n_units, 2))
    return create_random(network, x, activation=activation, **settings)


def create_images(layers=CONVOLVED, shape=(9, 8, 2), *, n=203, **settings):
    """A training on images of random numbers, of which two pixels tell the class."""
    x = np.random.default_rng(0).uniform(-0.3, 1, (n, *shape)).astype(np.float32)
    return create_random(Network("images", shape, layers), x, **settings)


def create_random(network, x, *, repeat=0, **settings):
    n, flat = len(x), x.reshape(len(x), -1)
    y = (flat[:, 0] + flat[:, -1] > 0.7).astype(np.int64)
    data = DataSet("random", x, y, np.arange(n) % 4 == 0, checksum="random", n_classes=2)
    defaults = {"activation": "relu", "bits": 32, "epochs": 2, "batch_size": 50}
    seeds = SeedStreams(0, repeat)
    return Training(network=network, data=data, seeds=seeds, **defaults | settings)


@pytest.mark.sampled(4)
@pytest.mark.parametrize(("activation", "bits", "scheme"), SETTINGS)
def test_train__is_fit_in_every_scheme(activation, bits, scheme):
    """But for sums of quantised values at an edge: of two codes, or of the ReLU at exactly 0.

    In one of four repeats at least, so few are there that the gradient is the same to a hundredth.
    """
    settings = {"scheme": scheme, "batch_size": 4096, "recorded_epochs": frozenset({1})}
    trainings = (create_training(activation, bits, 1, repeat=n, **settings) for n in range(4))
    most = 1e-6 if bits == 32 else 0.01
    assert any(difference < most for difference in differences_of_gradients(trainings))


@pytest.mark.sampled(2)
@pytest.mark.parametrize(("activation", "bits", "scheme"), OF_IMAGES)
def test_train__convolutions_are_those_of_fit_in_every_scheme(activation, bits, scheme):
    settings = {"activation": activation, "bits": bits, "scheme": scheme, "batch_size": 500}
    trainings = (create_images(**settings, epochs=1, repeat=n) for n in range(4))
    most = 1e-6 if bits == 32 else 0.01
    assert any(difference < most for difference in differences_of_gradients(trainings))


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("layers", "shape"),
    [
        (CONVOLVED, (9, 8, 2)),
        ((Conv(3, 5), Conv(2, 1), Pool(3), Dense(2)), (10, 11, 1)),
        ((Pool(2), Conv(5, 4), Pool(2), Pool(2), Dense(3), Dense(2)), (15, 14, 3)),
        ((Conv(2), Dense(2)), (5, 4, 1)),
    ],
)
def test_train__is_fit_for_any_shape(layers, shape):
    """Kernels and squares of other sizes, edges that pools drop, several channels, few features."""
    assert_is_fit(create_images(layers, shape))


def assert_is_fit(training):
    """Check variables and histories after all epochs, which agree but for rounding."""
    ours, theirs = (record(engine, training) for engine in (NativeKerasEngine(), FitEngine()))
    assert_same_variables(training, ours[-1], theirs[-1])
    for (_, history, *_), (_, expected, *_) in zip(ours[1:], theirs[1:], strict=True):
        assert vars(history) == pytest.approx(vars(expected), abs=1e-6)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("n_features", [3, 64, 65, 130])
@pytest.mark.parametrize("n_units", [(5, 3), (4, 1, 6)])
def test_train__is_fit_for_any_width(n_features, n_units):
    assert_is_fit(create_wide(n_features, n_units=n_units))


EVALUATED = {
    "dense-full": (create_training, ("tanh", 8), {"scheme": "full"}),
    "dense-float": (create_training, ("tanh", 32), {}),
    "images-tanh": (create_images, (), {"activation": "tanh", "bits": 8, "n": 700}),
    "images-relu": (create_images, (), {"activation": "relu", "bits": 8, "n": 700}),
}


@pytest.mark.sampled(2)
@pytest.mark.parametrize("case", EVALUATED)
def test_train__evaluates_as_a_snapshot_does(case):
    """Epochs between recorded ones are evaluated by machine code, the others by TensorFlow.

    Ranges of Tanh layers are those of all samples, of which a block is evaluated at once. A single
    sample with a sum at the edge of two codes moves the mean of thousands by some 1e-6.
    """
    create, arguments, settings = EVALUATED[case]
    training = create(*arguments, **settings | {"epochs": 3})
    histories = []
    for recorded in (frozenset({0, 1, 2, 3}), frozenset({0, 3})):
        found = []
        NativeKerasEngine().train(
            replace(training, recorded_epochs=recorded),
            lambda report, found=found: found.append(report.history) or True,
        )
        histories.append(found[1:])
    for history, expected in zip(*histories, strict=True):
        assert vars(history) == pytest.approx(vars(expected), abs=1e-5)


def test_train__one_batch_of_all():
    training = create_wide(7, activation="tanh")
    training = replace(training, batch_size=10_000)
    ours, theirs = (record(engine, training)[-1] for engine in (NativeKerasEngine(), FitEngine()))
    assert_same_variables(training, ours, theirs)


def test_train__a_training_that_ends_early_leaves_the_next_alone():
    """When told to stop, the engine is some epochs ahead."""
    engine, training = NativeKerasEngine(), create_training(epochs=4)
    expected = digest(record(engine, training))
    record(engine, training, n_reports=2)
    assert digest(record(engine, training)) == expected


@pytest.fixture(scope="module")
def of_images():
    """A training of a quantised network with convolutions, and what is reported of it."""
    training = create_images(bits=8, epochs=3)
    return training, record(NativeKerasEngine(), training)


def test_train__convolutions_resumed_equal_uninterrupted(of_images):
    training, reports = of_images
    epoch, *_, state = reports[1]
    resumed = record(NativeKerasEngine(), training, resume=(epoch, state))
    assert digest(resumed) == digest(reports[2:])


def test_train__repeats_of_convolutions_do_not_depend_on_each_other(of_images):
    training, reports = of_images
    engine = NativeKerasEngine()
    record(engine, create_images(bits=8, epochs=1, repeat=1))
    assert digest(record(engine, training)) == digest(reports)


@pytest.mark.parametrize("size", [2, 3])
def test_gradient_of_pool__goes_where_tensorflow_leads_it(size):
    """Of whole numbers, of which several are the largest; what is left over at the edges has 0."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 3, (2, 7, 8, 20)).astype(np.float32)  # channel, row, column, sample
    gradient = rng.normal(size=(2, 7 // size, 8 // size, 20)).astype(np.float32)
    x = tf.constant(images.transpose(3, 1, 2, 0))
    with tf.GradientTape() as tape:
        tape.watch(x)
        maxima = tf.nn.max_pool2d(x, size, size, "VALID")
    expected = tape.gradient(maxima, x, output_gradients=gradient.transpose(3, 1, 2, 0))
    pooled, found = np.empty_like(gradient), np.full_like(images, np.nan)
    flat = [array.reshape(*array.shape[:2], -1) for array in (images, gradient, pooled, found)]
    pooling.pool(flat[0], size, 20, flat[2])
    pooling.gradient_of_pool(flat[1], flat[0], flat[2], size, 20, flat[3])
    np.testing.assert_array_equal(pooled.transpose(3, 1, 2, 0), maxima)
    np.testing.assert_array_equal(found.transpose(3, 1, 2, 0), expected)


def user_network(name, shape=(9, 8, 2)):
    return load_user_network(f"{MODELS}:{name}", input_shape=shape, n_classes=2)


@pytest.mark.parametrize("bits", [8, 32])
def test_train__is_fit_for_a_model_of_the_users(bits):
    """With its own functions in each layer, of which the linear ones are not quantised."""
    training = replace(create_images(bits=bits), network=user_network("convolved"))
    assert choose_engine(training.network, None) == "native"
    if bits == 32:
        assert_is_fit(training)
    else:
        one_step = replace(training, epochs=1, batch_size=500)
        repeats = (replace(one_step, seeds=SeedStreams(0, n)) for n in range(4))
        assert any(difference < 0.01 for difference in differences_of_gradients(repeats))


def test_plain_layers__of_a_model_of_the_users():
    layers = user_network("convolved").plain_layers
    assert layers == (Conv(3), Pool(2), Conv(2, 2), Dense(4), Dense(2))
    assert user_network("small", (12,)).plain_layers == dense_layers(4, 2)


@pytest.mark.parametrize(
    "changed",
    [
        *({"padding": "same"}, {"strides": 2}, {"dilation_rate": 2}, {"kernel_size": (3, 2)}),
        *({"use_bias": False}, {"trainable": False}, {"activation": "sigmoid"}),
        *({"kernel_regularizer": "l2"}, {"bias_constraint": "non_neg"}),
    ],
)
def test_plain_layers__of_other_layers_there_are_none(changed):
    layers = tf_keras.layers
    options = {"filters": 2, "kernel_size": 3, "activation": "relu"}
    kinds = [layers.Conv2D(**options | changed), layers.Flatten(), layers.Dense(2, "softmax")]
    assert plain_layers(tf_keras.Sequential([tf_keras.Input((9, 8, 2)), *kinds])) == ()


def test_choose_engine__by_the_network():
    assert choose_engine(get_network("syn"), None) == "native"
    assert choose_engine(get_network("mnist-conv"), None) == "native"
    assert choose_engine(Network("wide", (2,), dense_layers(129, 2)), None) == "compiled"
    assert choose_engine(Network("deep", (5, 5, 1), (Conv(17), Dense(2))), None) == "compiled"
    assert choose_engine(get_network("syn"), "fit") == "fit"


def test_choose_engine__native_needs_layers_that_it_knows():
    network = user_network("with_dropout", (12,))
    with pytest.raises(InputError, match=r"max pools only, but .* is another; choose engine"):
        choose_engine(network, "native")
    assert choose_engine(network, None) == "compiled"


def test_choose_engine__a_former_name_is_told():
    with pytest.raises(InputError, match="engine 'dense' is called 'native'; choose that"):
        choose_engine(get_network("syn"), "dense")
