import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner

import ibtools
from ibtools.analysis.passes import result_groups, writing
from ibtools.analysis.passes.result_variables import RESULT_COORDINATES
from ibtools.analysis.passes.results import (
    AnalysisReport,
    analyze_store,
    open_results,
    result_names,
)
from ibtools.analysis.repeats.shown import summarise_repeats
from ibtools.analysis.repeats.summary import format_summary
from ibtools.analysis.report.contents import collect
from ibtools.cli.main import cli
from ibtools.errors import StoreError, StoreExistsError
from ibtools.store.creation import create_store, create_variable
from ibtools.store.groups import consolidate
from ibtools.store.layout import StoreSpec
from ibtools.store.schema import WHOLE_LAYER
from ibtools.store.snapshots import LayerSpec, LayerValues
from ibtools.store.writer import RepeatWriter
from tests.conftest import LABEL, example_snapshots

LAYER = LayerSpec("x", 3, "relu", 8)


def partial_store(path: Path, epochs: int, recorded: int) -> RepeatWriter:
    spec = StoreSpec((LAYER,), (0,), tuple(range(epochs)), (1,), np.arange(32) % 2)
    writer = RepeatWriter(create_store(path, spec), 0)
    for epoch in range(recorded):
        add(writer, epoch)
    writer.commit()
    return writer


def add(writer: RepeatWriter, epoch: int) -> None:
    values = np.random.default_rng(epoch).integers(0, 3, (32, 3), "uint8")
    writer.add_snapshot(epoch, {"x": LayerValues(values, 1.0)})


def test_analyze_store__writes_what_analyze_computes(example_store: Path):
    report = analyze_store(example_store, quiet=True)
    assert report == AnalysisReport("exact", computed=8, skipped=0, incomplete=0)
    expected = ibtools.analyze(ibtools.open_store(example_store)).compute()
    found = open_results(example_store).load()
    xr.testing.assert_equal(found, expected)
    for name in expected.data_vars:
        assert found[name].dtype == expected[name].dtype
        assert found[name].attrs == expected[name].attrs
    assert found.attrs["estimator"] == "exact"
    assert found.attrs["n_samples"] == 64


@pytest.mark.parametrize("is_float", [True, False])
def test_analyze_store__says_that_every_layer_is_saturated(tmp_path: Path, is_float: bool):
    """As those of a network of floats, whose plane is one dot; not if one layer is free once."""
    rng, path = np.random.default_rng(0), tmp_path / "float.zarr"
    wide = [{name: rng.normal(size=(64, 2)).astype("f4") for name in ("a", "b")} for _ in range(3)]
    if not is_float:
        wide[1]["b"] = np.rint(wide[1]["b"])
    ibtools.record_arrays(
        path, ((0, i, one) for i, one in enumerate(wide)), label=LABEL, repeats=[0], epochs=range(3)
    )
    for _ in range(2):  # also of what was analysed before
        reports = analyze_store(path, estimator=["exact", "binned", "knn"], quiet=True)
        assert [one.is_saturated for one in reports] == [is_float, False, False]
    assert ("every layer is saturated at every epoch" in str(reports[0])) == is_float
    assert "saturated" not in str(reports[1])
    said = "every layer is saturated at every epoch"
    assert (said in summarise_repeats(open_results(path)).caption) == is_float
    audit = " ".join(str(ibtools.check(path, quiet=True)).split())
    assert (f"By these results, {said}" in audit) == is_float
    notes = collect(path, "exact", quiet=True).notes
    assert [note.startswith(f"By exact, {said}") for note in notes[:1]] == [True] * is_float
    told = " ".join(format_summary(ibtools.summary(path), path).split())
    assert (f"By these results, {said}" in told) == is_float
    command = ["plot", str(path), "information-epochs", "--output", str(tmp_path / "plane.png")]
    first = CliRunner().invoke(cli, command).output.splitlines()[0]
    assert first.startswith(f"{path}: {said}") == is_float
    assert ("--estimator kde" in first) == is_float


def test_analyze_store__results_are_plain_xarray(example_store: Path):
    analyze_store(example_store, quiet=True)
    plain = xr.open_zarr(example_store, group="information/exact")
    assert plain["mi_xt"].dims == ("repeat", "epoch", "layer")
    assert list(plain["layer"].values) == ["hidden_1", "free", "output"]


def test_analyze_store__computes_nothing_twice(example_store: Path, monkeypatch):
    analyze_store(example_store, quiet=True)

    def refuse(*_):
        raise AssertionError("computed again")

    monkeypatch.setattr(writing, "write_window", refuse)
    report = analyze_store(example_store, quiet=True)
    assert report == AnalysisReport("exact", computed=0, skipped=8, incomplete=0)


def test_analyze_store__goes_on_as_the_recording_does(tmp_path: Path):
    path = tmp_path / "s.zarr"
    writer = partial_store(path, epochs=6, recorded=2)
    assert analyze_store(path, quiet=True) == AnalysisReport("exact", 2, 0, 4)
    assert np.isnan(open_results(path)["mi_xt"].values[0, 2:]).all()
    for epoch in range(2, 6):
        add(writer, epoch)
    assert analyze_store(path, quiet=True) == AnalysisReport("exact", 4, 2, 0)
    xr.testing.assert_equal(
        open_results(path).load(), ibtools.analyze(ibtools.open_store(path)).compute()
    )


def test_analyze_store__output_elsewhere(example_store: Path, tmp_path: Path):
    before = sorted(example_store.rglob("*"))
    output = tmp_path / "results.zarr"
    analyze_store(example_store, output=output, quiet=True)
    assert sorted(example_store.rglob("*")) == before
    assert result_names(output) == ("exact",)
    assert analyze_store(example_store, output=output, quiet=True).skipped == 8
    other = tmp_path / "other.zarr"
    ibtools.record_arrays(
        other, example_snapshots(), label=LABEL, repeats=range(2), epochs=(0, 1, 5, 10)
    )
    with pytest.raises(StoreError, match="results of another store"):
        analyze_store(other, output=output, quiet=True)


def test_analyze_store__output_that_is_something_else(example_store: Path, tmp_path: Path):
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(StoreExistsError, match="holds no results"):
        analyze_store(example_store, output=tmp_path / "notes.txt", quiet=True)


def test_analyze_store__without_write_permission(example_store: Path, monkeypatch):
    """The store is refused before anything is computed."""

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("zarr.Group.create_group", refuse)
    monkeypatch.setattr(writing, "write_window", refuse)
    with pytest.raises(StoreError, match="writing failed: Permission denied"):
        analyze_store(example_store, quiet=True)


def test_open_results__none_yet(example_store: Path):
    with pytest.raises(StoreError, match=r"no results yet; compute them with: ibtools analyze"):
        open_results(example_store)
    analyze_store(example_store, quiet=True)
    message = "there are results of exact; name one of these as the estimator, or compute them"
    with pytest.raises(StoreError, match=message):
        open_results(example_store, estimator="binned")


KILLED = """
import sys
import ibtools.analysis.passes.plan as blocks
from ibtools.analysis.passes import results, writing
blocks.WINDOW_BYTES = 1
original = writing.write_window
def slowly(*arguments):
    original(*arguments)
    print("wrote", flush=True)
    import time; time.sleep(0.2)
writing.write_window = slowly
results.analyze_store(sys.argv[1], quiet=True)
"""


def test_analyze_store__killed_and_resumed_equals_uninterrupted(tmp_path: Path, monkeypatch):
    monkeypatch.setattr("ibtools.store.layout.MAX_BLOCK_EPOCHS", 2)
    for name in ("killed", "whole"):
        partial_store(tmp_path / name, epochs=12, recorded=12)
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path / "killed")], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for _ in range(2):
            assert process.stdout.readline() == "wrote\n"
        os.kill(process.pid, signal.SIGKILL)
    time.sleep(0.1)
    report = analyze_store(tmp_path / "killed", quiet=True)
    assert report.skipped >= 4
    assert report.computed == 12 - report.skipped
    analyze_store(tmp_path / "whole", quiet=True)
    for name in ("mi_xt", "mi_ty", "entropy_t", "n_states", "analysed"):
        place = Path("information") / "exact" / name
        files = sorted(p for p in (tmp_path / "whole" / place).rglob("*") if p.is_file())
        assert files
        for file in files:
            same = tmp_path / "killed" / file.relative_to(tmp_path / "whole")
            assert same.read_bytes() == file.read_bytes(), file


ADDED = ("n_singletons", "saturation", "mi_ty_null", "mi_ty_above_null")


@pytest.fixture
def old_store(analysed_by, tmp_path: Path) -> Path:
    """A store whose results are those of a version that knew no chance level."""
    example_store = Path(shutil.copytree(analysed_by("exact"), tmp_path / "example.zarr"))
    for name in ADDED:
        shutil.rmtree(example_store / "information" / "exact" / name)
    consolidate(example_store)
    return example_store


def test_analyze_store__results_of_an_earlier_version_are_computed_anew(
    old_store: Path, tmp_path: Path
):
    old = open_results(old_store).load()
    assert not set(ADDED) & set(old.data_vars)
    assert np.isfinite(old["mi_ty"]).all()
    ibtools.plot_store(old_store, "information-plane", output=tmp_path / "plane.png")
    report = analyze_store(old_store, quiet=True)
    reason = f"the results were those of an earlier version of ibtools, without {', '.join(ADDED)}"
    assert report == AnalysisReport("exact", 8, 0, 0, anew=(f"all anew, because {reason}",))
    assert str(report).endswith(f"; all anew, because {reason}")
    expected = ibtools.analyze(ibtools.open_store(old_store)).compute()
    xr.testing.assert_equal(open_results(old_store).load(), expected)
    again = analyze_store(old_store, quiet=True)
    assert again == AnalysisReport("exact", computed=0, skipped=8, incomplete=0)


def test_analyze_store__killed_while_adding_variables_forgets_nothing(old_store: Path, monkeypatch):
    """Whatever is there when it dies, what is marked has all variables."""
    for _ in ADDED[1:]:
        monkeypatch.setattr(result_groups, "create_variable", dies_after(calls=1))
        with pytest.raises(KeyboardInterrupt):
            analyze_store(old_store, quiet=True)
        assert np.isnan(open_results(old_store)["mi_ty"]).all()
    monkeypatch.undo()
    assert analyze_store(old_store, quiet=True).computed == 8


def dies_after(calls: int):
    left = iter(range(calls))

    def create(*arguments):
        if next(left, None) is None:
            raise KeyboardInterrupt
        create_variable(*arguments)

    return create


@pytest.mark.parametrize("created", [0, 3, len(RESULT_COORDINATES) + len(WHOLE_LAYER)])
def test_analyze_store__another_analysis_begins_meanwhile(
    example_store: Path, monkeypatch, created: int
):
    """Whichever array another analysis has created meanwhile, both go on, and agree."""
    left = iter(range(created))

    def create(*arguments):
        if next(left, None) is None and monkeypatch.undo() is None:
            assert analyze_store(example_store, quiet=True).computed == 8
        create_variable(*arguments)

    monkeypatch.setattr(result_groups, "create_variable", create)
    assert analyze_store(example_store, quiet=True).skipped == 8
    expected = ibtools.analyze(ibtools.open_store(example_store)).compute()
    xr.testing.assert_equal(open_results(example_store).load(), expected)
