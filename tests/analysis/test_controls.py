import json

import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner

import ibtools
from ibtools.analysis.plots.epochs import information_epochs
from ibtools.analysis.plots.plane import information_plane
from ibtools.analysis.repeats.controls import above_control, describe_control, pair_repeats
from ibtools.analysis.repeats.dynamics import dynamics
from ibtools.analysis.repeats.shown import summarise_repeats
from ibtools.analysis.repeats.summary import format_summary, summary, summary_dict
from ibtools.cli.main import cli
from ibtools.errors import InputError
from ibtools.recorders.engines import ENGINES
from ibtools.store.info import store_info
from tests.analysis.results_example import create_results

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


def lines(ax, label):
    return [line for line in ax.get_lines() if str(line.get_label()).startswith(label)]


def test_information_plane__draws_the_control_in_grey(results, control):
    ax = information_plane(results, control=control, layers=["hidden_5", "output"])
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
        information_epochs(results, control=control), ("mi_xt", "mi_ty"), strict=True
    ):
        drawn = [line for line in lines(ax, f"_{name} ") if line.get_alpha() is not None]
        assert len(drawn) == 6
        np.testing.assert_allclose(
            drawn[-1].get_ydata(), control[name].sel(layer="output").mean("repeat")
        )
    assert "frozen control" in labels_of(ax)


def test_information_epochs__subtracts_the_control(results, control):
    upper, lower = information_epochs(results, control=control, subtract=True)
    assert "above the frozen control" in upper.get_title()
    expected = (results["mi_ty"] - control["mi_ty"]).sel(layer="output").mean("repeat")
    (line,) = lines(lower, "output")
    np.testing.assert_allclose(line.get_ydata(), expected)
    assert "ceiling" not in labels_of(lower)
    assert "chance level" not in labels_of(lower)
    assert lower.get_ylabel().replace("\n", " ") == "$I(T;Y)$, above the frozen control [bit]"
    with pytest.raises(InputError, match="to subtract a control, give it"):
        information_epochs(results, subtract=True)


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
                **{"repeats": 3, "epochs": 4, "schedule": "every:1", "quiet": True},
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
    done = CliRunner().invoke(cli, ["summary", trained, "--control", frozen])
    assert "above the frozen control" in done.output
    done = CliRunner().invoke(cli, ["summary", trained, "--control", trained])
    assert done.exit_code == 1
    assert "control and labels are the same in both" in done.output
    done = CliRunner().invoke(
        cli, ["plot", trained, "scatter", "--control", frozen, "--output", str(output)]
    )
    assert "has no option control" in done.output


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
