"""Tables of results: tidy rows in columns of one order, and LaTeX."""

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from click.testing import CliRunner

import ibtools
from ibtools.analysis.report.latex_table import decimals_of, latex_tables
from ibtools.analysis.report.latex_text import latex_label, latex_text
from ibtools.cli.main import cli
from ibtools.errors import InputError, StoreError, UnknownNameError
from tests.analysis.results_example import create_results

KEYS = ["experiment", "estimator", "repeat", "epoch", "layer"]
COMMANDS = set(
    re.findall(
        r"\\(?:[a-z]+|.)",
        r"\usepackage \begin \end \centering \caption \label \toprule \midrule \bottomrule \mathrm "
        r"\addlinespace \multicolumn \textbackslash \textasciitilde \textasciicircum "
        r"\setlength \tabcolsep \belowcaptionskip \scriptsize \ldots \, \% \_ \\ \{ \} \$ \& \# \ ",
    )
)
"""What LaTeX with booktabs knows, and what escapes a sign."""


@pytest.fixture(scope="module")
def stores(recorded_example: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two analysed stores of one experiment, by different estimators; leave them as they are."""
    folder = tmp_path_factory.mktemp("stores")
    found = [Path(shutil.copytree(recorded_example, folder / name)) for name in ("a", "b")]
    ibtools.analyze_store(found[0], estimator=["exact", "resolution"], quiet=True)
    ibtools.analyze_store(found[1], estimator=["exact", "knn"], quiet=True)
    return found


def validate_latex(text: str) -> list[str]:
    """Check that braces, environments and columns are right; return the rows."""
    bare = re.sub(r"\\[{}]", "", text)
    assert bare.count("{") == bare.count("}")
    assert set(re.findall(r"\\(?:[A-Za-z]+|.)", text)) <= COMMANDS
    assert re.findall(r"\\begin{(\w+)}", text) == ["table", "tabular"] * text.count(
        r"\begin{table}"
    )
    assert bare.replace(r"\$", "").count("$") % 2 == 0
    rows, width = [], 0
    for line in text.splitlines():
        if found := re.search(r"\\begin{tabular}{([lrc]+)}", line):
            width = len(found[1])
        if line.endswith(r"\\"):
            wide = [int(n) for n in re.findall(r"\\multicolumn{(\d)}", line)]
            assert len(re.findall(r"(?<!\\)&", line)) + 1 + sum(wide) - len(wide) == width, line
            rows.append(line.strip())
    return rows


def test_information__columns_are_in_one_order(stores: list[Path], tmp_path: Path):
    file, _ = ibtools.export_results(stores, tmp_path)
    rows = pd.read_csv(file)
    measured = "mi_xt mi_ty entropy_t n_states n_singletons saturation mi_ty_null mi_ty_above_null"
    described = "seed outcome failed_attempts phase n_units activation_function bits"
    assert list(rows) == [
        *KEYS,
        "resolution",
        *measured.split(),
        "mi_xt_given_y",
        "mi_ty_adjusted",
        *described.split(),
    ]
    (alone,) = ibtools.export_results(stores[::-1], tmp_path / "t.csv", estimator="exact")
    assert list(pd.read_csv(alone)) == [name for name in rows if name != "resolution"]
    assert list(ibtools.export_results(stores, tmp_path)) == [
        tmp_path / "information.csv",
        tmp_path / "accuracy.csv",
    ]


def test_information__a_row_is_one_observation(stores: list[Path], tmp_path: Path):
    (file,) = ibtools.export_results(dict(zip("xy", stores, strict=True)), tmp_path / "t.csv")
    rows = pd.read_csv(file)
    assert not rows.duplicated([*KEYS, "resolution"]).any()
    n_resolutions = ibtools.open_results(stores[0], estimator="resolution").sizes["resolution"]
    snapshots = 2 * 4 * 3
    assert rows.groupby(["experiment", "estimator"]).size().to_dict() == {
        ("x", "exact"): snapshots,
        ("x", "resolution"): snapshots * n_resolutions,
        ("y", "exact"): snapshots,
        ("y", "knn-3"): snapshots,
    }
    one = rows.set_index([*KEYS, "resolution"]).sort_index()
    expected = ibtools.open_results(stores[0], estimator="resolution").load()
    found = one.loc[("x", "resolution", 1, 5, "output", 2)]["mi_ty"]
    assert found.item() == expected["mi_ty"].sel(repeat=1, epoch=5, layer="output", resolution=2)
    assert "n_states,n_singletons" in file.read_text()
    of_knn = [line for line in file.read_text().splitlines() if ",knn-3," in line]
    assert all(re.search(r",trained,0,training,\d,", line) for line in of_knn)


def test_experiment__names_are_unique(stores: list[Path], tmp_path: Path):
    def names(path: object) -> list[str]:
        _, file = ibtools.export_results(path, tmp_path)
        return list(dict.fromkeys(pd.read_csv(file)["experiment"]))

    assert names(stores[0]) == ["arrays"]
    assert names(stores) == ["arrays (a)", "arrays (b)"]
    assert names({"mine": stores[1]}) == ["mine"]
    other = Path(shutil.copytree(stores[0], tmp_path / "a"))
    assert names([stores[0], other]) == [f"arrays ({stores[0]})", f"arrays ({other})"]
    with pytest.raises(InputError, match="every store must be given once"):
        ibtools.export_results([other, f"{other}/"], tmp_path)
    with pytest.raises(InputError, match="at least one store is needed"):
        ibtools.export_results([], tmp_path)


def test_export__stores_that_count_otherwise_have_no_common_table(stores, tmp_path):
    with ibtools.Recorder(tmp_path / "steps.zarr", label=[0, 1], counts="step", quiet=True) as one:
        one.snapshot(3, {"a": np.array([[0.0], [1.0]], "f4")})
    ibtools.analyze_store(tmp_path / "steps.zarr", quiet=True)
    with pytest.raises(InputError, match=r"must count the same, found .* epochs, .* steps"):
        ibtools.export_results([stores[0], tmp_path / "steps.zarr"], tmp_path / "t.csv")
    text = ibtools.export_results(tmp_path / "steps.zarr", tmp_path / "t.tex")[0].read_text()
    assert "step 3, 1 repeat}" in text


def test_export__formats(stores: list[Path], tmp_path: Path, monkeypatch):
    with pytest.raises(UnknownNameError, match="unknown format 'latx'; did you mean 'latex'"):
        ibtools.export_results(stores, tmp_path, format="latx")
    with pytest.raises(InputError, match=r"found t\.csv for latex; leave one of both out"):
        ibtools.export_results(stores, tmp_path / "t.csv", format="latex")
    with pytest.raises(InputError, match="a table as csv has all epochs"):
        ibtools.export_results(stores, tmp_path, epoch=5)

    def refuse(*_, **__):
        raise ImportError("no engine")

    monkeypatch.setattr(pd.DataFrame, "to_parquet", refuse)
    with pytest.raises(InputError, match="pip install pyarrow, or write CSV"):
        ibtools.export_results(stores, tmp_path, format="parquet")


def test_export__parquet_holds_what_csv_does(stores: list[Path], tmp_path: Path):
    pytest.importorskip("pyarrow")
    (file,) = ibtools.export_results(stores, tmp_path / "t.parquet")
    (text,) = ibtools.export_results(stores, tmp_path / "t.csv")
    found, expected = pd.read_parquet(file), pd.read_csv(text)
    assert list(found) == list(expected)
    np.testing.assert_array_equal(found["mi_ty"], expected["mi_ty"])
    assert found["n_states"].isna().sum() == 24


def results_of(n_repeats: int) -> xr.Dataset:
    rng = np.random.default_rng(n_repeats)
    results = create_results(outcomes=["trained"] * n_repeats)
    noise = xr.DataArray(rng.normal(scale=0.1, size=n_repeats), dims="repeat")
    return results.assign(
        mi_xt=(results["mi_xt"] - abs(noise)).assign_attrs(results["mi_xt"].attrs)
    )


def test_latex__means_and_intervals_are_those_of_repeat_intervals():
    results = results_of(5)
    rows = validate_latex(latex_tables({"SYN": [results]}))
    last = results.isel(epoch=-1)
    assert rows[1].startswith(
        rf"\multicolumn{{4}}{{l}}{{SYN, epoch {int(last['epoch'])}, 5 repeats}}"
    )
    intervals = ibtools.repeat_intervals(last)
    means, below = rows[2::2], rows[3::2]
    for row, interval, layer in zip(means, below, results["layer"].values, strict=True):
        mean, _, low, high, _ = intervals["mi_xt"].sel(layer=layer).values
        n = decimals_of((high - low) / 2) if high < 12 else decimals_of(mean - low)
        assert row.startswith(f"{latex_text(layer)} & ${mean:.{n}f}$ & ")
        assert interval.startswith(rf"& {{\scriptsize [${low:.{n}f}$, ${high:.{n}f}$]}} & ")
        chance = re.search(r"& \$([\d.]+)\$ \\\\", row)[1]
        expected = float(last["mi_ty_null"].sel(layer=layer).mean())
        assert float(chance) == pytest.approx(expected, abs=0.6 * 10 ** -len(chance.split(".")[1]))


def test_latex__of_a_chosen_epoch():
    results = results_of(3)
    epochs = results["epoch"].values.tolist()
    text = latex_tables({"SYN": [results]}, epoch=epochs[1])
    assert f"SYN, epoch {epochs[1]}, 3 repeats" in text
    with pytest.raises(InputError, match="epoch must be one that is analysed, found 99999"):
        latex_tables({"SYN": [results]}, epoch=99999)
    empty = results.assign(mi_ty=results["mi_ty"] * np.nan)
    with pytest.raises(StoreError, match="no snapshot is analysed yet"):
        latex_tables({"SYN": [empty]})


def test_latex__of_few_repeats_has_their_values(stores: list[Path]):
    results = ibtools.open_results(stores[0])
    text = latex_tables({"two": [results], "one": [results.isel(repeat=[0])]})
    rows = validate_latex(text)
    values = results["mi_xt"].sel(layer="output").isel(epoch=-1).values
    assert f"${values[0]:.3f}$, ${values[1]:.3f}$" in rows[4]
    assert "one, epoch 10, 1 repeat}" in rows[5]
    assert "interval" not in text
    assert "of fewer than 3 repeats, the value of each" in text


def test_latex__failed_repeats_do_not_count():
    results = results_of(4)
    failed = results.assign_coords(outcome=("repeat", ["trained"] * 3 + ["failed"]))
    assert "3 repeats, 1 failed}" in latex_tables({"SYN": [failed]})


def test_latex__a_table_for_each_estimator_and_resolution(stores: list[Path], tmp_path: Path):
    (file,) = ibtools.export_results(stores, tmp_path / "t.tex")
    text = file.read_text(encoding="utf-8")
    validate_latex(text)
    labels = re.findall(r"\\label{tab:(.*)}", text)
    assert labels[0] == "exact"
    assert labels[1:4] == ["resolution-0", "resolution-1", "resolution-2"]
    assert labels[-1] == "knn-3"
    assert "arrays (a), epoch 10, 2 repeats" in text
    assert r"layer & $I(T;Y)$ [bit] & chance \\" in text
    assert r"$I(X;T_0)$ [bit]" in text


@pytest.mark.skipif(
    not all(map(shutil.which, ("pdflatex", "kpsewhich")))
    or subprocess.run(["kpsewhich", "booktabs.sty"], capture_output=True, check=False).returncode,
    reason="needs LaTeX with booktabs",
)
def test_latex__fits_a_column_of_an_article(tmp_path: Path):
    results = results_of(5)
    equal = results.isel(repeat=[0] * 3).assign_coords(repeat=range(3))  # the most decimals
    (tmp_path / "t.tex").write_text(latex_tables({"SYN": [results], "equal": [equal]}))
    (tmp_path / "paper.tex").write_text(
        r"\documentclass[twocolumn]{article}\usepackage{booktabs}\setlength{\textwidth}{6.75in}"
        r"\setlength{\columnsep}{0.25in}\begin{document}\input{t.tex}\end{document}"
    )
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Overfull" not in done.stdout


def test_latex__numbers_are_written_to_two_digits_of_half_the_interval():
    halves = (12.0, 0.99, 0.12, 0.034, 0.0051, 1e-7, 0.0)
    assert [decimals_of(half) for half in halves] == [0, 2, 2, 3, 4, 4, 4]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a_b & 5 % #1", r"a\_b \& 5 \% \#1"),
        ("[x]*", "{[}x]{*}"),
        (r"\input{x}$", r"\textbackslash{}input\{x\}\$"),
        ("a--b ``c''", r"a-{}-b `{}`c'{}'"),
        ("é ą λ", r"é \textbackslash{}u0105 \textbackslash{}u03bb"),
        ("x\ny", r"x\textbackslash{}ny"),
    ],
)
def test_latex_text__is_set_as_it_is(text: str, expected: str):
    assert latex_text(text) == expected


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("H(requantised T)", r"$H(\mathrm{requantised}\ T)$"),
        ("I(T_10;Y)", "$I(T_{10};Y)$"),
        (r"I(\input{x};Y)", r"I(\textbackslash{}input\{x\};Y)"),
        ("H(a_b_c)", r"H(a\_b\_c)"),
        ("I(X;T) of the population", "$I(X;T)$ of the population"),
    ],
)
def test_latex_label__is_mathematics_where_it_is_plain(label: str, expected: str):
    assert latex_label(label) == expected


def test_export__the_command(stores: list[Path], tmp_path: Path):
    def run(*words: object) -> str:
        result = CliRunner().invoke(cli, ["export", *map(str, words)])
        assert result.exit_code == 0, result.output
        return result.output

    assert (
        run(*stores, "--estimator", "exact", "--output", tmp_path / "t.csv")
        == f"{tmp_path / 't.csv'}\n"
    )
    options = ("--estimator", "exact", "--format", "latex", "--epoch", 5)
    said = run(stores[0], "--output", tmp_path, *options)
    assert said == f"{tmp_path / 'information.tex'}\n"
    assert "epoch 5, 2 repeats" in (tmp_path / "information.tex").read_text()
