"""An engine and a data set that another package brings."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import ibtools
from ibtools.errors import UnknownNameError
from ibtools.recorders.data import DATA_SETS
from ibtools.recorders.engines import ENGINES

MODULE = """
import numpy as np
from ibtools.recorders.data import DataSet, checksum
from tests.recorders.fake_engine import FakeEngine

def load_coins(folder):
    x = np.random.default_rng(0).integers(0, 2, (4096, 8)).astype(np.float32)
    y = x[:, 0].astype(np.int64)
    return DataSet("coins", x, y, np.arange(4096) < 99, checksum(x, y), 2)

class Engine(FakeEngine):
    pass
"""

ENTRY_POINTS = """
[ibtools.engines]
elsewhere = coins_of_mine:Engine
[ibtools.data_sets]
coins = coins_of_mine:load_coins
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


def test_record__without_that_package(tmp_path: Path):
    with pytest.raises(UnknownNameError, match="unknown engine 'elsewhere'"):
        ibtools.record("SYN-Tanh", tmp_path / "s.zarr", engine="elsewhere")
