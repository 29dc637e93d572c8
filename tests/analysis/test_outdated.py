"""Results of a version of ibtools that computed something else under the same name."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr
from click.testing import CliRunner

import ibtools
from ibtools.analysis.estimators import ESTIMATORS, Exact, parse_estimator
from ibtools.analysis.passes.analysis_report import AnalysisReport
from ibtools.analysis.passes.outdated import why_outdated, why_revised
from ibtools.analysis.passes.results import outdated_results
from ibtools.cli.main import cli
from ibtools.errors import StoreError

NOTE = "states were counted twice"

OTHER = "binned-quantile-4-layer"
"""An estimator whose numbers are what they ever were."""


@pytest.fixture
def revised(monkeypatch) -> None:
    """A version of ibtools in which `exact` computes something else than before."""
    monkeypatch.setattr(Exact, "revision", 3)
    monkeypatch.setattr(Exact, "revision_note", NOTE)


@pytest.fixture(scope="module")
def of_old(tmp_path_factory) -> Path:
    """A store with results of `exact` and another estimator that say nothing of a revision."""
    path = tmp_path_factory.mktemp("old") / "s.zarr"
    values = np.arange(8, dtype="float32").reshape(1, 1, 8, 1)
    ibtools.record_arrays(path, {"x": values}, label=np.arange(8) % 2)
    ibtools.analyze_store(path, estimator=["exact", OTHER], quiet=True)
    ibtools.details_store(path, "classes", quiet=True)
    for key in ("information/exact", f"information/{OTHER}", "details/exact/classes"):
        forget_revision(path, key)
    return path


@pytest.fixture
def old_store(of_old: Path, revised, tmp_path: Path) -> Path:
    return Path(shutil.copytree(of_old, tmp_path / "s.zarr"))


def forget_revision(path: Path, key: str) -> None:
    """Make results as they were before results had a revision."""
    file = path / key / "zarr.json"
    metadata = json.loads(file.read_text())
    del metadata["attributes"]["revision"]
    file.write_text(json.dumps(metadata))


def set_results(path: Path, value: float) -> None:
    zarr.open_group(path, path="information/exact")["mi_ty"][...] = value


def test_analyze_store__outdated_results_are_computed_anew(old_store: Path):
    expected = ibtools.analyze(ibtools.open_store(old_store)).compute()
    set_results(old_store, 7.0)
    exact, other = ibtools.analyze_store(old_store, estimator=["exact", OTHER], quiet=True)
    why = f"they were computed by an earlier version of ibtools, in which {NOTE}"
    anew = (f"all anew, because {why}",)
    assert exact == AnalysisReport("exact", 1, 0, 0, anew=anew, is_saturated=True)
    assert f"skipped (analysed before); all anew, because {why}; every layer" in str(exact)
    assert other == AnalysisReport(OTHER, 0, 1, 0)
    xr.testing.assert_equal(ibtools.open_results(old_store).load(), expected)
    assert ibtools.open_results(old_store).attrs["revision"] == 3
    assert ibtools.open_results(old_store, estimator=OTHER).attrs["revision"] == 1
    assert ibtools.analyze_store(old_store, quiet=True).skipped == 1


def test_analyze_store__killed_before_the_revision_is_written(old_store: Path, monkeypatch):
    """What is out of date is unmarked first, so nothing of it is ever taken for what it is not."""
    with monkeypatch.context() as killed:
        killed.setattr("ibtools.analysis.passes.result_groups.provenance", interrupt)
        with pytest.raises(KeyboardInterrupt):
            ibtools.analyze_store(old_store, quiet=True)
    with pytest.raises(StoreError, match="out of date"):
        ibtools.open_results(old_store)
    assert ibtools.analyze_store(old_store, quiet=True).computed == 1
    assert np.isfinite(ibtools.open_results(old_store)["mi_ty"]).all()


def interrupt():
    raise KeyboardInterrupt


def test_open_results__refuses_what_is_out_of_date(old_store: Path):
    expected = (
        f"the results of exact are out of date: they were computed by an earlier version of "
        f"ibtools, in which {NOTE}; compute them anew with: ibtools analyze {old_store} "
        "--estimator exact"
    )
    for asked in ("exact", Exact(), [OTHER, "exact"]):
        with pytest.raises(StoreError, match=expected):
            ibtools.open_results(old_store, estimator=asked)
    with pytest.raises(StoreError, match=expected):
        ibtools.summary(old_store)
    assert list(outdated_results(old_store)) == ["exact"]


def test_open_results__out_of_date_outside_the_store(old_store: Path, tmp_path: Path):
    """What is kept elsewhere does not know the path of its store."""
    output = tmp_path / "output.zarr"
    ibtools.analyze_store(old_store, output=output, quiet=True)
    forget_revision(output, "information/exact")
    with pytest.raises(StoreError, match=f"ibtools analyze STORE --output {output} --estimator"):
        ibtools.open_results(output)
    assert ibtools.analyze_store(old_store, output=output, quiet=True).computed == 1
    with pytest.raises(StoreError, match=f"ibtools analyze STORE --output {output} --estimator"):
        ibtools.open_results(output, estimator="knn")


def test_open_results__all_but_what_is_out_of_date(old_store: Path):
    found = ibtools.open_results(old_store, estimator=None)
    assert found["estimator"].values.tolist() == [OTHER]
    assert found.attrs["out_of_date"] == "exact"
    ibtools.analyze_store(old_store, quiet=True)
    found = ibtools.open_results(old_store, estimator=None)
    assert found["estimator"].values.tolist() == [OTHER, "exact"]
    assert "out_of_date" not in found.attrs


def test_open_results__all_are_out_of_date(old_store: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setattr("ibtools.analysis.estimators.Binned.revision", 2)
    with pytest.raises(StoreError, match=f"the results of {OTHER} are out of date"):
        ibtools.open_results(old_store, estimator=None)
    with pytest.raises(StoreError, match="the results of exact are out of date"):
        ibtools.report(old_store, output=tmp_path / "report.html", quiet=True)


@pytest.mark.parametrize(
    "command",
    [
        "plot {store} information-plane --estimator exact --output {folder}/plane.png",
        "summary {store}",
        "export {store} --output {folder}",
        "report {store} --estimator exact --output {folder}/report.html",
    ],
)
def test_commands__refuse_what_is_out_of_date(old_store: Path, tmp_path: Path, command: str):
    words = command.format(store=old_store, folder=tmp_path).split()
    result = CliRunner().invoke(cli, words)
    assert result.exit_code == 1
    assert result.output.count("\n") == 1
    assert f"compute them anew with: ibtools analyze {old_store} --estimator exact" in result.output


def test_store_info__says_what_is_out_of_date(old_store: Path):
    text = CliRunner().invoke(cli, ["info", str(old_store)]).output
    assert f"out of date exact; compute anew with: ibtools analyze {old_store} " in text
    found = CliRunner().invoke(cli, ["info", str(old_store), "--json"]).output
    assert list(json.loads(found)["outdated"]) == ["exact"]
    ibtools.analyze_store(old_store, quiet=True)
    assert "out of date" not in CliRunner().invoke(cli, ["info", str(old_store)]).output


def test_check__results_that_are_out_of_date_are_a_violation(old_store: Path):
    (violation,) = ibtools.check(old_store, quiet=True).violations
    assert (violation.name, violation.subject) == ("up to date", "information/exact")
    assert f"ibtools analyze {old_store} --estimator exact" in violation.words
    ibtools.analyze_store(old_store, quiet=True)
    assert ibtools.check(old_store, quiet=True).ok


def test_open_details__out_of_date(old_store: Path):
    with pytest.raises(
        StoreError, match=r"the details 'classes' of exact are out of date: .*twice"
    ):
        ibtools.open_details(old_store, "classes")
    (report,) = ibtools.details_store(old_store, "classes", quiet=True)
    assert (report.computed, report.skipped) == (1, 0)
    assert str(report).endswith(NOTE)
    assert ibtools.open_details(old_store, "classes").attrs["revision"] == 3


def test_why_outdated__of_a_later_version():
    assert "a later version of ibtools" in why_revised({"revision": 2}, Exact())


def test_why_outdated__an_attribute_that_nobody_describes():
    depends = {"digest": "b", "revision": 1}
    assert why_outdated({"digest": "a"}, depends, Exact()) == ("digest is another now",)


@pytest.mark.parametrize(
    "name", [*ESTIMATORS.names(), "binned-width", "binned-quantile", "exact-population-chao-shen"]
)
def test_estimators__say_what_was_different_before(name: str):
    estimator = parse_estimator(name)
    assert estimator.revision >= 1
    assert bool(estimator.revision_note) == (estimator.revision > 1)


@pytest.mark.parametrize(
    ("name", "revision"),
    [
        ("exact", 1),
        ("exact-per-unit", 1),
        ("kde", 2),
        ("binned-quantile", 1),
        ("binned-unique-30-unit", 1),
        ("binned-width-0.07-zero", 1),
        ("binned-width-0.07-layer", 2),
        ("binned", 2),
        ("binned-uniform-30--1_1-per-unit", 2),
        ("binned-population-chao-shen", 2),
        ("requantised", 2),
        ("requantised-8-population-chao-shen", 2),
        ("knn", 3),
    ],
)
def test_estimators__revision(name: str, revision: int):
    """Only what is computed otherwise than before is computed anew."""
    assert parse_estimator(name).revision == revision


def test_analyze_store__computes_anew_what_was_corrected_and_nothing_else(tmp_path: Path):
    """Results of before results had a revision: 0 to 49 shared some of 49 bins then."""
    names = ["exact", "kde-0.001", "knn-3", "binned-uniform-49-layer", "requantised"]
    path = tmp_path / "s.zarr"
    values = np.arange(50, dtype="float32").reshape(1, 1, 50, 1)
    ibtools.record_arrays(path, {"x": values}, label=np.arange(50) % 2)
    ibtools.analyze_store(path, estimator=names, quiet=True)
    for name in names:
        forget_revision(path, f"information/{name}")
    assert list(outdated_results(path)) == [
        "binned-uniform-49-layer",
        "kde-0.001",
        "knn-3",
        "requantised",
    ]
    reports = ibtools.analyze_store(path, estimator=names, quiet=True)
    assert [report.computed for report in reports] == [0, 1, 1, 1, 1]
    assert "; all anew, because " in str(reports[3])
    assert "rounding moved values at the edges of bins into the bin below" in str(reports[3])
    assert "results had no chance level of I(T;Y)" in str(reports[1])
    assert outdated_results(path) == {}
    found = ibtools.open_results(path, estimator="binned-uniform-49")
    assert int(found["n_states"].max()) == 49
