"""Every experiment of the paper, small, through every step that the command takes."""

import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import ibtools
from ibtools.cli.main import cli
from ibtools.errors import InputError, StoreError, UnknownNameError
from ibtools.recorders.data.published import PUBLISHED, digest_parts
from ibtools.recorders.engines import ENGINES
from ibtools.reproduction import (
    REPRODUCTIONS,
    Run,
    experiments,
    reproduce,
    reproducing,
    settings_of,
)
from ibtools.reproduction.forecast import Budget, Cost, forecast, forecast_lines
from ibtools.reproduction.journal import read_journal
from ibtools.reproduction.parts import Part
from ibtools.reproduction.steps import analyze_step, record_step, thin_step
from tests.small_reproduction import FAKE, ONE_REPEAT_AT_A_TIME, expected, small_reproductions

SMALL = {"epochs": 1, "repeats": 1, "schedule": "every:1", "samples": 200, "quiet": True}


@pytest.fixture(scope="module")
def made_images(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, tuple[str, ...]]:
    """A simple MNIST in the layout of Keras' file, and its digests: tests need no real digits."""
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    arrays = {}
    for split, count in {"train": 60_000, "test": 10_000}.items():
        arrays[f"x_{split}"] = rng.integers(0, 2, (count, 28, 28), "uint8") * 255
        arrays[f"y_{split}"] = (np.arange(count) % 10).astype("uint8")
    np.savez_compressed(folder / "mnist.npz", **arrays)
    return folder, tuple(digest_parts(tuple(arrays.values())).values())


@pytest.fixture
def images(made_images, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder, digests = made_images
    monkeypatch.setitem(PUBLISHED, "MNIST", digests)
    return folder


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    "name",
    ["binning", "bit-width", "prefit", pytest.param("quantize", marks=pytest.mark.slow)],
)
def test_reproduce__records_analyses_and_draws(
    name: str, tmp_path: Path, request: pytest.FixtureRequest
):
    changes = dict(SMALL)
    if name == "prefit":
        changes["prefit"] = 1
    if name == "quantize":
        changes["data_folder"] = request.getfixturevalue("images")
    figures = reproduce(name, tmp_path / "out", **changes)
    assert figures
    for figure in figures:
        assert figure.stat().st_size > 5000
    stores = sorted(path.name for path in (tmp_path / "out").glob("*.zarr"))
    assert stores == sorted(f"{run.title}.zarr" for run in REPRODUCTIONS[name].runs)
    again = reproduce(name, tmp_path / "out", **changes)
    assert again == figures


@pytest.mark.slow
def test_reproduce__architectures_and_accuracy(tmp_path: Path, images: Path):
    """Both need MNIST; a convolution of 60 000 images takes minutes."""
    for name in ("archs", "accuracy"):
        changes = SMALL | {"data_folder": images}
        assert all(figure.exists() for figure in reproduce(name, tmp_path / "out", **changes))


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", [*REPRODUCTIONS, "all"])
@pytest.mark.parametrize("scale", ["quick", "paper"])
def test_reproduce__dry_run_tells_commands_that_parse(
    name: str, scale: str, no_trials, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("IBTOOLS_DATA", str(images))
    lines: list[str] = []
    reproduce(name, tmp_path / "out", scale=scale, dry_run=True, tell=lines.append)
    commands = [line.split() for line in lines if line.startswith("ibtools")]
    assert commands
    for _, command, *arguments in commands:
        cli.commands[command].make_context(command, arguments)
    assert not (tmp_path / "out").exists()


@pytest.fixture
def no_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make all runs take the same, without trying any."""
    monkeypatch.setattr(
        reproducing, "forecast", lambda wanted, **how: {run: expected(repeats=2) for run in wanted}
    )


def make_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make all experiments those of SYN-Tanh, with an engine that needs no TensorFlow."""
    monkeypatch.setattr(experiments, "REPRODUCTIONS", small_reproductions())
    monkeypatch.setitem(ENGINES.builtin, "fake", "tests.recorders.fake_engine:FakeEngine")


@pytest.fixture
def only_syn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small experiments for one test."""
    make_small(monkeypatch)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str], list[Path]]:
    """All small experiments in one go: the folder, what was said, and the outputs."""
    folder, lines = tmp_path_factory.mktemp("whole"), []
    with pytest.MonkeyPatch.context() as patched:
        make_small(patched)
        outputs = reproduce("all", folder, tell=lines.append, **FAKE)
    return folder, lines, outputs


def test_reproduce_all__records_controls_and_writes_tables(whole):
    folder, lines, outputs = whole
    assert all(path.stat().st_size > 0 for path in outputs)
    stores = sorted(path.name for path in folder.glob("*.zarr"))
    assert stores == ["SYN-Tanh-frozen.zarr", "SYN-Tanh-prefit.zarr", "SYN-Tanh.zarr"]
    numbers = sorted(path.name for path in (folder / "numbers").iterdir())
    assert {"SYN-Tanh.csv.gz", "SYN-Tanh.json", "SYN-Tanh-dynamics.csv"} <= set(numbers)
    assert [one.step for one in read_journal(folder)] == lines
    assert all(one.seconds >= 0 and one.folder_bytes > 0 for one in read_journal(folder))


def test_reproduce_all__tables_are_the_results(whole):
    folder, _, _ = whole
    table = pd.read_csv(folder / "numbers" / "SYN-Tanh.csv.gz")
    results = ibtools.open_results(folder / "SYN-Tanh.zarr", estimator="requantised")
    row = table.query("estimator == 'requantised' and epoch == 4 and layer == 'output'")
    found = results["mi_xt"].sel(epoch=4, layer="output").load()
    assert row["mi_xt"].item() == found.mean().item()
    assert row["mi_xt_deviation"].item() == pytest.approx(found.std(ddof=1).item(), abs=1e-12)
    assert row["n_repeats"].item() == 2
    dynamics = pd.read_csv(folder / "numbers" / "SYN-Tanh-dynamics.csv")
    assert {"exact", "requantised", "resolution-2"} == set(dynamics["estimator"])
    assert {"compression", "compression_above_control"} <= set(dynamics["quantity"])
    origin = json.loads((folder / "numbers" / "SYN-Tanh.json").read_text())
    assert origin["seeds"] == results["seed"].values.tolist()
    assert origin["configuration"]["epochs"] == 4


def assert_same_numbers(one: Path, other: Path) -> None:
    files = sorted((one / "numbers").glob("*.csv*"))
    assert files
    for file in files:
        assert file.read_bytes() == (other / "numbers" / file.name).read_bytes(), file.name


def test_reproduce_all__parts_that_fit_the_disk_give_the_same_numbers(
    whole, only_syn, no_trials, tmp_path: Path
):
    reproduce("all", tmp_path, disk=ONE_REPEAT_AT_A_TIME, **FAKE)
    names = {path.name for path in tmp_path.glob("*.zarr")}
    assert {"SYN-Tanh.0-0.thin.zarr", "SYN-Tanh.1-1.results.zarr"} <= names
    assert not any(name in names for name in ("SYN-Tanh.0-0.zarr", "SYN-Tanh.zarr"))
    assert_same_numbers(whole[0], tmp_path)
    thin = ibtools.open_store(tmp_path / "SYN-Tanh.0-0.thin.zarr")
    assert "partition" in thin
    assert "code" not in thin
    with pytest.raises(InputError, match=r"SYN-Tanh was begun in parts .*go on with --disk"):
        reproduce("all", tmp_path, **FAKE)


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw no figures."""
    for name in ("figure_steps", "learned_steps"):
        monkeypatch.setattr(reproducing, name, lambda *_: ())


@pytest.mark.sampled(1)
@pytest.mark.parametrize("broken", ["record", "analyze_store", "thin_store"])
def test_reproduce_all__goes_on_where_it_was_interrupted(
    broken, whole, only_syn, no_trials, undrawn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    does, calls = getattr(ibtools, broken), []

    def interrupted(*args: Any, **options: Any) -> object:
        calls.append(args)
        found = does(*args, **options)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return found

    monkeypatch.setattr(ibtools, broken, interrupted, raising=False)
    with pytest.raises(KeyboardInterrupt):
        reproduce("all", tmp_path, disk=ONE_REPEAT_AT_A_TIME, **FAKE)
    monkeypatch.setattr(ibtools, broken, does)
    reproduce("all", tmp_path, disk=10 * ONE_REPEAT_AT_A_TIME, **FAKE)
    assert_same_numbers(whole[0], tmp_path)
    left = {path.name for path in tmp_path.glob("*.zarr")}
    assert not any("thinning" in name for name in left)
    assert {name.partition(".")[0] for name in left if name.endswith((".thin.zarr",))} == {
        "SYN-Tanh",
        "SYN-Tanh-frozen",
        "SYN-Tanh-prefit",
    }


@pytest.mark.slow
@pytest.mark.parametrize("step", ["record", "analyze", "plot", "thin"])
def test_reproduce_all__goes_on_after_a_kill(step: str, whole, tmp_path: Path):
    command = [sys.executable, "-m", "tests.small_reproduction", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        for line in running.stdout:
            if line.startswith(f"ibtools {step} "):
                break
        time.sleep(0.2)
        running.kill()
    subprocess.run(command, check=True, capture_output=True)
    assert_same_numbers(whole[0], tmp_path)


def test_budget__one_repeat_must_fit():
    runs = {Run(name, "SYN-Tanh"): expected() for name in "ab"}
    assert Budget.of(190, runs).most == dict.fromkeys(runs, 1)
    with pytest.raises(InputError, match=r"disk must be 0 GB or more here.*found 0 GB"):
        Budget.of(180, runs)
    with pytest.raises(InputError, match='disk must be an amount such as "40GB"'):
        Budget.of("much", runs)


def test_budget__keeps_fewer_epochs_where_not_all_fit():
    one = replace(expected(), snapshots=100, thinned_snapshots=10, thin_bytes=1000)
    runs = {Run("a", "SYN-Tanh"): one}
    assert Budget.of(20_000, runs).epochs is None
    assert Budget.of(5_000, runs).epochs == "log:200"


def test_forecast_lines__sum_up(tmp_path: Path):
    run = Run("a", "SYN-Tanh")
    part = Part(run, {"repeats": 4}, tmp_path, "a", is_thinned=True)
    steps = [record_step(part), analyze_step(part, ["exact"], quiet=True)]
    steps.append(thin_step(part, epochs=None, quiet=True))
    budget = Budget(10**6, all_epochs=True, repeats={run: 4}, most={run: 4})
    found = expected(cube=10**9, thin=10**8)
    *_, last = forecast_lines(steps, {run: found}, budget, jobs=4)
    assert last.startswith("about ")
    assert last.endswith("4.4 GB on disk at the fullest, 400 MB at the end")


def test_forecast__tries_a_recording_its_analysis_and_thinning(only_syn):
    run = Run("SYN-Tanh", "SYN-Tanh")
    wanted = {run: ({"engine": "fake", "epochs": 20, "repeats": 2}, ("exact", "resolution"))}
    (found,) = forecast(wanted, scale="quick", data_folder=None, quiet=True).values()
    assert (found.repeats, found.epochs, found.snapshots) == (2, 20, 5)
    assert found.cube_bytes > found.thin_bytes > 0
    assert found.analysis.seconds(5) > 0
    assert found.thinning.seconds(5) > 0
    assert found.record_seconds(2, jobs=1) > 0


def test_forecast__nothing_is_analysed_that_nothing_is_computed_of(only_syn):
    run = Run("SYN-Tanh", "SYN-Tanh", (("keep", "partition"),))
    wanted = {run: ({"engine": "fake", "epochs": 20, "repeats": 2, "keep": "partition"}, ())}
    (found,) = forecast(wanted, scale="quick", data_folder=None, quiet=True).values()
    assert found.analysis.seconds(5) == found.thinning.seconds(5) == 0


def test_cost__many_snapshots_are_shared_by_threads():
    assert Cost(1.0, 2.0).seconds(10) == 21
    assert Cost(1.0, 2.0, threads=4).seconds(10) == 6


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
