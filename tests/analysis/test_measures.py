"""Measures that other packages add, and what a measure's file says is what everything shows."""

import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

import ibtools
from ibtools.analysis.estimators import create_estimators, load_estimator
from ibtools.analysis.measures.protocol import own_coordinates
from ibtools.analysis.measures.registry import ESTIMATORS
from ibtools.cli.completing import estimator_names
from ibtools.cli.main import cli
from ibtools.errors import StoreError

HALVES = '''
"""Counts the codes without their last bits."""

from dataclasses import dataclass

import numpy as np

from ibtools.analysis.estimators import CountingEstimator, Option, Variable

N_ODD = Variable(
    "n_odd", ("repeat", "epoch", "layer"), ("int64",), "1", -1, "-1: not analysed", "odd codes"
)


@dataclass(frozen=True)
class Halves(CountingEstimator):
    n_bits: int = 1

    name = "halves"
    representation = "halved T"
    meaning = "The last bits of every code were dropped."
    options_of_command = (Option("n_bits", "--dropped-bits", int, "Halves: bits to drop."),)

    @property
    def options(self):
        return str(self.n_bits)

    @classmethod
    def from_options(cls, options, *, per_unit=False):
        return cls(per_unit, int(options or 1))

    @property
    def variables(self):
        return (*super().variables, N_ODD)

    def symbol_memory(self, shape):
        return shape.itemsize * shape.values

    def discretise(self, block):
        return block.recorded.astype(np.uint16) >> self.n_bits

    def compute(self, block):
        odd = (block.recorded.astype(np.int64) % 2).sum(axis=(1, 2))
        return {**super().compute(block), "n_odd": odd}
'''


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A package that is installed and adds an estimator."""
    folder = tmp_path / "site"
    metadata = folder / "my_measures-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: my-measures\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[ibtools.measures]\nhalves = my_halves:Halves\n")
    (folder / "my_halves.py").write_text(HALVES)
    monkeypatch.syspath_prepend(str(folder))
    yield folder
    sys.modules.pop("my_halves", None)


def run(*words: object) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words])


def test_estimators__of_another_package_from_the_command_line(package, example_store):
    done = run("analyze", example_store, "--estimator", "halves", "--dropped-bits", 2, "--quiet")
    assert done.exit_code == 0, done.output
    assert "information/halves-2: 8 snapshots analysed" in done.output
    found = ibtools.open_results(example_store, estimator="halves-2")
    code = ibtools.open_store(example_store)["code"].sel(layer="hidden_1").isel(unit=slice(5))
    assert (found["n_odd"].sel(layer="hidden_1") == (code % 2).sum(["sample", "unit"])).all()
    assert (found["mi_xt"].sel(layer="hidden_1") == 0).all()  # codes of 0 to 3
    assert found["mi_xt"].attrs["long_name"] == "H(halved T)"
    again = run("analyze", example_store, "--estimator", "halves-2", "--quiet")
    assert "0 snapshots analysed, 8 skipped" in again.output


def test_estimators__of_another_package_are_completed_and_explained(package):
    assert list(estimator_names())[-1] == "halves"
    assert "my_halves" not in sys.modules
    text = " ".join(run("analyze", "--help").output.split())
    assert "sliced, renyi, resolution, halves, or a full name" in text
    assert "--dropped-bits INTEGER Halves: bits to drop." in text


def test_estimators__results_of_a_package_that_is_gone_are_refused_by_name(
    package, example_store, monkeypatch
):
    ibtools.analyze_store(example_store, estimator="halves", quiet=True)
    monkeypatch.setattr(sys, "path", [one for one in sys.path if one != str(package)])
    with pytest.raises(StoreError, match=r"variable 'n_odd'"):
        ibtools.open_results(example_store, estimator="halves-1")


def test_create_estimators__options_of_another_package(package):
    (found,) = create_estimators(["halves"], n_bits=3, strategy=None)
    assert found.specification == "halves-3"


@pytest.mark.parametrize("name", ESTIMATORS.names())
def test_estimators__declare_what_they_compute(name):
    estimator = load_estimator(name)()
    own = tuple(one.name for one in own_coordinates(estimator))
    assert all(one.dims == ("repeat", "epoch", "layer", *own) for one in estimator.variables)
    assert all(one.dtypes and one.description and one.missing for one in estimator.variables)
    assert estimator.meaning.endswith(".")
    assert estimator.needs in ("partition", "units", "values")


def test_command__options_are_those_of_the_files():
    """`analyze` has no option of an estimator that the estimator does not declare."""
    command = cli.commands["analyze"]
    flags = {flag for one in command.get_params(click.Context(command)) for flag in one.opts}
    classes = [load_estimator(name) for name in ESTIMATORS.names()]
    declared = {one.flag for of in classes for one in of.options_of_command}
    assert {"--strategy", "--bins", "--bin-width", "--bounds"} <= declared <= flags
