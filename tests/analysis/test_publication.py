"""Figures in documents: composition, style sheets, LaTeX, widths."""

import re
import shutil
import subprocess
from itertools import pairwise

import matplotlib
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ibtools.analysis.plots import (
    activation_ranges,
    epochs_facets,
    estimator_comparison,
    figure_format,
    information_epochs,
    information_facets,
    information_plane,
    plot,
    ranked_repeats,
    save_figure,
)
from ibtools.analysis.plots.labels import mathematical
from ibtools.analysis.plots.sheets import LATEX, PUBLICATION, FigureFormat
from ibtools.errors import InputError, UnknownNameError
from tests.analysis.figure_kinds import FACETS, FIGURES
from tests.analysis.results_example import (
    create_recording,
    create_resolutions,
    create_results,
    data_of,
)

N_AXES = {
    "information-plane": 1,
    "information-epochs": 2,
    "repeats": 2,
    "accuracy": 1,
    "scalars": 2,
    "activation-ranges": 3,
    "resolution-profile": 12,
    "label-resolution": 1,
    "scatter": 1,
    "across": 1,
}
LATEX_THERE = pytest.mark.skipif(
    not all(map(shutil.which, ("pdflatex", "kpsewhich"))), reason="needs LaTeX"
)


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure__composes_into_a_users_figure(name):
    kind, n = FIGURES[name], N_AXES[name]
    with matplotlib.rc_context({"axes.titlesize": 17, "font.family": "serif"}):
        figure = Figure(figsize=(4 * n + 4, 5), layout="constrained")
        mine, *given = figure.subplots(1, n + 1)
        mine.plot([0, 1], [2, 3], label="mine")
        before = (mine.get_xlim(), mine.get_ylim(), mine.get_title(), len(mine.lines))
        settings = dict(matplotlib.rcParams)
        option = {"ax": given[0]} if n == 1 else {"axes": given}
        drawn = kind.draw(data_of(kind), **option)
        assert dict(matplotlib.rcParams) == settings
        figure.draw_without_rendering()
    assert (drawn if n > 1 else (drawn,)) == tuple(given)
    assert all(isinstance(ax, Axes) and ax.figure is figure for ax in given)
    assert (mine.get_xlim(), mine.get_ylim(), mine.get_title(), len(mine.lines)) == before
    assert given[0].title.get_fontsize() == 17
    assert given[0].title.get_fontfamily() == ["serif"]


@pytest.mark.parametrize(
    ("draw", "shape"),
    [
        (lambda axes: information_epochs(create_results(), axes=axes), "2, 1"),
        (lambda axes: ranked_repeats(create_results(), axes=axes), "1, 2"),
        (lambda axes: activation_ranges(create_recording(), axes=axes), "1, 3"),
        (lambda axes: information_facets({"a": create_results()}, axes=axes), "1, 1"),
        (lambda axes: epochs_facets({"a": create_results()}, axes=axes), "2, 1"),
        (lambda axes: estimator_comparison(create_results(), axes=axes), "3, 1"),
    ],
)
def test_every_figure__says_how_to_make_its_axes(draw, shape):
    axes = Figure().subplots(2, 2)
    with pytest.raises(InputError, match=rf"got 4; make them with figure\.subplots\({shape}\)"):
        draw(axes)


@pytest.mark.parametrize(
    ("name", "levels"),
    [
        ("information-plane", {"_ceiling", "_mi_ty_null output"}),
        ("information-epochs", {"_ceiling", "_mi_ty_null output"}),
        ("repeats", {"_ceiling", "_mi_ty_null output"}),
        ("accuracy", {"chance: the most frequent label"}),
    ],
)
def test_every_figure__has_what_its_values_are_read_against(name, levels):
    figure = plot(data_of(FIGURES[name]), name)
    labels = {line.get_label() for ax in figure.axes for line in ax.lines}
    assert levels <= labels


def test_accuracy__chance_level_is_the_share_of_the_most_frequent_label():
    figure = plot(create_recording(), "accuracy")
    (line,) = [line for line in figure.axes[0].lines if line.get_label().startswith("chance")]
    assert set(line.get_ydata()) == {22 / 64}  # labels 0, 1, 2, 0, ... of 64 samples


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I(X;T)", "$I(X;T)$"),
        ("I(X;T + noise), lower bound", r"$I(X;T\ +\ \mathrm{noise})$, lower bound"),
        ("mean I(T_i;Y)", "mean $I(T_i;Y)$"),
        ("H(T) / H(X)", "$H(T)$ / $H(X)$"),
        ("my $x$ of T", "my $x$ of T"),
        ("accuracy", "accuracy"),
    ],
)
def test_mathematical(text, expected):
    assert mathematical(text) == expected


@pytest.mark.parametrize("sheets", [[PUBLICATION], [PUBLICATION, LATEX]])
def test_sheets__are_for_figures_of_ones_own(sheets):
    with matplotlib.style.context(sheets):
        assert matplotlib.rcParams["pdf.fonttype"] == 42
        assert (matplotlib.rcParams["mathtext.fontset"] == "cm") == (LATEX in sheets)


@pytest.mark.parametrize("name", FIGURES)
def test_latex__fonts_are_embedded_truetype_and_text_stays_text(name, tmp_path):
    path = tmp_path / "figure.pdf"
    plot(data_of(FIGURES[name]), name, output=path, format="latex", width=3.4)
    content = path.read_bytes()
    assert b"Cmr10" in content
    assert b"DejaVu" not in content
    assert b"/CIDFontType2" in content or b"/TrueType" in content
    assert b"/Type3" not in content


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("width", [3.4, 7.0])
def test_width__is_that_of_the_figure_and_holds_all_texts(name, width):
    figure = plot(data_of(FIGURES[name]), name, format="latex", width=width)
    assert figure.get_figwidth() == width
    figure.draw_without_rendering()
    for text in figure.findobj(matplotlib.text.Text):
        if text.get_text() and text.get_visible() and text.axes not in (None, text):
            box = text.get_window_extent()
            assert box.height == 0 or box.x1 > 0


def test_latex__has_a_pages_width_at_most_and_smaller_type():
    usual, latex = (
        plot(create_results(), "repeats"),
        plot(create_results(), "repeats", format="latex"),
    )
    assert usual.get_figwidth() > 6.5 == latex.get_figwidth()
    assert (usual.axes[0].title.get_fontsize(), latex.axes[0].title.get_fontsize()) == (9, 8)


def test_figure_format__holds_for_functions_within():
    with figure_format("latex", width=3.0):
        assert information_plane(create_results()).figure.get_figwidth() == 3.0
    assert information_plane(create_results()).figure.get_figwidth() > 5
    with figure_format("latex", width=3.0), figure_format():
        assert plot(create_results(), "information-plane").get_figwidth() == 3.0
    with pytest.raises(UnknownNameError, match="unknown format 'tex'"), figure_format("tex"):
        pass
    with pytest.raises(InputError, match=r"must be 1.5 to 60 inches, got 340"):
        plot(create_results(), "repeats", width=340)


def test_plot__height_and_title_are_the_users():
    figure = plot(create_results(), "information-plane", height=3.0, title="mine", zoom=None)
    assert figure.get_figheight() == 3.0
    assert [ax.get_title() for ax in figure.axes] == ["mine", ""]  # of the colour bar
    facets = plot({"a": create_results(), "b": create_results()}, "information-plane", title="mine")
    assert facets.get_suptitle() == "mine"
    assert facets.axes[0].get_title().startswith("a\n")
    assert plot(create_results(), "repeats", title="mine").get_suptitle() == "mine"
    with pytest.raises(InputError, match=r"height of a figure must be 1.5 to 60 inches, got 300"):
        plot(create_results(), "repeats", height=300)


def test_information_epochs__one_column_has_room_for_its_panels():
    figure = plot(create_results(outcomes=["trained"] * 3), "information-epochs", width=3.4)
    figure.draw_without_rendering()
    heights = [ax.get_window_extent().height / figure.dpi for ax in figure.axes]
    assert min(heights) > 0.8


@pytest.mark.parametrize(("width", "n_rows"), [(3.4, 4), (6.5, 2)])
def test_resolution_profile__labels_have_room_in_one_column(width, n_rows):
    results = create_resolutions(layers=["hidden_1", "hidden_2", "hidden_3", "output"])
    figure = plot(results, "resolution-profile", format="latex", width=width)
    figure.draw_without_rendering()
    panels = figure.axes[:8]
    assert len({round(ax.get_position().y0, 3) for ax in panels}) == n_rows
    labels = [one.get_window_extent() for ax in panels if (one := ax.xaxis.label).get_text()]
    assert len(labels) == (2 if n_rows == 4 else 4)
    assert not any(one.overlaps(other) for one, other in pairwise(labels))
    titles = [ax.get_title() for ax in panels if ax.get_title()]
    assert titles == results["layer"].values.tolist()


def test_figure_format__stacks_panels_that_would_be_too_narrow():
    assert FigureFormat(width=3.4).columns(3, 3.0) == 1
    assert FigureFormat(width=7.0).columns(3, 3.0) == 3
    assert FigureFormat().columns(3, 3.0) == 3


def test_save_figure__leaves_the_texts_of_a_figure_alone(tmp_path):
    with figure_format("latex"):
        ax = information_plane(create_results(), zoom=None)
        before = [text.get_text() for text in ax.figure.findobj(matplotlib.text.Text)]
        save_figure(ax.figure, tmp_path / "plane.pdf")
    assert [text.get_text() for text in ax.figure.findobj(matplotlib.text.Text)] == before


@pytest.mark.parametrize("text", ["30 °C, ß", "layer_1 µ", "§ of $x$"])
def test_save_figure__what_computer_modern_has_not_is_in_the_second_font(text, tmp_path):
    with matplotlib.style.context([PUBLICATION, LATEX]):
        for family in (["cmr10", "STIXGeneral"], ["STIXGeneral"]):
            figure = Figure(figsize=(2, 1))
            figure.text(0.1, 0.5, text, family=family)
            save_figure(figure, tmp_path / f"{len(family)}.png")
    assert (tmp_path / "2.png").read_bytes() == (tmp_path / "1.png").read_bytes()


@pytest.mark.parametrize(
    ("format", "drawn"),
    [(None, ["a_1", "§_2"]), ("latex", [r"a$\_$1", r"§$\_$2"])],
)
def test_save_figure__names_at_ticks_are_text_too(format, drawn, tmp_path):
    names = ["a_1", "§_2", "output"]
    recording = create_recording().assign_coords(layer=names)
    file = tmp_path / "across.svg"
    figure = plot(recording, "across", format=format, output=file)
    comments = re.findall("<!-- (.*) -->", file.read_text(encoding="utf-8"))
    assert all(comments.count(one) == 2 for one in [*drawn, "output"])
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == names


def test_save_figure__plus_or_minus_is_no_ligature(tmp_path):
    results = create_results(outcomes=["trained"] * 3)
    plot(results, "information-epochs", output=tmp_path / "epochs.pdf", format="latex")
    content = (tmp_path / "epochs.pdf").read_bytes()
    assert b"Cmsy10" in content
    assert b"/ffi" not in content


@pytest.mark.parametrize("name", [*FIGURES, *FACETS])
def test_pgf__without_latex_is_refused_before_drawing(name, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    message = r"PGF needs a LaTeX .*missing: pdflatex; install TeX Live .*'figure.pdf'"
    with pytest.raises(InputError, match=message):
        plot(create_results().isel(repeat=[]), name, output=tmp_path / "figure.pgf")


@LATEX_THERE
def test_pgf__compiles_in_a_document(tmp_path):
    results = create_results(epochs=range(0, 500))
    plot(results, "information-plane", output=tmp_path / "plane.pgf", width=4.0)
    document = (
        r"\documentclass{article}\usepackage{pgf}\usepackage[T1]{fontenc}"
        r"\usepackage[strings]{underscore}\def\mathdefault#1{#1}\begin{document}\input{plane.pgf}\end{document}"
    )
    (tmp_path / "document.tex").write_text(document)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "document.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    again = tmp_path / "again"
    again.mkdir()
    plot(results, "information-plane", output=again / "plane.pgf", width=4.0)
    assert (again / "plane.pgf").read_bytes() == (tmp_path / "plane.pgf").read_bytes()
