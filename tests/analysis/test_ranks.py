import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from ibtools.analysis.repeats.ranks import middle_repeat, notable_ranks, rank_repeats
from ibtools.errors import StoreError
from tests.analysis.results_example import create_results


def shifted(results: xr.Dataset, shifts) -> xr.Dataset:
    """Move whole trajectories, all from the same one."""
    same = results[["mi_xt", "mi_ty"]].isel(repeat=0, drop=True)
    return results.assign(same + xr.DataArray(shifts, dims="repeat"))


def test_rank_repeats__hand_worked():
    results = shifted(create_results(outcomes=["trained"] * 4), [0.0, 4.0, 1.0, -1.0])
    ranking = rank_repeats(results)  # the mean shift is 1
    np.testing.assert_array_equal(ranking, [2, 0, 3, 1])
    n_values = 2 * results.sizes["epoch"] * results.sizes["layer"]
    np.testing.assert_allclose(ranking["distance"], n_values * np.array([0, 1, 4, 9]), atol=1e-20)


def test_rank_repeats__equals_the_definition_in_numpy():
    results = create_results(outcomes=["trained"] * 7)
    values = np.stack([results["mi_xt"], results["mi_ty"]], axis=-1)
    expected = [((row - values.mean(axis=0)) ** 2).sum() for row in values]
    ranking = rank_repeats(results)
    np.testing.assert_allclose(ranking["distance"], np.sort(expected))
    np.testing.assert_array_equal(ranking, np.argsort(expected, kind="stable"))


def test_rank_repeats__failed_and_shorter_repeats_have_no_rank():
    outcomes = ["failed", "trained", "trained", "pending", "trained"]
    results = shifted(create_results(outcomes=outcomes), [100.0, 0.0, 1.0, 50.0, 3.0])
    shorter = (results["repeat"] == 3) & (results["epoch"] > 10)
    results = results.assign(results[["mi_xt", "mi_ty"]].where(~shorter))
    np.testing.assert_array_equal(rank_repeats(results), [2, 1, 4])


@pytest.mark.parametrize("n_repeats", [1, 2, 3])
def test_rank_repeats__equal_repeats_keep_their_order(n_repeats):
    results = shifted(create_results(outcomes=["trained"] * n_repeats), [0.0] * n_repeats)
    np.testing.assert_array_equal(rank_repeats(results), np.arange(n_repeats))


def test_rank_repeats__nothing_to_rank():
    with pytest.raises(StoreError, match="no complete snapshot in any that has all"):
        rank_repeats(create_results(outcomes=["failed"]))


def test_middle_repeat__needs_three():
    assert middle_repeat(create_results(outcomes=["trained", "trained", "failed"])) is None
    results = shifted(create_results(outcomes=["failed", *["trained"] * 3]), [9.0, 0.0, 1.0, 4.0])
    assert int(middle_repeat(results)["repeat"]) == 1


@given(st.integers(1, 200))
def test_notable_ranks__are_distinct_and_in_order(n_ranked):
    """From 4 repeats on there are four; always the first and the last."""
    ranks = list(notable_ranks(n_ranked).values())
    assert ranks == sorted(set(ranks))
    assert (ranks[0], ranks[-1]) == (0, n_ranked - 1)
    assert len(ranks) == min(n_ranked, 4)
