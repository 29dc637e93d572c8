"""An engine, a data set, a network and an experiment that another package brings."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import ibtools
from ibtools.cli import completing
from ibtools.errors import InputError, UnknownNameError
from ibtools.recorders.data import DATA_SETS
from ibtools.recorders.engines import ENGINES
from ibtools.recorders.experiments import get_experiment
from ibtools.recorders.networks import get_network

MODULE = """
import numpy as np
from ibtools.recorders.data import DataSet, checksum
from ibtools.recorders.experiments import Experiment
from ibtools.recorders.networks import Network, dense_layers
from tests.recorders.fake_engine import FakeEngine

def load_coins(folder):
    x = np.random.default_rng(0).integers(0, 2, (4096, 8)).astype(np.float32)
    y = x[:, 0].astype(np.int64)
    return DataSet("coins", x, y, np.arange(4096) < 99, checksum(x, y), 2)

class Engine(FakeEngine):
    pass

TINY = Network("as it was called at home", (8,), dense_layers(3, 2))
COINS = Experiment("home", "tiny", "coins", "relu", epochs=3, repeats=2, bits=8)
"""

ENTRY_POINTS = """
[ibtools.engines]
elsewhere = coins_of_mine:Engine
[ibtools.data_sets]
coins = coins_of_mine:load_coins
[ibtools.networks]
tiny = coins_of_mine:TINY
wrong = coins_of_mine:load_coins
[ibtools.experiments]
Coins = coins_of_mine:COINS
Wrong = coins_of_mine:TINY
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch) -> Iterator[None]:
    folder = tmp_path / "installed"
    metadata = folder / "coins_of_mine-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: coins-of-mine\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(ENTRY_POINTS)
    (folder / "coins_of_mine.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(folder))
    yield
    sys.modules.pop("coins_of_mine", None)


def test_record__engine_and_data_set_of_another_package(package, tmp_path: Path):
    assert ENGINES.names()[-1] == "elsewhere"
    assert DATA_SETS.names()[-1] == "coins"
    settings = {"network": "dense:8-3-2", "data": "coins", "engine": "elsewhere", "bits": 8}
    report = ibtools.record(
        "custom", tmp_path / "s.zarr", epochs=3, repeats=2, quiet=True, **settings
    )
    assert report.trained == 2
    dataset = ibtools.open_store(tmp_path / "s.zarr")
    assert dataset.attrs["data"] == "coins, of unknown content"
    assert '"engine": "elsewhere"' in dataset.attrs["configuration"]


def test_record__experiment_and_network_of_another_package(package, tmp_path: Path):
    report = ibtools.record("Coins", tmp_path / "s.zarr", engine="elsewhere", quiet=True)
    assert report.trained == 2
    dataset = ibtools.open_store(tmp_path / "s.zarr")
    assert dataset.attrs["experiment"] == "Coins"
    assert '"network": "tiny"' in dataset.attrs["configuration"]
    assert dataset["layer"].values.tolist() == ["hidden_1", "output"]
    assert dataset["activation_function"].values.tolist() == ["relu", "softmax"]


def test_record__names_of_another_package_are_completed(package):
    assert list(completing.experiments())[-2:] == ["Coins", "Wrong"]
    assert list(completing.networks())[-2:] == ["tiny", "wrong"]
    assert "coins_of_mine" not in sys.modules


def test_record__what_is_no_network_or_experiment_is_named(package):
    with pytest.raises(InputError, match="network 'wrong' must be a Network, found function; corr"):
        get_network("wrong")
    with pytest.raises(InputError, match="'Wrong' must be an Experiment, found Network; correct"):
        get_experiment("Wrong")


def test_record__without_that_package(tmp_path: Path):
    with pytest.raises(UnknownNameError, match="unknown engine 'elsewhere'"):
        ibtools.record("SYN-Tanh", tmp_path / "s.zarr", engine="elsewhere")
    with pytest.raises(UnknownNameError, match="unknown experiment 'Coins'"):
        ibtools.record("Coins", tmp_path / "s.zarr")
