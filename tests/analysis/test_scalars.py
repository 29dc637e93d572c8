"""Losses, accuracies and scalars of the user's own: drawn, exported, reported, correlated."""

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.figure import Figure
from scipy import stats

import ibtools
from ibtools.analysis.check import check
from ibtools.analysis.plots import accuracy, scalars, scalars_facets
from ibtools.analysis.plots.animation import animate_information_plane
from ibtools.analysis.plots.titles import facet_titles
from ibtools.analysis.repeats.accuracy import accuracies
from ibtools.analysis.repeats.scalars import last_values, recorded_scalars
from ibtools.analysis.repeats.summary import format_summary, summary_dict
from ibtools.analysis.report.contents import collect
from ibtools.errors import InputError, StoreError, UnknownNameError
from ibtools.store.counts import counts_of, in_counts
from tests.analysis.results_example import create_recording, create_results

LABEL = np.arange(32) % 2


def record(path, *, counts="epoch", repeats=3, attributes=None, **scalars_of):
    """Record a few repeats of 30 epochs; scalars are functions of repeat and epoch, or None."""
    for repeat in range(repeats):
        settings = {"label": LABEL, "counts": counts, "repeat": repeat, "quiet": True}
        rng = np.random.default_rng(repeat)
        with ibtools.Recorder(path, attributes=attributes, **settings) as recorder:
            for epoch in range(1, 31):
                given = {name: of(repeat, epoch) for name, of in scalars_of.items()}
                recorder.epoch(epoch, **{k: v for k, v in given.items() if v is not None})
                if epoch % 5 == 0:
                    code = rng.integers(0, 2 + epoch // 5, (32, 3)).astype("uint8")
                    recorder.snapshot(epoch, {"hidden": code, "output": code // 2})
    ibtools.analyze_store(path, quiet=True)
    return path


def grad_norm(repeat, epoch):
    return repeat + 1 / epoch


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """A store that counts steps, without accuracies."""
    path = tmp_path_factory.mktemp("bare") / "bare.zarr"
    return record(path, counts="step", attributes={"optimiser": "sgd"}, grad_norm=grad_norm)


@pytest.fixture(scope="module")
def partial(tmp_path_factory):
    """A store with a test accuracy at every tenth epoch, and no training accuracy."""
    path = tmp_path_factory.mktemp("partial") / "partial.zarr"

    def test_accuracy(repeat, epoch):
        return 0.5 + epoch / 100 + repeat / 10 if epoch % 10 == 0 else None

    return record(path, test_accuracy=test_accuracy, attributes={"optimiser": "adam"})


def test_scalars__mean_and_t_interval_through_the_epochs_that_have_a_value(partial):
    (ax,) = scalars(ibtools.open_store(partial))
    line = next(one for one in ax.lines if not one.get_label().startswith("_"))
    assert line.get_xdata().tolist() == [10, 20, 30]
    np.testing.assert_allclose(line.get_ydata(), [0.7, 0.8, 0.9], rtol=1e-6)
    expected = np.clip(stats.ttest_1samp([0.8, 0.9, 1.0], 0).confidence_interval(0.95), 0, 1)
    (band,) = ax.collections
    vertices = band.get_paths()[0].vertices
    ends = vertices[vertices[:, 0] == 30, 1]
    np.testing.assert_allclose([ends.min(), ends.max()], expected, rtol=1e-5)
    assert ax.get_ylabel().replace("\n", " ") == "test accuracy"
    title = ax.figure.get_suptitle()
    assert title == "recorder\nmean of 3 repeats"
    said = [text.get_text() for legend in ax.figure.legends for text in legend.get_texts()]
    assert any("95 %" in text for text in said), said


def test_scalars__chosen_by_name_and_errors(bare):
    dataset = ibtools.open_store(bare)
    (ax,) = scalars(dataset, names=["grad_norm"])
    assert ax.get_xlabel() == "step (linear scale)"
    with pytest.raises(UnknownNameError, match="unknown scalar 'gradnorm'; did you mean"):
        scalars(dataset, names=["gradnorm"])
    with pytest.raises(StoreError, match=r"value of test_loss; .*epoch\(epoch, test_loss=\.\.\.\)"):
        scalars(dataset, names=["test_loss"])
    with pytest.raises(InputError, match="at least one scalar must be drawn"):
        scalars(dataset, names=[])
    with pytest.raises(InputError, match="axes must be 1, one for each scalar, got 2"):
        scalars(dataset, axes=Figure().subplots(2, 1))
    with pytest.raises(StoreError, match="no repeat that counts has a loss"):
        scalars(create_recording(outcomes=["failed"]))


def test_scalars_facets__a_row_for_each_scalar_of_any_store(bare, partial):
    stores = {"bare": ibtools.open_store(bare), "partial": ibtools.open_store(partial)}
    axes = scalars_facets(stores)
    assert len(axes) == 4
    texts = [[text.get_text() for text in ax.texts] for ax in axes]
    assert texts == [[], ["not recorded"], ["not recorded"], []]
    assert axes[0].get_ylim() == axes[1].get_ylim()
    assert axes[2].get_xlabel() == "step or epoch (linear scale)"
    assert axes[0].get_title().startswith("bare\n")
    assert len(scalars_facets(stores, names=["test_accuracy"])) == 2
    with pytest.raises(UnknownNameError, match="unknown scalar 'x'"):
        scalars_facets(stores, names=["x"])


def test_recorded_scalars__what_only_failed_repeats_have_is_left_out():
    dataset = create_recording(outcomes=["failed", "trained"])
    dataset["test_accuracy"][1] = np.nan
    assert list(recorded_scalars(dataset)) == ["train_accuracy"]


def test_last_values__of_each_repeat():
    history = xr.DataArray(
        [[1.0, 2.0, np.nan], [3.0, np.nan, np.nan], [np.nan] * 3], dims=("repeat", "trained_epoch")
    )
    np.testing.assert_array_equal(last_values(history), [2, 3, np.nan])


def test_accuracy__of_a_store_that_has_one_of_two(partial):
    dataset = ibtools.open_store(partial)
    assert list(accuracies(dataset)) == ["test"]
    ax = accuracy(dataset)
    assert ax.get_legend().get_texts()[0].get_text() == "test"
    assert ax.lines[0].get_xdata().tolist() == [10, 20, 30]


def test_accuracy__says_how_to_give_one(bare):
    message = r"no accuracy; give it when it is recorded: recorder\.epoch\(epoch, train_accuracy="
    with pytest.raises(StoreError, match=message):
        accuracy(ibtools.open_store(bare))


def test_accuracies__all_is_known_only_of_recorded_samples():
    """Of training samples alone, the test accuracy is that of samples that are not here."""
    dataset = create_recording().isel(sample=slice(48))
    assert list(accuracies(dataset)) == ["train", "test"]
    of_test = create_recording().isel(sample=slice(48, None))
    of_test["train_accuracy"][:] = np.nan
    found = accuracies(of_test)
    np.testing.assert_allclose(found["all"], found["test"], rtol=1e-6)


def test_animation__does_without_accuracy(bare, tmp_path):
    results, dataset = ibtools.open_results(bare), ibtools.open_store(bare)
    film = animate_information_plane(results, dataset, n_frames=2, fps=1)
    film.save(tmp_path / "film.gif", writer="pillow")
    (plane,) = film._fig.axes
    assert plane.get_title(loc="right") == "step 30"
    with pytest.raises(InputError, match="one, for the plane: the store has no accuracy, got 2"):
        animate_information_plane(results, dataset, axes=Figure().subplots(2, 1))


def test_export_results__scalars_and_steps(bare, partial, tmp_path):
    information, history = (pd.read_csv(one) for one in ibtools.export_results(bare, tmp_path))
    assert "epoch" not in information
    assert sorted(set(information["step"])) == [5, 10, 15, 20, 25, 30]
    row = history[(history["repeat"] == 2) & (history["trained_step"] == 4)]
    assert row["grad_norm"].tolist() == [2.25]
    _, history = (pd.read_csv(one) for one in ibtools.export_results(partial, tmp_path))
    assert history["test_accuracy"].count() == 9
    assert "trained_epoch" in history


def test_summary__ranks_by_any_scalar(bare, partial):
    ranked = ibtools.summary(bare, correlate="grad_norm")
    assert ranked.attrs["correlated_with"] == "grad_norm"
    measured = ibtools.dynamics(ibtools.open_results(bare))["mi_ty_rise"].sel(layer="hidden")
    expected = stats.spearmanr(measured, [0, 1, 2]).statistic
    found = ranked["mi_ty_rise"].sel(statistic="rank_correlation", layer="hidden")
    assert float(found) == pytest.approx(expected)
    assert "rank correlation with the grad_norm at the end" in format_summary(ranked, bare)
    assert ibtools.summary(partial).attrs["correlated_with"] == "test_accuracy"


def test_summary__without_accuracy_has_no_correlation(bare):
    found = ibtools.summary(bare)
    text = format_summary(found, bare)
    assert "rank" not in text
    assert "nan" not in text
    assert "step by which 90 % of the fitting is made (step)" in text
    assert "epoch" not in text
    assert summary_dict(found)["correlated_with"] == ""
    assert json.dumps(summary_dict(found), allow_nan=False)


def test_summary__correlate_errors(bare):
    with pytest.raises(UnknownNameError, match="unknown scalar 'grad'"):
        ibtools.summary(bare, correlate="grad")
    with pytest.raises(StoreError, match="value of train_loss; give it when"):
        ibtools.summary(bare, correlate="train_loss")


def test_report__of_a_store_that_counts_steps(bare, partial):
    contents = collect(bare, None, quiet=True)
    assert "at 6 steps from 5 to 30" in contents.lead
    assert contents.accuracy == (
        "There is no figure of accuracy: the store has no accuracy; give it when it is recorded: "
        "recorder.epoch(epoch, train_accuracy=...)."
    )
    assert contents.scalars.alternative == "Lines of grad_norm against step."
    assert contents.estimators[0].plane["counts"] == "step"
    assert contents.estimators[0].figures[1].caption.startswith("Information against step")
    assert not any("accuracy" in title for title in contents.repeats.head)
    assert "0 of 6 steps" in check(bare, quiet=True).format()
    assert "0 of 6 steps" in contents.audit.rows[6][3]
    contents = collect(partial, None, quiet=True)
    assert contents.scalars is None
    assert contents.repeats.head[-1] == "last test accuracy"


def test_info__says_steps_and_no_nan(bare, partial):
    from click.testing import CliRunner

    from ibtools.cli.main import cli

    said = CliRunner().invoke(cli, ["info", str(bare)]).output
    assert "steps       6 recorded, 5 to 30, of 30 trained" in said
    assert "nan" not in said
    assert "accuracy    0.900 test (mean of the last epochs trained)" in (
        CliRunner().invoke(cli, ["info", str(partial)]).output
    )


def test_open_store__describes_what_it_counts(bare):
    dataset, results = ibtools.open_store(bare), ibtools.open_results(bare)
    assert dataset["epoch"].attrs["long_name"] == "step"
    assert dataset["epoch"].attrs["description"].startswith("steps trained")
    assert dataset["grad_norm"].attrs["long_name"] == "grad norm"
    assert dataset["grad_norm"].attrs["description"] == "grad norm after the step"
    assert counts_of(results.attrs) == "step"
    assert "6 steps (5 to 30)" in repr(dataset.ib)


def test_in_counts__of_an_epoch():
    assert in_counts("An epoch, epochs, trained_epoch", "step") == "A step, steps, trained_epoch"
    assert in_counts("an epoch", "epoch") == "an epoch"


def test_facet_titles__by_attributes_of_the_users_own(bare, partial):
    for opened in (ibtools.open_store, ibtools.open_results):
        titles = facet_titles([opened(bare), opened(partial)], ["a", "b"])
        assert titles == ["optimiser = sgd", "optimiser = adam"]
    plain = create_results()
    assert facet_titles([plain, ibtools.open_results(bare)], ["a", "b"])[0] == "no optimiser"


def test_recorder__attributes_have_names_of_their_own(tmp_path):
    with pytest.raises(InputError, match="attributes must have names of your own, found counts"):
        ibtools.Recorder(tmp_path / "x.zarr", label=LABEL, attributes={"counts": "x"})
