import subprocess
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import xarray as xr
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import FillBetweenPolyCollection, LineCollection, PathCollection
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.dtypes import StringDType

import ibtools
from ibtools.analysis.plots import (
    information_epochs,
    information_plane,
    plot,
    plot_store,
    save_figure,
)
from ibtools.analysis.plots.epoch_scale import EpochScale
from ibtools.analysis.plots.panels import LAST_EPOCH_COLOR
from ibtools.analysis.plots.style import PREFIT_COLOR
from ibtools.analysis.repeats.ranks import rank_repeats
from ibtools.errors import InputError, StoreError, UnknownNameError
from tests.analysis.figure_kinds import FIGURES
from tests.analysis.results_example import (
    ENTROPY_X,
    ENTROPY_Y,
    LAYERS,
    create_recording,
    create_results,
    data_of,
)

OF_RESULTS = [name for name, kind in FIGURES.items() if kind.source == "results"]
OF_STORES = [name for name, kind in FIGURES.items() if kind.source == "store"]


def data_for(figure):
    return data_of(FIGURES[figure])


MAGIC = {".png": b"\x89PNG\r\n\x1a\n", ".svg": b"<?xml", ".pdf": b"%PDF"}


EXPLAINED = ("chance level", "ceiling", r"saturated: $\geq 0.99\,H(X)$")
IN_PLANE = ("last epoch", *EXPLAINED)


def points_of(ax):
    return {c.get_label(): c for c in ax.collections if isinstance(c, PathCollection)}


def joins_of(ax):
    return next(c for c in ax.collections if isinstance(c, LineCollection))


def lines_of(ax):
    return {line.get_label(): line for line in ax.lines if line.get_label()[0] != "_"}


def ceilings_of(ax):
    return [line for line in ax.lines if line.get_label() == "_ceiling"]


def middle_lines_of(ax, variable):
    return [line for line in ax.lines if line.get_label().startswith(f"_{variable} ")]


def bands_of(ax):
    return [c for c in ax.collections if isinstance(c, FillBetweenPolyCollection)]


def colorbar_of(ax, last=LAYERS[-1]):
    return points_of(ax)[last].colorbar


def pixels_at(ax, x, y, size=10):
    """Colours (pixel, rgb), 0 to 255, of a square around a point, as drawn large."""
    figure = ax.figure
    figure.set_dpi(400)
    FigureCanvasAgg(figure).draw()
    column, row = ax.transData.transform((x, y)).round().astype(int)
    image = np.asarray(figure.canvas.buffer_rgba())[::-1]
    half = int(size / 2 * figure.dpi / 72)
    shown = image[row - half : row + half, column - half : column + half, :3]
    return shown.reshape(-1, 3).astype(int)


def legend_of(ax):
    return ax.get_legend() or ax.figure.legends[0]


def legend_names(ax):
    return [text.get_text() for text in legend_of(ax).get_texts()]


def test_information_plane__points_are_means_over_repeats():
    results = create_results()
    ax = information_plane(results)
    for name, points in points_of(ax).items():
        expected = results.mean("repeat").sel(layer=name)
        np.testing.assert_allclose(points.get_offsets()[:, 0], expected["mi_xt"])
        np.testing.assert_allclose(points.get_offsets()[:, 1], expected["mi_ty"])
    assert tuple(points_of(ax)) == LAYERS
    assert tuple(legend_names(ax)) == (*LAYERS, *IN_PLANE)


@pytest.mark.parametrize("last", [3, 300, 8000])
def test_information_plane__color_of_a_point_is_the_color_bars_at_its_epoch(last):
    epochs = np.unique(np.geomspace(1, last, 7).astype(int))
    ax = information_plane(create_results(epochs=[0, *epochs]))
    bar = colorbar_of(ax)
    ax.figure.draw_without_rendering()
    for points in points_of(ax).values():
        assert points.norm is bar.norm
        expected = bar.cmap(bar.norm([0, *epochs]))
        full = (points.get_facecolors() != to_rgba("white")).any(axis=1)
        faces, edges = points.get_facecolors(), points.get_edgecolors()
        np.testing.assert_array_equal(faces[full], expected[full])
        np.testing.assert_array_equal(edges[~full], expected[~full])
        assert len(np.unique(expected, axis=0)) == len(epochs) + 1
    assert joins_of(ax).norm is bar.norm


def test_information_plane__saturated_points_are_hollow():
    results = create_results()
    results["mi_xt"][:] = 0.98 * ENTROPY_X
    results["mi_xt"][:, [1, 4], 5] = 0.9901 * ENTROPY_X
    ax = information_plane(results)
    for name, points in points_of(ax).items():
        hollow = (points.get_facecolors() == to_rgba("white")).all(axis=1)
        assert np.flatnonzero(hollow).tolist() == ([1, 4] if name == "output" else [])
        assert (points.get_edgecolors()[:, 3] > 0).tolist() == hollow.tolist()
    assert tuple(legend_names(ax)) == (*LAYERS, *IN_PLANE)
    results["mi_xt"][:] = 0.98 * ENTROPY_X
    assert tuple(legend_names(information_plane(results))) == (*LAYERS, *IN_PLANE[:-1])


@pytest.mark.parametrize(("saturation", "face"), [(0.9, None), (1.0, "white")])
def test_information_plane__last_epoch_is_outlined_and_keeps_its_color(saturation, face):
    results = create_results(layers=["output"])
    results["mi_xt"][:] = saturation * ENTROPY_X
    ax = information_plane(results)
    color = colorbar_of(ax, "output").cmap(1.0)
    (last,) = (line for line in ax.lines if line.get_label() == "_last epoch output")
    expected = results.mean("repeat").isel(epoch=-1, layer=0)
    assert last.get_xydata().tolist() == [[expected["mi_xt"], expected["mi_ty"]]]
    assert to_rgba(last.get_markeredgecolor()) == color
    assert to_rgba(last.get_markerfacecolor()) == to_rgba(face or color)
    seen = pixels_at(ax, *last.get_xydata()[0])
    for shown in (LAST_EPOCH_COLOR, color, face or color):
        assert (abs(seen - np.array(to_rgba(shown)[:3]) * 255) <= 2).all(axis=1).any()


def test_information_plane__legend_shows_the_last_epoch_as_it_is_drawn():
    ax = information_plane(create_results())
    legend = dict(zip(legend_names(ax), legend_of(ax).legend_handles, strict=True))
    drawn = next(line for line in ax.lines if line.get_label() == "_last epoch output")
    shown = legend["last epoch"]
    assert shown.get_facecolor() == to_rgba(drawn.get_markeredgecolor())
    assert shown.get_edgecolor() == to_rgba(LAST_EPOCH_COLOR)
    assert isinstance(shown, Patch)  # no marker, which would be that of a layer


def test_information_plane__points_of_one_epoch_are_joined_in_layer_order():
    results = create_results()
    ax = information_plane(results)
    mean = results.mean("repeat").transpose("epoch", "layer")
    segments = np.array([path.vertices for path in joins_of(ax).get_paths()])
    np.testing.assert_allclose(segments[..., 0], mean["mi_xt"])
    np.testing.assert_allclose(segments[..., 1], mean["mi_ty"])


def test_information_plane__ceilings_are_drawn_and_within_the_limits():
    ax = information_plane(create_results())
    x_line, y_line = ceilings_of(ax)
    assert set(x_line.get_xdata()) == {ENTROPY_X}
    assert set(y_line.get_ydata()) == {ENTROPY_Y}
    assert ax.get_xlim()[1] > ENTROPY_X
    assert ax.get_ylim()[1] > ENTROPY_Y


def test_figures__a_population_has_no_ceiling():
    """The entropies of the recorded inputs bound no estimate for what they are a sample of."""
    results = create_results().drop_vars("mi_ty_null").assign_attrs(target="population")
    results["mi_xt"] += 1
    axes = [information_plane(results), *information_epochs(results)]
    assert not any(ceilings_of(ax) for ax in axes)
    assert "ceiling" not in [*legend_names(axes[0]), *legend_names(axes[2])]


def test_information_plane__prefit_is_grey():
    ax = information_plane(create_results(epochs=[-100, -1, 0, 1, 100]))
    ax.figure.draw_without_rendering()
    colors = points_of(ax)["output"].get_facecolors()
    np.testing.assert_array_equal(colors[:2], [to_rgba(PREFIT_COLOR)] * 2)
    assert not (colors[2:] == to_rgba(PREFIT_COLOR)).all(axis=1).any()
    assert "grey: random labels" in colorbar_of(ax).ax.get_ylabel()


@pytest.mark.parametrize(("last", "spacing"), [(20, "linear"), (300, "log")])
def test_information_plane__color_bar_says_how_epochs_are_spaced(last, spacing):
    ax = information_plane(create_results(epochs=[0, 1, last]))
    assert spacing in colorbar_of(ax).ax.get_ylabel()


def test_information_plane__labels_come_from_the_variables():
    ax = information_plane(create_results(long_name="H(binned T)", estimator="binned-30"))
    assert ax.get_xlabel() == r"$H(\mathrm{binned}\ T)$ [bit]"
    assert ax.get_ylabel() == "$I(T;Y)$ [bit]"
    assert "binned-30" in ax.get_title()


def test_information_plane__failed_repeats_are_left_out_and_counted():
    kept = create_results(outcomes=["trained", "trained"])
    failed = kept.isel(repeat=[0]).assign_coords(outcome=("repeat", ["failed"])) * 0.1
    ax = information_plane(xr.concat([failed, kept], "repeat").assign_attrs(kept.attrs))
    expected = kept["mi_xt"].mean("repeat").sel(layer="output")
    np.testing.assert_allclose(points_of(ax)["output"].get_offsets()[:, 0], expected)
    assert ax.get_title().endswith("mean of 2 repeats, 1 failed")


def test_information_plane__incomplete_recordings_average_what_is_there_and_say_so():
    results = create_results(outcomes=["trained", "trained", "pending"])
    values = results[["mi_xt", "mi_ty"]]
    recorded = xr.DataArray([6, 3, 0], dims="repeat") > xr.DataArray(np.arange(8), dims="epoch")
    results = results.assign(values.where(recorded))
    ax = information_plane(results)
    offsets = points_of(ax)["output"].get_offsets()
    expected = values["mi_ty"].sel(layer="output")
    np.testing.assert_allclose(offsets[:3, 1], expected[:2, :3].mean("repeat"))
    np.testing.assert_allclose(offsets[3:, 1], expected[0, 3:6])
    caption = "mean of 1 to 2 repeats, 1 without a snapshot, 6 of 8 epochs"
    assert ax.get_title().endswith(caption)


def test_information_plane__layers_are_selected_and_keep_their_markers():
    results = create_results()
    everything = points_of(information_plane(results))
    chosen = points_of(information_plane(results, layers=["output", "hidden_3"]))
    assert list(chosen) == ["output", "hidden_3"]
    for name, points in chosen.items():
        shape = points.get_paths()[0].vertices
        np.testing.assert_array_equal(shape, everything[name].get_paths()[0].vertices)


def test_information_plane__one_epoch_of_one_repeat_draws():
    ax = information_plane(create_results(epochs=[0], outcomes=["trained"]))
    ax.figure.draw_without_rendering()
    assert ax.get_title().endswith("1 repeat")


def test_information_plane__lazy_results_and_zarr_strings_draw_the_same(tmp_path):
    results = create_results(outcomes=["trained", "failed", "trained"])
    strings = {name: results[name].astype(StringDType()) for name in ("layer", "outcome", "phase")}
    path = tmp_path / "results.zarr"
    results.assign_coords(strings).to_zarr(path, zarr_format=3, consolidated=False)
    stored = xr.open_zarr(path, consolidated=False)
    expected, found = information_plane(results), information_plane(stored)
    assert found.get_title() == expected.get_title()
    for name, points in points_of(found).items():
        np.testing.assert_array_equal(points.get_offsets(), points_of(expected)[name].get_offsets())


def test_information_plane__many_epochs_are_few_artists():
    ax = information_plane(create_results(epochs=np.arange(1, 8000, 5), outcomes=["trained"]))
    assert len(ax.collections) == len(LAYERS) + 1


def test_information_plane__composes_into_a_users_figure():
    figure = Figure(layout="constrained")
    left, right = figure.subplots(1, 2)
    assert information_plane(create_results(), ax=left, colorbar=False) is left
    assert information_plane(create_results(), ax=right) is right
    figure.draw_without_rendering()
    assert len(figure.axes) == 3
    assert left.get_position().x1 < right.get_position().x0
    assert right.get_position().x1 < figure.axes[2].get_position().x0 < 1


def test_information_plane__users_style_holds_on_users_axes():
    with matplotlib.rc_context({"axes.titlesize": 23}):
        ax = information_plane(create_results(), ax=Figure().subplots())
        assert ax.title.get_fontsize() == 23
        assert information_plane(create_results()).title.get_fontsize() == 9


def test_information_epochs__lines_are_means_and_bands_one_standard_deviation():
    results = create_results(outcomes=["trained"] * 3)
    for ax, variable in zip(information_epochs(results), ["mi_xt", "mi_ty"], strict=True):
        for (name, line), band in zip(lines_of(ax).items(), bands_of(ax), strict=True):
            values = results[variable].sel(layer=name).values
            np.testing.assert_array_equal(line.get_xdata(), results["epoch"])
            np.testing.assert_allclose(line.get_ydata(), values.mean(0))
            low, high = (
                values.mean(0) - values.std(0, ddof=1),
                values.mean(0) + values.std(0, ddof=1),
            )
            vertices = band.get_paths()[0].vertices
            for epoch, *ends in zip(results["epoch"].values, low, high, strict=True):
                found = vertices[vertices[:, 0] == epoch, 1]
                np.testing.assert_allclose([found.min(), found.max()], ends)


def test_information_epochs__bands_stay_within_what_is_possible_and_say_so():
    results = create_results(outcomes=["trained"] * 3)
    results["mi_ty"][:] = np.array([0.0, 0.0, ENTROPY_Y])[:, np.newaxis, np.newaxis]
    results["mi_xt"][:] = np.array([ENTROPY_X, ENTROPY_X, 1.0])[:, np.newaxis, np.newaxis]
    for ax, ceiling in zip(information_epochs(results), (ENTROPY_X, ENTROPY_Y), strict=True):
        for one in bands_of(ax):
            ends = one.get_paths()[0].vertices[:, 1]
            assert ends.min() >= 0
            assert ends.max() <= ceiling
    assert "± std. deviation, clipped" in legend_names(ax)
    population = results.assign_attrs(target="population")
    lower = information_epochs(population)[1]
    assert bands_of(lower)[0].get_paths()[0].vertices[:, 1].min() < 0
    assert "± std. deviation" in legend_names(lower)


def test_information_epochs__two_repeats_are_drawn_one_by_one():
    results = create_results()
    for ax, variable in zip(information_epochs(results), ("mi_xt", "mi_ty"), strict=True):
        singles = [line.get_ydata() for line in ax.lines if line.get_label() == "_repeat"]
        np.testing.assert_array_equal(singles[-2:], results[variable].sel(layer="output"))
        assert not any(path.vertices.size for one in bands_of(ax) for path in one.get_paths())


def test_information_epochs__one_repeat_has_no_band():
    for ax in information_epochs(create_results(outcomes=["trained", "failed"])):
        assert not any(path.vertices.size for band in bands_of(ax) for path in band.get_paths())


def test_information_epochs__median_rank_repeat_is_thin_and_dashed():
    results = create_results(outcomes=["failed", *["trained"] * 5])
    middle = results.sel(repeat=rank_repeats(results).values[2])
    for ax, variable in zip(information_epochs(results), ["mi_xt", "mi_ty"], strict=True):
        drawn = middle_lines_of(ax, variable)
        assert [line.get_color() for line in drawn] == [
            line.get_color() for line in lines_of(ax).values()
        ]
        for line, name in zip(drawn, LAYERS, strict=True):
            np.testing.assert_array_equal(line.get_ydata(), middle[variable].sel(layer=name))
            assert line.is_dashed()
    assert f"repeat {int(middle['repeat'])} (median rank)" in legend_names(ax)


@pytest.mark.parametrize("options", [{"median": False}, {}])
def test_information_epochs__no_median_when_not_wanted_or_of_two(options):
    outcomes = ["trained"] * (2 if not options else 3)
    upper, lower = information_epochs(create_results(outcomes=outcomes), **options)
    spread = "single repeats" if len(outcomes) == 2 else "± std. deviation"
    assert tuple(legend_names(lower)) == (*LAYERS, spread, *EXPLAINED)
    assert not middle_lines_of(upper, "mi_xt")


@pytest.mark.parametrize("size", [(5.4, 5.6), (4, 3.5), (3.5, 3)])
def test_information_epochs__long_y_labels_do_not_meet(size):
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(2, 1)
    name = "entropy of the binned layer, H(binned T), with bounds of each unit"
    information_epochs(create_results(long_name=name), axes=axes, layers=["output"])
    figure.draw_without_rendering()
    upper, lower = (ax.yaxis.label.get_window_extent() for ax in axes)
    assert upper.y0 > lower.y1


def test_information_epochs__ceilings_legend_and_labels():
    upper, lower = information_epochs(create_results(long_name="H(binned T)"))
    assert set(ceilings_of(upper)[0].get_ydata()) == {ENTROPY_X}
    assert set(ceilings_of(lower)[0].get_ydata()) == {ENTROPY_Y}
    assert tuple(legend_names(lower)) == (*LAYERS, "single repeats", *EXPLAINED)
    assert "H(X)" in upper.texts[0].get_text()
    assert upper.get_ylabel() == r"$H(\mathrm{binned}\ T)$ [bit]"
    assert "log scale" in lower.get_xlabel()


def test_information_epochs__markers_are_hollow_where_a_layer_is_saturated():
    results = create_results()
    results["mi_xt"][:] = 6.0
    results["mi_xt"][:, :3, 5] = ENTROPY_X
    for ax in information_epochs(results):
        marked = {
            (line.get_label(), line.get_markerfacecolor()): line.get_xdata().tolist()
            for line in ax.lines
            if line.get_label().startswith("_markers")
        }
        epochs = results["epoch"].values.tolist()
        assert marked["_markers output", "white"] == epochs[:3]
        assert marked["_markers output", lines_of(ax)["output"].get_color()] == epochs[3:]
        assert len(marked) == len(LAYERS) + 1


def test_information_epochs__chance_level_is_dotted_where_there_is_one():
    results = create_results()
    upper, lower = information_epochs(results)
    assert not middle_lines_of(upper, "mi_ty_null")
    for line, name in zip(middle_lines_of(lower, "mi_ty_null"), LAYERS, strict=True):
        expected = results["mi_ty_null"].sel(layer=name).mean("repeat")
        np.testing.assert_allclose(line.get_ydata(), expected)
    old = information_epochs(results.drop_vars("mi_ty_null"))
    assert tuple(legend_names(old[1])) == (*LAYERS, "single repeats", *EXPLAINED[1:])


@pytest.mark.parametrize(("last", "scale"), [(20, "linear"), (300, "symlog")])
def test_information_epochs__epoch_zero_is_on_the_axis(last, scale):
    upper, lower = information_epochs(create_results(epochs=[0, 1, last]))
    assert upper.get_xscale() == lower.get_xscale() == scale
    upper.figure.draw_without_rendering()
    assert "0" in [label.get_text() for label in lower.get_xticklabels()]


def test_information_epochs__prefit_is_on_grey_and_explained():
    upper, lower = information_epochs(create_results(epochs=[-100, -1, 0, 1, 100]))
    assert lower.get_xlabel().endswith("grey: random labels")
    for ax in (upper, lower):
        (ground,) = ax.patches
        assert ground.get_facecolor()[:3] == to_rgba(PREFIT_COLOR)[:3]
        assert (ground.get_x(), ground.get_width()) == (-100, 100)


def test_information_epochs__composes_into_a_users_figure():
    figure = Figure(layout="constrained")
    axes = figure.subplots(1, 2)
    assert information_epochs(create_results(), axes=axes) == tuple(axes)
    assert [ax.get_xlabel() for ax in axes] == ["epoch (log scale from 1)"] * 2
    with pytest.raises(InputError, match=r"axes must be two, for .* got 1"):
        information_epochs(create_results(), axes=axes[:1])


@pytest.mark.parametrize(
    ("first", "last", "ticks"),
    [
        (0, 300, [0, 1, 10, 100, 300]),
        (1, 7996, [1, 10, 100, 1000, 7996]),
        (0, 101, [0, 1, 10, 100]),
        (-50, 100, [-50, -10, -1, 0, 1, 10, 100]),
        (5, 1000, [10, 100, 1000]),
        (-40, -1, [-40, -10, -1]),
    ],
)
def test_epoch_scale__ticks(first, last, ticks):
    assert EpochScale(first, last).ticks() == ticks


@pytest.mark.parametrize("figure", OF_RESULTS)
def test_plot__saturated_layers_draw(figure, tmp_path):
    results = data_for(figure)
    results["mi_xt"][:] = ENTROPY_X
    results["mi_ty"][:] = ENTROPY_Y
    plot(results, figure, output=tmp_path / "figure.png")


@pytest.mark.sampled(15)
@pytest.mark.parametrize("figure", FIGURES)
@pytest.mark.parametrize("suffix", [*MAGIC, ".PNG"])
def test_plot__writes_the_format_of_the_suffix(figure, suffix, tmp_path):
    path = tmp_path / f"figure{suffix}"
    drawn = plot(data_for(figure), figure, output=path)
    assert isinstance(drawn, Figure)
    assert path.read_bytes().startswith(MAGIC[suffix.lower()])


@pytest.mark.sampled(12)
@pytest.mark.parametrize("figure", FIGURES)
@pytest.mark.parametrize("suffix", MAGIC)
def test_plot__same_results_give_same_bytes(figure, suffix, tmp_path):
    paths = [tmp_path / f"{number}{suffix}" for number in range(2)]
    for path in paths:
        plot(data_for(figure), figure, output=path)
    assert paths[0].read_bytes() == paths[1].read_bytes()


@pytest.mark.parametrize("figure", list(FIGURES))
def test_plot__figure_shows_itself_in_a_notebook(figure):
    drawn = plot(data_for(figure), figure)
    assert drawn._repr_png_().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", ["plane.jpg", "plane", "png"])
def test_plot__other_suffix_is_refused_before_drawing(name, tmp_path):
    with pytest.raises(
        UnknownNameError, match=r"must end in one of \.png, \.svg, \.pdf, \.pgf.*'.*png'"
    ):
        plot(xr.Dataset(), "information-plane", output=tmp_path / name)


def test_plot__unknown_figure_lists_the_known():
    with pytest.raises(UnknownNameError, match="did you mean 'information-plane'"):
        plot(create_results(), "information-plan")


def test_plot__unknown_option_names_those_of_the_figure():
    with pytest.raises(
        InputError, match=r"'accuracy' has no option layer, epoch; it takes: limits$"
    ):
        plot(create_recording(), "accuracy", layer="output", epoch=1)


def test_figures__options_are_those_of_their_functions():
    assert {name: kind.options for name, kind in FIGURES.items()} == {
        "information-plane": ("layers", "limits", "zoom", "colorbar", "x", "y"),
        "information-epochs": ("layers", "median"),
        "repeats": ("layers", "limits"),
        "resolution-profile": ("layers",),
        "label-resolution": ("layers", "share"),
        "accuracy": ("limits",),
        "scalars": ("names",),
        "activation-ranges": ("layers",),
        "scatter": ("layer", "epoch", "repeat"),
        "across": ("other", "layer", "epoch", "repeat", "other_repeat", "same_inputs"),
    }


@pytest.mark.parametrize("figure", OF_STORES)
def test_plot__figure_of_a_store_says_so_to_results(figure):
    with pytest.raises(StoreError, match=r"not from results; .* ibtools\.open_store"):
        plot(create_results(), figure)


def test_plot_store__opens_what_the_figure_needs(example_store, tmp_path):
    for figure in ("activation-ranges", "scatter"):
        plot_store(example_store, figure, output=tmp_path / f"{figure}.png")
    with pytest.raises(StoreError, match="ibtools analyze"):
        plot_store(example_store, "information-plane")
    ibtools.analyze_store(example_store, quiet=True)
    ax = plot_store(example_store, "information-plane", layers=["free"]).axes[0]
    assert list(points_of(ax)) == ["free"]
    with pytest.raises(StoreError, match=r"has no accuracy; .* recorder\.epoch\(epoch, train_acc"):
        plot_store(example_store, "accuracy")
    with pytest.raises(StoreError, match=r"has a loss, .* recorder\.epoch\(epoch, train_loss="):
        plot_store(example_store, "scalars")


def test_plot_store__settings_are_checked_before_opening():
    with pytest.raises(UnknownNameError, match="unknown figure 'scater'; did you mean 'scatter'"):
        plot_store("nowhere.zarr", "scater")
    with pytest.raises(InputError, match="no estimator; leave out 'exact'"):
        plot_store("nowhere.zarr", "scatter", estimator="exact")


def test_save_figure__missing_folder(tmp_path):
    with pytest.raises(InputError, match=r"a folder that exists, but .*missing does not; create"):
        save_figure(Figure(), tmp_path / "missing" / "figure.png")


@pytest.mark.parametrize("name", ["missing/figure.png", "s3://bucket/figure.png"])
def test_plot_store__refuses_the_place_before_opening_the_store(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError):
        plot_store("no-store.zarr", "information-plane", output=name)


@pytest.mark.parametrize("kind", [FIGURES[name] for name in OF_RESULTS], ids=OF_RESULTS)
class TestEveryFigureOfResults:
    def test_unknown_layer(self, kind):
        with pytest.raises(UnknownNameError, match="unknown layer 'ouput'; did you mean 'output'"):
            kind.draw(data_of(kind), layers=["ouput"])

    def test_no_layer(self, kind):
        with pytest.raises(StoreError, match="at least one layer must be drawn"):
            kind.draw(data_of(kind), layers=[])

    @pytest.mark.parametrize("name", ["mi_xt", "mi_ty", "outcome"])
    def test_missing_variable(self, kind, name):
        with pytest.raises(StoreError, match=f"missing: {name}; pass the Dataset"):
            kind.draw(data_of(kind).drop_vars(name))

    def test_missing_attribute(self, kind):
        results = data_of(kind)
        del results.attrs["entropy_y"]
        with pytest.raises(StoreError, match="missing: attribute entropy_y"):
            kind.draw(results)

    def test_reduced_variable(self, kind):
        results = data_of(kind)
        results["mi_xt"] = results["mi_xt"].mean("repeat")
        with pytest.raises(StoreError, match=r"mi_xt must have the dimensions .*unreduced"):
            kind.draw(results)

    def test_no_value(self, kind):
        results = data_of(kind, outcomes=["pending", "pending", "failed"])
        results["mi_xt"] = results["mi_xt"].where(results["outcome"] == "failed")
        with pytest.raises(StoreError, match=r"no complete snapshot in 2 repeats \(1 more failed"):
            kind.draw(results)

    def test_results_and_settings_are_left_alone(self, kind):
        results, settings = data_of(kind), dict(matplotlib.rcParams)
        kind.draw(results)
        xr.testing.assert_identical(results, data_of(kind))
        assert dict(matplotlib.rcParams) == settings


def test_plot__needs_neither_pyplot_nor_display(tmp_path):
    code = (
        "import sys\n"
        "from tests.analysis.test_plots import data_for\n"
        "from ibtools.analysis.plots import plot\n"
        "from tests.analysis.figure_kinds import FIGURES\n"
        "for name in FIGURES:\n"
        f"    plot(data_for(name), name, output={str(tmp_path)!r} + f'/{{name}}.png')\n"
        "print('matplotlib.pyplot' in sys.modules)\n"
    )
    root = Path(__file__).parents[2]
    environment = {"PYTHONPATH": str(root), "MPLBACKEND": "TkAgg", "HOME": str(tmp_path)}
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.stderr, done.stdout) == ("", "False\n")


def test_plot__of_a_path_says_how_to_open_it():
    with pytest.raises(TypeError, match=r"found str 'syn.zarr'; open it with .*plot_store"):
        ibtools.plot("syn.zarr", "information-plane")
