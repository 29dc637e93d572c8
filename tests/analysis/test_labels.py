"""Labels that are large, far apart or words: the same bits at the same cost."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import ibtools
from ibtools.analysis.details import Permutations
from ibtools.errors import StoreError
from ibtools.store.creation import create_store
from ibtools.store.groups import get_array
from ibtools.store.info import describe_info, store_info
from ibtools.store.layout import StoreSpec
from ibtools.store.opened import open_group
from ibtools.store.snapshots import LayerSpec, LayerValues
from ibtools.store.writer import RepeatWriter
from tests.conftest import record_example

FAR = np.array([5, 400_000_000, 2**62])
KINDS = ["classes", "prediction", "splits", "units", Permutations(5)]
ESTIMATORS = ["exact", "binned-uniform-5-layer", "kde", "knn-3", "exact-population-chao-shen"]


def spread(path: Path) -> Path:
    """Write labels that are large and far apart where a store has 0, 1 and 2, as old ones may."""
    array = get_array(open_group(path, "r+"), "label")
    array[...] = FAR[array[...]]
    return path


def without_label(dataset: xr.Dataset) -> xr.Dataset:
    return dataset.drop_vars("class", errors="ignore").drop_attrs(deep=False)


def test_analyze__far_labels_change_no_bit_and_cost_nothing(example_store: Path):
    """64 samples of labels up to 2^62: what grew with the largest would find no memory."""
    expected = ibtools.analyze(ibtools.open_store(example_store), estimator=ESTIMATORS).compute()
    spread(example_store)
    found = ibtools.analyze(ibtools.open_store(example_store), estimator=ESTIMATORS).compute()
    ibtools.analyze_store(example_store, estimator=ESTIMATORS, memory="512MiB", quiet=True)
    xr.testing.assert_equal(found, expected)
    written = ibtools.open_results(example_store, estimator=ESTIMATORS).load()
    xr.testing.assert_equal(written, expected)
    assert found.attrs["entropy_y"] == expected.attrs["entropy_y"]


def test_details__far_labels_change_no_bit_but_the_names_of_classes(example_store: Path):
    expected = ibtools.details(ibtools.open_store(example_store), KINDS)
    spread(example_store)
    found = ibtools.details(ibtools.open_store(example_store), KINDS)
    for name, one in expected.items():
        xr.testing.assert_equal(without_label(found[name]).compute(), without_label(one).compute())
    assert expected["classes"]["class"].values.tolist() == [0, 1, 2]
    assert found["classes"]["class"].values.tolist() == FAR.tolist()
    assert found["classes"]["class_samples"].values.tolist() == [22, 21, 21]


def test_check_and_info__count_the_classes_that_occur(example_store: Path):
    spread(example_store)
    ibtools.analyze_store(example_store, quiet=True)
    assert ibtools.check(example_store, quiet=True).ok
    assert describe_info(store_info(example_store), "s")["samples"] == "64 in 3 classes"


def test_record_arrays__words_are_numbered_and_named(tmp_path: Path):
    """The store keeps the words; what is per class shows them."""
    names = np.array(["cat", "dog", "owl"])
    label = names[np.arange(64) % 3]
    path = tmp_path / "words.zarr"
    record_example(path, label=label)
    dataset = ibtools.open_store(path)
    assert dataset["label"].values.tolist() == (np.arange(64) % 3).tolist()
    assert dataset.attrs["classes"] == ["cat", "dog", "owl"]
    said = describe_info(store_info(path), path)["samples"]
    assert said == "64 in 3 classes, numbered from 0: cat, dog, owl"
    ibtools.details_store(path, "classes", quiet=True)
    found = ibtools.open_details(path, "classes").load()
    xr.testing.assert_equal(found, ibtools.details(dataset, "classes").compute())
    assert found["mi_t_class"].sel({"class": "owl"}).notnull().all()
    chosen = dataset.isel(sample=dataset.label.values != 1)
    assert ibtools.details(chosen, "classes")["class"].values.tolist() == ["cat", "owl"]


def test_details_store__of_classes_that_changed_are_written_anew(example_store: Path):
    """Details of an older version have a place for every label up to the largest."""
    ibtools.details_store(example_store, ["classes", "layers"], quiet=True)
    array = get_array(open_group(example_store, "r+"), "label")
    array[...] = np.arange(64) % 2 * 7
    computed = ibtools.details_store(example_store, ["classes", "layers"], quiet=True)
    assert computed[0].computed == 8
    found = ibtools.open_details(example_store, "classes").load()
    expected = ibtools.details(ibtools.open_store(example_store), "classes").compute()
    xr.testing.assert_equal(found, expected)
    assert found["class"].values.tolist() == [0, 7]


def test_analyze__labels_of_a_dataset_may_be_anything_discrete(example_store: Path):
    dataset = ibtools.open_store(example_store)
    expected = dataset.ib.analyze().compute()
    for label in (np.array(["c", "a", "b"])[dataset.label], dataset.label.values - 1):
        found = dataset.assign_coords(label=("sample", label)).ib.analyze().compute()
        xr.testing.assert_equal(found, expected)
    with pytest.raises(StoreError, match=r"label as int64 \(sample\), found float64"):
        dataset.assign_coords(label=("sample", dataset.label.values / 2)).ib.analyze()


def test_analyze__class_too_small_is_named_by_its_label(tmp_path: Path):
    label = np.where(np.arange(64) < 2, 3, 400_000_000)
    spec = StoreSpec((LayerSpec("x", 1, "relu", 32),), (0,), (0,), (1,), label)
    writer = RepeatWriter(create_store(tmp_path / "s.zarr", spec), 0)
    writer.add_snapshot(0, {"x": LayerValues(np.arange(64, dtype="f4")[:, None])})
    with pytest.raises(ValueError, match="samples of every class, but class 3 has 2"):
        ibtools.analyze(ibtools.open_store(tmp_path / "s.zarr"), estimator="knn-3")
