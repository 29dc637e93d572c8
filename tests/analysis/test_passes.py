"""One walk for all measures: whatever the memory and the scheduler, the same numbers."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import ibtools
from ibtools.analysis.details import Classes
from ibtools.analysis.details.measure import DetailMeasure
from ibtools.analysis.estimators import Exact
from ibtools.analysis.passes import store_blocks
from ibtools.analysis.passes.cost import Cost
from ibtools.analysis.passes.plan import Plan
from ibtools.analysis.passes.shards import ShardReader
from ibtools.errors import InputError
from ibtools.store.groups import get_array
from ibtools.store.header import Header
from ibtools.store.opened import open_group
from tests.analysis.wide_layers import LITTLE

MORE = LITTLE + 150_000
"""What three details need beside one."""

DETAILS = ["classes", "layers", "splits"]


def test_details_store__in_little_memory_partitions_units_portion_by_portion(wide_store, tmp_path):
    expected = ibtools.details(ibtools.open_store(wide_store), DETAILS)
    output = tmp_path / "details.zarr"
    ibtools.details_store(
        wide_store, DETAILS, memory=MORE, scheduler="synchronous", output=output, quiet=True
    )
    for name, one in expected.items():
        xr.testing.assert_equal(ibtools.open_details(output, name).load(), one.compute())


def test_details_store__says_what_memory_single_units_need(wide_store):
    with pytest.raises(InputError, match=r"'wide' .*units needs all takes .*--memory"):
        ibtools.details_store(wide_store, "units", memory=LITTLE, quiet=True)


def test_details_store__on_processes(example_store):
    expected = ibtools.details(ibtools.open_store(example_store), ["layers", "prediction"])
    ibtools.details_store(
        example_store, ["layers", "prediction"], scheduler="processes", quiet=True
    )
    for name, one in expected.items():
        found = ibtools.open_details(example_store, name).load()
        xr.testing.assert_equal(found, one.compute())


def test_check__in_little_memory_finds_the_same(wide_store):
    expected = ibtools.check(wide_store, quiet=True)
    found = ibtools.check(wide_store, memory=LITTLE, scheduler="synchronous", quiet=True)
    assert found.format() == expected.format()


def plan_of_classes(path: Path, budget: int) -> Plan:
    """Plan `details classes` of a store, as if every sample were of a class of its own."""
    group = open_group(path)
    dataset = store_blocks.open_unchunked(group)
    dataset = dataset.assign_coords(label=("sample", np.arange(dataset.sizes["sample"])))
    header = Header.of(dataset)
    kind = Classes()
    cost = Cost((DetailMeasure(kind, Exact(), header.n_units),), budget, 1, header)
    arrays = {"code": get_array(group, "code")}
    return Plan.of(arrays, header.layers, cost, n_threads=1)


def test_plan__many_classes_make_small_blocks(tmp_path):
    """10 000 classes of one sample each: their spectra decide how many snapshots fit."""
    path = tmp_path / "classes.zarr"
    code = np.zeros((1, 40, 10_000, 2), "uint8")
    ibtools.record_arrays(path, {"a": code, "b": code}, label=np.arange(10_000) % 2)
    several, few = (plan_of_classes(path, budget).runs[0].epochs for budget in (2**30, 2**29))
    assert few < several < 16
    with pytest.raises(InputError, match="too large"):
        plan_of_classes(path, 2**26)


def test_details_store__says_what_results_of_a_repeat_take(tmp_path):
    """A chunk of results is a whole repeat: 1500 epochs of 1000 classes are 36 MB, three times."""
    code = np.zeros((1, 1500, 1000, 1), "uint8")
    ibtools.record_arrays(tmp_path / "c.zarr", {"a": code}, label=np.arange(1000))
    with pytest.raises(InputError, match=r"too large: .* takes 3\d\d\.\d\d MiB .*--memory"):
        ibtools.details_store(tmp_path / "c.zarr", "classes", memory="300MiB", quiet=True)


@pytest.mark.parametrize("epochs", [[0, 1, 2], [3], [0, 63, 64, 69], list(range(70))])
def test_shard_reader__reads_what_zarr_reads(tmp_path, epochs):
    rng = np.random.default_rng(0)
    layers = {
        "a": rng.integers(0, 256, (2, 70, 30, 9)).astype("u1"),
        "b": rng.integers(0, 256, (2, 70, 30, 70)).astype("u1"),
    }
    ibtools.record_arrays(tmp_path / "s.zarr", layers, label=np.arange(30) % 2)
    array = get_array(open_group(tmp_path / "s.zarr"), "code")
    reader = ShardReader.of(array)
    assert reader is not None
    found = reader.read(1, np.array(epochs), {0: 9, 1: 70})
    np.testing.assert_array_equal(found[0], layers["a"][1, epochs])
    np.testing.assert_array_equal(found[1], layers["b"][1, epochs])
    padded = reader.read(1, np.array(epochs), {0: 64})[0]
    assert not padded[..., 9:].any()
