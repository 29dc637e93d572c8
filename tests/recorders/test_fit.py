import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import tf_keras

from ibtools.errors import RecordingError
from ibtools.recorders.engines.keras import fit
from ibtools.recorders.engines.keras.fit import FitEngine, create_trainable, evaluate
from ibtools.recorders.engines.keras.state import pack_state, unpack_state
from ibtools.recorders.networks import get_network
from ibtools.recorders.training.seeds import SeedStreams
from ibtools.store.snapshots import History
from tests.recorders.trainings import SMALL, create_training, digest
from tests.recorders.trainings import record as record_with


def record(training, *args, **kwargs):
    return record_with(FitEngine(), training, *args, **kwargs)


@pytest.fixture(scope="module", params=[("tanh", 8), ("relu", 4)], ids=["tanh-8", "relu-4"])
def training(request):
    return create_training(*request.param, network=SMALL)


@pytest.fixture(scope="module")
def prefit_training():
    return create_training("tanh", 4, epochs=2, network=SMALL, scheme="full", prefit=2)


@pytest.fixture(scope="module")
def prefit_reports(prefit_training):
    return record(prefit_training)


@pytest.fixture(scope="module")
def reports(training):
    return record(training)


def test_train__reports_every_epoch_and_the_untrained_network(reports):
    assert [epoch for epoch, *_ in reports] == [0, 1, 2, 3]
    assert reports[0][1] is None
    assert all(isinstance(history, History) for _, history, _, _ in reports[1:])
    assert reports[3][1].train_loss < reports[1][1].train_loss


@pytest.mark.parametrize("epoch", [0, 2])
def test_train__resumed_equals_uninterrupted(training, reports, epoch):
    resumed = record(training, resume=(epoch, reports[epoch][3]))
    assert digest(resumed) == digest(reports[epoch + 1 :])


def test_train__resumed_after_the_last_epoch_has_nothing_to_do(training, reports):
    assert record(training, resume=(3, reports[3][3])) == []


def test_train__prefit_reports_epochs_up_to_zero(prefit_reports):
    assert [epoch for epoch, *_ in prefit_reports] == [-2, -1, 0, 1, 2]
    assert [history is None for _, history, _, _ in prefit_reports] == [True] + 4 * [False]


@pytest.mark.parametrize("epoch", [-2, 0, 1])
def test_train__prefit_resumed_equals_uninterrupted(prefit_training, prefit_reports, epoch):
    state = prefit_reports[epoch + 2][3]
    resumed = record(prefit_training, resume=(epoch, state))
    assert digest(resumed) == digest(prefit_reports[epoch + 3 :])


def test_train__prefit_labels_are_a_shuffle_of_all(prefit_training):
    data, random_label = prefit_training.data, prefit_training.random_label
    assert np.array_equal(np.bincount(random_label), np.bincount(data.y))
    assert 0.4 < (random_label == data.y).mean() < 0.6
    assert np.array_equal(random_label, prefit_training.random_label)
    other = replace(prefit_training, seeds=SeedStreams(base=0, repeat=1))
    assert not np.array_equal(random_label, other.random_label)


def test_train__prefit_trains_and_evaluates_on_its_labels(prefit_training, prefit_reports):
    data, train = prefit_training.data, ~prefit_training.data.is_test
    batches = list(fit._create_batches(prefit_training, -1).as_numpy_iterator())
    assert len(batches) == 3 * 13
    for epoch, first in [(0, 0), (1, 13)]:
        label = prefit_training.random_label if epoch == 0 else data.y
        order = prefit_training.seeds.batch_order(epoch, int(train.sum()))
        x, y = (np.concatenate(part) for part in zip(*batches[first : first + 13], strict=True))
        assert np.array_equal(x, data.x[train][order])
        assert np.array_equal(y.argmax(axis=1), label[train][order])
    _, history, snapshot, _ = prefit_reports[2]
    correct = snapshot["output"].values.argmax(axis=1) == prefit_training.random_label
    assert history.test_accuracy == correct[data.is_test].mean()


def test_train__prefit_carries_the_optimiser_over(prefit_training, prefit_reports):
    model = create_trainable(prefit_training).model
    unpack_state(model, prefit_reports[4][3])
    assert int(model.optimizer.iterations) == 4 * 13


def test_train__full_scheme_learns():
    """The straight-through gradient passes all quantisers, and the loss falls."""
    losses = []
    training = create_training("tanh", 8, 12, scheme="full", learning_rate=0.01)
    FitEngine().train(training, lambda r: losses.append(r.history and r.history.train_loss) or True)
    assert losses[-1] < 0.35 < 0.5 < losses[1]


@pytest.fixture(scope="module")
def digests_elsewhere(request):
    """Digests of both trainings, the second one first, in a process that ran nothing before."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import test_fit as t\n"
        "for case in [('relu', 4), ('tanh', 8)]:\n"
        "    print(case[0], t.digest(t.record(t.create_training(*case, network=t.SMALL))))"
    )
    command = [sys.executable, "-c", code, str(request.path.parent)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return dict(line.split() for line in output.splitlines())


def test_train__is_the_same_in_another_process_and_order(training, reports, digests_elsewhere):
    assert digests_elsewhere[training.activation] == digest(reports)


def test_train__calibration_does_not_change_the_training(training, reports, monkeypatch):
    monkeypatch.setattr(fit, "start_ranges", lambda model, training: None)
    without = record(training, n_reports=2)
    assert digest(without[:1]) != digest(reports[:1])
    assert digest(without[1:]) == digest(reports[1:2])


@pytest.mark.parametrize("n_reports", [1, 2])
def test_train__stops_when_told_to(n_reports):
    reports = record(create_training(bits=32, network=SMALL), n_reports=n_reports)
    assert [epoch for epoch, *_ in reports] == list(range(n_reports))


def test_train__every_sample_once_and_the_last_batch_kept(training):
    batches = list(fit._create_batches(training, 1).as_numpy_iterator())
    assert [len(x) for x, _ in batches] == 2 * (12 * [256] + [204])
    train = ~training.data.is_test
    order = training.seeds.batch_order(2, int(train.sum()))
    first = np.concatenate([x for x, _ in batches[:13]])
    assert np.array_equal(first, training.data.x[train][order])


def test_train__history_is_that_of_keras():
    training = create_training("relu", 32, epochs=2)
    model = create_trainable(training).model
    _, history, snapshot, state = record(training)[-1]
    unpack_state(model, state)
    model.compile(model.optimizer, "categorical_crossentropy", metrics=["accuracy"])
    one_hot = tf_keras.utils.to_categorical(training.data.y)
    for split, expected in [
        (~training.data.is_test, (history.train_loss, history.train_accuracy)),
        (training.data.is_test, (history.test_loss, history.test_accuracy)),
    ]:
        found = model.evaluate(training.data.x[split], one_hot[split], verbose=0)
        assert found == pytest.approx(expected, rel=1e-5)
    probabilities, data = snapshot["output"].values, training.data
    predicted = probabilities.argmax(axis=1)
    assert evaluate(probabilities, predicted, data.y, data.is_test) == history


def test_evaluate__by_hand():
    label, is_test = np.array([0, 1, 1, 0]), np.array([False, False, True, True])
    probabilities = np.float32([[0.75, 0.25], [0.25, 0.75], [0.75, 0.25], [0.75, 0.25]])
    history = evaluate(probabilities, np.array([0, 0, 1, 1]), label, is_test)
    assert (history.train_accuracy, history.test_accuracy) == (0.5, 0.5)
    assert history.train_loss == pytest.approx(np.log(4 / 3))
    assert history.test_loss == pytest.approx((np.log(4) + np.log(4 / 3)) / 2)


def test_evaluate__impossible_label_has_a_finite_loss():
    label, is_test = np.array([0, 0]), np.array([False, True])
    wrong = np.float32([[0, 1], [0, 1]])
    assert evaluate(wrong, label, label, is_test).train_loss == pytest.approx(87.3, abs=0.1)


@pytest.fixture(scope="module")
def float_model():
    return create_trainable(create_training(bits=32)).model


def test_unpack_state__refuses_another_network(float_model):
    before = pack_state(float_model)
    other = pack_state(create_trainable(create_training("relu", 4)).model)
    with pytest.raises(RecordingError, match="variables of the network that it is to resume"):
        unpack_state(float_model, other)
    assert pack_state(float_model) == before


@pytest.mark.parametrize("n_bytes", [0, 1, 5000])
def test_unpack_state__refuses_a_damaged_state(float_model, n_bytes):
    with pytest.raises(RecordingError, match="must be what pack_state returned"):
        unpack_state(float_model, pack_state(float_model)[:n_bytes])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"activation": "sigmoid"}, "unknown activation"),
        ({"bits": 9}, "bits must be 2 to 8 or 16"),
        ({"scheme": "ful"}, "unknown quantisation scheme 'ful'; did you mean 'full'"),
        ({"initializer": "he_norm"}, "unknown initializer 'he_norm'; did you mean 'he_normal'"),
        ({"prefit": -1}, "prefit must not be negative, but is -1"),
        ({"epochs": -1}, "epochs must not be negative"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"learning_rate": 0.0}, "learning_rate must be positive"),
        (
            {"network": replace(get_network("syn"), input_shape=(3,))},
            r"samples of shape \(3,\) and",
        ),
    ],
)
def test_training__is_checked_before_anything_is_built(change, message):
    with pytest.raises(ValueError, match=message):
        replace(create_training(), **change)
