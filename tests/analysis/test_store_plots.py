import numpy as np
import pytest
from matplotlib.collections import FillBetweenPolyCollection, PathCollection
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from scipy import stats

import ibtools
from ibtools.analysis.plots import accuracy, activation_ranges, scalars, scatter
from ibtools.analysis.plots.scatter import LABEL_COLORS, SMALLEST_AREA
from ibtools.analysis.plots.style import PREFIT_COLOR
from ibtools.analysis.repeats.accuracy import accuracies
from ibtools.errors import InputError, StoreError, UnknownNameError
from tests.analysis.results_example import create_recording, create_results

OUTCOMES = ["trained", "failed", "trained", "trained"]


def lines_of(ax):
    return {line.get_label(): line for line in ax.lines}


def bands_of(ax):
    return [c for c in ax.collections if isinstance(c, FillBetweenPolyCollection)]


def states_of(ax):
    (states,) = [c for c in ax.collections if isinstance(c, PathCollection)]
    return states


def band_ends(band, epoch):
    """Lower and upper end of a band at an epoch."""
    vertices = band.get_paths()[0].vertices
    found = vertices[vertices[:, 0] == epoch, 1]
    return [found.min(), found.max()]


def test_accuracy__means_and_t_intervals_of_those_that_did_not_fail():
    dataset = create_recording(outcomes=OUTCOMES)
    ax = accuracy(dataset)
    kept = accuracies(dataset).isel(repeat=[0, 2, 3])
    labels = {"train": "training", "test": "test", "all": "all samples"}
    for (subset, label), band in zip(labels.items(), bands_of(ax), strict=True):
        values = kept[subset].values
        line = lines_of(ax)[label]
        np.testing.assert_array_equal(line.get_xdata(), kept["trained_epoch"])
        np.testing.assert_allclose(line.get_ydata(), values.mean(axis=0))
        expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
        for column, epoch in enumerate(kept["trained_epoch"].values):
            ends = np.clip([expected.low[column], expected.high[column]], 0, 1)
            np.testing.assert_allclose(band_ends(band, epoch), ends)
    assert ax.get_title() == "SYN-Tanh\nmean of 3 repeats, 1 failed, 3 failed attempts"
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert "95 % confidence, clipped" in labels


def test_figures__of_two_repeats_draw_each():
    dataset = create_recording(outcomes=["trained", "failed", "trained"])
    ax = accuracy(dataset)
    kept = accuracies(dataset)["train"].isel(repeat=[0, 2]).values
    singles = [line for line in ax.lines if line.get_label() == "_repeat"]
    np.testing.assert_array_equal([line.get_ydata() for line in singles[:2]], kept)
    for one in (ax, *activation_ranges(dataset), *scalars(dataset)):
        assert not any(path.vertices.size for band in bands_of(one) for path in band.get_paths())
        assert sum(line.get_label() == "_repeat" for line in one.lines) in (2, 4, 6)
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert "single repeats" in labels
    assert not any("confidence" in label for label in labels)


def test_accuracy__one_repeat_has_no_band():
    ax = accuracy(create_recording(outcomes=["trained"]))
    assert not any(path.vertices.size for band in bands_of(ax) for path in band.get_paths())
    assert "confidence" not in ax.get_title()


def test_accuracy__limits():
    dataset = create_recording()
    assert accuracy(dataset, limits=(0.2, 0.9)).get_ylim() == (0.2, 0.9)
    assert accuracy(dataset, limits="paper").get_ylim() == (0.8, 1.01)
    assert accuracy(dataset).get_ylim()[1] <= 1.01
    mine = dataset.assign_attrs(experiment="arrays")
    assert accuracy(mine, limits="paper").get_ylim() == accuracy(mine).get_ylim()
    with pytest.raises(InputError, match=r"limits must be \(y0, y1\)"):
        accuracy(dataset, limits=(1, 0))


def test_accuracy__lines_break_between_random_and_true_labels():
    ax = accuracy(create_recording(epochs=[-4, 0, 10]))
    assert lines_of(ax)["training"].get_xdata().min() == 1
    assert lines_of(ax)["_train"].get_xdata().tolist() == [-3, -2, -1, 0]
    (ground,) = ax.patches
    assert ground.get_facecolor()[:3] == to_rgba(PREFIT_COLOR)[:3]
    assert ax.get_xlabel().endswith("grey: random labels")
    assert len(ax.get_legend().get_texts()) == 5


def test_activation_ranges__means_and_deviations():
    dataset = create_recording(outcomes=OUTCOMES)
    axes = activation_ranges(dataset)
    kept = dataset.isel(repeat=[0, 2, 3])
    for index, ax in enumerate(axes):
        pairs = [("largest value", "activation_max"), ("smallest value", "activation_min")]
        for (label, name), band in zip(pairs, bands_of(ax), strict=True):
            values = kept[name].isel(layer=index).values.astype(float)
            np.testing.assert_allclose(lines_of(ax)[label].get_ydata(), values.mean(axis=0))
            mean, deviation = values[:, 1].mean(), values[:, 1].std(ddof=1)
            ends = [mean - deviation, mean + deviation]
            np.testing.assert_allclose(band_ends(band, 1), ends, rtol=1e-6)
    assert [ax.get_title() for ax in axes] == [
        "hidden_1 (tanh)",
        "hidden_2 (tanh)",
        "output (logits of softmax)",
    ]
    assert "1 failed" in axes[0].figure.get_suptitle()


def test_activation_ranges__float_softmax_is_not_of_logits():
    dataset = create_recording().assign_coords(bits=("layer", [32, 32, 32]))
    (ax,) = activation_ranges(dataset, layers=["output"])
    assert ax.get_title() == "output (softmax)"


def test_activation_ranges__users_axes_and_errors():
    axes = Figure(layout="constrained").subplots(1, 2)
    chosen = ["output", "hidden_1"]
    assert activation_ranges(create_recording(), axes=axes, layers=chosen) == tuple(axes)
    assert axes[1].get_legend()
    with pytest.raises(InputError, match="axes must be 3, one for each layer, got 2"):
        activation_ranges(create_recording(), axes=axes)
    with pytest.raises(UnknownNameError, match="unknown layer 'ouput'; did you mean"):
        activation_ranges(create_recording(), layers=["ouput"])


def test_scatter__every_state_of_every_label_once_with_its_number_of_samples():
    dataset = create_recording()
    ax = scatter(dataset, layer="hidden_2", epoch=5, repeat=1)
    values = dataset["activation"].sel(layer="hidden_2", epoch=5, repeat=1)[:, :2].values
    counts: dict = {}
    for row, label in zip(values, dataset["label"].values, strict=True):
        key = (*row, LABEL_COLORS[label])
        counts[key] = counts.get(key, 0) + 1
    states = states_of(ax)
    assert len(states.get_offsets()) == len(counts)
    colors = {to_rgba(color): color for color in LABEL_COLORS}
    drawn = zip(states.get_offsets(), states.get_facecolors(), states.get_sizes(), strict=True)
    for point, color, area in drawn:
        key = (*point, colors[(*color[:3], 1.0)])
        assert area == pytest.approx(max(6.0 * counts[key], SMALLEST_AREA))
    assert np.all(np.diff(states.get_sizes()) <= 0)  # small ones above
    assert "hidden_2, epoch 5\nrepeat 1 of 3; area: samples (at most" in ax.get_title()
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "label 0",
        "label 1",
        "label 2",
    ]


def test_scatter__defaults_are_the_last_flat_layer_and_epoch_of_a_repeat_that_counts():
    dataset = create_recording(outcomes=["failed", "pending", "trained"])
    dataset["complete"][1, :] = False
    dataset["complete"][2, -1] = False
    ax = scatter(dataset)
    title = ax.get_title()
    assert title.startswith("SYN-Tanh, output, epoch 5\nrepeat 2 of 3, 1 failed, 3 failed attempts")
    assert ax.get_xlabel() == "probability of class 0"
    assert scatter(dataset, layer="hidden_2").get_ylabel() == "value of unit 2"
    assert "repeat 0" in scatter(dataset, repeat=0).get_title()


def test_scatter__softmax_of_a_store_shows_probabilities(example_store):
    dataset = ibtools.open_store(example_store)
    ax = scatter(dataset, epoch=1)
    assert "free, epoch 1" in ax.get_title()
    values = dataset["activation"].sel(layer="free", epoch=1, repeat=0)[:, :2].values
    expected = np.unique(np.column_stack([values, dataset["label"]]), axis=0)
    assert len(states_of(ax).get_offsets()) == len(expected)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            {"layer": "hidden_1"},
            InputError,
            "but hidden_1 has 3; layers that have: hidden_2, output",
        ),
        ({"layer": "hiden_2"}, UnknownNameError, "did you mean 'hidden_2'"),
        ({"epoch": 4}, InputError, "epoch 4 is not recorded; the nearest are 0, 1, 5, 10"),
        ({"repeat": 7}, InputError, "there is no repeat 7; the store has 0, 1, 2"),
        ({"repeat": 1, "epoch": 10}, InputError, "no complete snapshot of repeat 1 at epoch 10"),
    ],
)
def test_scatter__errors(options, error, message):
    dataset = create_recording()
    dataset["complete"][1, -1] = False
    with pytest.raises(error, match=message):
        scatter(dataset, **options)


def test_scatter__no_flat_layer_and_no_values():
    wide = create_recording().assign_coords(n_units=("layer", [3, 3, 3]))
    with pytest.raises(InputError, match="no such layer; no layer of this store has"):
        scatter(wide)
    with pytest.raises(StoreError, match="record with --keep codes"):
        scatter(create_recording().drop_vars("activation"))


@pytest.mark.parametrize("draw", [accuracy, activation_ranges, scatter])
def test_store_figures__refuse_results_and_nothing_to_draw(draw):
    with pytest.raises(StoreError, match="drawn from the recording itself"):
        draw(create_results())
    if draw is not scatter:
        with pytest.raises(StoreError, match=r"0 repeats \(1 more failed"):
            draw(create_recording(outcomes=["failed"]))


@pytest.mark.parametrize("draw", [accuracy, scatter])
def test_store_figures__compose_into_a_users_figure(draw):
    left, right = Figure(layout="constrained").subplots(1, 2)
    assert draw(create_recording(), ax=right) is right
    assert not left.has_data()
    right.figure.draw_without_rendering()
