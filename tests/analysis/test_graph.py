from pathlib import Path

import dask
import numpy as np
import pytest
import xarray as xr
from dask.highlevelgraph import MaterializedLayer

import ibtools
from ibtools.analysis.passes.graph import analyze
from ibtools.errors import StoreError, UnknownNameError
from ibtools.store.creation import create_store
from ibtools.store.layout import StoreSpec
from ibtools.store.schema import CUBE
from ibtools.store.snapshots import LayerSpec, LayerValues
from ibtools.store.writer import RepeatWriter
from tests.analysis.oracle import slow_information, slow_partition
from tests.conftest import LABEL


def test_analyze__equals_the_oracle_on_every_layer(example_store: Path):
    dataset = ibtools.open_store(example_store)
    results = analyze(dataset).compute()
    raw = xr.open_zarr(example_store).load()
    for repeat, epoch in [(0, 0), (1, 5), (1, 10)]:
        for layer, n_units in [("hidden_1", 5), ("free", 2), ("output", 3)]:
            name = "activation" if layer == "free" else "code"
            values = raw[name].sel(repeat=repeat, epoch=epoch, layer=layer).values[:, :n_units]
            if layer == "output":
                values = values.astype(int) - values.max(axis=1, keepdims=True).astype(int)
            labels, n_states = slow_partition(values)
            entropy_t, mi_ty = slow_information(labels, LABEL)
            found = results.sel(repeat=repeat, epoch=epoch, layer=layer)
            assert float(found["mi_xt"]) == pytest.approx(float(entropy_t), abs=1e-12)
            assert float(found["mi_ty"]) == pytest.approx(float(mi_ty), abs=1e-12)
            assert int(found["n_states"]) == n_states


def test_analyze__is_lazy(example_store: Path, forbid_computing):
    dataset = ibtools.open_store(example_store)
    dataset["complete"] = dataset["complete"].load()
    with forbid_computing:
        results = analyze(dataset)
    assert all(variable.chunks is not None for variable in results.data_vars.values())


def test_analyze__result_says_what_it_is(example_store: Path):
    results = analyze(ibtools.open_store(example_store))
    assert results["mi_xt"].dtype == np.float64
    assert results["mi_xt"].attrs["units"] == "bit"
    assert results["n_states"].dtype == np.int64
    assert results.attrs["estimator"] == "exact"
    assert results.attrs["n_samples"] == 64
    assert results.attrs["entropy_x"] == 6.0
    assert results.attrs["entropy_y"] == pytest.approx(
        float(slow_information(LABEL, LABEL)[0]), abs=1e-12
    )
    assert {"created", "ibtools_version", "store_id"} <= set(results.attrs)


@pytest.mark.parametrize("chunks", [(1, 1, 1, 7, 1), (2, 4, 3, 64, 5), (2, 1, 2, 13, 2)])
def test_analyze__any_chunking_gives_the_same_bits(example_store: Path, chunks: tuple):
    dataset = ibtools.open_store(example_store)
    expected = analyze(dataset).compute()
    rechunked = dataset.chunk(dict(zip(CUBE, chunks, strict=True)))
    assert analyze(rechunked).compute().equals(expected)
    assert analyze(dataset.load()).compute().equals(expected)


def test_analyze__any_scheduler_gives_the_same_bits(example_store: Path):
    dataset = ibtools.open_store(example_store)
    expected = analyze(dataset).compute(scheduler="synchronous")
    for options in (
        {"scheduler": "threads", "num_workers": 1},
        {"scheduler": "threads", "num_workers": 4},
        {"scheduler": "processes", "num_workers": 2},
    ):
        assert analyze(dataset).compute(**options).equals(expected)


def test_analyze__plain_xarray_and_selections(example_store: Path):
    expected = analyze(ibtools.open_store(example_store)).compute()
    plain = xr.open_zarr(example_store)
    assert analyze(plain).compute().equals(expected)
    chosen = analyze(plain.sel(layer=["output"]).isel(epoch=[0, -1])).compute()
    xr.testing.assert_equal(chosen, expected.sel(layer=["output"]).isel(epoch=[0, -1]))


def test_analyze__permuting_samples_and_units_changes_no_bit(example_store: Path):
    dataset = xr.open_zarr(example_store).load()
    expected = analyze(dataset).compute()
    samples = np.random.default_rng(0).permutation(64)
    assert analyze(dataset.isel(sample=samples)).compute().equals(expected)
    hidden = dataset.sel(layer=["hidden_1"])
    permuted = hidden.isel(unit=[3, 0, 4, 1, 2])
    xr.testing.assert_equal(analyze(permuted).compute(), analyze(hidden).compute())


def test_analyze__incomplete_snapshots_are_missing(tmp_path: Path):
    spec = StoreSpec((LayerSpec("x", 1, "relu", 8),), (0,), (0, 1), (1,), np.array([0, 1]))
    group = create_store(tmp_path / "s.zarr", spec)
    with pytest.raises(StoreError, match="no complete snapshot yet"):
        analyze(ibtools.open_store(tmp_path / "s.zarr"))
    writer = RepeatWriter(group, 0)
    writer.add_snapshot(0, {"x": LayerValues(np.array([[1], [2]], "uint8"), 1.0)})
    writer.commit()
    results = analyze(ibtools.open_store(tmp_path / "s.zarr")).compute()
    np.testing.assert_array_equal(results["mi_ty"].values, [[[1.0], [np.nan]]])
    np.testing.assert_array_equal(results["n_states"].values, [[[2], [0]]])


def test_analyze__refuses(example_store: Path):
    dataset = ibtools.open_store(example_store)
    with pytest.raises(UnknownNameError, match=r"unknown estimator 'exakt'; did you mean 'exact'"):
        analyze(dataset, estimator="exakt")
    with pytest.raises(StoreError, match=r"epoch was dropped.*ds.isel\(epoch=\[0\]\)"):
        analyze(dataset.isel(epoch=0))
    with pytest.raises(StoreError, match="label is missing; open it"):
        analyze(dataset.drop_vars("label"))
    with pytest.raises(StoreError, match="code or activation or partition is missing"):
        analyze(dataset.drop_vars(["code", "activation"]))


def test_analyze__one_task_per_repeat_layer_and_block(example_store: Path):
    graph = analyze(ibtools.open_store(example_store))["mi_xt"].data
    blocks = [key for key in dask.optimize(graph)[0].__dask_graph__() if "_block" in str(key)]
    assert len(blocks) <= 2 * 3


def test_analyze__a_million_chunks_stay_symbolic(tmp_path: Path):
    """No layer of the graph has the length of the store; nothing of the store is recorded."""
    layers = tuple(LayerSpec(f"layer_{i}", 10, "tanh", 8) for i in range(10))
    spec = StoreSpec(layers, tuple(range(100)), tuple(range(64_000)), (1,), np.zeros(4096, int))
    group = create_store(tmp_path / "s.zarr", spec)
    group["complete"][...] = True
    dataset = xr.open_zarr(tmp_path / "s.zarr")
    assert dataset["code"].data.npartitions == 10**6
    graph = analyze(dataset)["mi_xt"].data.dask
    spelled_out = [layer for layer in graph.layers.values() if isinstance(layer, MaterializedLayer)]
    assert sum(len(layer) for layer in spelled_out) < 200_000  # `complete`, cut as the snapshots
