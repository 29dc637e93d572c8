"""What every engine promises that is not `fit` itself, whose semantics they are checked against.

Of engine `native` with snapshots of its own, tests/recorders/test_native_alone.py shows the same.
"""

import subprocess
import sys
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from ibtools.errors import InputError
from ibtools.recorders.engines import find_engine, load_engine
from ibtools.recorders.engines.keras.fit import FitEngine, create_trainable
from ibtools.recorders.engines.keras.state import unpack_state
from ibtools.recorders.training.seeds import SeedStreams
from tests.recorders.trainings import SMALL, create_training, digest, record, training_of


@pytest.fixture(scope="module", params=["compiled", "native"])
def name(request):
    return request.param


@cache
def engine_of(name, case):
    """An engine for each case, which compiles its program once."""
    return load_engine(find_engine(name, "keras"))


@cache
def reports_of(name, case):
    return record(engine_of(name, case), training_of(case))


@pytest.fixture(scope="module")
def engine(name, case):
    return engine_of(name, case)


@pytest.fixture(scope="module")
def reports(name, case):
    return reports_of(name, case)


@pytest.fixture(scope="module")
def of_ends(name, training, reports):
    """What is reported if the first and the last snapshot are taken only, and all histories."""
    ends = frozenset({reports[0][0], reports[-1][0]})
    found, histories = [], []

    def on_epoch(report):
        histories.append(report.history)
        if report.epoch in ends:
            found.append((report.epoch, report.history, report.snapshot(), report.state()))
        return True

    engine = load_engine(find_engine(name, "keras"))
    engine.train(replace(training, recorded_epochs=ends), on_epoch)
    return found, histories


@cache
def fit_of_the_paper():
    return record(FitEngine(), of_the_paper())


def of_the_paper():
    """An epoch of a network of the paper, with continuous kernels."""
    return create_training("tanh", 8, epochs=1)


@pytest.fixture(scope="module")
def last_of_both(name):
    """What is reported of that epoch by the engine, and by `fit`."""
    ours = record(load_engine(find_engine(name, "keras")), of_the_paper())
    return ours[-1], fit_of_the_paper()[-1]


def weights(training, state):
    model = create_trainable(training).model
    unpack_state(model, state)
    return [weight.numpy() for weight in model.weights]


@pytest.mark.sampled(2)
def test_train__reports_what_fit_reports(reports, fit_reports):
    """The untrained network to the last bit; then loss and accuracy but for rounding."""
    assert [report[0] for report in reports] == [report[0] for report in fit_reports]
    assert digest(reports[:1]) == digest(fit_reports[:1])
    for (_, history, *_), (_, expected, *_) in zip(reports[1:], fit_reports[1:], strict=True):
        assert vars(history) == pytest.approx(vars(expected), abs=5e-3)


def test_train__weights_after_an_epoch_are_those_of_fit(last_of_both):
    """With continuous kernels, to the rounding of float32."""
    of_both = (weights(of_the_paper(), state) for *_, state in last_of_both)
    for found, expected in zip(*of_both, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_train__quantised_weights_after_an_epoch_are_near_those_of_fit(
    training, reports, fit_reports
):
    """A code that rounds to the other side moves some weights by as much as a step of Adam does."""
    runs = (weights(training, run[1][3]) for run in (reports, fit_reports))
    differences = [np.abs(found - expected) for found, expected in zip(*runs, strict=True)]
    assert max(difference.max() for difference in differences) < 13 * training.learning_rate
    assert np.concatenate([difference.ravel() for difference in differences]).mean() < 1e-4


def test_train__codes_differ_from_fit_at_rounding_edges_only(last_of_both):
    """In the first layer, whose input is the same: one step, from a value half-way between."""
    training, ((_, _, ours, state), (_, _, theirs, _)) = of_the_paper(), last_of_both
    found, expected = (run["hidden_1"].values.astype(int) for run in (ours, theirs))
    differs = found != expected
    assert differs.mean() < 1e-3
    assert np.abs(found - expected).max() <= 1
    of_shape = {weight.shape: weight for weight in weights(training, state)}
    kernel, bias = of_shape[12, 10], of_shape[10,]
    steps = np.tanh(training.data.x @ kernel + bias) / ours["hidden_1"].scale
    from_edge = np.abs(steps - np.floor(steps) - 0.5)
    assert from_edge[differs].max(initial=0.0) < 5e-3
    assert from_edge.mean() > 0.2


@pytest.mark.parametrize("index", [0, 1, -2])
def test_train__resumed_equals_uninterrupted(engine, training, reports, index):
    epoch, *_, state = reports[index]
    resumed = record(engine, training, resume=(epoch, state))
    assert digest(resumed) == digest(reports[1:] if index == 0 else reports[index + 1 :])


@pytest.mark.sampled(2)
def test_train__schedule_does_not_change_the_training(reports, of_ends):
    """Epochs are trained in chunks from one recorded epoch to the next."""
    found, _ = of_ends
    assert digest(found) == digest([reports[0], reports[-1]])


@pytest.mark.sampled(2)
def test_train__history_between_recorded_epochs(reports, of_ends):
    _, histories = of_ends
    for history, (_, expected, *_) in zip(histories[1:], reports[1:], strict=True):
        assert vars(history) == pytest.approx(vars(expected), abs=1e-3)


def test_train__repeats_do_not_depend_on_each_other(name):
    """The engine trains repeats with one program, and gives each the same as alone."""
    reports_of(name, "relu-4")
    engine = engine_of(name, "relu-4")
    program = engine._trainer
    second = replace(training_of("relu-4"), seeds=SeedStreams(base=0, repeat=1))
    assert digest(record(engine, second)) == digest(
        record(load_engine(find_engine(name, "keras")), second)
    )
    assert engine._trainer is program  # also where the data were loaded, or sent to a worker, again


def test_train__is_the_same_in_another_process(request, name):
    """A process in which TensorFlow still may choose its threads."""
    code = (
        "from ibtools.recorders.engines import load_engine\n"
        "from tests.recorders.trainings import digest, record, training_of\n"
        f"engine = load_engine({find_engine(name, 'keras')!r})\n"
        "print(digest(record(engine, training_of('relu-4'))))"
    )
    output = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=request.config.rootpath,
    )
    assert output.stdout.strip() == digest(reports_of(name, "relu-4"))


@pytest.mark.sampled(2)
def test_train__records_a_subset_and_evaluates_all(engine, training, reports):
    chosen = np.arange(0, 4096, 7)
    _, history, whole, _ = reports[-1]
    _, of_subset, subset, _ = record(engine, replace(training, recorded=chosen))[-1]
    assert of_subset == history
    assert np.array_equal(subset["output"].values, whole["output"].values[chosen])


@pytest.mark.sampled(3)
@pytest.mark.parametrize("n_reports", [1, 2])
def test_train__stops_when_told_to(engine, training, n_reports):
    assert len(record(engine, training, n_reports=n_reports)) == n_reports


def test_train__no_snapshot_between_recorded_epochs(name):
    engine = load_engine(find_engine(name, "keras"))
    training = create_training(network=SMALL, epochs=2, recorded_epochs=frozenset({2}))
    with pytest.raises(InputError, match="neither snapshot nor state"):
        engine.train(training, lambda report: bool(report.snapshot()))
    with pytest.raises(InputError, match="neither snapshot nor state"):
        engine.train(training, lambda report: report.epoch == 0 or bool(report.state()))
