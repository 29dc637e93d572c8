import matplotlib
import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner
from matplotlib import pyplot

import ibtools
from ibtools.analysis.details import DETAILS
from ibtools.cli.main import cli
from ibtools.errors import InputError
from ibtools.recorders.data import load_data_set

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
    (tmp_path / "words.csv").write_text("a\nb \nb\na\n\n")
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
        ("table.csv", "line 1: must hold one column, in which a word with a comma"),
    ):
        with pytest.raises(InputError, match=message):
            ibtools.sample_labels(str(tmp_path / label) if "." in label else label, FOUR)
    with pytest.raises(FileNotFoundError):
        ibtools.sample_labels(str(tmp_path / "nowhere.npy"), FOUR)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_sample_labels__any_mark_and_any_line_end(tmp_path, encoding, end):
    """A byte order mark is no part of the first label."""
    words = ["über", "a, b", "über", 'say "a"']
    lines = ["über", '"a, b"', '"über" ', '"say ""a"""', "", " "]
    (tmp_path / "words.csv").write_bytes(end.join(lines).encode(encoding))
    assert ibtools.sample_labels(str(tmp_path / "words.csv"), FOUR)[1].tolist() == words


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a\né\n".encode("latin-1"), "UTF-8, but byte 0xe9 in line 2 is not; save the file as"),
        ("a\nb\nb\na\n".encode("utf-16-le"), "bytes of 0; it is binary, or UTF-16 without a byte"),
        (b"label\na\n\nb\na\n", "line 3: must hold the label of a sample, but is blank"),
        (b"", r"one value for each of the 4 samples of the store, found .* \(0,\)$"),
        (b"a\nb\nb\n", r"found an array of shape \(3,\)$"),
        (b"label\na\nb\nb\na\n", r"shape \(5,\); the first may be a header: take it out"),
        ("a\u2028b\x0cb\n".encode(), r"found an array of shape \(1,\)$"),
        (b"1\ta\n2\ta\n", r"line 1: must hold one column, .* but is '1\\ta'"),
        (b"1\n2;b\n", "line 2: must hold one column, .* but is '2;b'"),
        (b"a\n" + b"b" * 10**6, "line 2: a label must have 200 characters at the most, found 1000"),
        (
            b"1\n1.0\n01\n2\n",
            "in the same way throughout, found '1' and '1.0', which mean the same",
        ),
        ("é\ne\u0301\na\na".encode(), "in the same way throughout, found 'é' and"),
        (b"0.25\n1\n2\n3\n", "whole numbers or words, found '0.25'; put continuous values into"),
        (b"0\nnan\n1\n1\n", "whole numbers or words, found 'nan'"),
    ],
)
def test_sample_labels__refuses_a_file_that_could_be_misread(tmp_path, content, message):
    (tmp_path / "words.csv").write_bytes(content)
    with pytest.raises(InputError, match=message):
        ibtools.sample_labels(str(tmp_path / "words.csv"), FOUR)


def test_sample_labels__numbers_among_words_are_words(tmp_path):
    (tmp_path / "words.CSV").write_text("0.5\nlow\n2.0\n1\n")
    values = ibtools.sample_labels(str(tmp_path / "words.CSV"), FOUR)[1]
    assert values.tolist() == ["0.5", "low", "2.0", "1"]


def test_sample_labels__no_array_in_the_file(tmp_path):
    np.savez(tmp_path / "several.npz", a=np.arange(4))
    (tmp_path / "several.npz").rename(tmp_path / "several.npy")
    (tmp_path / "empty.npy").write_bytes(b"")
    (tmp_path / "text.npy").write_bytes(b"1\n2\n")
    for name, message in (
        ("several", "must hold one plain numpy array, found an .npz archive"),
        ("empty", r"as numpy.save writes it \(No data left"),
        ("text", "must hold one plain numpy array, as numpy.save writes it"),
    ):
        with pytest.raises(InputError, match=message):
            ibtools.sample_labels(str(tmp_path / f"{name}.npy"), FOUR)


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
    kinds = [name for name in DETAILS.names() if name != "permutations"]
    out = run("details", str(example_store), *kinds, *options)
    lines, n_details = out.splitlines(), len(DETAILS.names()) + 1  # one is by another label
    head, code = lines[n_details], lines[n_details + 1 :]
    assert head == "next, in Python (plot is that of xarray):"
    assert len(code) == n_details
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
    assert (
        "at least one detail is needed, found none; known: classes, invariants, layers"
        in result.output
    )
