"""Every experiment of the paper, small, through every step that the command takes."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import ibtools
from ibtools.cli.main import cli
from ibtools.errors import InputError, StoreError, UnknownNameError
from ibtools.recorders.data.published import PUBLISHED, digest_parts
from ibtools.reproduction import REPRODUCTIONS, Run, reproduce, settings_of

SMALL = {"epochs": 1, "repeats": 1, "schedule": "every:1", "samples": 200, "quiet": True}


def make_images(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write a simple MNIST in the layout of Keras' file: what is tested needs no real digits."""
    rng = np.random.default_rng(0)
    arrays = {}
    for split, count in {"train": 60_000, "test": 10_000}.items():
        arrays[f"x_{split}"] = rng.integers(0, 2, (count, 28, 28), "uint8") * 255
        arrays[f"y_{split}"] = (np.arange(count) % 10).astype("uint8")
    np.savez_compressed(folder / "mnist.npz", **arrays)
    monkeypatch.setitem(PUBLISHED, "MNIST", tuple(digest_parts(tuple(arrays.values())).values()))
    return folder


@pytest.mark.parametrize(
    "name",
    ["binning", "bit-width", "prefit", pytest.param("quantize", marks=pytest.mark.slow)],
)
def test_reproduce__records_analyses_and_draws(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    changes = dict(SMALL)
    if name == "prefit":
        changes["prefit"] = 1
    if name == "quantize":
        changes["data_folder"] = make_images(tmp_path, monkeypatch)
    figures = reproduce(name, tmp_path / "out", **changes)
    assert figures
    for figure in figures:
        assert figure.stat().st_size > 5000
    stores = sorted(path.name for path in (tmp_path / "out").glob("*.zarr"))
    assert stores == sorted(f"{run.title}.zarr" for run in REPRODUCTIONS[name].runs)
    again = reproduce(name, tmp_path / "out", **changes)
    assert again == figures


@pytest.mark.slow
def test_reproduce__architectures_and_accuracy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Both need MNIST; a convolution of 60 000 images takes minutes."""
    for name in ("archs", "accuracy"):
        changes = SMALL | {"data_folder": make_images(tmp_path, monkeypatch)}
        assert all(figure.exists() for figure in reproduce(name, tmp_path / "out", **changes))


@pytest.mark.parametrize("name", REPRODUCTIONS)
@pytest.mark.parametrize("scale", ["quick", "paper"])
def test_reproduce__dry_run_tells_commands_that_parse(name: str, scale: str, tmp_path: Path):
    lines: list[str] = []
    reproduce(name, tmp_path / "out", scale=scale, dry_run=True, tell=lines.append)
    commands = [line.split() for line in lines if line.startswith("ibtools")]
    assert commands
    for _, command, *arguments in commands:
        cli.commands[command].make_context(command, arguments)
    assert not (tmp_path / "out").exists()


def test_settings_of__paper_scale_is_the_papers():
    assert settings_of(Run("x", "SYN-Tanh"), "paper") == {"schedule": "paper"}
    prefit = REPRODUCTIONS["prefit"].runs[0]
    assert settings_of(prefit, "paper") == {"schedule": "paper", "prefit": 1000, "repeats": 20}


def test_reproduce__misses_data_before_anything_is_recorded(tmp_path: Path):
    with pytest.raises(InputError, match="MNIST"):
        reproduce("quantize", tmp_path / "out", **SMALL, data_folder=tmp_path)
    assert not (tmp_path / "out").exists()


def test_reproduce__unknown_names(tmp_path: Path):
    with pytest.raises(UnknownNameError, match=r"unknown reproduction 'quantise'.*'quantize'"):
        reproduce("quantise", tmp_path)
    with pytest.raises(UnknownNameError, match="unknown scale 'full'"):
        reproduce("quantize", tmp_path, scale="full")


def test_export_results__tidy_tables(example_store: Path, tmp_path: Path):
    with pytest.raises(StoreError, match="no results to export yet"):
        ibtools.export_results(example_store, tmp_path)
    ibtools.analyze_store(example_store, estimator=["exact", "binned-uniform-30-layer"], quiet=True)
    result = CliRunner().invoke(cli, ["export", str(example_store), "--output", str(tmp_path)])
    assert result.exit_code == 0, result.output
    rows = pd.read_csv(tmp_path / "information.csv")
    assert len(rows) == 2 * 2 * 4 * 3
    assert set(rows["estimator"]) == {"exact", "binned-uniform-30-layer"}
    assert {"repeat", "epoch", "layer", "mi_xt", "mi_ty", "seed", "n_units"} <= set(rows)
    chosen = rows[(rows.estimator == "exact") & (rows.layer == "output") & (rows.epoch == 5)]
    expected = ibtools.open_results(example_store)["mi_ty"].sel(layer="output", epoch=5)
    np.testing.assert_array_equal(chosen.sort_values("repeat")["mi_ty"], expected)
    accuracy = pd.read_csv(tmp_path / "accuracy.csv")
    assert {"repeat", "trained_epoch", "train_accuracy", "test_loss"} <= set(accuracy)
