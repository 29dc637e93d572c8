import matplotlib
import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner
from matplotlib import pyplot

import ibtools
from ibtools.analysis.details import DETAILS
from ibtools.cli import cli
from ibtools.errors import InputError
from ibtools.recorders.datasets import load_data_set

FOUR = xr.Dataset(coords={"label": ("sample", [0, 1, 1, 0])})


@pytest.fixture(scope="module")
def syn() -> xr.Dataset:
    return xr.Dataset(coords={"label": ("sample", load_data_set("SYN").y)})


def test_sample_labels__of_syn(syn):
    name, popcount = ibtools.sample_labels("popcount", syn)
    assert name == "popcount"
    assert popcount[[0, 5, 4095]].tolist() == [0, 2, 12]
    _, orbit = ibtools.sample_labels("orbit", syn)
    assert np.unique(orbit).size == 96


def test_sample_labels__files(tmp_path):
    np.save(tmp_path / "mine.npy", np.array([3, 1, 3, 3]))
    (tmp_path / "words.csv").write_text("a\nb \n\nb\na\n")
    name, values = ibtools.sample_labels(str(tmp_path / "mine.npy"), FOUR)
    assert (name, values.tolist()) == ("mine", [3, 1, 3, 3])
    name, values = ibtools.sample_labels(str(tmp_path / "words.csv"), FOUR)
    assert (name, values.tolist()) == ("words", ["a", "b", "b", "a"])


def test_sample_labels__refuse(tmp_path):
    np.save(tmp_path / "short.npy", np.array([3, 1]))
    np.save(tmp_path / "objects.npy", np.array([{}, 1], object), allow_pickle=True)
    (tmp_path / "table.csv").write_text("a,b\n1,2\n")
    for label, message in (
        ("popcount", "the label popcount is one of SYN's 4096 patterns"),
        ("colour", "must be popcount or orbit, for SYN, or a file that ends in .npy or .csv"),
        ("short.npy", r"one value for each of the 4 samples of the store, found .* \(2,\)"),
        ("objects.npy", "must hold one plain numpy array"),
        ("table.csv", "must have a single column, without a header, found a comma"),
    ):
        with pytest.raises(InputError, match=message):
            ibtools.sample_labels(str(tmp_path / label) if "." in label else label, FOUR)
    with pytest.raises(FileNotFoundError):
        ibtools.sample_labels(str(tmp_path / "nowhere.npy"), FOUR)


def run(*arguments: str) -> str:
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 0, result.output
    return result.output


def test_cli__details(example_store, tmp_path):
    np.save(tmp_path / "parity.npy", np.arange(64) % 2)
    store, parity = str(example_store), str(tmp_path / "parity.npy")
    options = ["--by", parity, "--permutations", "10", "--seed", "4", "--quiet"]
    out = run("details", store, "classes", "layers", *options)
    names = ("classes", "layers", "by-parity", "permutations-10-4")
    lines = out.splitlines()
    assert len(lines) == 2 * len(names) + 1
    for name, line in zip(names, lines[: len(names)], strict=True):
        assert line.endswith(
            f"details/exact/{name}: 8 snapshots analysed, 0 skipped (analysed before)"
        )
        assert ibtools.open_details(store, name).attrs["estimator"] == "exact"
    assert "8 skipped" in run("details", store, "layers", "--quiet")


def test_cli__details_says_how_each_is_opened_and_drawn(example_store):
    """What is printed runs as it stands."""
    matplotlib.use("agg")
    estimator = "binned-uniform-5-layer"
    half = example_store.parent / "half.npy"
    np.save(half, np.arange(64) // 32)
    options = ["--by", str(half), "--permutations", "10", "--estimator", estimator, "--quiet"]
    out = run("details", str(example_store), *DETAILS, *options)
    head, code = out.splitlines()[7], out.splitlines()[8:]
    assert head == "next, in Python (plot is that of xarray):"
    assert len(code) == 7
    for line in code:
        assert line.startswith("  ibtools.open_details(")
        assert f'estimator="{estimator}"' in line
        eval(line.strip(), {"ibtools": ibtools})
        pyplot.close("all")


def test_cli__details_written_elsewhere_are_opened_there(example_store, tmp_path):
    elsewhere = str(tmp_path / "elsewhere.zarr")
    out = run("details", str(example_store), "classes", "--output", elsewhere, "--quiet")
    assert f'ibtools.open_details("{elsewhere}", "classes").' in out


def test_cli__details_of_nothing_says_what_there_is(example_store):
    result = CliRunner().invoke(cli, ["details", str(example_store)])
    assert result.exit_code == 1
    assert "at least one detail is needed, found none; known: classes, layers" in result.output
