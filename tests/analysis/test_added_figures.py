"""Figures that other packages add: the one of docs/adding.md, and broken ones."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import ibtools
from ibtools.analysis.figures import FIGURES, figure_kinds, get_figure
from ibtools.errors import InputError
from tests.added_package import ROOT, install, install_examples


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Where the package is installed that docs/adding.md shows."""
    return install_examples(tmp_path / "site")


def run(site: Path, *words: object, **environment: str) -> str:
    """Run the command line in a process in which the package is installed."""
    path = os.pathsep.join([str(site), str(ROOT)])
    done = subprocess.run(
        [sys.executable, "-m", "ibtools", *map(str, words)],
        env=os.environ | {"PYTHONPATH": path} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_added_figure__is_drawn_from_the_command_line(site, example_store, tmp_path):
    ibtools.analyze_store(example_store, quiet=True)
    output = tmp_path / "states.svg"
    drawn = run(site, "plot", example_store, "states", "--layers", "free", "--output", output)
    assert drawn == f"{output}: states of {example_store}\n"
    assert output.read_text().startswith("<?xml")


def test_added_figure__is_in_help_and_completion(site):
    shown = "states              number of states of every layer against epoch\n"
    assert shown in run(site, "plot", "--help")
    line = {"COMP_WORDS": "ibtools plot x.zarr sta", "COMP_CWORD": "3"}
    completed = run(site, **line, _IBTOOLS_COMPLETE="bash_complete")
    assert "plain,states" in completed.splitlines()


def test_added_figure__is_drawn_by_name(site, example_store, monkeypatch):
    monkeypatch.syspath_prepend(site)
    results = ibtools.analyze(ibtools.open_store(example_store))
    (ax,) = ibtools.plot(results, "states", layers=["free", "output"]).axes
    assert [line.get_label() for line in ax.lines] == ["free", "output"]
    with pytest.raises(InputError, match="'states' has no option epoch; it takes: layers"):
        ibtools.plot(results, "states", epoch=1)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("my_package.gone:FIGURE", "announced by my-package as my_package.gone:FIGURE, but can't"),
        (
            "my_package.states:draw",
            "'mine' must be a FigureKind, found function; correct",
        ),
    ],
)
def test_broken_figure__is_an_error_and_hides_no_other(target, message, tmp_path, monkeypatch):
    module = {"states": "def draw(results):\n    pass\n"}
    site = install(tmp_path / "site", module, f"[ibtools.figures]\nmine = {target}\n")
    monkeypatch.syspath_prepend(site)
    for name in [one for one in sys.modules if one.split(".")[0] == "my_package"]:
        monkeypatch.delitem(sys.modules, name)
    assert FIGURES.names()[-1] == "mine"
    assert list(figure_kinds()) == FIGURES.names()[:-1]
    with pytest.raises(InputError, match=message):
        get_figure("mine")
