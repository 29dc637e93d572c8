import numpy as np
import pytest
import scipy.stats
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ibtools.analysis.repeats.uncertainty import bootstrap_interval, repeat_intervals
from ibtools.errors import InputError, StoreError, UnknownNameError
from tests.analysis.results_example import create_results

VALUES = hnp.arrays(np.float64, (6, 3), elements=st.floats(-5, 5).map(lambda x: round(x, 3)))


def skewed(n_repeats: int, n_cases: int = 4):
    return np.random.default_rng(1).gamma(0.7, size=(n_repeats, n_cases))


@pytest.mark.parametrize("method", ["percentile", "BCa"])
def test_bootstrap_interval__as_scipy(method):
    """Two independent bootstraps of 20 000 resamples agree within a few per cent of the width."""
    values = skewed(25)
    low, high = bootstrap_interval(
        values, corrected=method == "BCa", n_resamples=20_000, level=0.9, seed=3
    )
    other = scipy.stats.bootstrap(
        (values,),
        np.mean,
        method=method,
        n_resamples=20_000,
        confidence_level=0.9,
        rng=np.random.default_rng(5),
    ).confidence_interval
    width = high - low
    np.testing.assert_array_less(np.abs(low - other.low), 0.03 * width)
    np.testing.assert_array_less(np.abs(high - other.high), 0.03 * width)


def test_bootstrap_interval__corrected_towards_the_longer_tail():
    """For skewed values, BCa is above the percentiles at both ends."""
    plain, corrected = (bootstrap_interval(skewed(25), corrected=c) for c in (False, True))
    assert (corrected[0] > plain[0]).all()
    assert (corrected[1] > plain[1]).all()


def test_bootstrap_interval__two_repeats():
    """Means of resamples are 0, 1/2 or 1 with probabilities 1/4, 1/2 and 1/4."""
    for corrected in (False, True):
        low, high = bootstrap_interval(np.array([[0.0], [1.0]]), corrected=corrected, level=0.9)
        assert (low[0], high[0]) == (0, 1)


def test_bootstrap_interval__blocks_change_nothing(monkeypatch):
    values = skewed(8, 50)
    whole = bootstrap_interval(values, n_resamples=500)
    monkeypatch.setattr("ibtools.analysis.repeats.uncertainty.BLOCK_BYTES", 7 * 8 * 500)
    np.testing.assert_array_equal(whole, bootstrap_interval(values, n_resamples=500))


@given(VALUES)
def test_bootstrap_interval__is_around_the_mean(values):
    """min <= low <= mean <= high <= max"""
    low, high = bootstrap_interval(values, n_resamples=500)
    mean, slack = values.mean(axis=0), 1e-9
    assert (values.min(axis=0) - slack <= low).all()
    assert (low <= mean + slack).all()
    assert (mean <= high + slack).all()
    assert (high <= values.max(axis=0) + slack).all()


@given(VALUES, st.floats(0.1, 10), st.floats(-10, 10))
def test_bootstrap_interval__moves_with_the_values(values, factor, shift):
    """The interval of a x + b is a times that of x, plus b."""
    before = np.stack(bootstrap_interval(values, n_resamples=300))
    after = np.stack(bootstrap_interval(factor * values + shift, n_resamples=300))
    np.testing.assert_allclose(after, factor * before + shift, atol=1e-6)


@pytest.mark.parametrize(("method", "share"), [("t", 0.95), ("bca", 0.907), ("percentile", 0.907)])
def test_repeat_intervals__hold_the_true_mean(method, share):
    """Of 5000 experiments of 12 normal values, so many intervals of 95 % hold the mean."""
    values = np.random.default_rng(0).normal(3, 2, (12, 5000))
    dataset = xr.Dataset({"x": (("repeat", "case"), values)})
    found = repeat_intervals(dataset, method=method, n_resamples=1000).x
    held = (found.sel(statistic="low") < 3) & (found.sel(statistic="high") > 3)
    assert float(held.mean()) == pytest.approx(share, abs=0.012)


def test_repeat_intervals__two_repeats():
    """Student's interval reaches 12.7 standard errors to either side."""
    found = repeat_intervals(xr.Dataset({"x": ("repeat", [1.0, 3.0])})).x
    np.testing.assert_allclose(found.sel(statistic=["low", "high"]), [2 - 12.706, 2 + 12.706], 1e-4)


def test_repeat_intervals__dataset():
    results = create_results(outcomes=["trained"] * 3 + ["failed"])
    results["mi_xt"][1, -1] = np.nan
    found = repeat_intervals(results, method="bca")
    assert dict(found.sizes) == {"statistic": 5, "epoch": 8, "layer": 6}
    assert {"mi_xt", "mi_ty", "entropy_t"} <= set(found.data_vars) < set(results.data_vars)
    assert found.mi_xt.attrs["units"] == "bit"
    assert found.attrs["interval_method"] == "bca"
    assert (found.mi_ty.sel(statistic="n_repeats") == 3).all()
    n = found.mi_xt.sel(statistic="n_repeats")
    assert (n[:-1] == 3).all()
    assert (n[-1] == 2).all()
    counted = results.isel(repeat=slice(3))
    np.testing.assert_allclose(found.mi_xt.sel(statistic="mean"), counted.mi_xt.mean("repeat"))
    deviation = counted.mi_xt.std("repeat", ddof=1)
    np.testing.assert_allclose(found.mi_xt.sel(statistic="deviation"), deviation)


def test_repeat_intervals__student_by_hand():
    """1, 2, 3: mean 2, deviation 1, t = 4.3027 with 2 degrees of freedom"""
    dataset = xr.Dataset({"x": ("repeat", [1.0, 2.0, 3.0])})
    found = repeat_intervals(dataset, method="t").x.values
    np.testing.assert_allclose(found, [2, 1, 2 - 4.30265 / 3**0.5, 2 + 4.30265 / 3**0.5, 3], 1e-5)


def test_repeat_intervals__of_nothing_and_of_one():
    dataset = xr.Dataset({"x": (("repeat", "epoch"), [[np.nan, 1.0], [np.nan, np.nan]])})
    found = repeat_intervals(dataset).x.values.T
    np.testing.assert_array_equal(found[0], [np.nan] * 4 + [0])
    np.testing.assert_array_equal(found[1], [1, np.nan, np.nan, np.nan, 1])


def test_repeat_intervals__all_repeats_failed():
    """Nothing counts, which is no error: the number of repeats says so."""
    outcomes = {"outcome": ("repeat", ["failed"] * 2)}
    found = repeat_intervals(xr.Dataset({"x": (("repeat", "layer"), np.ones((2, 3)))}, outcomes)).x
    assert found.sel(statistic="n_repeats").values.tolist() == [0, 0, 0]
    assert found.sel(statistic=["mean", "deviation", "low", "high"]).isnull().all()


def test_repeat_intervals__same_seed_same_interval():
    results = create_results(outcomes=["trained"] * 5)
    first, again, other = (
        repeat_intervals(results, method="bca", seed=seed).mi_ty for seed in (1, 1, 2)
    )
    assert first.equals(again)
    assert not first.equals(other)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"method": "bcb"}, UnknownNameError, "unknown interval 'bcb'; did you mean 'bca'"),
        ({"level": 95}, InputError, "level must be between 0 and 1, such as 0.95, found 95"),
        ({"n_resamples": 3}, InputError, "n_resamples must be 100 or more, found 3"),
    ],
)
def test_repeat_intervals__options(options, error, message):
    with pytest.raises(error, match=message):
        repeat_intervals(create_results(), **options)


def test_repeat_intervals__reduced_results():
    with pytest.raises(StoreError, match="no floating variable has the dimension repeat"):
        repeat_intervals(create_results().mean("repeat"))
