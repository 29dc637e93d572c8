"""What is damaged is marked as not recorded, and recorded anew to the same bytes."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner

import ibtools
from ibtools.cli.main import cli
from ibtools.errors import StoreError
from ibtools.store.checksums import GROUP
from ibtools.store.groups import consolidate
from ibtools.store.opened import open_group
from tests.recorders.test_record import files, record_fake, small_blocks

__all__ = ["small_blocks"]  # a fixture that every test of this module uses


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that another is damaged from; the engine is that of the test that asks first."""
    return tmp_path_factory.mktemp("recorded") / "s.zarr"


@pytest.fixture
def store(recorded: Path, tmp_path: Path) -> Path:
    if not recorded.exists():
        record_fake(recorded)
    shutil.copytree(recorded, tmp_path / "s.zarr")
    return tmp_path / "s.zarr"


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 3] ^= 16
    file.write_bytes(content)


DAMAGES = {
    "code/c/0/1/0/0/0": "repeat 0: 2 snapshots not recorded now",
    "scale/c/1/0/0": "repeat 1: 6 snapshots not recorded now",
    "complete/c/1/0": "repeat 1: 6 snapshots not recorded now",
    "train_loss/c/0/0": "repeat 0: 0 snapshots not recorded now",
    "outcome/c/0": "repeat 0: 0 snapshots not recorded now",
}


@pytest.mark.parametrize("key", DAMAGES)
@pytest.mark.parametrize("damage", [flip, Path.unlink])
def test_repair_store__then_resume_gives_the_same_bytes(store: Path, key: str, damage):
    expected = files(store)
    damage(store / key)
    audit = ibtools.check(store, quiet=True)
    if key == "outcome/c/0" and damage is Path.unlink:
        return  # it then reads as pending, and is recorded anew without repair
    assert [one.name for one in audit.violations] == ["files"]
    assert "--repair" in audit.violations[0].words
    assert audit.violations[0].found == 1
    report = ibtools.repair_store(store, quiet=True)
    assert DAMAGES[key] in str(report)
    assert key in str(report)
    assert report.to_resume == (int(key.split("/")[2]),)
    assert not report.lost
    ibtools.open_store(store).load()
    record_fake(store, resume=True)
    assert files(store) == expected
    assert ibtools.check(store, quiet=True).checks[0].status == "ok"


def test_repair_store__keeps_all_else(store: Path):
    whole = xr.open_zarr(store)["code"].load()
    (store / "code/c/0/1/0/0/0").unlink()
    with pytest.raises(StoreError, match="--repair"):
        ibtools.open_store(store).load()
    ibtools.repair_store(store, quiet=True)
    found = ibtools.open_store(store).load()
    complete = found["complete"].values
    assert complete.tolist() == [[True, True, False, False, True, True], [True] * 6]
    np.testing.assert_array_equal(found["code"].values[complete], whole.values[complete])


def test_repair_store__of_a_sound_store_changes_nothing(store: Path):
    expected = files(store)
    assert str(ibtools.repair_store(store, quiet=True)) == "nothing is damaged"
    assert files(store) == expected


def test_repair_store__without_checksums_what_is_missing(store: Path):
    shutil.rmtree(store / GROUP)
    consolidate(store)
    expected = files(store)
    (store / "code/c/1/0/0/0/0").unlink()
    assert ibtools.check(store, quiet=True).violations[0].name == "files"
    assert "2 snapshots not recorded now" in str(ibtools.repair_store(store, quiet=True))
    record_fake(store, resume=True)
    assert files(store) == expected


def test_repair_store__says_what_is_lost_for_good(tmp_path: Path):
    """Arrays that were recorded elsewhere can't be made anew from here."""
    path = tmp_path / "s.zarr"
    values = np.random.default_rng(0).normal(size=(2, 3, 8, 2)).astype("float32")
    ibtools.record_arrays(path, {"hidden": values}, label=np.arange(8) % 2)
    (path / "activation/c/1/0/0/0/0").unlink()
    report = ibtools.repair_store(path, quiet=True)
    assert (report.lost, report.to_resume, report.unmarked) == ((1,), (), {1: 2})
    assert "lost for good" in str(report)
    found = ibtools.open_store(path).load()
    np.testing.assert_array_equal(found["activation"][0], values[0, :, None])
    assert "checkpoint" not in open_group(path)


def test_check__repair_on_the_command_line(store: Path):
    flip(store / "code/c/0/0/0/0/0")
    failed = CliRunner().invoke(cli, ["check", str(store), "--quiet"])
    assert failed.exit_code == 1
    assert "--repair" in failed.output
    repaired = CliRunner().invoke(cli, ["check", str(store), "--repair", "--json", "--quiet"])
    assert repaired.exit_code == 0
    assert json.loads(repaired.output)["to_resume"] == [0]
