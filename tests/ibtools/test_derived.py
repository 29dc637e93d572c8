"""What xarray makes of a store is a store, saved and opened again: or one line says why not."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import ibtools
from ibtools.errors import StoreError
from ibtools.recorders.training.checkpoint import (
    delete_checkpoints,
    prepare_checkpoints,
    save_checkpoint,
)
from ibtools.store.groups import consolidate
from ibtools.store.info import store_info
from ibtools.store.opened import open_group
from tests.conftest import record_example

pytestmark = pytest.mark.filterwarnings("ignore:Consolidated metadata is currently not part")

ALIGNED = {"align_chunks": True}
"""What plain xarray must be told to write whole shards."""


@pytest.fixture
def source(tmp_path: Path, monkeypatch) -> Path:
    """A store of two blocks of epochs, whose shards hold three chunks."""
    monkeypatch.setattr("ibtools.store.layout.MAX_BLOCK_EPOCHS", 2)
    return record_example(tmp_path / "source.zarr")


def results_of(path: Path) -> xr.Dataset:
    ibtools.analyze_store(path, quiet=True)
    return ibtools.open_results(path).load().drop_attrs()


def values_of(path: Path) -> xr.Dataset:
    return ibtools.open_store(path).load().drop_attrs()


def test_to_zarr__a_copy_is_a_store(source: Path, tmp_path: Path):
    """Opened by ibtools or plain xarray, saved, and saved again: the same bits."""
    decoded, plain, again = (tmp_path / f"{name}.zarr" for name in ("decoded", "plain", "again"))
    ibtools.open_store(source).to_zarr(decoded)
    xr.open_zarr(source).to_zarr(plain, **ALIGNED)
    ibtools.open_store(decoded).to_zarr(again)
    expected, results = values_of(source), results_of(source)
    for copy in (decoded, plain, again):
        xr.testing.assert_identical(values_of(copy), expected)
        xr.testing.assert_identical(results_of(copy), results)
        assert ibtools.check(copy, quiet=True).ok
    assert "code" in ibtools.open_store(again)


def test_to_zarr__a_copy_of_a_partition_is_a_store(partition_store: Path, tmp_path: Path):
    ibtools.open_store(partition_store).to_zarr(tmp_path / "copy.zarr")
    xr.testing.assert_identical(results_of(tmp_path / "copy.zarr"), results_of(partition_store))


@pytest.mark.parametrize("widths", [(5, 4, 2), (2, 130, 1), (130, 7, 3, 2)])
def test_to_zarr__of_layers_of_several_widths(tmp_path: Path, widths: tuple[int, ...]):
    """Layers end within chunks of units; the decoded values are in even ones all the same."""
    rng = np.random.default_rng(0)
    path, copy = tmp_path / "widths.zarr", tmp_path / "copy.zarr"
    layers = {f"l{n}": rng.integers(0, 9, (1, 2, 8, n), "uint8") for n in widths}
    functions = {f"l{widths[-1]}": "softmax"}
    ibtools.record_arrays(path, layers, label=np.arange(8) % 2, activation_functions=functions)
    ibtools.open_store(path).to_zarr(copy)
    xr.testing.assert_identical(values_of(copy), values_of(path))


def test_to_zarr__plain_xarray_keeps_the_layout_of_the_store(source: Path, tmp_path: Path):
    xr.open_zarr(source).to_zarr(tmp_path / "copy.zarr", **ALIGNED)
    encodings = [xr.open_zarr(one).code.encoding for one in (source, tmp_path / "copy.zarr")]
    for name in ("chunks", "shards", "filters", "compressors"):
        assert encodings[0][name] == encodings[1][name]


PARTS = {
    "epochs": lambda ds: ds.isel(epoch=slice(1, 3)).chunk(epoch=-1),
    "layers": lambda ds: ds.sel(layer=["hidden_1", "output"]),
    "repeat": lambda ds: ds.isel(repeat=[1]),
    "samples": lambda ds: ds.isel(sample=(ds.label != 1).values),
    "chunks": lambda ds: ds.chunk(epoch=3, sample=20),
    "in memory": lambda ds: ds.load(),
    "pickled": lambda ds: pickle.loads(pickle.dumps(ds)),
}


@pytest.mark.parametrize("make", PARTS)
def test_to_zarr__a_part_is_a_store(source: Path, tmp_path: Path, make: str):
    part = PARTS[make](ibtools.open_store(source))
    part.to_zarr(tmp_path / "part.zarr")
    expected = ibtools.analyze(part).compute().drop_attrs()
    xr.testing.assert_identical(results_of(tmp_path / "part.zarr"), expected)
    if make in ("epochs", "layers", "samples"):
        plain = PARTS[make](xr.open_zarr(source))
        plain.to_zarr(tmp_path / "plain.zarr", **ALIGNED)
        xr.testing.assert_identical(results_of(tmp_path / "plain.zarr"), expected)


def test_to_zarr__of_a_dimension_that_was_dropped(example_store: Path, tmp_path: Path):
    ibtools.open_store(example_store).sel(layer="output").to_zarr(tmp_path / "layer.zarr")
    with pytest.raises(StoreError, match=r"Select with a list, as in isel\(layer=\[0\]\)"):
        ibtools.open_store(tmp_path / "layer.zarr")


def test_to_zarr__a_copy_that_failed(example_store: Path, tmp_path: Path):
    """What is left says what it is; nobody is told to overwrite."""
    copy = tmp_path / "copy.zarr"
    with pytest.raises(ValueError, match="would overlap multiple Dask chunks"):
        xr.open_zarr(example_store).to_zarr(copy)
    with pytest.raises(StoreError, match=r"unfinished copy of a store: variable .* align_chunks"):
        ibtools.open_store(copy)


def test_concat__repeats_of_two_recordings_are_one(source: Path, tmp_path: Path):
    results = results_of(source).isel(repeat=[1, 0])
    for opens, options in ((ibtools.open_store, {}), (xr.open_zarr, ALIGNED)):
        rows = [opens(source).isel(repeat=[row]) for row in (1, 0)]
        joined = xr.concat(rows, "repeat", data_vars="minimal", coords="minimal", compat="override")
        path = tmp_path / f"{opens.__name__}.zarr"
        joined.to_zarr(path, **options)
        xr.testing.assert_identical(results_of(path), results)


def test_concat__experiments_are_not_one_store(example_store: Path):
    first = ibtools.open_store(example_store)
    second = first.assign_coords(n_units=first.n_units + 0, label=2 - first.label)
    joined = xr.concat([first, second], "experiment", data_vars="all", coords="all")
    assert "experiment is a dimension of" in repr(joined.ib)
    assert "ds.isel(experiment=0)" in joined.ib._repr_html_()
    for ask in (
        lambda: joined.ib.details("classes"),
        lambda: joined.ib.activation,
        lambda: joined.ib.layer("output"),
    ):
        with pytest.raises(StoreError, match=r"isel\(experiment=0\)"):
            ask()
    expected = second.ib.analyze().compute().drop_attrs()
    found = joined.isel(experiment=1).ib.analyze().compute().drop_attrs()
    xr.testing.assert_identical(found, expected)
    of_all = joined.ib.analyze().compute()  # each by its own labels
    assert of_all["mi_ty"].dims == ("experiment", "repeat", "epoch", "layer")
    for name in expected.data_vars:
        np.testing.assert_array_equal(of_all[name][1], expected[name])


def chosen_by_where(ds: xr.Dataset) -> list[tuple[xr.Dataset, xr.Dataset]]:
    """What where leaves with drop=True, and the same by selection."""
    by_label = ds.isel(sample=(ds.label == 1).values)
    return [
        (ds.where(ds.label == 1, drop=True), by_label),
        (ds.where(ds.epoch > 0, drop=True), ds.isel(epoch=slice(1, None))),
        (ds.where((ds.label == 1) & (ds.epoch > 0), drop=True), by_label.isel(epoch=[1, 2, 3])),
    ]


@pytest.mark.parametrize("opened", [ibtools.open_store, lambda path: xr.open_zarr(path).load()])
def test_where__with_drop_is_a_selection(example_store: Path, opened):
    for chosen, selected in chosen_by_where(opened(example_store)):
        for ask in (
            lambda ds: ds.ib.analyze(estimator=["exact", "binned"]),
            lambda ds: ds.ib.details("classes"),
            lambda ds: ds.ib.activation,
        ):
            found, expected = ask(chosen).compute(), ask(selected).compute()
            xr.testing.assert_equal(found, expected)
        assert "no store" not in repr(chosen.ib)


def test_where__without_drop_leaves_no_codes(example_store: Path):
    ds = ibtools.open_store(example_store)
    with pytest.raises(StoreError, match=r"where .*drop=True, or select, as in ds\.isel"):
        ds.where(ds.label == 1).ib.analyze().compute()


def test_concat__of_samples_with_all_variables(example_store: Path):
    ds = ibtools.open_store(example_store)
    other = ds.assign(scale=2 * ds.scale)
    with pytest.raises(StoreError, match=r"differ along sample.*data_vars='minimal'"):
        xr.concat([ds, other], "sample", data_vars="all").ib.analyze()


def test_validate_derived__codes_of_another_dtype(example_store: Path):
    ds = xr.open_zarr(example_store)
    with pytest.raises(
        StoreError, match=r"must have code as uint8 or uint16 .*found int64.*unit\)$"
    ):
        ds.assign(code=ds.code.astype("int64")).ib.analyze()


def test_open_datatree__of_a_store_that_grows(example_store: Path):
    """Recording, results and what is kept for resuming are one tree, while it is recorded too."""
    group = open_group(example_store, "r+")
    prepare_checkpoints(group)
    for repeat, state in enumerate((b"state", b"a longer state")):
        save_checkpoint(group, repeat, 1, state)
    results = results_of(example_store)
    ibtools.details_store(example_store, "units", quiet=True)
    tree = xr.open_datatree(example_store, engine="zarr")
    assert {"/", "/checkpoint", "/information/exact", "/details/exact/units"} <= set(tree.groups)
    assert tree["/information/exact/mi_ty"].equals(results["mi_ty"])
    delete_checkpoints(group)
    consolidate(example_store)
    assert "/checkpoint" not in xr.open_datatree(example_store, engine="zarr").groups


def test_analyze__without_the_codes_of_quantised_layers(example_store: Path):
    with pytest.raises(StoreError, match="but code is missing"):
        ibtools.open_store(example_store).drop_vars("code").ib.analyze()


def test_open_group__of_stores_joined_along_a_new_dim(example_store: Path, tmp_path: Path):
    ds = ibtools.open_store(example_store)
    xr.concat([ds, ds], "rate").to_zarr(tmp_path / "joined.zarr")
    with pytest.raises(StoreError, match=r"must have the dimensions .*found \('rate'"):
        store_info(tmp_path / "joined.zarr")


def test_classes__that_name_other_labels(tmp_path: Path):
    """Names belong to labels: of labels that were given since, they are not shown."""
    words = np.array(["cat", "dog"])[np.arange(64) % 2]
    codes = np.zeros((1, 1, 64, 1), np.uint8)
    ibtools.record_arrays(tmp_path / "w.zarr", {"h": codes}, label=words)
    ds = ibtools.open_store(tmp_path / "w.zarr")
    ds.assign_coords(label=("sample", np.arange(64) // 16)).to_zarr(tmp_path / "r.zarr")
    assert store_info(tmp_path / "w.zarr").classes == ("cat", "dog")
    assert store_info(tmp_path / "r.zarr").classes is None
    (found,) = ibtools.check(tmp_path / "r.zarr", quiet=True).violations
    assert found.name == "classes"
