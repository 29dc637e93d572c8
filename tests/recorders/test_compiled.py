from dataclasses import replace

import pytest
import tensorflow as tf

from ibtools.recorders.capture.keras import snapshot
from ibtools.recorders.engines.keras import epochs
from ibtools.recorders.engines.keras.compiled import CompiledEngine
from ibtools.recorders.user_network import load_user_network
from tests.recorders.trainings import create_training, digest, record


@pytest.fixture(scope="module")
def engine():
    return CompiledEngine()


def test_train__plain_graph_is_fit_to_the_last_bit(training, fit_reports, monkeypatch):
    monkeypatch.setattr(epochs, "_has_convolutions", lambda model: True)
    assert digest(record(CompiledEngine(), training)) == digest(fit_reports)


def test_train__evaluates_in_batches(engine, training, reports, monkeypatch):
    """Ranges of Tanh layers need a round each; the last batch is smaller."""
    for module in (epochs, snapshot):
        monkeypatch.setattr(module, "choose_batch_size", lambda *arguments: 1500)
    ends = frozenset({training.epochs})
    histories = {}

    def on_epoch(report):
        histories[report.epoch] = report.history
        return True

    CompiledEngine().train(replace(training, recorded_epochs=ends), on_epoch)
    for epoch, expected, *_ in reports[1:]:
        assert vars(histories[epoch]) == pytest.approx(vars(expected), abs=1e-3)


def test_train__what_xla_refuses_is_trained_as_a_plain_graph(training, fit_reports, monkeypatch):
    trace = epochs.EpochProgram._trace

    def refuse(self, *, with_xla):
        def run(*arguments):
            raise tf.errors.UnimplementedError(None, None, "no such operation\nmore")

        return run if with_xla else trace(self, with_xla=False)

    monkeypatch.setattr(epochs.EpochProgram, "_trace", refuse)
    monkeypatch.setattr(epochs, "_draws_random_numbers", lambda function: False)
    with pytest.warns(
        RuntimeWarning, match=r"XLA can't compile this network \(no such operation\)"
    ):
        found = record(CompiledEngine(), training)
    assert digest(found) == digest(fit_reports)


def test_train__random_layers_follow_their_seeds():
    """XLA would draw other numbers in every process: such a network stays a plain graph."""
    network = load_user_network(
        "tests.recorders.user_models:with_dropout", input_shape=(12,), n_classes=2
    )
    training = replace(create_training(epochs=2), network=network)
    first, again = (record(CompiledEngine(), training) for _ in range(2))
    assert digest(first) == digest(again)
    assert first[1][1].train_loss != first[2][1].train_loss
