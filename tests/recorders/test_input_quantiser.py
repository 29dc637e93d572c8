"""What the input quantiser merges, and where that is said."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from sklearn.datasets import load_breast_cancer

import ibtools
from ibtools.cli.main import cli
from ibtools.recorders import engines
from ibtools.recorders.data import load_data_set
from ibtools.recorders.record import plan
from ibtools.recorders.training.input_quantiser import measure_inputs, quantise
from ibtools.store.info import store_info
from ibtools.store.quantised_inputs import QuantisedInputs

MERGED = (
    "4096 different inputs, of which the 8-bit input quantiser leaves 256; it makes 1 of 2 features"
)


@pytest.fixture
def unscaled(tmp_path, monkeypatch) -> str:
    """4096 different inputs: a feature of 256 large values, and one of 16 small ones."""
    monkeypatch.setitem(engines.ENGINES.builtin, "fake", "tests.recorders.fake_engine:FakeEngine")
    large, small = np.divmod(np.arange(4096), 16)
    np.savez(tmp_path / "mine.npz", x=np.stack([large, small / 100], axis=1), y=large % 2)
    return str(tmp_path / "mine.npz")


def run(*arguments: str) -> Result:
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 0, result.output
    return result


def record(data: str, path: Path, *options: str) -> Result:
    network = ["--network", "dense:2-4-2", "--engine", "fake"]
    epochs = ["--epochs", "2", "--output", str(path)]
    return run("record", "custom", "--data", data, *network, *epochs, *options)


def test_record__says_what_the_input_quantiser_merges(unscaled, tmp_path):
    result = record(unscaled, tmp_path / "s.zarr", "--quiet")
    (line,) = result.stderr.splitlines()
    assert line.startswith(
        f"mine.npz: {MERGED} constant, for it has one range for all; layers can't"
    )
    attributes = ibtools.open_store(tmp_path / "s.zarr").attrs
    assert attributes["inputs_distinct"] == 4096
    assert attributes["inputs_distinct_quantised"] == 256
    assert attributes["features"] == 2
    assert attributes["features_constant_quantised"] == 1
    assert attributes["data"] == "mine.npz, of unknown content"
    out = run("info", str(tmp_path / "s.zarr")).stdout
    assert f"quantised   {MERGED} constant" in out
    assert "data        mine.npz, of unknown content" in out
    told = json.loads(run("info", str(tmp_path / "s.zarr"), "--json").stdout)["quantised_inputs"]
    assert told == {
        "distinct": 4096, "distinct_quantised": 256, "features": 2, "features_merged": 1
    }  # fmt: skip


def test_record__says_nothing_where_nothing_merges(unscaled, tmp_path):
    with np.load(unscaled) as arrays:
        scaled = arrays["x"] / arrays["x"].max(axis=0)
        np.savez(tmp_path / "scaled.npz", x=scaled, y=arrays["y"])
    result = record(str(tmp_path / "scaled.npz"), tmp_path / "scaled.zarr", "--quiet")
    assert result.stderr == ""
    assert (
        "quantised   4096 different inputs, all of which the 8-bit input quantiser leaves"
        in run("info", str(tmp_path / "scaled.zarr")).stdout
    )


def test_info__of_a_store_that_does_not_say(example_store):
    info = store_info(example_store)
    assert (info.quantised_inputs, info.data) == (None, "")
    out = run("info", str(example_store)).stdout
    assert "\nquantised " not in out
    assert "\ndata" not in out


def test_forecast__says_what_the_input_quantiser_merges(unscaled):
    settings = {"data": unscaled, "network": "dense:2-4-2", "epochs": 2, "engine": "fake"}
    forecast = ibtools.forecast_recording("custom", **settings)
    assert f"quantised   {MERGED} constant" in forecast.format().splitlines()


def test_plan__a_float_network_has_no_input_quantiser(unscaled):
    recording = plan("custom", data=unscaled, network="dense:2-4-2", bits=32)
    assert recording.quantised_inputs is None
    known = {"experiment", "data", "data_checksum", "layers_left_out"}
    assert set(recording.store_spec().attributes) == known


def test_measure_inputs__unscaled_table():
    """scikit-learn's breast cancer data: the areas are up to 4254, most other features below 1."""
    x = load_breast_cancer().data.astype(np.float32)
    is_test, recorded = np.zeros(len(x), bool), np.arange(len(x))
    assert measure_inputs(x, is_test, recorded) == QuantisedInputs(569, 496, 30, 20)
    scaled = ((x - x.mean(axis=0)) / x.std(axis=0)).astype(np.float32)
    assert measure_inputs(scaled, is_test, recorded) == QuantisedInputs(569, 569, 30, 0)


def test_measure_inputs__range_is_that_of_training_samples():
    """A test sample beyond it is clipped, and so becomes equal to the largest."""
    x = np.float32([[0], [1], [2], [3]])
    last, none = np.arange(4) == 3, np.zeros(4, bool)
    everything = np.arange(4)
    assert measure_inputs(x, none, everything) == QuantisedInputs(4, 4, 1, 0)
    assert measure_inputs(x, last, everything) == QuantisedInputs(4, 3, 1, 0)
    assert measure_inputs(x, last, everything[:3]) == QuantisedInputs(3, 3, 1, 0)
    assert measure_inputs(x[:1], none[:1], everything[:1]) == QuantisedInputs(1, 1, 1, 0)


def test_measure_inputs__equal_before_is_no_loss():
    x = np.repeat(np.float32([[0, 5], [1, 5]]), 3, axis=0)
    found = measure_inputs(x, np.zeros(6, bool), np.arange(6))
    assert found == QuantisedInputs(2, 2, 2, 0)
    assert not found.loses


@pytest.mark.parametrize("name", ["SYN", "digits"])
def test_measure_inputs__of_the_data_sets_nothing_merges(name):
    data = load_data_set(name)
    found = measure_inputs(data.x, data.is_test, np.arange(len(data.y)))
    assert found.distinct == found.distinct_quantised == len(data.y)
    assert not found.loses


def test_plan__counts_the_recorded_samples():
    assert plan("SYN-Tanh", samples=100).quantised_inputs == QuantisedInputs(100, 100, 12, 0)


@pytest.mark.parametrize("ends", [(0, 1), (-1, 2.5), (-3, 0), (0, 4254), (-1e-7, 3e-7)])
def test_quantise__is_tensorflows(ends):
    """But for values within rounding of the middle between two codes."""
    from ibtools.recorders.capture.grid import Grid
    from ibtools.recorders.engines.keras.quantizers import fake_quantise

    low, high = np.float32(ends)
    grid = Grid.from_range(low, high, bits=8)
    values = np.random.default_rng(0).uniform(1.1 * low, 1.1 * high, (100, 100)).astype(np.float32)
    steps = values.astype(np.float64) / grid.scale
    values = values[np.abs(steps % 1 - 0.5) > 1e-3]
    expected = grid.encode(fake_quantise(values[None], low, high, 8).numpy(), layer="input")
    assert np.array_equal(quantise(values, low, high), expected[0])
