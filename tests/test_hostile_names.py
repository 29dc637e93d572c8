"""What names hold is text wherever it is drawn, written or printed: every command, every figure."""

import json
import re
import shlex
import shutil
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Iterable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import matplotlib
import pandas as pd
import pytest
import zarr
from click.testing import CliRunner

import ibtools
from ibtools import export
from ibtools.cli.main import cli
from ibtools.shown import short_names, shortened, visible
from ibtools.store.groups import consolidate
from tests.analysis.figure_kinds import FACETS, FIGURES
from tests.analysis.test_export import validate_latex
from tests.hostile_names import EXPERIMENT, FUNCTION, NAMES, record_hostile

SHORT = short_names(NAMES)

LATEX_THERE = pytest.mark.skipif(
    not all(map(shutil.which, ("pdflatex", "kpsewhich"))), reason="needs LaTeX"
)


def in_font(name: str) -> str:
    """Replace what the usual font of figures has not."""
    return name.replace("层", r"\u5c42").replace("🙂", r"\U0001f642")


DRAWN = [in_font(visible(name)) for name in NAMES]
IN_FONT = short_names(DRAWN)


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    return record_hostile(tmp_path_factory.mktemp("hostile"))


def sample(name: str, every: Iterable[str]) -> list[Any]:
    """Run one of several; all with --slow."""
    slow = pytest.mark.slow
    return [one if one == name else pytest.param(one, marks=slow) for one in every]


def run(*words: object, columns: int = 10_000) -> str:
    """Run a command; what it prints is lines of characters that can be seen."""
    result = CliRunner().invoke(cli, [str(word) for word in words], env={"COLUMNS": str(columns)})
    assert result.exit_code in (0, 1), result.output
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    for line in result.output.splitlines():
        assert line.isprintable(), line
    return result.output


def texts_of(svg: Path) -> list[str]:
    """Return the texts of a figure that was drawn with texts as texts."""
    root = ET.parse(svg).getroot()
    return ["".join(one.itertext()) for one in root.iter("{http://www.w3.org/2000/svg}text")]


def draw(*words: object, output: Path) -> list[str]:
    with matplotlib.rc_context({"svg.fonttype": "none"}):
        run("plot", *words, "--output", output)
    return texts_of(output)


@pytest.mark.parametrize("figure", FIGURES)
def test_figures__names_are_text(figure, store, tmp_path):
    drawn = "\n".join(draw(store, figure, output=tmp_path / "figure.svg"))
    assert shortened(EXPERIMENT) in drawn
    panels = short_names(DRAWN, 36)
    names = {"accuracy": [], "scalars": [], "scatter": IN_FONT[-1:], "activation-ranges": panels}
    shown = names.get(figure, IN_FONT)
    for name in shown:
        assert name in drawn
    if figure == "activation-ranges":
        assert visible(FUNCTION) in drawn


@pytest.mark.parametrize("figure", sample("information-plane", FIGURES))
def test_figures__latex_needs_no_latex(figure, store, tmp_path):
    run("plot", store, figure, "--format", "latex", "--output", tmp_path / "figure.pdf")
    assert (tmp_path / "figure.pdf").stat().st_size > 5000


@pytest.mark.parametrize("figure", sample("accuracy", FACETS))
def test_facets__names_are_text(figure, store, tmp_path):
    other = shutil.copytree(store, tmp_path / "other.zarr")
    for path in (other, other / "information" / "exact"):
        zarr.open_group(path, mode="r+").attrs["experiment"] = EXPERIMENT.replace("50", "60")
    consolidate(other)
    drawn = draw(store, other, figure, output=tmp_path / "figure.svg")
    titles = short_names([EXPERIMENT, EXPERIMENT.replace("50", "60")], 48)
    assert set(titles) <= set(drawn)


def test_comparison_and_animation__names_are_text(store, tmp_path):
    film = ("--frames", 2, "--fps", 1, "--quiet", "--output", tmp_path / "film.gif")
    run("plot", store, "animation", *film)
    with matplotlib.rc_context({"svg.fonttype": "none"}):
        compared = ("--estimator", "exact", "--estimator", "knn-3")
        run("compare", store, *compared, "--output", tmp_path / "two.svg", "--quiet")
    assert set(IN_FONT) <= set(texts_of(tmp_path / "two.svg"))


def test_layers__one_with_a_comma_is_quoted(store, tmp_path):
    quoted = '"' + NAMES[2].replace('"', '""') + '"'
    chosen = ["--layers", f"{quoted},NA"]
    drawn = draw(store, "information-epochs", *chosen, output=tmp_path / "figure.svg")
    assert (set(drawn) & set(IN_FONT)) - {"1"} == {NAMES[2], "NA"}  # 1 is an epoch


@LATEX_THERE
@pytest.mark.parametrize("figure", sample("scatter", FIGURES))
def test_pgf__compiles_in_a_document(figure, store, tmp_path):
    run("plot", store, figure, "--output", tmp_path / "figure.pgf", "--width", 4)
    document = (
        r"\documentclass{article}\usepackage{pgf}\usepackage[T1]{fontenc}"
        r"\usepackage[strings]{underscore}\def\mathdefault#1{#1}"
        r"\begin{document}\input{figure.pgf}\end{document}"
    )
    (tmp_path / "document.tex").write_text(document)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "document.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]


def test_commands__print_lines_that_can_be_seen(store):
    told = run("info", store)
    assert all(visible(name) in told for name in NAMES)
    told = run("summary", store)
    assert all(name in told for name in SHORT)
    assert "my $tore's" in run("check", store, "--quiet")
    missing = run("plot", store, "scatter", "--layer", "outptu", "--output", "x.png")
    assert len(missing.splitlines()) == 1


def test_commands__what_is_suggested_can_be_copied(store, tmp_path):
    new = shutil.copytree(store, tmp_path / "another's store.zarr")
    shutil.rmtree(new / "information")
    consolidate(new)
    for words in (
        ("info", new),
        ("export", new, "--output", tmp_path / "tables"),
        ("report", new, "--output", tmp_path / "report.html"),
        ("check", new),
        ("plot", new, "repeats", "--output", tmp_path / "repeats.png"),
    ):
        said = next(one for one in run(*words).splitlines() if "ibtools analyze" in one)
        command = shlex.split("ibtools analyze" + said.partition("ibtools analyze")[2])
        assert command[2] == str(new)


def test_json__has_the_names_as_they_are(store):
    found = json.loads(run("info", store, "--json"))
    assert [layer["name"] for layer in found["layers"]] == list(NAMES)
    assert found["experiment"] == EXPERIMENT
    quantities = json.loads(run("summary", store, "--json"))["quantities"]
    assert set(NAMES) == set(quantities["mi_xt_peak"]["layers"])
    json.loads(run("check", store, "--json", "--quiet"))
    json.loads(run("details", store, "classes", "--json", "--quiet"))


def test_csv__comes_back_as_it_was_and_has_no_formula(store, tmp_path):
    run("export", store, "--output", tmp_path, "--estimator", "exact")
    table = tmp_path / "information.csv"
    rows = pd.read_csv(table, dtype={"layer": str}, keep_default_na=False)
    written = list(dict.fromkeys(rows["layer"]))
    assert not any(name.startswith(("=", "+", "-", "@", "\t", "\r")) for name in written)
    assert [name.removeprefix("'") for name in written] == list(NAMES)
    assert written[3] == "''apostrophe"


def test_latex_table__obeys_no_name(store, tmp_path):
    run("export", store, "--output", tmp_path / "t.tex", "--estimator", "exact")
    text = (tmp_path / "t.tex").read_text(encoding="utf-8")
    rows = [row for row in validate_latex(text) if not row.startswith(("layer &", r"\multicolumn"))]
    assert len(rows) == len(NAMES)
    assert all(len(re.findall(r"& \$[\d.]+\$, \$", row)) == 2 for row in rows)
    assert r"=1+1,''quoted''" in text


class Page(HTMLParser):
    def __init__(self, text: str):
        super().__init__()
        self.words: list[str] = []
        self.tags: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)

    def handle_data(self, data):
        self.words.append(data)


def test_html__names_are_text(store, tmp_path):
    ibtools.report(store, output=tmp_path / "report.html", estimator="exact", quiet=True)
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert set(map(visible, (*NAMES, EXPERIMENT, FUNCTION))) <= set(page.words)
    assert page.tags.count("script") == 3
    assert "b" not in page.tags


def test_displayed__names_are_text(store):
    for dataset in (ibtools.open_store(store), ibtools.open_results(store).load()):
        assert all(line.isprintable() for line in repr(dataset.ib).splitlines())
        page = Page(dataset.ib._repr_html_())
        assert set(map(visible, NAMES)) <= set(page.words)
        assert set(page.tags) <= {"div", "table", "tbody", "tr", "td"}


FOREIGN = ("=1+1", "\x1b[31m<b>red</b>", "$x_1$ %{x} \u202e", "</script><script>alert(3)</script>")
"""Names of results and details, which are folders, and texts of attributes."""


@pytest.fixture(scope="module")
def foreign(store: Path, tmp_path_factory) -> Path:
    """Let all texts of a store that are no layers be hostile too: attributes, results, details."""
    path = shutil.copytree(store, tmp_path_factory.mktemp("foreign") / "store.zarr")
    for name in ("knn-3", "resolution"):
        shutil.rmtree(path / "information" / name)
    ibtools.details_store(path, "classes", quiet=True)
    group = zarr.open_group(path, mode="r+", use_consolidated=False)
    group.attrs.update(
        {
            "data": FOREIGN[1],
            "created": FOREIGN[1],
            "ibtools_version": FOREIGN[3],
            "classes": list(FOREIGN[1:3]),
            "layers_left_out": json.dumps({FOREIGN[1]: FOREIGN[3]}),
        }
    )
    for name in (FOREIGN[0], FOREIGN[1].replace("/", ""), FOREIGN[2]):
        shutil.copytree(path / "information" / "exact", path / "information" / name)
        shutil.copytree(path / "details" / "exact", path / "details" / name)
        zarr.open_group(path / "information" / name, mode="r+").attrs["estimator"] = name
    consolidate(path)
    return path


@pytest.mark.parametrize("command", ["info", "summary", "check"])
def test_commands__of_foreign_attributes_and_results(foreign, command):
    told = run(command, foreign, *(["--quiet"] if command == "check" else []))
    if command == "info":
        assert visible(FOREIGN[1]) in told
        assert visible(FOREIGN[3]) in told
        assert f"{visible(FOREIGN[2])}/classes" in told
    json.loads(run(command, foreign, "--json", *(["--quiet"] if command == "check" else [])))


def test_csv__names_of_results_are_no_formulas(foreign, tmp_path):
    run("export", foreign, "--output", tmp_path)
    rows = pd.read_csv(tmp_path / "information.csv", dtype=str, keep_default_na=False)
    names = set(rows["estimator"])
    assert {"'=1+1", FOREIGN[2]} < names
    assert not any(cell.startswith(("=", "+", "@", "\t", "\r")) for cell in rows.to_numpy().flat)


def test_csv__negative_numbers_stay_numbers(tmp_path):
    rows = pd.DataFrame({"layer": ["-a", "b"], "mi_ty_above_null": [-0.5, -1e-9], "n": [-1, -2]})
    export._write_csv(rows, tmp_path / "rows.csv")
    assert (tmp_path / "rows.csv").read_text().splitlines()[1:] == ["'-a,-0.5,-1", "b,-1e-09,-2"]


def test_html__foreign_attributes_and_results_are_text(foreign, tmp_path):
    ibtools.report(
        foreign, output=tmp_path / "report.html", estimator=list(FOREIGN[:1]), quiet=True
    )
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert page.tags.count("script") == 3
    assert "b" not in page.tags
    words = "\n".join(page.words)
    assert all(visible(text) in words for text in (FOREIGN[0], FOREIGN[1], FOREIGN[3]))
    for dataset in (ibtools.open_store(foreign), ibtools.open_results(foreign, estimator="=1+1")):
        page = Page(dataset.ib._repr_html_())
        assert set(page.tags) <= {"div", "table", "tbody", "tr", "td"}
        assert all(line.isprintable() for line in repr(dataset.ib).splitlines())


@pytest.mark.parametrize("name", FOREIGN[:1] + FOREIGN[2:3])
def test_figures__names_of_results_are_text(foreign, tmp_path, name):
    drawn = "\n".join(
        draw(foreign, "information-plane", "--estimator", name, output=tmp_path / "figure.svg")
    )
    assert IN_FONT[0] in drawn
