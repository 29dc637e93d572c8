import numpy as np
import pytest
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.figure import Figure

from ibtools.analysis.plots import information_plane, information_planes, ranked_repeats
from ibtools.analysis.plots.limits import PAPER_LIMITS, paper_limits, plane_limits
from ibtools.analysis.repeats.ranks import rank_repeats
from ibtools.analysis.repeats.shown import summarise_repeats
from ibtools.errors import InputError, UnknownNameError
from tests.analysis.results_example import LAYERS, create_compressing, create_results


def points_of(ax):
    return {c.get_label(): c for c in ax.collections if isinstance(c, PathCollection)}


def limits_of(ax):
    return ax.get_xlim(), ax.get_ylim()


def named(experiment, **options):
    return create_results(**options).assign_attrs(experiment=experiment)


@pytest.mark.parametrize(
    ("experiment", "expected"),
    [
        ("SYN-Tanh", "SYN"),
        ("SYN-ReLU6", "SYN"),
        ("MNIST-Bottleneck-2", "MNIST"),
        ("Fashion-MNIST-Conv", None),
        ("arrays", None),
        ("", None),
    ],
)
def test_paper_limits__by_the_data_set(experiment, expected):
    assert paper_limits(experiment) == (PAPER_LIMITS[expected] if expected else None)


def test_plane_limits__paper_holds_unless_points_lie_outside():
    inside = summarise_repeats(named("SYN-Tanh"))
    assert plane_limits([inside], "paper") == PAPER_LIMITS["SYN"].plane
    results = named("MNIST-Conv")
    results["mi_ty"][:] = 1.0
    results["mi_ty"][:, 0] = 0.1
    (x0, x1), (y0, y1) = plane_limits([summarise_repeats(results)], "paper")
    assert x1 == 16.1
    assert y0 < 0.1
    assert y1 == 3.5
    assert x0 < float(results["mi_xt"].min())


def test_plane_limits__hold_the_chance_level():
    results = create_results().assign_attrs(experiment="own")
    results["mi_ty_null"] = results.mi_ty * 0 - 0.5
    (_, _), (low, _) = plane_limits([summarise_repeats(results)], None)
    assert low == -0.5


@pytest.mark.parametrize("limits", [None, "paper"])
def test_plane_limits__of_other_data_hold_points_and_ceilings(limits):
    summary = summarise_repeats(named("arrays") * 1.0)
    summary.mean.attrs.update(named("arrays").attrs)
    (x0, x1), (y0, y1) = plane_limits([summary], limits)
    assert x0 < float(summary.mean["mi_xt"].min())
    assert x1 > 12
    assert y0 < float(summary.mean["mi_ty"].min())
    assert y1 > 0.9992


def test_plane_limits__hold_the_ceilings_of_those_that_have_any():
    low = named("arrays", outcomes=["trained"])
    low["mi_xt"] *= 0.1
    population = summarise_repeats(low.assign_attrs(target="population"))
    (_, x1), _ = plane_limits([population], None)
    assert x1 < 2
    (_, x1), _ = plane_limits([population, summarise_repeats(low)], None)
    assert x1 > 12


@pytest.mark.parametrize("limits", [((1, 0), (0, 1)), (0, 1), ((0, 1), (1, 1))])
def test_limits__that_are_none_are_refused(limits):
    for options in ({"limits": limits}, {"zoom": limits}):
        with pytest.raises(InputError, match=r"limits must be \(\(x0, x1\), \(y0, y1\)\)"):
            information_plane(create_results(), **options)


def test_information_plane__zoom_is_a_second_panel_that_is_framed_in_the_first():
    zoom = ((8.0, 12.1), (0.9, 1.01))
    ax = information_plane(create_results(), zoom=zoom)
    plane, zoomed, bar = ax.figure.axes
    assert plane is ax
    assert limits_of(plane) == PAPER_LIMITS["SYN"].plane
    assert limits_of(zoomed) == zoom
    (frame,) = plane.patches
    assert frame.get_bbox().extents.tolist() == [8.0, 0.9, 12.1, 1.01]
    for name, points in points_of(zoomed).items():
        np.testing.assert_array_equal(points.get_offsets(), points_of(plane)[name].get_offsets())
        assert points.norm is points_of(plane)[name].norm
    assert bar.get_label() == "<colorbar>"


def test_information_plane__zoom_joins_only_what_is_near_within_it():
    """A layer far away would be joined by steep lines that hide what the zoom is for."""
    ax = information_plane(create_results(), zoom=((11.0, 12.5), (0.9, 1.1)))
    (whole, zoomed) = (
        next(one for one in drawn.collections if isinstance(one, LineCollection))
        for drawn in ax.figure.axes[:2]
    )
    ends = np.concatenate([path.vertices for path in zoomed.get_paths()])
    ends = ends[np.isfinite(ends).all(axis=1)]
    assert ends.size
    assert ends[:, 0].min() >= 11
    assert min(path.vertices[:, 0].min() for path in whole.get_paths()) < 11


def test_information_plane__zoom_on_users_axes():
    figure = Figure(layout="constrained")
    left, right = figure.subplots(1, 2)
    information_plane(create_compressing(), ax=left, zoom_ax=right)
    assert right.get_xlim()[0] > 10
    assert left.patches
    still, beside = Figure().subplots(1, 2)
    information_plane(create_compressing(late=False), ax=still, zoom_ax=beside)
    assert not beside.axison
    with pytest.raises(InputError, match="zoom_ax must come with ax"):
        information_plane(create_results(), zoom_ax=right)


def networks():
    shallow, deep = ("hidden_1", "output"), ("hidden_1", "hidden_2", "hidden_3", "output")
    return {
        "shallow": create_results(layers=shallow, epochs=[-10, 0, 1, 40]),
        "deep": create_results(layers=deep, outcomes=["trained", "failed"], epochs=[0, 1, 300]),
    }


def test_information_planes__share_colours_markers_legend_and_axes():
    axes = information_planes(networks())
    figure = axes[0].figure
    figure.draw_without_rendering()
    shallow, deep = map(points_of, axes)
    assert shallow["output"].norm is deep["output"].norm
    np.testing.assert_array_equal(
        shallow["output"].get_facecolors()[1:3], deep["output"].get_facecolors()[:2]
    )
    for name in shallow:
        np.testing.assert_array_equal(
            shallow[name].get_paths()[0].vertices, deep[name].get_paths()[0].vertices
        )
    (legend,) = figure.legends
    names = [text.get_text() for text in legend.get_texts()]
    assert names == [
        *deep,
        "last epoch",
        "chance level",
        "ceiling",
        r"saturated: $\geq 0.99\,H(X)$",
    ]
    assert len(figure.axes) == 3
    assert limits_of(axes[0]) == limits_of(axes[1])
    assert [ax.get_title() for ax in axes] == [
        "shallow\nmean of 2 repeats",
        "deep\n1 repeat, 1 failed",
    ]


def test_information_planes__other_ceilings_have_other_axes():
    mnist = named("MNIST-Conv").assign_attrs(entropy_x=16.095, entropy_y=3.32)
    syn, other = information_planes({"SYN": create_results(), "MNIST": mnist})
    assert limits_of(syn) == PAPER_LIMITS["SYN"].plane
    assert other.get_xlim()[1] == 16.1


@pytest.mark.parametrize(("ncols", "n_rows"), [(1, 3), (2, 2), (3, 1), (5, 1)])
def test_information_planes__grid(ncols, n_rows):
    axes = information_planes({f"{n} bins": create_results() for n in (30, 100, 256)}, ncols=ncols)
    assert len(axes) == 3
    assert axes[0].get_subplotspec().get_gridspec().nrows == n_rows
    assert len(axes[0].figure.axes) == 4


def test_information_planes__zooms_are_below_their_planes():
    still, moving = create_compressing(late=False), create_compressing()
    axes = information_planes({"a": still, "b": moving, "c": moving}, zoom="auto")
    assert len(axes) == 3
    figure = axes[0].figure
    figure.draw_without_rendering()
    zooms = [ax for ax in figure.axes if ax.get_title() == "zoom"]
    assert len(zooms) == 2
    for plane, zoom in zip(axes[1:], zooms, strict=True):
        assert zoom.get_position().y1 < plane.get_position().y0
        assert zoom.get_position().x0 < plane.get_position().x1
        assert zoom.get_xlim()[0] > 10


def test_information_planes__users_axes():
    figure = Figure(layout="constrained")
    axes = figure.subplots(1, 2)
    assert information_planes(networks(), axes=axes) == tuple(axes)
    assert not figure.legends
    assert axes[1].get_legend()
    with pytest.raises(InputError, match="axes must be 2, one for each plane, got 1"):
        information_planes(networks(), axes=axes[:1])
    with pytest.raises(InputError, match="zooms need axes of their own"):
        information_planes(networks(), axes=axes, zoom="auto")


def test_information_planes__errors():
    with pytest.raises(InputError, match="no results were given"):
        information_planes({})
    with pytest.raises(InputError, match="ncols must be at least 1, got 0"):
        information_planes(networks(), ncols=0)
    with pytest.raises(UnknownNameError, match="unknown layer 'hidden_2'"):
        information_planes(networks(), layers=["hidden_2"])


@pytest.mark.parametrize(("n_repeats", "names"), [
    (1, ["only"]),
    (2, ["one", "other"]),
    (3, ["best", "middle", "worst"]),
    (6, ["best", "middle", "second-worst", "worst"]),
])  # fmt: skip
def test_ranked_repeats__draws_single_repeats_and_counts_the_failed(n_repeats, names):
    results = create_results(outcomes=["failed", *["trained"] * n_repeats])
    axes = ranked_repeats(results)
    ranking = rank_repeats(results)
    assert [ax.get_title().split(":")[0] for ax in axes] == names
    for ax, rank in ((axes[0], 0), (axes[-1], -1)):
        repeat = results.sel(repeat=int(ranking[rank]))
        assert f"repeat {int(ranking[rank])}, " in ax.get_title()
        for name in LAYERS:
            x = points_of(ax)[name].get_offsets()[:, 0]
            np.testing.assert_array_equal(x, repeat["mi_xt"].sel(layer=name))
    caption = axes[0].figure.get_suptitle()
    plural = "s" if n_repeats > 1 else ""
    assert caption == f"SYN-Tanh, exact\n{n_repeats} repeat{plural} ranked, 1 failed"
