"""One network under several estimators: the figure, the function and the command."""

import shlex
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

import ibtools
from ibtools.analysis.estimators import Exact, Kde
from ibtools.analysis.passes.results import result_names
from ibtools.analysis.plots.comparison import estimator_comparison
from ibtools.analysis.plots.sheets import figure_format
from ibtools.cli.main import cli
from ibtools.errors import InputError, StoreError, UnknownNameError

ESTIMATORS = ["exact", "binned-uniform-3-layer", "kde-0.1", "knn-3"]


@pytest.fixture(scope="module")
def computed(recorded_example: Path):
    dataset = ibtools.open_store(recorded_example)
    return [ibtools.analyze(dataset, estimator=name).compute() for name in ESTIMATORS]


@pytest.fixture
def results(computed):
    return [one.copy(deep=True) for one in computed]


def points_of(ax):
    return [c for c in ax.collections if isinstance(c, PathCollection)]


def test_estimator_comparison__a_column_for_each(results):
    planes, upper, lower = estimator_comparison(results)
    assert len(planes) == len(upper) == len(lower) == 4
    planes[0].figure.draw_without_rendering()
    assert [ax.get_title().split("\n")[0] for ax in planes] == ESTIMATORS
    assert [ax.get_xlabel() for ax in planes[:3]] == [
        "$I(X;T)$ [bit]",
        r"$H(\mathrm{binned}\ T)$ [bit]",
        r"$I(X;T\ +\ \mathrm{noise})$ [bit]",
    ]
    assert len(planes[0].figure.axes) == 12 + 1
    for ax, one in zip(lower, results, strict=True):
        line = next(line for line in ax.lines if line.get_label() == "output")
        expected = one["mi_ty"].sel(layer="output").mean("repeat")
        np.testing.assert_allclose(line.get_ydata(), expected)


def test_estimator_comparison__rows_share_axes_and_colours(results):
    planes, upper, lower = estimator_comparison(results)
    assert len({(ax.get_xlim(), ax.get_ylim()) for ax in planes[:3]}) == 1
    assert len({ax.get_ylim() for ax in upper[:3]}) == 1
    assert len({ax.get_ylim() for ax in lower}) == 1
    assert len({id(points.norm) for ax in planes for points in points_of(ax)}) == 1


@pytest.mark.parametrize(("width", "n_columns"), [(3.4, 1), (7, 2), (None, 4)])
def test_estimator_comparison__narrow_columns_go_on_below(results, width, n_columns):
    with figure_format(width=width):
        rows = estimator_comparison(results)
    figure = rows[0][0].figure
    assert len(figure.axes) == 3 * len(results) + 1  # a colour bar; no empty axes
    places = [[ax.get_subplotspec() for ax in row] for row in rows]
    for row, of_row in enumerate(places):
        for index, place in enumerate(of_row):
            stack, column = divmod(index, n_columns)
            assert (place.rowspan.start, place.colspan.start) == (3 * stack + row, column)


def test_estimator_comparison__says_why_there_is_no_plane(results):
    planes, upper, lower = estimator_comparison(results)
    (note,) = [text.get_text() for text in planes[3].texts]
    assert note.startswith("No plane. I(X;T) is infinite")
    assert not planes[3].axison
    assert not upper[3].axison
    assert lower[3].axison


def test_estimator_comparison__says_what_is_beside_the_means(results):
    _, upper, _ = estimator_comparison(results)
    assert upper[2].get_title() == "line: upper bound"
    legend = {text.get_text() for text in upper[0].figure.legends[0].get_texts()}
    assert {"hidden_1", "free", "output", "chance level", "bound", "ceiling"} <= legend
    assert "single repeats" in legend
    one = estimator_comparison([one.isel(repeat=[0]) for one in results])
    legend = {text.get_text() for text in one[1][0].figure.legends[0].get_texts()}
    assert not {"single repeats", "± std. deviation"} & legend


def test_estimator_comparison__layers(results):
    planes, _, lower = estimator_comparison(results, layers=["output"])
    assert [points.get_label() for points in points_of(planes[0])] == ["output"]
    names = [line.get_label() for line in lower[0].lines]
    assert "hidden_1" not in names
    with pytest.raises(UnknownNameError, match="unknown layer 'outptu'"):
        estimator_comparison(results, layers=["outptu"])


def test_estimator_comparison__nothing_to_compare(results):
    with pytest.raises(InputError, match=r"needs an estimator that has I\(X;T\), found knn-3"):
        estimator_comparison(results[3:])
    with pytest.raises(InputError, match="found no results"):
        estimator_comparison([])


def test_compare__analyses_what_is_missing_once(example_store: Path, tmp_path: Path, monkeypatch):
    def fail(*_):
        raise AssertionError("computed twice")

    ibtools.analyze_store(example_store, estimator="exact", quiet=True)
    output = tmp_path / "compare.png"
    for done in (Exact, Kde):  # Exact before the first time, all before the second
        monkeypatch.setattr(done, "compute", fail)
        ibtools.compare(example_store, estimator=ESTIMATORS, output=output, quiet=True)
    assert output.stat().st_size > 20_000
    assert set(result_names(example_store)) == set(ESTIMATORS)


def test_compare__checks_before_it_computes(example_store: Path, tmp_path: Path):
    with pytest.raises(UnknownNameError, match=r"must end in one of \.png"):
        ibtools.compare(example_store, output=tmp_path / "compare.gif")
    with pytest.raises(UnknownNameError, match="unknown estimator 'kdee'"):
        ibtools.compare(example_store, estimator=["exact", "kdee"])
    assert result_names(example_store) == ()
    with pytest.raises(StoreError, match="nothing is there"):
        ibtools.compare(tmp_path / "none.zarr", quiet=True)


def test_cli__compare(example_store: Path, tmp_path: Path):
    output = tmp_path / "compare.svg"
    command = f"compare {example_store} --output {output} --quiet"
    result = CliRunner().invoke(cli, shlex.split(f"{command} --estimator exact --estimator knn"))
    assert result.exit_code == 0, result.output
    assert f"{output}: comparison of estimators" in result.output
    assert output.stat().st_size > 5000
    result = CliRunner().invoke(cli, shlex.split(f"{command} --layers output"))
    assert result.exit_code == 0, result.output
    result = CliRunner().invoke(cli, shlex.split(f"{command} --estimator exakt"))
    assert result.exit_code == 1
    assert "did you mean 'exact'" in result.output


def test_estimator_comparison__composes_into_a_users_figure(results):
    figure = Figure(figsize=(12, 8), layout="constrained")
    axes = figure.subplots(3, len(results))
    planes, upper, lower = estimator_comparison(results, axes=axes)
    assert [*planes, *upper, *lower] == list(axes.ravel())
    assert not figure.legends
    assert lower[-1].get_legend()
    with pytest.raises(InputError, match=r"axes must be 12, three rows of 4 estimators, got 4"):
        estimator_comparison(results, axes=axes[0])


def test_compare__format_is_checked_before_analysing(tmp_path):
    with pytest.raises(UnknownNameError, match="unknown format 'tex'"):
        ibtools.compare(tmp_path / "nowhere.zarr", format="tex")


@pytest.mark.parametrize("name", ["resolution", "resolution-layers-output"])
def test_compare__every_resolution_is_too_much(example_store, name: str):
    with pytest.raises(InputError, match=r"is every resolution, .* such as resolution-2 and resol"):
        ibtools.compare(example_store, estimator=["exact", name], quiet=True)
    with pytest.raises(StoreError, match="no results yet"):
        ibtools.open_results(example_store)
