import itertools
import json
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
import xarray as xr
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import ibtools
from ibtools.analysis.repeats.curves import (
    curve_noise,
    held_out_fall,
    running_median,
)
from ibtools.analysis.repeats.dynamics import dynamics, least_change
from ibtools.analysis.repeats.summary import (
    format_summary,
    rank_correlation,
    spread_ends,
    summary_dict,
)
from ibtools.analysis.repeats.uncertainty import repeat_intervals
from ibtools.cli.main import cli
from ibtools.errors import InputError, StoreError, UnknownNameError
from ibtools.store.groups import get_array
from ibtools.store.opened import open_group
from tests.analysis.results_example import create_results
from tests.conftest import LABEL

CURVES = hnp.arrays(np.float64, (2, 9), elements=st.floats(0, 12).map(lambda x: round(x, 3)))


def results_of(mi_xt, mi_ty=None, *, above=None, epochs=None, **settings) -> xr.Dataset:
    """Results of one layer from curves (repeat, epoch); chance is what `above` leaves of mi_ty."""
    mi_xt = np.atleast_2d(np.asarray(mi_xt, float))
    epochs = np.arange(mi_xt.shape[1]) if epochs is None else epochs
    settings = {"outcomes": ["trained"] * len(mi_xt)} | settings
    results = create_results(epochs=epochs, layers=["only"], **settings)
    results["mi_xt"][..., 0] = mi_xt
    results["mi_ty"][..., 0] = 0.5 if mi_ty is None else np.atleast_2d(np.asarray(mi_ty, float))
    results["mi_ty_above_null"] = results["mi_ty"].copy()
    if above is not None:
        results["mi_ty_above_null"][..., 0] = np.atleast_2d(np.asarray(above, float))
    results["n_singletons"] = results["n_states"].copy()
    return results


def numbers(measured: xr.Dataset, repeat: int = 0) -> dict[str, float]:
    return {str(name): round(float(variable[repeat, 0]), 6) for name, variable in measured.items()}


def test_dynamics__by_hand():
    """Rises by 4 to 10 at epoch 4, stays, and falls to 6; I(T;Y) makes 90 % of 0.5 by epoch 16."""
    mi_xt = [6, 8, 10, 10, 10, 9.8, 9, 8, 7, 6]
    mi_ty = [0.2, 0.3, 0.5, 0.6, 0.66, 0.68, 0.69, 0.695, 0.7, 0.7]
    above = [0.1, 0.1, 0.2, 0.2, 0.2, 0.3, 0.3, 0.35, 0.35, 0.35]
    epochs = [0, 2, 4, 6, 10, 12, 14, 16, 18, 20]
    found = numbers(dynamics(results_of([mi_xt, mi_xt], mi_ty, above=above, epochs=epochs)))
    assert found == {
        "mi_xt_peak": 10,
        "peak_saturation": round(10 / 12, 6),
        "peak_epoch": 4,
        "mi_xt_end": 6,
        "compression": 4,
        "compression_held_out": 4,
        "turn_epoch": 12,  # 9.8 is the last within 0.4 of the peak
        "mi_xt_noise": round(1.4826 * 0.05 / 1.5**0.5, 6),
        "fitting": 0.25,
        "fitting_epoch": 16,  # 0.35 is the first above 0.1 + 0.225
        "mi_ty_above_null_noise": round(1.4826 * 0.0375 / 1.5**0.5, 6),
        "mi_ty_rise": 0.5,
        "mi_ty_rise_epoch": 10,  # 0.66 is the first above 0.2 + 0.45
        "mi_ty_noise": round(
            1.4826 * np.median([0.05, 0.05, 0.02, 0.02, 0.005, 0.0025, 0, 0.0025]) / 1.5**0.5, 6
        ),
    }


def test_dynamics__a_spike_is_no_peak():
    mi_xt = [6, 7, 8, 12, 8, 8, 8, 7.5, 7]
    found = numbers(dynamics(results_of(mi_xt)))
    assert (found["mi_xt_peak"], found["compression"]) == (8, 1)
    raw = numbers(dynamics(results_of(mi_xt), window=1))
    assert (raw["mi_xt_peak"], raw["peak_epoch"], raw["compression"]) == (12, 3, 5)


def test_dynamics__constant_layer_neither_turns_nor_fits():
    """A layer at the ceiling has no turn, and one that starts with all of the label no fitting."""
    found = numbers(dynamics(results_of([12.0] * 6, [0.999157] * 6)))
    assert (found["compression"], found["fitting"], found["peak_saturation"]) == (0, 0, 1)
    for name in ("turn_epoch", "fitting_epoch", "mi_ty_rise_epoch", "compression_held_out"):
        assert np.isnan(found[name])


def changes(mi_xt, mi_ty=0.5, **settings) -> tuple[bool, bool, bool]:
    """Tell whether a layer turns, fits, and rises in I(T;Y) itself."""
    curves = np.broadcast_arrays(np.asarray(mi_xt, float), np.asarray(mi_ty, float))
    found = numbers(dynamics(results_of(*curves, **settings)))
    names = ("turn_epoch", "fitting_epoch", "mi_ty_rise_epoch")
    return tuple(bool(np.isfinite(found[name])) for name in names)


@pytest.mark.parametrize(
    ("fall", "turns"),
    [
        (2 / 4096, False),  # one snapshot at the end joins two inputs
        (18 / 4096, False),
        (20 / 4096, True),  # ten pairs
        (0.3, True),
    ],
)
def test_dynamics__a_few_joined_pairs_are_no_turn(fall, turns):
    """At the ceiling a curve shows no noise, but it has a resolution: that of a few inputs."""
    mi_xt = np.r_[np.full(20, 12.0), 12 - fall]
    assert changes(mi_xt) == (turns, False, False)
    rising = np.r_[0.5, np.full(20, 0.5 + fall)]
    assert changes(np.full(21, 12.0), rising) == (False, turns, turns)


def test_resolution__is_that_of_different_inputs():
    """Of 24 inputs, each recorded eight times, joining two takes 16 of 192 samples: 1/12 bits."""
    assert least_change(np.log2(24)) == pytest.approx(9 / 12)
    assert least_change(12.0) == 18 / 4096


def test_dynamics__a_rise_with_the_chance_level_is_no_fitting():
    mi_ty = np.linspace(0.1, 0.9, 11)
    assert changes(np.full(11, 8.0), mi_ty, above=np.full(11, 0.05)) == (False, False, True)
    assert changes(np.full(11, 8.0), mi_ty, above=mi_ty - 0.05) == (False, True, True)
    assert changes(np.full(11, 8.0), np.full(11, 0.9), above=mi_ty) == (False, True, False)


def test_dynamics__a_rise_within_the_deviation_of_chance_is_no_fitting():
    """900 states of several inputs each: chance alone moves I(T;Y) by 30 / 4096 bits."""
    above = np.linspace(0.0, 0.03, 11)  # three deviations of a difference are 0.031 bits
    results = results_of(np.full(11, 10.0), above=above)
    results["n_states"][:], results["n_singletons"][:] = 1000, 100
    assert np.isnan(numbers(dynamics(results))["fitting_epoch"])
    results["n_singletons"][:] = 300
    assert numbers(dynamics(results))["fitting_epoch"] == 9


def test_dynamics__where_no_states_are_counted_there_is_no_fitting():
    """Fitting is not defined, and nothing takes its place; the raw rise is under its own name."""
    results = results_of(np.full(11, 8.0), np.linspace(0.1, 0.9, 11), estimator="kde-0.001")
    found = dynamics(results.drop_vars(["n_states", "n_singletons"]))
    assert found.fitting.isnull().all()
    assert found.fitting_epoch.isnull().all()
    assert numbers(found)["mi_ty_rise_epoch"] == 9
    assert "of results of kde-0.001 it is not" in found.attrs["note_fitting"]
    assert "note_fitting" not in dynamics(results).attrs


def test_dynamics__a_population_has_no_ceiling():
    results = results_of(np.full(11, 12.4))
    assert numbers(dynamics(results))["peak_saturation"] > 1
    found = dynamics(results.assign_attrs(target="population"))
    assert found.peak_saturation.isnull().all()
    assert "no ceiling" in found.attrs["note_peak_saturation"]


def test_dynamics__noise_is_no_compression():
    """Around a constant, maximum less end is positive on average, but not held out; few turn."""
    noise = 10 + 0.1 * np.random.default_rng(0).standard_normal((200, 101))
    measured = dynamics(results_of(noise))
    raw = dynamics(results_of(noise), window=1)
    assert float(raw.compression.mean()) > 0.2
    assert 0.1 < float(measured.compression.mean()) < 0.2
    assert abs(float(measured.compression_held_out.mean())) < 3 * 0.1 * (2 / 200) ** 0.5
    assert float(measured.turn_epoch.notnull().mean()) < 0.1
    assert float(measured.mi_xt_noise.mean()) == pytest.approx(0.1, rel=0.05)


def test_dynamics__compression_under_noise():
    """A fall of one bit is found at its size, by both."""
    epoch = np.arange(101)
    truth = 10 - np.clip((epoch - 50) / 50, 0, 1)
    noise = 0.05 * np.random.default_rng(0).standard_normal((100, 101))
    measured = dynamics(results_of(truth + noise))
    assert float(measured.compression_held_out.mean()) == pytest.approx(1, abs=0.05)
    assert 1 < float(measured.compression.mean()) < 1.15
    assert measured.turn_epoch.notnull().all()
    assert float(measured.turn_epoch.mean()) == pytest.approx(54, abs=3)


def test_dynamics__prefit_does_not_count():
    mi_xt = [12, 12, 6, 8, 7, 7]
    found = numbers(dynamics(results_of(mi_xt, epochs=[-2, -1, 0, 1, 2, 3])))
    assert (found["mi_xt_peak"], found["peak_epoch"]) == (7, 1)


def test_dynamics__repeats_that_do_not_count():
    mi_xt = np.tile([6.0, 8, 10, 9, 8], (4, 1))
    mi_xt[1, 3:] = np.nan
    mi_xt[3] = 12
    results = results_of(mi_xt, outcomes=["trained", "trained", "trained", "failed"])
    measured = dynamics(results)
    assert measured.compression[:, 0].notnull().values.tolist() == [True, False, True, False]
    assert float(measured.compression_held_out[0, 0]) == 1  # smoothed, 9 at epoch 2 or 3
    assert list(measured.compression.dims) == ["repeat", "layer"]
    assert measured.compression.attrs["units"] == "bit"


def test_dynamics__epochs_that_nobody_has():
    mi_xt = np.array([[6.0, np.nan, 10, 9, 8]])
    assert numbers(dynamics(results_of(mi_xt), window=1))["peak_epoch"] == 2


@pytest.mark.parametrize(
    ("mi_xt", "options", "error", "message"),
    [
        ([6, 7, 8], {"window": 4}, InputError, "window must be a positive odd number .*found 4"),
        ([6, 7], {}, StoreError, "need at least 3 recorded epochs from 0 on, found 2"),
        ([np.nan] * 4, {}, StoreError, "no repeat that counts has all recorded epochs"),
    ],
)
def test_dynamics__refused(mi_xt, options, error, message):
    with pytest.raises(error, match=message):
        dynamics(results_of(mi_xt), **options)


def slow_median(curve, window):
    half = window // 2
    out = []
    for i in range(len(curve)):
        reach = min(half, i, len(curve) - 1 - i)
        out.append(sorted(curve[i - reach : i + reach + 1])[reach])
    return out


@given(CURVES, st.sampled_from([1, 3, 5, 7, 21]))
def test_running_median__oracle(curves, window):
    expected = [slow_median(curve.tolist(), window) for curve in curves]
    np.testing.assert_array_equal(running_median(curves, window=window), expected)


@given(CURVES)
def test_running_median__leaves_what_only_rises(curves):
    rising = np.sort(curves, axis=-1)
    np.testing.assert_array_equal(running_median(rising), rising)


@given(CURVES, st.floats(-3, 3), st.floats(-1, 1))
def test_curve_noise__sees_no_straight_line(curves, shift, slope):
    """Adding a + b e to a curve leaves its noise."""
    line = shift + slope * np.arange(9)
    np.testing.assert_allclose(curve_noise(curves + line), curve_noise(curves), atol=1e-9)


def test_held_out_fall__leaves_out_its_own_repeat():
    """The spike of one repeat chooses the epoch of the others, and not its own."""
    curves = np.array([[1.0, 1, 9, 1], [3, 1, 1, 1], [3, 1, 1, 1]])
    np.testing.assert_array_equal(held_out_fall(curves, window=1), [0, 0, 0])
    np.testing.assert_array_equal(held_out_fall(curves[1:], window=1), [2, 2])


@settings(max_examples=25)
@given(hnp.arrays(np.float64, (7, 3), elements=st.integers(0, 4).map(float)))
def test_rank_correlation__as_scipy(values):
    measured = xr.Dataset({"x": (("repeat", "layer"), values)})
    accuracy = xr.DataArray(np.array([0.1, 0.4, 0.4, 0.2, 0.9, 0.5, 0.3]), dims="repeat")
    found = rank_correlation(measured, accuracy).x
    for layer, column in enumerate(values.T):
        rho = float(found[0, layer])
        if np.ptp(column) == 0:
            assert np.isnan(rho)
            continue
        expected = scipy.stats.spearmanr(column, accuracy.values).statistic
        assert rho == pytest.approx(expected, abs=1e-9)


def test_rank_correlation__p_values():
    """Of the 120 orders of five repeats, two are as far from 0 as the true one."""
    measured = xr.Dataset({"x": ("repeat", np.arange(5.0)), "y": ("repeat", [1.0, 5, 2, 4, 3])})
    accuracy = xr.DataArray(np.arange(5) / 10, dims="repeat")
    found = rank_correlation(measured, accuracy)
    assert float(found.x[0]) == 1
    assert float(found.x[1]) == pytest.approx(2 / 120, abs=0.005)
    orders = np.array(list(itertools.permutations(range(5))))
    rhos = [np.corrcoef(order, [0, 4, 1, 3, 2])[0, 1] for order in orders]
    exact = np.mean(np.abs(rhos) >= 0.3 - 1e-9)
    assert float(found.y[0]) == pytest.approx(0.3)
    assert float(found.y[1]) == pytest.approx(exact, abs=0.02)
    assert found.equals(rank_correlation(measured, accuracy))


def test_rank_correlation__too_few():
    measured = xr.Dataset({"x": ("repeat", [1.0, 2.0, np.nan, 3.0])})
    accuracy = xr.DataArray([0.1, 0.2, 0.3, np.nan], dims="repeat")
    assert rank_correlation(measured, accuracy).x.isnull().all()


@pytest.fixture(scope="module")
def analysed(tmp_path_factory) -> Path:
    """Five repeats of a layer that compresses to a share of its states, less with each repeat."""

    def snapshots():
        for repeat in range(5):
            for epoch in range(6):
                merged = np.arange(64) // (1 + (epoch > 3) * (6 - repeat))
                yield repeat, epoch, {"only": merged[:, np.newaxis].astype("uint8")}

    path = tmp_path_factory.mktemp("summary") / "s.zarr"
    ibtools.record_arrays(path, snapshots(), label=LABEL, repeats=range(5), epochs=range(6))
    ibtools.analyze_store(path, quiet=True)
    return path


def test_summary__dataset(analysed: Path, tmp_path: Path):
    path = shutil.copytree(analysed, tmp_path / "s.zarr")
    accuracy = get_array(open_group(path, "r+"), "test_accuracy")
    accuracy[:, -1] = np.array([0.5, 0.6, 0.7, 0.8, 0.9])
    found = ibtools.summary(path)
    assert list(found.statistic.values) == [
        *("mean", "deviation", "low", "high", "n_repeats", "rank_correlation", "p_value")
    ]
    measured = ibtools.dynamics(ibtools.open_results(path))
    compression = found.compression.sel(layer="only")
    assert float(compression.sel(statistic="mean")) == pytest.approx(
        float(measured.compression.mean())
    )
    assert float(compression.sel(statistic="rank_correlation")) == -1
    assert float(compression.sel(statistic="p_value")) < 0.03
    assert found.attrs["repeats"] == "5 of 5 repeats"
    bootstrap = ibtools.summary(path, method="bca").compression.sel(layer="only")
    assert float(bootstrap.sel(statistic="low")) > float(compression.sel(statistic="low"))


def test_summary__without_accuracy(analysed: Path, tmp_path: Path):
    assert ibtools.summary(analysed).compression.sel(statistic="rank_correlation").isnull().all()
    ibtools.analyze_store(analysed, output=tmp_path / "apart.zarr", quiet=True)
    apart = ibtools.summary(tmp_path / "apart.zarr")
    assert apart.compression.sel(statistic="rank_correlation").isnull().all()
    assert apart.compression.equals(ibtools.summary(analysed).compression)


def test_summary__refused(analysed: Path, example_store: Path):
    with pytest.raises(UnknownNameError, match="unknown interval 'student'"):
        ibtools.summary(analysed, method="student")
    with pytest.raises(StoreError, match="compute them with: ibtools analyze"):
        ibtools.summary(example_store)


def test_format_summary__table(analysed: Path):
    lines = format_summary(ibtools.summary(analysed), "s.zarr").splitlines()
    assert lines[0] == "s.zarr, exact: 5 of 5 repeats"
    assert lines[1].startswith("mean over repeats with 95 % interval (t)")
    start = lines.index("I(X;T) at its peak (bit)")
    assert lines[start + 1].split() == ["mean", "low", "high", "repeats"]  # no accuracy is known
    assert lines[start + 2].split()[:5] == ["only", "6", "6", "6", "5"]
    assert lines[start + 2].endswith("H(X): the ceiling")
    assert max(map(len, lines)) <= 100


@pytest.mark.parametrize(
    ("estimator", "has_ceiling"), [("exact-population-chao-shen", False), ("kde", True)]
)
def test_format_summary__estimators_without_a_chance_level(
    analysed: Path, tmp_path: Path, estimator: str, has_ceiling: bool
):
    """Fitting is not defined, which is said; a population has no ceiling, which is not named."""
    ibtools.analyze_store(analysed, estimator=estimator, output=tmp_path / "r", quiet=True)
    found = ibtools.summary(tmp_path / "r", estimator=estimator)
    text = format_summary(found, "r")
    assert text.count("not defined; see below") == 2
    assert "Fitting is the rise of I(T;Y) above its chance level" in text
    assert ("H(X): the ceiling" in text) == has_ceiling
    assert len(summary_dict(found)["notes"]) == 2 - has_ceiling


def test_format_summary__two_repeats_are_shown_instead_of_an_interval(analysed: Path, tmp_path):
    assert "95 % interval" in format_summary(ibtools.summary(analysed), "s.zarr")
    found = repeat_intervals(xr.Dataset({"x": ("repeat", [1.0, 3.0])})).x
    assert spread_ends(found) == pytest.approx((1, 3))
    codes = np.random.default_rng(0).integers(0, 4, (2, 3, 16, 2)).astype("uint8")
    ibtools.record_arrays(tmp_path / "s.zarr", {"only": codes}, label=np.arange(16) % 2)
    ibtools.analyze_store(tmp_path / "s.zarr", quiet=True)
    lines = format_summary(ibtools.summary(tmp_path / "s.zarr"), "s.zarr").splitlines()
    assert lines[1].startswith("mean, and the values of the two repeats (an interval and a rank ")
    start = lines.index("I(X;T) at its peak (bit)")
    assert lines[start + 1].split() == ["mean", "lower", "higher", "repeats"]
    peaks = ibtools.dynamics(ibtools.open_results(tmp_path / "s.zarr"))["mi_xt_peak"].values
    shown = [float(word) for word in lines[start + 2].split()[2:4]]
    assert shown == pytest.approx(sorted(peaks.ravel()), rel=1e-3)


def test_summary__intervals_are_of_what_is_possible_and_say_so(analysed: Path, monkeypatch):
    def near_the_ceiling(path, **options):
        results = ibtools.open_results(path, **options).load()
        ceiling = results.attrs["entropy_x"]
        high = np.array([0.9, 1, 1, 1, 1]) * ceiling
        results["mi_xt"][:] = high[:, np.newaxis, np.newaxis]
        return results

    monkeypatch.setattr("ibtools.analysis.repeats.summary.open_results", near_the_ceiling)
    found = ibtools.summary(analysed)
    peak = found["mi_xt_peak"].sel(layer="only")
    assert peak.sel(statistic="high") == near_the_ceiling(analysed).attrs["entropy_x"]
    assert peak.sel(statistic="low") < peak.sel(statistic="mean")
    assert "mi_xt_peak" in found.attrs["interval_clipped"].split(", ")
    assert "valid_max" not in peak.attrs
    assert "interval (t, clipped to what is possible)" in format_summary(found, "s.zarr")


def test_format_summary__one_repeat_has_values_and_no_intervals(tmp_path: Path):
    codes = np.random.default_rng(0).integers(0, 4, (1, 3, 16, 2)).astype("uint8")
    path = tmp_path / "one.zarr"
    ibtools.record_arrays(path, {"only": codes}, label=np.arange(16) % 2)
    ibtools.analyze_store(path, quiet=True)
    lines = format_summary(ibtools.summary(path), "one.zarr").splitlines()
    assert lines[1] == ("values of one repeat (an interval and a rank correlation need 3 or more)")
    start = lines.index("I(X;T) at its peak (bit)")
    assert lines[start + 1].split() == ["value"]
    name, value = lines[start + 2].split()[:2]
    assert (name, float(value) > 0) == ("only", True)


def test_cli_summary__prints(analysed: Path):
    def run(command: str) -> str:
        result = CliRunner().invoke(cli, shlex.split(command))
        assert result.exit_code == 0, result.output
        return result.output

    assert "compression: I(X;T) from its peak to the end (bit)" in run(f"summary {analysed}")
    found = json.loads(run(f"summary {analysed} --json --interval percentile --level 0.9"))
    assert (found["interval_method"], found["interval_level"]) == ("percentile", 0.9)
    assert found["quantities"]["mi_xt_peak"]["layers"]["only"]["mean"] == 6
    assert found["quantities"]["mi_xt_peak"]["layers"]["only"]["p_value"] is None
    assert found["quantities"]["compression"]["units"] == "bit"
    assert found == summary_dict(ibtools.summary(analysed, method="percentile", level=0.9))
