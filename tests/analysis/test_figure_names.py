"""Names in figures: text, no mathematics, in characters that the font has, and with room."""

import matplotlib
import pytest

from ibtools.analysis.plots import figure_format, plot, save_figure
from ibtools.analysis.plots.files import escape_computer_modern
from ibtools.analysis.plots.labels import mathematical, wrap_label
from ibtools.analysis.plots.names import escape_latex, figure_names, figure_text, rewrite_words
from ibtools.analysis.plots.sheets import LATEX
from tests.analysis.results_example import create_results


def legend_of(figure):
    return (figure.legends or [ax.get_legend() for ax in figure.axes if ax.get_legend()])[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a_b < $x_1$", r"a$\_$b $<$ $x_1$"),
        ("5 $ and _", r"5 \$ and $\_$"),
        (r"\$a\$ of $x$", r"\$a\$ of $x$"),
        (r"back\slash", r"back$\backslash$slash"),
        ("± std. deviation…", r"$\pm$ std. deviation$\ldots$"),
        (figure_text(r"\$"), r"$\backslash$\$"),
    ],
)
def test_escape_computer_modern__in_words_only(text, expected):
    assert rewrite_words(text, escape_computer_modern) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hidden_1, 95 %", "hidden_1, 95 %"),
        (r"R&D #1 {~} \$5 of $x_1$", r"R\&D \#1 \{\textasciitilde{}\} \textdollar{}5 of $x_1$"),
        (r"\frac", r"\textbackslash{}frac"),
        ("7--0.25 <<a>> ``b''", "7-{}-0.25 <{}<a>{}> `{}`b'{}'"),
        ("±é 层…", r"±é \textbackslash{}u5c42\ldots{}"),
    ],
)
def test_escape_latex__in_words_only(text, expected):
    assert rewrite_words(text, escape_latex) == expected


def test_figure_text__is_no_mathematics_and_has_no_missing_sign():
    assert figure_text(r"$x$ a_b\c 5 %") == r"\$x\$ a_b\c 5 %"
    assert figure_text("层 é\nשלום") == "\\u5c42 é\nשלום"
    assert figure_text("x" * 70) == "x" * 30 + "…" + "x" * 29
    with matplotlib.style.context(LATEX):
        assert figure_text("ש ж") == r"\u05e9 ж"
    with matplotlib.rc_context({"text.usetex": True}):
        assert figure_text("5 $ & {a}") == r"5 \textdollar{} \& \{a\}"


def test_figure_names__stay_different():
    names = [f"{'层' * 100}{number}{'x' * 100}" for number in range(3)]
    assert len(set(figure_names(names))) == 3
    assert figure_names([r"层", r"\u5c42"]) == [r"\u5c42 #1", r"\u5c42 #2"]


def test_mathematical__what_cannot_be_set_is_text():
    assert mathematical("my $x$ of T") == "my $x$ of T"
    assert mathematical(r"my $\x_1^2$") == r"my \$\x_1^2\$"
    assert mathematical("costs 5 $") == r"costs 5 \$"


def test_wrap_label__loses_no_dollar():
    assert wrap_label(r"a \$b c\$ $x y$ 5 $", 5) == ["a \\$b c\\$", "$x y$ 5", "$"]


@pytest.mark.parametrize("figure", ["information-plane", "information-epochs"])
def test_legend__names_that_begin_with_an_underscore_are_shown(figure):
    drawn = plot(create_results(layers=["_ceiling", "_hidden", "output"]), figure)
    shown = [text.get_text() for text in legend_of(drawn).get_texts()]
    assert shown[:3] == ["_ceiling", "_hidden", "output"]
    assert len(set(shown)) == len(shown)


@pytest.mark.parametrize(
    "figure",
    [
        "information-epochs",
        pytest.param("information-plane", marks=pytest.mark.slow),
        pytest.param("repeats", marks=pytest.mark.slow),
    ],
)
def test_legend__of_80_long_names_leaves_the_axes_their_room(figure):
    names = [f"a_long_name_of_layer_{number}_in_a_deep_network" for number in range(80)]
    drawn = plot(create_results(layers=names, epochs=(0, 1)), figure)
    drawn.draw_without_rendering()
    assert all(ax.get_window_extent().height > 100 for ax in drawn.axes)
    legend = legend_of(drawn)
    assert legend.get_window_extent().width <= drawn.bbox.width
    shown = [text.get_text() for text in legend.get_texts()]
    assert len(set(shown)) == len(shown) > 80


def test_title__a_long_line_is_broken_where_the_figure_ends():
    results = create_results(estimator="some_words " * 9)
    drawn = plot(results.assign_attrs(experiment="more_words " * 9), "information-epochs")
    lines = drawn.axes[0].get_title().split("\n")
    assert len(lines) > 2
    assert all(len(line) <= 80 for line in lines)


def test_latex__characters_of_the_second_font_are_there_beside_an_underscore(tmp_path, caplog):
    names = ["größe_1", "a_" + "x" * 60, "ж_<b>"]
    drawn = plot(create_results(layers=names), "information-epochs", format="latex", width=3.4)
    before = [text.get_fontfamily() for text in legend_of(drawn).get_texts()]
    with figure_format("latex"):
        save_figure(drawn, tmp_path / "figure.pdf")
    assert "does not have a glyph" not in caplog.text
    assert [text.get_fontfamily() for text in legend_of(drawn).get_texts()] == before
