"""Every door takes `~` and file URLs for what they mean."""

import shlex
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner

import ibtools
from ibtools.cli.main import cli
from ibtools.recorders.data import load_data_set
from ibtools.store.info import store_info
from ibtools.store.storage import absolute, is_local, place_of
from tests.conftest import record_example


@pytest.fixture
def home(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path / "my home"))
    (tmp_path / "my home").mkdir()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    return tmp_path / "my home"


def test_place_of(home: Path):
    assert place_of("~/run.zarr") == f"{home}/run.zarr"
    assert place_of(Path("~/run.zarr")) == f"{home}/run.zarr"
    assert place_of((home / "a b.zarr").as_uri()) == f"{home}/a b.zarr"
    assert place_of("file://localhost/data/run.zarr") == "/data/run.zarr"
    for unchanged in ("run.zarr", "./~/run.zarr", "s3://bucket/~x", "memory://run"):
        assert place_of(unchanged) == unchanged
    assert is_local("file:///data/run.zarr")
    assert absolute("~/run.zarr") == absolute(f"file://{home}/run.zarr") == f"{home}/run.zarr"


@pytest.mark.parametrize("kind", ["home", "url"])
def test_doors__of_python(home: Path, kind: str):
    def named(name: str) -> str:
        return f"~/{name}" if kind == "home" else (home / name).as_uri()

    store, output = named("run.zarr"), named("results.zarr")
    record_example(store)
    ibtools.analyze_store(store, quiet=True)
    ibtools.analyze_store(store, estimator="binned", output=output, quiet=True)
    ibtools.details_store(store, "classes", quiet=True)
    ibtools.open_details(store, "classes")
    assert ibtools.open_results(output, estimator="binned").sizes["repeat"] == 2
    assert ibtools.check(store, quiet=True).ok
    assert store_info(store).disk_bytes
    ibtools.plot_store(store, "information-plane", output=named("plane.png"))
    ibtools.export_results(store, named("csv"))
    np.save(home / "mine.npy", np.arange(64) % 5)
    name, label = ibtools.sample_labels(named("mine.npy"), ibtools.open_store(store))
    assert (name, label.max()) == ("mine", 4)
    np.savez(home / "mine.npz", x=np.random.default_rng(0).random((10, 3)), y=np.arange(10) % 2)
    assert load_data_set(named("mine.npz")).name == "mine.npz"
    made = {path.name for path in home.iterdir()}
    assert {"run.zarr", "results.zarr", "plane.png", "csv"} <= made
    assert not list(Path.cwd().iterdir())


def test_doors__of_the_command_line(home: Path):
    record_example(home / "run.zarr")
    for command in (
        "analyze ~/run.zarr --quiet",
        "plot ~/run.zarr information-plane --output ~/plane.png",
        "report file://{home}/run.zarr --output ~/report.html --quiet",
        "export file://{home}/run.zarr --output ~/csv",
        "info ~/run.zarr",
    ):
        line = command.replace("{home}", str(home).replace(" ", "%20"))
        result = CliRunner().invoke(cli, shlex.split(line))
        assert result.exit_code == 0, result.output
    assert {"plane.png", "report.html", "csv"} <= {path.name for path in home.iterdir()}
    assert not list(Path.cwd().iterdir())


def test_doors__of_data_folders(home: Path, monkeypatch):
    """A folder that is not there is named as it was understood."""
    for folder, given in (("~/none", "~/none"), (None, "~/none")):
        monkeypatch.setenv("IBTOOLS_DATA", given)
        with pytest.raises(ibtools.IbtoolsError, match=f"{home}/none"):
            load_data_set("MNIST", folder=folder)


def test_open_zarr__of_a_store_in_the_home(home: Path):
    """What ibtools wrote there, plain xarray opens there."""
    record_example("~/run.zarr")
    assert xr.open_zarr(home / "run.zarr").sizes["sample"] == 64
