"""The detail `invariants`: of stores, by options, and of the softmax."""

import numpy as np
import pytest
import xarray as xr

import ibtools
from ibtools.analysis.details import Invariants
from ibtools.analysis.details.kinds import parse_detail
from ibtools.analysis.details.measure import label_units
from ibtools.analysis.estimators import LayerBlock, parse_estimator
from ibtools.analysis.kernels.digests import UnitDigests
from ibtools.errors import InputError
from ibtools.partition import partition_block
from ibtools.store.snapshots import LayerSpec
from ibtools.store.symbols import exact_symbols


def test_invariants__of_a_store_equal_units_and_results(example_store):
    ibtools.details_store(example_store, ["invariants-3-1", "units"], quiet=True)
    found = ibtools.open_details(example_store, "invariants-3-1").compute()
    units = ibtools.open_details(example_store, "units").compute()
    results = ibtools.analyze(ibtools.open_store(example_store)).compute()
    for null in ("", "_null"):
        alone = units[f"mi_unit_y{null}"].sum("unit")
        xr.testing.assert_allclose(
            found[f"sum_mi_unit_y{null}"].drop_vars("n_units"), alone.drop_vars("n_units")
        )
        degree = found[f"sum_mi_unit_y{null}"] / results[f"mi_ty{null}"]
        np.testing.assert_allclose(found[f"redundancy_degree{null}"], degree)
    total = units["entropy_unit"].sum("unit") - results["entropy_t"]
    np.testing.assert_allclose(found["total_correlation"], total, atol=1e-12)
    assert (found["total_correlation_null_sd"] >= 0).all()
    assert found.attrs["n_permutations"] == 3
    in_memory = ibtools.details(ibtools.open_store(example_store), Invariants(3, seed=1)).compute()
    for name in found.data_vars:
        np.testing.assert_array_equal(in_memory[name], found[name])


def test_open_details__options_that_are_left_out_have_their_defaults(example_store):
    ibtools.details_store(example_store, "invariants", quiet=True)
    found = ibtools.open_details(example_store, "invariants")
    assert found.identical(ibtools.open_details(example_store, "invariants-2-0"))


def test_invariants__draws_depend_on_seed_repeat_epoch_and_layer_alone(example_store):
    dataset = ibtools.open_store(example_store)
    found = ibtools.details(dataset, Invariants(2, seed=4)).compute()
    part = dataset.isel(repeat=[1], epoch=[3, 0]).sel(layer=["hidden_1"])
    again = ibtools.details(part, Invariants(2, seed=4)).compute()
    xr.testing.assert_equal(again, found.isel(repeat=[1], epoch=[3, 0]).sel(layer=["hidden_1"]))
    other = ibtools.details(dataset, Invariants(2, seed=5)).compute()
    xr.testing.assert_equal(other["total_correlation"], found["total_correlation"])
    assert (other["total_correlation_null"] != found["total_correlation_null"]).any()


@pytest.mark.parametrize(("drawn", "null_is_there", "sd_is_there"), [(0, 0, 0), (1, 1, 0)])
def test_invariants__what_is_not_drawn_is_missing(example_store, drawn, null_is_there, sd_is_there):
    found = ibtools.details(ibtools.open_store(example_store), Invariants(drawn)).compute()
    for name in ("total_correlation", "dual_total_correlation", "o_information"):
        assert found[name].notnull().all()
        assert found[f"{name}_null"].notnull().all() == null_is_there
        assert found[f"{name}_null_sd"].notnull().any() == sd_is_there
    assert found["vulnerability_degree_null"].notnull().any()


def test_invariants__independent_units_are_at_chance(tmp_path):
    """Units drawn independently: total correlation is what permutations give, not 0."""
    code = np.random.default_rng(0).integers(0, 8, (1, 1, 500, 4), "uint8")
    ibtools.record_arrays(tmp_path / "s.zarr", {"all": code}, label=np.arange(500) % 2)
    found = ibtools.details(ibtools.open_store(tmp_path / "s.zarr"), Invariants(20)).compute()
    one = found.squeeze()
    assert one["total_correlation"] > 1
    for name in ("total_correlation", "dual_total_correlation", "o_information"):
        assert abs(one[name] - one[f"{name}_null"]) <= 5 * one[f"{name}_null_sd"]


def test_invariants__any_unit_of_a_softmax_follows_from_the_others():
    code = np.random.default_rng(1).integers(0, 4, (2, 80, 3), "uint8")
    layer = LayerSpec("output", 3, "softmax", 8)
    block = LayerBlock(code, layer, y=np.arange(80) % 2, n_classes=2)
    digests = UnitDigests.of(label_units(block, parse_estimator("exact")))
    whole = partition_block(exact_symbols(code, layer))[0]
    np.testing.assert_array_equal(digests.all_units(), whole)
    others = np.concatenate(list(digests.without_each())).reshape(2, 3, 80)
    for unit in range(3):
        np.testing.assert_array_equal(others[:, unit], whole)


def test_invariants__options():
    assert parse_detail("invariants").name == "invariants-2-0"
    assert parse_detail("invariants-20").name == "invariants-20-0"
    assert parse_detail("invariants-0-7").name == "invariants-0-7"
    with pytest.raises(InputError, match=r"written as in invariants-2-0, .* found 'x'"):
        parse_detail("invariants-x")
    with pytest.raises(InputError, match="n_permutations must not be negative, found -1"):
        Invariants(-1)
    with pytest.raises(InputError, match="seed must not be negative, found -2"):
        Invariants(seed=-2)
