"""Details that other packages add: the one of docs/adding.md, in every place that details are."""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

import ibtools
from ibtools.analysis.details import DETAILS, Classes, detail_class
from ibtools.analysis.details.kinds import parse_detail
from ibtools.cli.completing import detail_names
from ibtools.cli.main import cli
from ibtools.errors import InputError, StoreError
from tests.added_package import install, install_examples


def forget_package(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [one for one in sys.modules if one.split(".")[0] == "my_package"]:
        monkeypatch.delitem(sys.modules, name)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    forget_package(monkeypatch)
    site = install_examples(tmp_path / "site")
    monkeypatch.syspath_prepend(str(site))
    return site


def uninstall(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [one for one in sys.path if one != str(site)])
    forget_package(monkeypatch)


def run(*words: object) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words])


def slow_mixed(dataset, layer: str, epoch: int) -> float:
    one = dataset.sel(repeat=1, epoch=epoch, layer=layer)
    states = [row.tobytes() for row in one["code"].values]
    classes: dict[bytes, set[int]] = {}
    for state, label in zip(states, dataset["label"].values, strict=True):
        classes.setdefault(state, set()).add(int(label))
    return float(np.mean([len(classes[state]) > 1 for state in states]))


def test_added_detail__is_written_opened_and_skipped(site, example_store):
    done = run("details", example_store, "mixed", "--quiet")
    assert done.exit_code == 0, done.output
    assert "details/exact/mixed: 8 snapshots analysed" in done.output
    assert '"mixed").mixed.mean("repeat").plot(x="epoch", hue="layer")' in done.output
    found = ibtools.open_details(example_store, "mixed")
    assert found["mixed"].attrs["long_name"] == "samples in mixed states"
    dataset = ibtools.open_store(example_store)
    epoch = int(dataset["epoch"][0])
    assert float(found["mixed"].sel(repeat=1, epoch=epoch, layer="hidden_1")) == slow_mixed(
        dataset, "hidden_1", epoch
    )
    again = run("details", example_store, "mixed", "classes", "--quiet")
    assert "mixed: 0 snapshots analysed, 8 skipped" in again.output


def test_added_detail__is_in_help_and_completion_and_not_imported_for_it(site):
    assert list(detail_names())[-1] == "mixed"
    assert "my_package.mixed" not in sys.modules
    shown = "    mixed         share of the samples in states of several classes\n"
    assert shown in run("details", "--help").output


def test_added_detail__without_its_package_is_refused_by_name(site, example_store, monkeypatch):
    """The recording, other results and other details open as ever."""
    ibtools.details_store(example_store, ["mixed", "classes"], quiet=True)
    ibtools.analyze_store(example_store, quiet=True)
    uninstall(site, monkeypatch)
    ibtools.open_store(example_store)
    ibtools.open_results(example_store)
    ibtools.open_details(example_store, "classes")
    message = r"details/exact/mixed.*variable 'mixed'.*install the package my-package"
    with pytest.raises(StoreError, match=message):
        ibtools.open_details(example_store, "mixed")
    told = run("info", example_store)
    assert told.exit_code == 0
    assert "details/exact/mixed" in told.output
    assert "my-package" in told.output


def test_details_store__a_detail_of_no_registry_is_refused_before_computing(example_store):
    @dataclass(frozen=True)
    class Mine(Classes):
        kind = "mine"

    before = sorted(example_store.rglob("*"))
    with pytest.raises(InputError, match=r"'mine' is in none; add it with an entry point in 'ibt"):
        ibtools.details_store(example_store, Mine(), quiet=True)
    assert sorted(example_store.rglob("*")) == before
    in_memory = ibtools.details(ibtools.open_store(example_store), Mine())
    assert "mi_t_class" in in_memory


def test_broken_detail__is_an_error_and_hides_no_other(tmp_path, monkeypatch):
    forget_package(monkeypatch)
    entry_points = "[ibtools.details]\ngone = my_package.gone:Gone\nfunny = my_package.funny:NO\n"
    site = install(tmp_path / "site", {"funny": "NO = 3\n"}, entry_points)
    monkeypatch.syspath_prepend(str(site))
    assert DETAILS.names()[-2:] == ["funny", "gone"]
    shown = run("details", "--help").output
    assert "classes" in shown
    assert "funny" not in shown
    with pytest.raises(InputError, match=r"'gone' is announced by my-package as my_package\.gone"):
        detail_class("gone")
    with pytest.raises(InputError, match="detail 'funny' must be a type, found int; correct the"):
        detail_class("funny")


def test_parse_detail__options_follow_the_kind():
    assert parse_detail("permutations").name == "permutations-1000-0"
    assert parse_detail("permutations-50-7").name == "permutations-50-7"
    for wrong in ("permutations-x", "permutations-1-2-3", "permutations-10--1"):
        with pytest.raises(InputError, match="written as in permutations-1000-0"):
            parse_detail(wrong)
    with pytest.raises(InputError, match="detail classes has no option '3'; write classes"):
        parse_detail("classes-3")
    with pytest.raises(InputError, match="by-popcount needs the values of its label: --by"):
        parse_detail("by-popcount")


@pytest.mark.parametrize("kind", [*DETAILS.names(), "by"])
def test_details__declare_what_they_are(kind):
    found = detail_class(kind)
    assert found.kind == kind
    computed = [one for one in found.variables if not one.coordinate]
    assert all(one.dims[:2] == ("repeat", "epoch") for one in computed)
    assert all(one.description and one.missing and one.dtypes for one in found.variables)
    assert found.first_look.split(".")[0] in [one.name for one in computed]
    assert found.shows
