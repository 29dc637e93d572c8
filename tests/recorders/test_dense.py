from dataclasses import replace

import numpy as np
import pytest

from ibtools.errors import InputError
from ibtools.recorders.data import DataSet
from ibtools.recorders.engines import choose_engine
from ibtools.recorders.engines.keras.fit import FitEngine, create_trainable
from ibtools.recorders.engines.keras.state import unpack_state
from ibtools.recorders.engines.native.dense import DenseEngine
from ibtools.recorders.engines.protocol import Training
from ibtools.recorders.networks import Network, dense_layers, get_network
from ibtools.recorders.training.seeds import SeedStreams
from ibtools.recorders.user_network import load_user_network
from tests.recorders.trainings import create_training, digest, record

EXACT = 1e-6
"""How far float32 sums in another order lead weights apart in an epoch."""

SETTINGS = [
    (activation, bits, scheme)
    for activation in ("tanh", "relu", "relu6")
    for bits in (2, 8, 16, 32)
    for scheme in ("paper", "full")
]


def variables(training, state):
    """Return weights and ranges, and the optimiser's variables, each as one array."""
    model = create_trainable(training).model
    unpack_state(model, state)
    return [
        np.concatenate([variable.numpy().ravel().astype(float) for variable in group])
        for group in (model.weights, model.optimizer.variables)
    ]


def assert_same_variables(training, *reports):
    """Check that weights, ranges and moments of two reports agree but for rounding."""
    for found, expected in zip(
        *(variables(training, report[3]) for report in reports), strict=True
    ):
        np.testing.assert_allclose(found, expected, atol=EXACT)


def difference_of_gradients(training):
    """Return by how much the gradients of a first step differ, relative to their length.

    It is infinite if weights or ranges differ by more than Adam makes of it.
    """
    (*_, ours), (*_, theirs) = (record(each, training)[-1] for each in (DenseEngine(), FitEngine()))
    (found, moments), (expected, of_fit) = (variables(training, run) for run in (ours, theirs))
    # Where a gradient is 0 but for rounding, the first step of Adam goes either way.
    largest, most = np.quantile(np.abs(found - expected), [1, 0.9])
    if largest > 2.01 * training.learning_rate or most > EXACT:
        return np.inf
    return np.linalg.norm(moments - of_fit) / np.linalg.norm(of_fit[2:])


def create_wide(n_features, *, n_units=(5, 3), activation="relu", **settings):
    """A training on images of random numbers, in batches of which the last one is odd."""
    rng = np.random.default_rng(0)
    x = rng.uniform(-0.3, 1, (643, n_features)).astype(np.float32)
    y = (x[:, 0] + x[:, -1] > 0.7).astype(np.int64)
    data = DataSet("random", x, y, np.arange(643) % 4 == 0, checksum="random", n_classes=2)
    network = Network("wide", (n_features,), dense_layers(*n_units, 2))
    return Training(
        network=network,
        activation=activation,
        bits=32,
        data=data,
        seeds=SeedStreams(0, 0),
        epochs=2,
        batch_size=50,
        **settings,
    )


@pytest.mark.parametrize(("activation", "bits", "scheme"), SETTINGS)
def test_train__is_fit_in_every_scheme(activation, bits, scheme):
    """But for sums of quantised values at an edge: of two codes, or of the ReLU at exactly 0.

    In one of four repeats at least, so few are there that the gradient is the same to a hundredth.
    """
    settings = {"scheme": scheme, "batch_size": 4096, "recorded_epochs": frozenset({1})}
    trainings = (create_training(activation, bits, 1, repeat=n, **settings) for n in range(4))
    most = 1e-6 if bits == 32 else 0.01
    assert any(difference_of_gradients(training) < most for training in trainings)


@pytest.mark.parametrize("n_features", [3, 64, 65, 130])
@pytest.mark.parametrize("n_units", [(5, 3), (4, 1, 6)])
def test_train__is_fit_for_any_width(n_features, n_units):
    training = create_wide(n_features, n_units=n_units)
    ours, theirs = (record(engine, training) for engine in (DenseEngine(), FitEngine()))
    for found, expected in zip(
        *(variables(training, run[-1][3]) for run in (ours, theirs)), strict=True
    ):
        np.testing.assert_allclose(found, expected, atol=EXACT)
    for (_, history, *_), (_, expected, *_) in zip(ours[1:], theirs[1:], strict=True):
        assert vars(history) == pytest.approx(vars(expected), abs=1e-6)


@pytest.mark.parametrize("bits", [8, 32])
def test_train__evaluates_as_a_snapshot_does(bits):
    """Epochs between recorded ones are evaluated by machine code, the others by TensorFlow."""
    training = create_training("tanh", bits, 3, scheme="full" if bits == 8 else "paper")
    histories = []
    for recorded in (frozenset({0, 1, 2, 3}), frozenset({0, 3})):
        found = []
        DenseEngine().train(
            replace(training, recorded_epochs=recorded),
            lambda report, found=found: found.append(report.history) or True,
        )
        histories.append(found[1:])
    for history, expected in zip(*histories, strict=True):
        assert vars(history) == pytest.approx(vars(expected), abs=1e-6)


def test_train__one_batch_of_all():
    training = create_wide(7, activation="tanh")
    training = replace(training, batch_size=10_000)
    ours, theirs = (record(engine, training)[-1] for engine in (DenseEngine(), FitEngine()))
    assert_same_variables(training, ours, theirs)


def test_train__a_training_that_ends_early_leaves_the_next_alone():
    """When told to stop, the engine is some epochs ahead."""
    engine, training = DenseEngine(), create_training(epochs=4)
    expected = digest(record(engine, training))
    record(engine, training, n_reports=2)
    assert digest(record(engine, training)) == expected


def test_choose_engine__by_the_network():
    assert choose_engine(get_network("syn"), None) == "dense"
    assert choose_engine(get_network("mnist-conv"), None) == "compiled"
    assert choose_engine(Network("wide", (2,), dense_layers(129, 2)), None) == "compiled"
    assert choose_engine(get_network("syn"), "fit") == "fit"


@pytest.mark.parametrize("name", ["mnist-conv", "user"])
def test_choose_engine__dense_needs_dense_layers(name):
    if name == "user":
        path = "tests.recorders.user_models:with_dropout"
        network = load_user_network(path, input_shape=(12,), n_classes=2)
    else:
        network = get_network(name)
    with pytest.raises(InputError, match=r"dense layers only, but .* is another; choose engine"):
        choose_engine(network, "dense")
    assert choose_engine(network, None) == "compiled"
