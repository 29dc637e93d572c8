"""Results of several estimators in one Dataset, and one of them out of it again."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import ibtools
from ibtools.analysis.passes.stacking import select_estimator, split_estimators, stack_estimators
from ibtools.analysis.plots import (
    estimator_comparison,
    information_plane,
    information_planes,
)
from ibtools.analysis.repeats.dynamics import dynamics
from ibtools.analysis.repeats.ranks import middle_repeat, rank_repeats
from ibtools.analysis.repeats.shown import summarise_repeats
from ibtools.errors import InputError, StoreError
from tests.analysis.figure_kinds import FIGURES
from tests.analysis.results_example import create_results

SEVERAL = [
    "exact",
    "binned-uniform-3-global",
    "binned-uniform-4--1_1-per-unit",
    "kde-maximum-0.001",
    "knn-3",
]

OF_RESULTS = [name for name, kind in FIGURES.items() if kind.source == "results" and not kind.dims]


@pytest.fixture(scope="module")
def analysed_once(recorded_example: Path, tmp_path_factory) -> Path:
    path = shutil.copytree(recorded_example, tmp_path_factory.mktemp("analysed") / "example.zarr")
    ibtools.analyze_store(path, estimator=SEVERAL, quiet=True)
    return path


@pytest.fixture
def analysed(analysed_once: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(analysed_once, tmp_path / "example.zarr"))


def example_stack() -> xr.Dataset:
    return stack_estimators(
        [
            create_results(),
            create_results(estimator="binned-uniform-30-layer", long_name="H(binned T)"),
        ]
    )


def test_open_results__all_in_one_dataset(analysed: Path):
    found = ibtools.open_results(analysed, estimator=None)
    assert found.sizes["estimator"] == len(SEVERAL)
    assert set(found["estimator"].values) == set(SEVERAL)
    expected = ibtools.open_results(analysed, estimator=found["estimator"].values.tolist())
    xr.testing.assert_identical(found.load(), expected.load())


def test_open_results__all_of_none(example_store: Path):
    with pytest.raises(StoreError, match="no results to open yet; compute them with: ibtools"):
        ibtools.open_results(example_store, estimator=None)


def test_open_results__several_are_lazy(analysed: Path, forbid_computing):
    with forbid_computing:
        found = ibtools.open_results(analysed, estimator=None)
        chosen = select_estimator(found.sel(estimator="knn-3"))
        repr(found)
    assert all(one.chunks is not None for one in found.data_vars.values())
    assert all(one.chunks is not None for one in chosen.data_vars.values())


def test_stack_estimators__attributes_that_differ_are_coordinates(analysed: Path):
    found = ibtools.open_results(analysed, estimator=SEVERAL)
    alone = [ibtools.open_results(analysed, estimator=name) for name in SEVERAL]
    assert found["strategy"].values.tolist() == ["", "uniform", "uniform", "", ""]
    assert found["n_bins"].values.tolist() == [-1, 3, 4, -1, -1]
    assert found["bounds_low"].values.tolist()[1:3] == [-0.5, -1.0]
    assert found["n_neighbours"].values.tolist() == [-1, -1, -1, -1, 3]
    assert found["mi_xt_meaning"].values.tolist() == [
        "I(X;T)",
        "H(binned T)",
        "H(binned T)",
        "I(X;T + noise)",
        "",
    ]
    assert found["mi_xt"].attrs["units"] == "bit"
    differing = {"strategy", "n_bins", "bounds", "bounds_low", "estimator", "n_neighbours"}
    assert differing <= set(found.coords)
    assert not differing & set(found.attrs)
    assert found.attrs["entropy_x"] == alone[0].attrs["entropy_x"]
    assert found.attrs["store_id"] == alone[0].attrs["store_id"]


def test_stack_estimators__what_an_estimator_lacks_is_missing(analysed: Path):
    found = ibtools.open_results(analysed, estimator=SEVERAL).load()
    assert np.isnan(found["mi_xt"].sel(estimator="knn-3")).all()
    assert (found["n_states"].sel(estimator="knn-3") == 0).all()
    assert (found["n_clipped"].sel(estimator="exact") == -1).all()
    assert found["n_states"].dtype == found["n_clipped"].dtype == np.int64


@pytest.mark.parametrize("name", SEVERAL)
def test_select_estimator__is_what_open_results_returns(analysed: Path, name: str):
    several = ibtools.open_results(analysed, estimator=SEVERAL)
    before = several.copy()
    found = select_estimator(several.sel(estimator=name))
    alone = ibtools.open_results(analysed, estimator=name)
    xr.testing.assert_equal(found.load(), alone.load())
    assert set(found.data_vars) == set(alone.data_vars)
    written_by = ("created",)
    assert {k: v for k, v in found.attrs.items() if k not in written_by} == {
        k: v for k, v in alone.attrs.items() if k not in written_by
    }
    for variable in alone.data_vars:
        assert found[variable].attrs["long_name"] == alone[variable].attrs["long_name"]
    for variable in several.variables:
        assert several[variable].attrs == before[variable].attrs


def test_select_estimator__leaves_results_of_one_as_they_are():
    results = create_results()
    assert select_estimator(results) is results


def test_split_estimators__is_the_inverse_of_stacking():
    results = [create_results(), create_results(estimator="knn-3").drop_vars("mi_xt")]
    for found, expected in zip(split_estimators(stack_estimators(results)), results, strict=True):
        xr.testing.assert_equal(found, expected)
        assert found.attrs == expected.attrs


def test_stack_estimators__of_one():
    results = create_results(estimator="binned-uniform-30-layer").assign_attrs(n_bins=30)
    stacked = stack_estimators([results])
    assert dict(stacked.sizes) == {"estimator": 1, **results.sizes}
    (found,) = split_estimators(stacked)
    xr.testing.assert_identical(found, results)


def test_stack_estimators__whole_numbers_below_0_are_no_missing_values():
    results = [create_results().assign_attrs(level=level) for level in (-1, 2)]
    found = split_estimators(stack_estimators(results))
    assert [one.attrs["level"] for one in found] == [-1, 2]


def test_stack_estimators__of_none():
    with pytest.raises(InputError, match="at least one estimator is needed"):
        stack_estimators([])


def test_stack_estimators__round_trip_through_zarr(analysed: Path, tmp_path: Path):
    found = ibtools.open_results(analysed, estimator=SEVERAL).load()
    found.drop_encoding().to_zarr(tmp_path / "several.zarr", zarr_format=3, consolidated=False)
    again = xr.open_zarr(tmp_path / "several.zarr", consolidated=False)
    labels = [name for name in found.coords if name not in again.coords]
    again = again.set_coords(labels)
    xr.testing.assert_equal(again.load(), found)


@pytest.mark.parametrize("figure", OF_RESULTS)
def test_plot__a_selected_estimator(figure: str):
    selected = example_stack().sel(estimator="binned-uniform-30-layer")
    drawn = ibtools.plot(selected, figure)
    words = [text.get_text() for text in drawn.findobj() if hasattr(text, "get_text")]
    assert any("binned-uniform-30-layer" in one for one in words)
    assert not any("exact" in one for one in words)


@pytest.mark.parametrize("figure", OF_RESULTS)
def test_plot__unselected_estimators(figure: str):
    with pytest.raises(InputError, match=r"select one, as in results\.sel\(estimator='exact'\)"):
        ibtools.plot(example_stack(), figure)


def test_plot__dropping_the_name_of_the_estimator_is_an_error():
    with pytest.raises(StoreError, match="missing: attribute estimator"):
        information_plane(example_stack().sel(estimator="exact", drop=True))


def test_plot__a_selected_estimator_without_mi_xt(analysed: Path):
    several = ibtools.open_results(analysed, estimator=SEVERAL)
    with pytest.raises(StoreError, match=r"results of knn-3 have no I\(X;T\)"):
        information_plane(several.sel(estimator="knn-3"))


def test_information_planes__of_selections():
    several = example_stack()
    names = several["estimator"].values.tolist()
    drawn = information_planes({name: several.sel(estimator=name) for name in names})
    assert [ax.get_xlabel() for ax in drawn] == [
        information_plane(one).get_xlabel() for one in split_estimators(several)
    ]


def test_estimator_comparison__of_one_dataset(analysed: Path):
    several = ibtools.open_results(analysed, estimator=SEVERAL)
    titles = [ax.get_title() for ax in estimator_comparison(several)[0]]
    alone = [ibtools.open_results(analysed, estimator=name) for name in SEVERAL]
    assert titles == [ax.get_title() for ax in estimator_comparison(alone)[0]]
    (plane,), _, _ = estimator_comparison(several.sel(estimator="exact"))
    assert plane.get_title() == titles[0]


@pytest.mark.parametrize("function", [dynamics, rank_repeats, middle_repeat, summarise_repeats])
def test_functions_of_results__take_a_selected_estimator(function):
    results = create_results(outcomes=["trained"] * 3)
    several = stack_estimators([results, create_results(outcomes=["trained"] * 3, estimator="b")])
    found, expected = function(several.sel(estimator="exact")), function(results)
    if function is summarise_repeats:
        found, expected = found.mean, expected.mean
    assert found.equals(expected)
    with pytest.raises(InputError, match="results of one estimator are needed here, found 2"):
        function(several)


def test_repeat_intervals__of_each_estimator():
    several = example_stack()
    found = ibtools.repeat_intervals(several, method="t")
    alone = ibtools.repeat_intervals(several.sel(estimator="exact"), method="t")
    xr.testing.assert_equal(found.sel(estimator="exact"), alone)
