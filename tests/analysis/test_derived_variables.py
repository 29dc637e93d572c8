"""What follows from counted states: what is not about the label, and what is above chance."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from sklearn.metrics import adjusted_mutual_info_score

import ibtools
from ibtools.analysis.estimators.counting import statistics_of_labels
from ibtools.analysis.kernels.information import conditional_entropy, entropy, largest_entropy
from ibtools.analysis.measures.derived_variables import DERIVED, with_derived
from ibtools.analysis.plots import information_plane
from ibtools.analysis.repeats.plane_axes import choose_axes
from ibtools.errors import StoreError, UnknownNameError
from tests.analysis.strategies import labelled_samples


def results_of(labels, y) -> xr.Dataset:
    """Results of one snapshot of a layer, as they are opened."""
    states = np.unique(labels, return_inverse=True)[1].astype(np.uint32)
    y = np.unique(y, return_inverse=True)[1]
    found = statistics_of_labels(states[np.newaxis], y, y.max() + 1, largest_entropy(y.size))
    attributes = {"entropy_y": entropy(np.bincount(y)), "n_samples": y.size}
    return with_derived(xr.Dataset({name: of[0] for name, of in found.items()}, attrs=attributes))


@given(labelled_samples())
def test_mi_xt_given_y__is_the_conditional_entropy(samples):
    labels, y, _, _ = samples
    table = np.zeros((labels.max() + 1, y.max() + 1), int)
    np.add.at(table, (labels, y), 1)
    found = results_of(labels, y)["mi_xt_given_y"].item()
    assert found == pytest.approx(conditional_entropy(table), abs=1e-9)
    assert found >= 0


@given(labelled_samples())
def test_mi_ty_adjusted__is_that_of_scikit_learn(samples):
    """Where both are partitions of the same entropy, their normalisers are the same."""
    labels, y, _, _ = samples
    found = results_of(y, y)["mi_ty_adjusted"].item()
    if not np.isnan(found):
        assert found == pytest.approx(1.0)
    of_layer = results_of(labels, y)["mi_ty_adjusted"].item()
    assert np.isnan(of_layer) or of_layer <= 1 + 1e-9


def test_mi_ty_adjusted__of_scikit_learn_by_example():
    labels, y = np.array([0, 0, 1, 1, 2, 2, 2, 0] * 20), np.array([0, 0, 0, 1, 1, 1, 2, 2] * 20)
    ours = results_of(labels, y)
    theirs = adjusted_mutual_info_score(y, labels, average_method="max")
    entropies = ours["entropy_t"].item(), ours.attrs["entropy_y"]
    assert entropies[0] == pytest.approx(entropies[1]), "the larger of both is H(Y)"
    assert ours["mi_ty_adjusted"].item() == pytest.approx(theirs)


@pytest.mark.parametrize("n_merged", [0, 1, 50])
def test_mi_ty_adjusted__is_nothing_where_few_inputs_share_a_state(n_merged):
    """Of one merged pair it would be 1, or about -1, by the toss of two labels."""
    labels, y = np.arange(4096), np.arange(4096) % 2
    labels[1 : 2 * n_merged : 2] -= 1
    assert np.isnan(results_of(labels, y)["mi_ty_adjusted"])


def test_mi_ty_adjusted__is_there_where_enough_do():
    labels, y = np.arange(4096) // 2, np.arange(4096) % 2
    assert results_of(labels, y)["mi_ty_adjusted"].item() == pytest.approx(-1, abs=0.01)


def test_open_results__has_them_as_the_lazy_analysis(example_store):
    ibtools.analyze_store(example_store, estimator=["exact", "kde"], quiet=True)
    found = ibtools.open_results(example_store)
    lazy = ibtools.analyze(ibtools.open_store(example_store))
    for one in DERIVED:
        xr.testing.assert_identical(found[one.name].load(), lazy[one.name].load())
        assert one.name not in ibtools.open_results(example_store, estimator="kde-0.001")
    assert found["mi_xt_given_y"].attrs["long_name"] == "I(X;T|Y)"
    binned = ibtools.analyze(ibtools.open_store(example_store), estimator="binned")
    assert binned["mi_xt_given_y"].attrs["long_name"] == "H(binned T|Y)"


def test_information_plane__of_other_axes(example_store):
    results = ibtools.analyze(ibtools.open_store(example_store)).load()
    ax = information_plane(results, x="mi_xt_given_y", y="mi_ty_above_null", zoom=None)
    assert ax.get_xlabel() == "$I(X;T|Y)$ [bit]"
    assert "above chance" in ax.get_ylabel()
    assert "_ceiling" not in [line.get_label() for line in ax.lines]
    points = ax.collections[1].get_offsets()
    first = results.mean("repeat").isel(layer=0)
    np.testing.assert_allclose(points[:, 0], first["mi_xt_given_y"])
    np.testing.assert_allclose(points[:, 1], first["mi_ty_above_null"])


def test_choose_axes__wrong_names(example_store):
    results = ibtools.analyze(ibtools.open_store(example_store), estimator=["exact", "kde"])
    with pytest.raises(UnknownNameError, match="mi_xt_given_y"):
        choose_axes(results.sel(estimator="exact"), "mi_ty", "mi_ty")
    with pytest.raises(StoreError, match="no mi_xt_given_y, which is of estimators that count"):
        information_plane(results.sel(estimator="kde-0.001"), x="mi_xt_given_y")
