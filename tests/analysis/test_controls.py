import json

import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner
from matplotlib.figure import Figure
from matplotlib.text import Text

import ibtools
from ibtools.analysis.plots.animation import animate_information_plane
from ibtools.analysis.plots.epochs import information_epochs
from ibtools.analysis.plots.plane import information_plane
from ibtools.analysis.repeats.controls import (
    above_control,
    beside_control,
    describe_control,
    pair_repeats,
    split_control,
)
from ibtools.analysis.repeats.dynamics import dynamics
from ibtools.analysis.repeats.plane_axes import choose_axes
from ibtools.analysis.repeats.shown import summarise_repeats
from ibtools.analysis.repeats.summary import format_summary, summary, summary_dict
from ibtools.analysis.report.plane_figure import plane_figure
from ibtools.cli.main import cli
from ibtools.errors import InputError, StoreError
from ibtools.recorders.engines import ENGINES
from ibtools.store.info import store_info
from tests.analysis.figure_kinds import FIGURES
from tests.analysis.results_example import create_recording, create_results, data_of

SETTINGS = {"network": "syn", "seed": 0, "learning_rate": 1e-4}


def configured(results, **changes):
    return results.assign_attrs(configuration=json.dumps(SETTINGS | changes))


@pytest.fixture
def results():
    return configured(create_results(outcomes=("trained",) * 4))


@pytest.fixture
def control(results):
    """Half of the information that the recording has at its first epoch, throughout."""
    still = results.copy(deep=True)
    for name in ("mi_xt", "mi_ty", "mi_ty_null"):
        still[name] = 0.5 * results[name].isel(epoch=[0] * results.sizes["epoch"]).values + (
            0 * results[name]
        ).assign_attrs(results[name].attrs)
        still[name].attrs = results[name].attrs
    return configured(still, control="frozen")


def test_pair_repeats__by_number_and_seed(results, control):
    """In another order; a repeat that was begun anew has another seed, and no partner."""
    shuffled = control.isel(repeat=[3, 1, 0, 2])
    results = results.assign_coords(seed=("repeat", [0, 1, 99, 3]))
    here, there = pair_repeats(results, shuffled)
    assert here["repeat"].values.tolist() == there["repeat"].values.tolist() == [0, 1, 3]
    np.testing.assert_array_equal(there["mi_xt"], control["mi_xt"].sel(repeat=[0, 1, 3]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda one: configured(one, control="frozen", learning_rate=0.1),
            r"learning_rate: 0.0001 in the recording, 0.1 in the control; record it with the same",
        ),
        (
            lambda one: configured(one, control="frozen", ranges="fixed"),
            "ranges: paper in the recording, fixed in the control",
        ),
        (lambda one: configured(one), "control and labels are the same in both"),
        (lambda one: one.assign_attrs(configuration="{}"), "network: syn in the recording, not sa"),
        (lambda one: one.isel(epoch=slice(3)), r"epochs: \[0, 1, 2, .*, \[0, 1, 2\] in the con"),
        (lambda one: one.isel(layer=[0]), r"layers: \['hidden_1', .*, \['hidden_1'\] in the con"),
        (lambda one: one.assign_attrs(n_samples=9), "number of samples: 4096 in the recording, 9"),
        (lambda one: one.assign_attrs(content_digest="a"), "content .* not said in the recording"),
        (lambda one: one.assign_attrs(estimator="kde-1"), "estimator: exact in the recording, kde"),
        (
            lambda one: one.assign_coords(seed=("repeat", [7, 8, 9, 10])),
            r"are 0 with seed 0, 1 with seed 1, 2 with seed 2, ... and those of the control 0 with",
        ),
    ],
)
def test_pair_repeats__another_recording_is_refused(results, control, change, message):
    with pytest.raises(InputError, match=message):
        pair_repeats(results, change(control))


def test_pair_repeats__what_a_control_may_have_otherwise(results, control):
    free = {"control": "frozen", "labels": "random", "keep": "partition", "repeats": 9}
    pair_repeats(results, configured(control, **free))


def test_pair_repeats__stores_that_ibtools_did_not_train(results, control):
    """Whoever gives one as a control is believed; seeds that are not known are no obstacle."""
    plain, other = (one.drop_attrs(deep=False) for one in (results, control))
    here, _ = pair_repeats(plain.drop_vars("seed"), other.drop_vars("seed"))
    assert here.sizes["repeat"] == 4


def test_above_control__is_the_difference_by_repeats(results, control):
    found = above_control(results, control.isel(repeat=[2, 0]))
    assert found["repeat"].values.tolist() == [0, 2]
    expected = results["mi_ty"].values[[0, 2]] - control["mi_ty"].values[[0, 2]]
    np.testing.assert_array_equal(found["mi_ty"].values, expected)
    assert found["mi_ty"].attrs["long_name"] == "I(T;Y), above the frozen control"
    assert found.attrs["above_control"] == "frozen control"
    assert "n_states" not in found
    assert found["outcome"].values.tolist() == ["trained", "trained"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"control": "frozen", "ranges": "fixed"}, "frozen control"),
        ({"labels": "random"}, "random labels control"),
        ({}, "control"),
    ],
)
def test_describe_control__by_what_makes_it_one(results, settings, words):
    assert describe_control(configured(results, **settings)) == words


def test_above_control__stays_lazy(results, control, forbid_computing):
    lazy = [one.chunk({"repeat": 1}).assign_coords(seed=one["seed"]) for one in (results, control)]
    with forbid_computing:
        found = above_control(*lazy)
    xr.testing.assert_equal(found.compute(), above_control(results, control))


def test_summarise_repeats__differences_have_no_ceiling_and_are_never_saturated(results, control):
    found = summarise_repeats(above_control(results + 0, control).assign_attrs(entropy_x=1e-9))
    assert found.ceilings == {}
    assert not found.saturated.any()
    assert "mi_ty_null" not in found.mean


def test_summarise_repeats__an_attribute_of_the_users_own_makes_no_difference(results):
    said = summarise_repeats(results.assign_attrs(control="yes"))
    assert said.ceilings
    assert said.source == "SYN-Tanh, exact"


def test_titles_say_what_is_no_usual_training(results, control):
    assert summarise_repeats(results).source == "SYN-Tanh, exact"
    assert summarise_repeats(control).source == "SYN-Tanh, frozen control, exact"
    above = above_control(results, control)
    assert summarise_repeats(above).source == "SYN-Tanh, exact, above the frozen control"


def labels_of(ax):
    legend = ax.get_legend()
    texts = legend.get_texts() if legend else ax.figure.legends[0].get_texts()
    return [text.get_text() for text in texts]


def test_beside_control__holds_both_by_repeats_and_splits_again(results, control):
    held = beside_control(results, control.isel(repeat=[2, 0]))
    own, there = split_control(held)
    xr.testing.assert_equal(own, results.isel(repeat=[0, 2]))
    names = ["mi_xt", "mi_ty", "mi_ty_null", "entropy_t"]
    xr.testing.assert_equal(there, control[names].isel(repeat=[0, 2]))
    assert held.attrs["beside_control"] == "frozen control"
    assert summarise_repeats(held).repeats == "mean of 2 repeats, 2 not in the control"
    assert split_control(results) == (results, None)


def test_summarise_repeats__averages_the_control_over_the_same_repeats(results, control):
    failed = results.assign_coords(outcome=("repeat", ["trained", "failed", "trained", "trained"]))
    held = beside_control(failed, control.isel(repeat=[0, 1, 2]))
    found = summarise_repeats(held, ["output"])
    expected = control["mi_ty"].sel(layer="output").isel(repeat=[0, 2]).mean("repeat")
    np.testing.assert_allclose(found.control.mean["mi_ty"].sel(layer="output"), expected)
    assert found.repeats == "mean of 2 repeats, 1 failed, 1 not in the control"


def texts_of(figure):
    return "\n".join(text.get_text() for text in figure.findobj(Text))


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure__draws_its_control_or_says_why_not(name):
    kind = FIGURES[name]
    data = configured(data_of(kind))
    options = {"control": configured(data, control="frozen").isel(repeat=[0])}
    if not kind.control:
        with pytest.raises(InputError, match=f"'{name}' takes no control: {kind.no_control}"):
            ibtools.plot(data, name, **options)
        return
    beside = texts_of(ibtools.plot(data, name, **options))
    assert "frozen control" in beside
    assert "not in the control" in beside
    if "subtract" not in kind.control:
        with pytest.raises(InputError, match=f"does not subtract it: {kind.no_control}"):
            ibtools.plot(data, name, **options, subtract=True)
        return
    above = texts_of(ibtools.plot(data, name, **options, subtract=True))
    assert "above the frozen control" in above
    assert not {"ceiling", "chance level"} & {*above.split("\n")}


def test_scalars__are_drawn_without_a_control_that_has_none_of_them():
    recording = create_recording()
    control = configured(recording.drop_vars("test_accuracy"), control="frozen")
    figure = ibtools.plot(configured(recording), "scalars", control=control)
    pale = [[line.get_alpha() for line in ax.lines].count(0.35) for ax in figure.axes]
    assert pale == [1, 0]


def test_facets__have_a_control_each(results, control):
    several = {"a": results, "b": results}
    for name in ("information-plane", "information-epochs"):
        figure = ibtools.plot(several, name, control={"a": control, "b": control})
        labels = [line.get_label() for ax in figure.axes for line in ax.lines]
        pale = [line for ax in figure.axes for line in ax.lines if line.get_alpha() == 0.35]
        assert labels.count("_control output") == (2 if name == "information-plane" else 0)
        assert len(pale) == (0 if name == "information-plane" else 2 * 2 * 6)
    for wrong in (control, {"a": control}):
        with pytest.raises(InputError, match="give both as mappings of the same titles"):
            ibtools.plot(several, "information-plane", control=wrong)


def test_ranked_repeats__have_the_control_of_the_same_repeat(results, control):
    figure = ibtools.plot(results, "repeats", control=control.isel(repeat=[0, 3]))
    drawn = {
        int(ax.get_title().split("repeat ")[1].split(",")[0]): lines(ax, "_control output")[0]
        for ax in figure.axes
        if "repeat " in ax.get_title()
    }
    assert set(drawn) == {0, 3}
    for number, line in drawn.items():
        expected = control["mi_xt"].sel(repeat=number, layer="output")
        np.testing.assert_allclose(line.get_xdata(), expected)


def test_animation__the_control_goes_along(results, control):
    held = beside_control(results, control)
    axes = Figure().subplots(2)
    film = animate_information_plane(held, create_recording(), axes=axes)
    film._func(3)
    moving = [line for line in axes[0].lines if line.get_color() == "0.6"]
    ends = [line for line in moving if line.get_marker() != "None"]
    assert len(ends) == 6
    expected = control["mi_ty"].sel(layer="output").mean("repeat")[:4]
    np.testing.assert_allclose(ends[-1].get_ydata(), expected)
    film._draw_was_started = True


def test_choose_axes__of_the_control_too_and_not_of_what_is_no_difference(results, control):
    other = [
        one.assign(mi_ty_adjusted=(one["mi_ty"] / 2).assign_attrs(units="1"))
        for one in (results, control)
    ]
    found = choose_axes(beside_control(*other), "mi_xt", "mi_ty_adjusted")
    expected = control["mi_ty"] / 2
    np.testing.assert_array_equal(split_control(found)[1]["mi_ty"], expected)
    with pytest.raises(StoreError, match="differences from a control are of what is in bits"):
        choose_axes(above_control(*other), "mi_xt", "mi_ty_adjusted")


def lines(ax, label):
    return [line for line in ax.get_lines() if str(line.get_label()).startswith(label)]


def test_information_plane__draws_the_control_in_grey(results, control):
    ax = information_plane(beside_control(results, control), layers=["hidden_5", "output"])
    drawn = lines(ax, "_control")
    assert [line.get_label() for line in drawn] == ["_control hidden_5", "_control output"]
    expected = control["mi_ty"].sel(layer="output").mean("repeat")
    np.testing.assert_allclose(drawn[1].get_ydata(), expected)
    assert {line.get_color() for line in drawn} == {"0.6"}
    assert "frozen control" in labels_of(ax)
    assert lines(information_plane(results), "_control") == []
    low, high = ax.get_ylim()
    assert low < float(expected.min()) < high


def test_information_epochs__draws_the_control_broad_and_pale(results, control):
    for ax, name in zip(
        information_epochs(beside_control(results, control)), ("mi_xt", "mi_ty"), strict=True
    ):
        drawn = [line for line in lines(ax, f"_{name} ") if line.get_alpha() is not None]
        assert len(drawn) == 6
        np.testing.assert_allclose(
            drawn[-1].get_ydata(), control[name].sel(layer="output").mean("repeat")
        )
    assert "frozen control" in labels_of(ax)


def test_information_epochs__subtracts_the_control(results, control):
    upper, lower = information_epochs(above_control(results, control))
    assert "above the frozen control" in upper.get_title()
    expected = (results["mi_ty"] - control["mi_ty"]).sel(layer="output").mean("repeat")
    (line,) = lines(lower, "output")
    np.testing.assert_allclose(line.get_ydata(), expected)
    assert "ceiling" not in labels_of(lower)
    assert "chance level" not in labels_of(lower)
    assert lower.get_ylabel().replace("\n", " ") == "$I(T;Y)$, above the frozen control [bit]"


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    """A recording and its control, of networks that an engine without TensorFlow makes up."""
    folder = tmp_path_factory.mktemp("stores")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(ENGINES.builtin, "fake", "tests.recorders.fake_engine:FakeEngine")
        for name, control in (("trained", "none"), ("frozen", "frozen")):
            ibtools.record(
                "SYN-Tanh",
                folder / f"{name}.zarr",
                engine="fake",
                control=control,
                **{"repeats": 3, "epochs": 4, "schedule": "every:1", "samples": 256, "quiet": True},
            )
            ibtools.analyze_store(folder / f"{name}.zarr", quiet=True)
    return folder / "trained.zarr", folder / "frozen.zarr"


def test_summary__above_the_control_over_pairs(stores):
    found = summary(stores[0], control=stores[1])
    ours, theirs = (dynamics(ibtools.open_results(one)) for one in stores)
    expected = (ours["mi_xt_peak"] - theirs["mi_xt_peak"]).mean("repeat")
    above = found["mi_xt_peak_above_control"]
    np.testing.assert_allclose(above.sel(statistic="mean"), expected)
    assert above.attrs["long_name"] == "I(X;T) at its peak, above the frozen control"
    assert (above.sel(statistic="n_repeats") == 3).all()
    assert "turn_epoch_above_control" not in found
    plain = summary(stores[0])
    xr.testing.assert_equal(found[list(plain)], plain)
    text = format_summary(found, "trained.zarr")
    assert "above the frozen control: differences of 3 pairs of repeats" in text
    assert "fitting: rise of I(T;Y) above its chance level, above the frozen control (bit)" in text
    said = summary_dict(found)
    assert said["above_control"] == "frozen control"
    assert set(said["quantities"]) == set(found.data_vars)


def test_summary__a_repeat_without_a_partner_is_not_counted(stores, monkeypatch):
    def part(path, **options):
        results = ibtools.open_results(path, **options)
        return results.isel(repeat=[0, 2]) if path == stores[1] else results

    monkeypatch.setattr("ibtools.analysis.repeats.summary.open_results", part)
    found = summary(stores[0], control=stores[1])
    assert (found["mi_xt_peak_above_control"].sel(statistic="n_repeats") == 2).all()
    assert (found["mi_xt_peak"].sel(statistic="n_repeats") == 3).all()


def test_commands__take_the_control_by_its_path(stores, tmp_path):
    trained, frozen = map(str, stores)
    for options in (
        ["information-plane", "--control", frozen],
        ["information-epochs", "--control", frozen],
        ["information-epochs", "--control", frozen, "--subtract"],
    ):
        output = tmp_path / "figure.png"
        done = CliRunner().invoke(cli, ["plot", trained, *options, "--output", str(output)])
        assert done.exit_code == 0, done.output
        assert output.stat().st_size > 1000
        output.unlink()
    with pytest.raises(InputError, match="own, in the same order; got 1 for 2 stores"):
        ibtools.plot_stores([trained, trained], "information-plane", control=[frozen])
    with pytest.raises(InputError, match="to subtract a control, give it"):
        ibtools.plot_store(trained, "information-plane", subtract=True)
    done = CliRunner().invoke(cli, ["summary", trained, "--control", frozen])
    assert "above the frozen control" in done.output
    done = CliRunner().invoke(cli, ["summary", trained, "--control", trained])
    assert done.exit_code == 1
    assert "control and labels are the same in both" in done.output
    done = CliRunner().invoke(
        cli, ["plot", trained, "scatter", "--control", frozen, "--output", str(output)]
    )
    assert "figure 'scatter' takes no control: points of two networks" in done.output


def test_report__has_the_control_beside_and_what_is_above_it(stores, tmp_path):
    trained, frozen = stores
    ibtools.analyze_store(trained, estimator="binned", quiet=True)
    file = ibtools.report(trained, control=frozen, output=tmp_path / "report.html", quiet=True)
    text = file.read_text()
    assert "its frozen control: what happens in both was not learned. Figures are of the 3" in text
    assert "Above the frozen control by exact: differences of 3 pairs of repeats, mean" in text
    assert "The control is not beside these:" in text  # it was not analysed by binned
    planes = json.loads(text.partition('id="plane-data">')[2].partition("</script>")[0])
    assert planes["exact"]["control"] == "frozen control"
    roles = [trace["meta"]["role"] for trace in planes["exact"]["figure"]["data"]]
    n_layers = roles.count("mean")
    assert (roles.count("control"), roles.count("control-point")) == (n_layers, n_layers)
    assert "control-key" in roles
    assert planes["binned-uniform-30-layer"]["control"] == ""
    with pytest.raises(InputError, match="control and labels are the same in both"):
        ibtools.report(trained, control=trained, output=tmp_path / "report.html", quiet=True)


def test_plane_figure__holds_the_control_of_the_same_repeats(results, control):
    plane = plane_figure(beside_control(results, control.isel(repeat=[1])))
    traces = [one for one in plane["figure"]["data"] if one["meta"]["toggle"] == "control"]
    (course,) = [
        one
        for one in traces
        if one["meta"].get("layer") == "output" and one["meta"]["role"] == "control"
    ]
    expected = control["mi_ty"].sel(repeat=1, layer="output")
    np.testing.assert_allclose(course["y"], expected, atol=1e-4)
    assert traces[-1]["name"] == "frozen control"
    assert all("frozen control" in one["hovertemplate"] for one in traces[:-1])


def test_stores_say_that_they_are_controls(stores):
    done = CliRunner().invoke(cli, ["info", str(stores[1])])
    assert "training    frozen control" in done.output
    assert "training " not in CliRunner().invoke(cli, ["info", str(stores[0])]).output
    assert store_info(stores[1]).training == "frozen control"


def test_plot_stores__titles_a_control_by_what_it_is(stores, tmp_path):
    figure = ibtools.plot_stores(stores, "information-plane")
    titles = " ".join(ax.get_title() for ax in figure.axes)
    assert "frozen control" in titles


def test_results__of_a_usual_training_say_no_more_than_its_settings(stores):
    said = json.loads(ibtools.open_results(stores[0]).attrs["configuration"])
    assert said == {
        name: value
        for name, value in json.loads(ibtools.open_store(stores[0]).attrs["configuration"]).items()
        if name != "recorded_epochs"
    }
    assert not {"control", "labels", "ranges"} & set(said)
