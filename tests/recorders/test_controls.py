"""Controls of a recording: frozen weights, ranges that do not warm up, labels that are random."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from ibtools.errors import InputError, UnknownNameError
from ibtools.recorders.data import DataSet
from ibtools.recorders.engines import ENGINES, find_engine, load_engine
from ibtools.recorders.engines.keras.fit import FitEngine, create_trainable
from ibtools.recorders.engines.keras.quantizers import range_variables
from ibtools.recorders.engines.keras.state import unpack_state
from ibtools.recorders.user_network import load_user_network
from ibtools.store.snapshots import FLOAT_BITS
from tests.recorders.trainings import SMALL, create_training, digest, record

ROUNDING = 2e-6
"""How far engines may be apart where nothing is trained: a range, by the rounding of sums."""


CASES = {
    "frozen": {"control": "frozen"},
    "calibrated": {"ranges": "calibrated"},
    "fixed": {"ranges": "fixed"},
    "random": {"labels": "random"},
}
"""Two epochs of a small ReLU network of 8 bits each."""

ENGINE_NAMES = ("fit", "compiled", "native")

SLOW = [("compiled", "calibrated"), ("compiled", "random")]
"""Compiled anew for little that is new."""

PAIRS = [
    pytest.param(name, case, marks=[pytest.mark.slow] * ((name, case) in SLOW))
    for name in ENGINE_NAMES
    for case in CASES
]


@cache
def engine_of(name):
    return load_engine(find_engine(name, "keras"))


def training_of(case, epochs=2):
    return create_training("relu", 8, epochs, network=SMALL, **CASES[case])


@cache
def reports_of(name, case):
    return record(engine_of(name), training_of(case))


@pytest.fixture(params=ENGINE_NAMES)
def name(request):
    return request.param


def model_of(training, state):
    model = create_trainable(training).model
    unpack_state(model, state)
    return model


def trained_weights(training, state):
    return [weight.numpy() for weight in model_of(training, state).trainable_weights]


def output_ranges(training, state):
    """Return the range of every quantised output, (layer, end)."""
    layers = [one for one in model_of(training, state).layers if hasattr(one, "quantize_config")]
    return np.array([[end.numpy() for end in range_variables(one, "output")] for one in layers])


def grids(snapshot):
    return {name: (layer.scale, layer.zero_point) for name, layer in snapshot.items()}


@pytest.mark.sampled(3)
@pytest.mark.parametrize(("name", "case"), PAIRS)
def test_train__resumed_equals_uninterrupted(name, case):
    reports = reports_of(name, case)
    epoch, *_, state = reports[1]
    resumed = record(engine_of(name), training_of(case), resume=(epoch, state))
    assert digest(resumed) == digest(reports[2:])


@pytest.mark.sampled(3)
@pytest.mark.parametrize(("name", "case"), PAIRS)
def test_train__engines_agree(name, case):
    """The untrained network to the last bit, then ranges, accuracy and loss but for rounding."""
    reports, of_fit = reports_of(name, case), reports_of("fit", case)
    assert digest(reports[:1]) == digest(of_fit[:1])
    training = training_of(case)
    found, expected = (output_ranges(training, run[1][3]) for run in (reports, of_fit))
    np.testing.assert_allclose(found, expected, atol=ROUNDING if case == "frozen" else 1e-3)
    assert vars(reports[1][1]) == pytest.approx(vars(of_fit[1][1]), abs=5e-3)


@pytest.mark.sampled(1)
def test_frozen__no_weight_moves_by_a_bit_and_ranges_do(name):
    training, reports = training_of("frozen"), reports_of(name, "frozen")
    initial = [weight.numpy() for weight in create_trainable(training).model.trainable_weights]
    for *_, state in reports:
        for found, expected in zip(trained_weights(training, state), initial, strict=True):
            np.testing.assert_array_equal(found, expected)
    first, second, third = (output_ranges(training, state) for *_, state in reports)
    assert (second != first).all(axis=1).any()
    assert (third != second).all(axis=1).any()
    assert int(model_of(training, reports[-1][3]).optimizer.iterations) == 2 * 13


@pytest.mark.sampled(1)
def test_frozen__starts_as_the_trained_network_does(name):
    trained = replace(training_of("frozen", epochs=0), control="none")
    assert digest(record(engine_of(name), trained)[:1]) == digest(reports_of(name, "frozen")[:1])


def test_frozen__ranges_are_those_of_the_batches_of_the_trained_network():
    """One step, whose range is computed before a weight changes: it is that of the training."""
    frozen = create_training("relu", 8, 1, control="frozen", batch_size=4096)
    trained = replace(frozen, control="none")
    (*_, found), (*_, expected) = (record(FitEngine(), one)[1] for one in (frozen, trained))
    np.testing.assert_array_equal(output_ranges(frozen, found), output_ranges(trained, expected))


def test_frozen__constraints_of_a_model_of_the_users_move_no_weight():
    """Keras puts a constraint on a weight after each step, whether the step changed it or not."""
    path = "tests.recorders.user_models:with_constraint"
    network = load_user_network(path, input_shape=(12,), n_classes=2)
    training = replace(create_training(bits=32, epochs=1, control="frozen"), network=network)
    for name in ("fit", "compiled"):
        first, last = record(load_engine(ENGINES.find(name)), training)
        states = [trained_weights(training, state) for *_, state in (first, last)]
        for found, expected in zip(*states, strict=True):
            np.testing.assert_array_equal(found, expected)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("scheme", ["paper", "full"])
@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize("ranges", ["calibrated", "fixed"])
def test_ranges__start_at_those_of_the_initial_network(activation, scheme, ranges):
    """Each is the range, and 0, of what the layer's quantiser is given, on the training samples."""
    training = create_training(activation, 8, 0, scheme=scheme, ranges=ranges)
    *_, state = record(FitEngine(), training)[0]
    expected = measured_ranges(training)
    found = output_ranges(training, state)
    is_set = found[:, 0] != -1 if activation == "tanh" and scheme == "full" else slice(None)
    if activation == "tanh" and scheme == "paper" and ranges == "calibrated":
        is_set = slice(-1, None)  # those of Tanh layers are of each snapshot
    np.testing.assert_allclose(found[is_set], expected[is_set], rtol=1e-5)


def measured_ranges(training):
    """Compute an initial network by hand in numpy, with each output quantised on its range."""
    model = create_trainable(training).model
    wrapped = [one for one in model.layers if hasattr(one, "quantize_config")]
    values = training.data.x[~training.data.is_test]
    found = []
    for at, layer in enumerate(wrapped):
        kernel, bias = (weight.numpy() for weight in layer.trainable_weights)
        if layer.quantize_config.weights:
            kernel = on_grid(kernel, min(kernel.min(), 0), max(kernel.max(), 0))
        values = values @ kernel + bias
        if at < len(wrapped) - 1:
            values = np.tanh(values) if training.activation == "tanh" else np.maximum(values, 0)
        ends = min(values.min(), 0), max(values.max(), 0)
        if training.scheme == "full" and training.activation == "tanh" and at < len(wrapped) - 1:
            ends = -1, 1
        found.append(ends)
        values = on_grid(values, *ends)
    return np.array(found, np.float32)


def on_grid(values, low, high):
    scale = (high - low) / 255
    zero = np.rint(-low / scale)
    return (np.clip(np.rint(values / scale + zero), 0, 255) - zero) * scale


def test_fixed__ranges_do_not_move_and_what_leaves_them_is_clipped():
    """Codes are certified by whoever takes the snapshot; both ends of the grid are in use."""
    training = create_training("tanh", 8, 6, ranges="fixed", learning_rate=0.01)
    reports = record(engine_of("native"), training)
    first = grids(reports[0][2])
    assert all(grids(snapshot) == first for _, _, snapshot, _ in reports)
    logits = reports[-1][2]["output"].values
    assert (logits == 0).mean() > 0.01
    assert (logits == 255).mean() > 0.01
    assert reports[-1][1].train_loss < reports[1][1].train_loss


def test_fixed__no_engine_moves_a_range(name):
    reports = reports_of(name, "fixed")
    assert grids(reports[0][2]) == grids(reports[1][2]) == grids(reports[2][2])


@pytest.mark.parametrize("name", ["fit", "native"])
def test_calibrated__ranges_go_on_from_there(name):
    """A moving average that starts at the values moves less in an epoch than the paper's."""
    moved = {}
    for case in ("frozen", "calibrated"):  # frozen ones have the paper's ranges
        training = training_of(case)
        before, after, _ = (output_ranges(training, state) for *_, state in reports_of(name, case))
        moved[case] = np.abs(after - before).max()
    assert 0 < moved["calibrated"] < 0.2 * moved["frozen"]


def test_ranges__of_several_batches_are_those_of_one(monkeypatch):
    training = create_training("relu", 8, 0, ranges="fixed")
    whole = record(FitEngine(), training)[0][3]
    monkeypatch.setattr(
        "ibtools.recorders.capture.keras.snapshot.choose_batch_size", lambda *arguments: 1000
    )
    parts = record(FitEngine(), training)[0][3]
    np.testing.assert_allclose(
        output_ranges(training, whole), output_ranges(training, parts), rtol=1e-6
    )


def images():
    """A training of a network with convolution, normalisation, pools and dropout."""
    network = load_user_network(
        "tests.recorders.user_models:mixed", input_shape=(8, 8, 1), n_classes=10
    )
    x = np.random.default_rng(0).uniform(-1, 1, (90, 8, 8, 1)).astype(np.float32)
    data = DataSet("images", x, np.arange(90) % 10, np.arange(90) % 3 == 0, "images", n_classes=10)
    return replace(create_training("relu", 4, 1), network=network, data=data, batch_size=20)


def test_ranges__of_a_network_with_convolutions_and_pools():
    """Pools have the grid of the layer before; every layer's stays."""
    training = replace(images(), ranges="fixed")
    first, last = (snapshot for _, _, snapshot, _ in record(FitEngine(), training))
    assert grids(first) == grids(last)
    assert all(layer.scale != 12 / 15 for layer in first.values())


def test_frozen__running_statistics_of_a_normalisation_move_as_ranges_do():
    training = replace(images(), control="frozen")
    first, last = (state for *_, state in record(FitEngine(), training))
    for before, after in zip(
        trained_weights(training, first), trained_weights(training, last), strict=True
    ):
        np.testing.assert_array_equal(before, after)
    means = [
        next(w for w in model_of(training, one).weights if "moving_mean" in w.name).numpy()
        for one in (first, last)
    ]
    assert (means[0] != means[1]).all()


def test_random_labels__are_the_training_labels_shuffled_among_themselves():
    training = create_training(labels="random")
    data, label = training.data, training.random_label
    np.testing.assert_array_equal(label[data.is_test], data.y[data.is_test])
    train = ~data.is_test
    assert np.array_equal(np.bincount(label[train]), np.bincount(data.y[train]))
    assert 0.4 < (label[train] == data.y[train]).mean() < 0.6
    other = create_training(labels="random", repeat=1)
    assert not np.array_equal(label, other.random_label)
    np.testing.assert_array_equal(training.trained_label(3), label)


@pytest.mark.parametrize("name", ["fit", "native"])
def test_random_labels__are_trained_on_and_evaluated(name):
    """Accuracy on training samples is about the random labels, that on test samples the true."""
    training = training_of("random")
    _, (_, history, snapshot, state), _ = reports_of(name, "random")
    data, predicted = training.data, snapshot["output"].values.argmax(axis=1)
    assert history.train_accuracy == (predicted == training.random_label)[~data.is_test].mean()
    assert history.test_accuracy == (predicted == data.y)[data.is_test].mean()
    calibrated = trained_weights(training, reports_of(name, "calibrated")[1][3])
    differ = [
        (found != other).any()
        for found, other in zip(trained_weights(training, state), calibrated, strict=True)
    ]
    assert any(differ)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ranges": "fixed", "bits": FLOAT_BITS}, "which a network of 32 bits has none of"),
        ({"labels": "random", "prefit": 2}, "labels is 'random' and prefit is 2"),
    ],
)
def test_training__what_contradicts_itself_is_refused(change, message):
    with pytest.raises(InputError, match=message):
        create_training(**change)


@pytest.mark.parametrize("name", ["ranges", "control", "labels"])
def test_training__unknown_names_are_refused(name):
    with pytest.raises(UnknownNameError, match=f"unknown {name} 'frozn'"):
        create_training(**{name: "frozn"})
