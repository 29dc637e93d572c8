"""Several estimators in one pass, and results that say which bins they are of."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import ibtools
from ibtools.analysis.estimators import Binned
from ibtools.analysis.passes import writing
from ibtools.analysis.passes.graph import analyze
from ibtools.analysis.passes.results import (
    AnalysisReport,
    analyze_store,
    open_results,
    result_names,
)
from ibtools.errors import StoreError
from ibtools.store.creation import create_store
from ibtools.store.layout import StoreSpec
from ibtools.store.schema import CUBE
from ibtools.store.snapshots import LayerSpec, LayerValues
from ibtools.store.writer import RepeatWriter

SEVERAL = [
    "exact",
    "requantised",
    "binned-uniform-3-global",
    "binned-uniform-4-0_1-per-unit",
    "binned-quantile-3-unit",
    "binned-width-0.3-zero",
]


def test_analyze__several_equal_each_alone(example_store: Path):
    dataset = ibtools.open_store(example_store)
    found = analyze(dataset, estimator=SEVERAL).compute()
    assert found["mi_xt"].dims == ("estimator", *CUBE[:3])
    assert found["estimator"].values.tolist() == SEVERAL
    for name in SEVERAL:
        alone = analyze(dataset, estimator=name).compute()
        selected = found.sel(estimator=name, drop=True)
        xr.testing.assert_equal(selected[list(alone.data_vars)], alone)
    assert found["n_clipped"].dtype == np.int64
    assert (found["n_clipped"].sel(estimator="exact") == -1).all()
    assert np.isnan(found["mi_xt_per_unit"].sel(estimator="exact")).all()


def test_analyze__several_read_a_chunk_once(example_store: Path, monkeypatch):
    dataset = xr.open_zarr(example_store)
    reads = []

    def read(block, block_info=None):
        if block_info:
            reads.append(tuple(block_info[0]["chunk-location"]))
        return block

    for name in ("code", "activation"):
        dataset[name] = dataset[name].copy(data=dataset[name].data.map_blocks(read))
    analyze(dataset, estimator=SEVERAL).compute(scheduler="synchronous")
    assert len(reads) == 2 * 3  # two repeats, three layers, one block of epochs


def test_analyze__several_are_lazy(example_store: Path, forbid_computing):
    dataset = ibtools.open_store(example_store)
    small = ("complete", "scale", "zero_point", "activation_min", "activation_max")
    dataset = dataset.assign({name: dataset[name].load() for name in small})
    with forbid_computing:
        results = analyze(dataset, estimator=SEVERAL)
        repr(results)
    assert all(variable.chunks is not None for variable in results.data_vars.values())


@pytest.mark.sampled(2)
@pytest.mark.parametrize("chunks", [(1, 2, 1, 30, 2), (2, 4, 3, 64, 5)])
@pytest.mark.parametrize("scheduler", ["threads", "processes"])
def test_analyze__several_with_any_chunking_and_scheduler(
    example_store: Path, scheduler: str, chunks: tuple
):
    dataset = ibtools.open_store(example_store)
    expected = analyze(dataset, estimator=SEVERAL).compute(scheduler="synchronous")
    rechunked = dataset.chunk(dict(zip(CUBE, chunks, strict=True)))
    found = analyze(rechunked, estimator=SEVERAL).compute(scheduler=scheduler, num_workers=2)
    assert found.equals(expected)


def test_analyze__binned_equals_bins_of_the_decoded_values(example_store: Path):
    """The oracle bins what `open_store` shows, softmax probabilities among them."""
    dataset = ibtools.open_store(example_store)
    found = analyze(dataset, estimator="binned-uniform-5-layer").compute()
    activation = dataset["activation"].compute()
    for layer in ("hidden_1", "free", "output"):
        values = activation.sel(repeat=1, epoch=5, layer=layer).dropna("unit").values.astype(float)
        low, high = values.min(), values.max()
        bins = np.minimum(np.floor((values - low) / (high - low) * 5), 4)
        expected = len(np.unique(bins, axis=0))
        assert int(found["n_states"].sel(repeat=1, epoch=5, layer=layer)) == expected


def test_analyze__global_bounds_are_of_all_layers_and_softmax_is_0_to_1(example_store: Path):
    dataset = ibtools.open_store(example_store)
    found = analyze(dataset, estimator=Binned(n_bins=3, bounds="global"))
    assert (found.attrs["bounds_low"], found.attrs["bounds_high"]) == (-0.5, 2.0)
    output = analyze(dataset.sel(layer=["output"]), estimator="binned-uniform-3-global")
    assert (output.attrs["bounds_low"], output.attrs["bounds_high"]) == (0.0, 1.0)
    given = analyze(dataset, estimator=Binned(n_bins=3, bounds=(-0.5, 2.0))).compute()
    xr.testing.assert_equal(given.drop_vars("n_clipped"), found.compute())
    assert int(given["n_clipped"].sum()) == 0


def test_analyze__results_are_called_what_they_are(example_store: Path):
    found = analyze(ibtools.open_store(example_store), estimator="binned-width-per-unit")
    assert found["mi_xt"].attrs["long_name"] == "H(binned T)"
    assert found["mi_ty"].attrs["long_name"] == "I(binned T;Y)"
    assert found["mi_xt_per_unit"].attrs["long_name"] == "mean H(binned T_i)"
    assert "not the information of T about X" in found["mi_xt"].attrs["description"]
    expected = {
        "estimator": "binned-width-0.07-zero-per-unit",
        "strategy": "width",
        "bin_width": 0.07,
        "bounds": "zero",
    }
    assert expected.items() <= found.attrs.items()
    assert "n_bins" not in found.attrs
    several = analyze(ibtools.open_store(example_store), estimator=["exact", "requantised"])
    assert several["mi_xt"].attrs["long_name"] == "I(X;T) or H(requantised T)"
    assert "estimator" not in several.attrs
    assert several["mi_xt_meaning"].values.tolist() == ["I(X;T)", "H(requantised T)"]


def test_analyze_store__several(example_store: Path):
    reports = analyze_store(example_store, estimator=SEVERAL, quiet=True)
    assert [report.estimator for report in reports] == SEVERAL
    assert all((r.computed, r.skipped, r.incomplete) == (8, 0, 0) for r in reports)
    assert set(result_names(example_store)) == set(SEVERAL)
    found = open_results(example_store, estimator=SEVERAL).load()
    expected = analyze(ibtools.open_store(example_store), estimator=SEVERAL).compute()
    xr.testing.assert_equal(found, expected)
    for name in expected.data_vars:
        assert found[name].attrs == expected[name].attrs


def test_analyze_store__whole_layer_and_per_unit_never_overwrite_each_other(example_store: Path):
    analyze_store(example_store, quiet=True)
    before = open_results(example_store).load()
    analyze_store(example_store, estimator="exact-per-unit", quiet=True)
    xr.testing.assert_identical(open_results(example_store).load(), before)
    both = open_results(example_store, estimator="exact-per-unit").load()
    xr.testing.assert_equal(both[list(before.data_vars)], before)
    assert (both["mi_xt_per_unit"] <= both["mi_xt"]).all()


def test_analyze_store__computes_only_what_an_estimator_lacks(example_store: Path, monkeypatch):
    analyze_store(example_store, estimator="exact", quiet=True)
    visits = []
    original = writing.write_window

    def count(groups, window):
        visits.append(len(window.measures))
        original(groups, window)

    monkeypatch.setattr(writing, "write_window", count)
    reports = analyze_store(example_store, estimator=["exact", "binned", "requantised"], quiet=True)
    assert [(report.computed, report.skipped) for report in reports] == [(0, 8), (8, 0), (8, 0)]
    assert visits == [2, 2]


def partial_store(path: Path, recorded: int, seed: int = 5) -> RepeatWriter:
    layer = LayerSpec("x", 3, "relu", 32)
    spec = StoreSpec((layer,), (0,), tuple(range(6)), (1,), np.arange(32) % 2)
    writer = RepeatWriter(create_store(path, spec), 0)
    writer.start_attempt(seed=seed, failed_attempts=0)
    record(writer, range(recorded))
    return writer


def record(writer: RepeatWriter, epochs: range, scale: float = 1.0) -> None:
    """Write random values whose range grows with the epoch."""
    for epoch in epochs:
        values = np.random.default_rng(epoch).random((32, 3)) * scale * (1 + epoch)
        writer.add_snapshot(epoch, {"x": LayerValues(values.astype(np.float32))})
    writer.commit()


def test_analyze_store__global_bounds_that_grew_compute_everything_anew(tmp_path: Path):
    path = tmp_path / "s.zarr"
    writer = partial_store(path, recorded=2)
    names = ["binned-uniform-5-global", "binned-uniform-5-layer"]
    assert [r.computed for r in analyze_store(path, estimator=names, quiet=True)] == [2, 2]
    record(writer, range(2, 6))
    reports = analyze_store(path, estimator=names, quiet=True)
    assert [(report.computed, report.skipped) for report in reports] == [(6, 0), (4, 2)]
    assert reports[0].anew == (
        "all anew, because the range of all values, between which the bins lie, is another now",
    )
    assert reports[1].anew == ()
    expected = analyze(ibtools.open_store(path), estimator=names).compute()
    xr.testing.assert_equal(open_results(path, estimator=names).load(), expected)
    alone = open_results(path, estimator=names[0])
    assert alone.attrs["bounds_high"] == float(ibtools.open_store(path)["activation_max"].max())
    assert [r.computed for r in analyze_store(path, estimator=names, quiet=True)] == [0, 0]


def test_analyze_store__a_repeat_that_began_anew_is_analysed_anew(tmp_path: Path):
    path = tmp_path / "s.zarr"
    writer = partial_store(path, recorded=6)
    assert analyze_store(path, quiet=True).computed == 6
    writer.start_attempt(seed=6, failed_attempts=1)
    record(writer, range(6), scale=0.1)
    anew = ("anew, because they were recorded anew: repeats [0]",)
    found = analyze_store(path, quiet=True)
    assert found == AnalysisReport("exact", 6, 0, 0, anew=anew, is_saturated=True)
    assert analyze_store(path, quiet=True).anew == ()


def test_open_results__abbreviations(example_store: Path):
    analyze_store(example_store, estimator="binned", quiet=True)
    found = open_results(example_store, estimator="binned")
    assert found.attrs["estimator"] == "binned-uniform-30-layer"
    assert open_results(example_store, estimator=Binned()).attrs == found.attrs
    with pytest.raises(StoreError, match=r"no results of estimator 'binned-uniform-100-layer'"):
        open_results(example_store, estimator="binned-uniform-100")


def test_analyze_store__reports_what_given_bounds_clip(example_store: Path):
    report = analyze_store(example_store, estimator=Binned(bounds=(0, 1)), quiet=True)
    activation = ibtools.open_store(example_store)["activation"].compute()
    outside = int(((activation < 0) | (activation > 1)).sum())
    assert (report.n_clipped, report.n_values) == (outside, 8 * 64 * 10)
    assert f"{outside} of 5120 values" in str(report)
    again = analyze_store(example_store, estimator=Binned(bounds=(0, 1)), quiet=True)
    assert (again.computed, again.n_clipped) == (0, outside)
    inside = analyze_store(example_store, estimator=Binned(bounds=(-9, 9)), quiet=True)
    assert "outside" not in str(inside)


def test_analyze__binned_float_networks_may_break_data_processing(tmp_path: Path):
    """A layer may have more binned entropy than the layer that it is computed from.

    The second layer stretches differences that the bins of the first do not see. The exact
    information obeys the inequality, as it must.
    """
    rng = np.random.default_rng(0)
    first = np.append(rng.uniform(0.0, 0.01, 63), 1.0)[:, np.newaxis].astype(np.float32)
    second = np.tanh(200 * first)
    path = tmp_path / "s.zarr"
    ibtools.record_arrays(
        path, {"first": first[None, None], "second": second[None, None]}, label=np.arange(64) % 2
    )
    found = analyze(ibtools.open_store(path), estimator=["exact", "binned"]).compute()
    for name in ("mi_xt", "mi_ty"):
        first_layer, second_layer = found[name].transpose("layer", ...)
        assert float(second_layer.sel(estimator="exact").item()) <= float(
            first_layer.sel(estimator="exact").item()
        )
        assert float(second_layer.sel(estimator="binned-uniform-30-layer").item()) > float(
            first_layer.sel(estimator="binned-uniform-30-layer").item()
        )
