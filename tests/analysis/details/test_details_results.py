"""Details on disk: written, resumed, out of date, opened."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import ibtools
from ibtools.analysis.details import About, Permutations
from ibtools.analysis.details import results as results_module
from ibtools.analysis.details.results import DetailsReport
from ibtools.analysis.passes import writing
from ibtools.errors import StoreError
from ibtools.store.creation import create_store
from ibtools.store.layout import StoreSpec
from ibtools.store.snapshots import LayerSpec, LayerValues
from ibtools.store.writer import RepeatWriter
from tests.analysis.details.test_details import EVERY

LAYERS = (LayerSpec("x", 3, "relu", 32), LayerSpec("output", 2, "softmax", 32))


def partial_store(path: Path, recorded: int) -> RepeatWriter:
    spec = StoreSpec(LAYERS, (0,), tuple(range(6)), (1,), np.arange(32) % 2)
    writer = RepeatWriter(create_store(path, spec), 0)
    writer.start_attempt(seed=5, failed_attempts=0)
    record(writer, range(recorded))
    return writer


def record(writer: RepeatWriter, epochs: range, scale: float = 1.0) -> None:
    """Write random values whose range grows with the epoch."""
    for epoch in epochs:
        rng = np.random.default_rng(epoch)
        values = {
            layer.name: LayerValues(
                (rng.random((32, layer.n_units)) * scale * (1 + epoch)).astype(np.float32)
            )
            for layer in LAYERS
        }
        writer.add_snapshot(epoch, values)
    writer.commit()


def counts(reports):
    return [(report.computed, report.skipped, report.incomplete) for report in reports]


def test_details_store__writes_what_details_computes(example_store):
    reports = ibtools.details_store(example_store, EVERY, quiet=True)
    assert counts(reports) == [(8, 0, 0)] * len(EVERY)
    assert str(reports[0]) == (
        "details/exact/classes: 8 snapshots analysed, 0 skipped (analysed before)"
    )
    for name, expected in ibtools.details(ibtools.open_store(example_store), EVERY).items():
        found = ibtools.open_details(example_store, name).load()
        xr.testing.assert_equal(found, expected.compute())
        for variable in expected.data_vars:
            assert found[variable].dtype == expected[variable].dtype
            assert found[variable].attrs == expected[variable].attrs
        plain = xr.open_zarr(example_store, group=f"details/exact/{name}")
        assert set(plain.data_vars) == {*expected.data_vars, "checksum", "analysed"}


def test_details_store__computes_nothing_twice(example_store, monkeypatch):
    ibtools.details_store(example_store, "layers", quiet=True)
    written = []
    original = writing.write_window

    def count(groups, window):
        written.append(len(window.measures))
        original(groups, window)

    monkeypatch.setattr(writing, "write_window", count)
    reports = ibtools.details_store(example_store, ["layers", "classes"], quiet=True)
    assert counts(reports) == [(0, 8, 0), (8, 0, 0)]
    assert written == [1, 1]


def test_details_store__does_not_touch_the_ordinary_results(example_store):
    """Whichever comes first."""
    ibtools.details_store(example_store, "layers", quiet=True)
    assert "none yet" in _info(example_store)
    ibtools.analyze_store(example_store, quiet=True)
    before = ibtools.open_results(example_store).load()
    ibtools.details_store(example_store, "classes", quiet=True)
    xr.testing.assert_identical(ibtools.open_results(example_store).load(), before)
    assert ibtools.details_store(example_store, "layers", quiet=True)[0].skipped == 8


def _info(path):
    from ibtools.store.info import format_info, store_info

    return format_info(store_info(path), path)


def test_details_store__goes_on_as_the_recording_does(tmp_path):
    path = tmp_path / "s.zarr"
    writer = partial_store(path, recorded=2)
    assert counts(ibtools.details_store(path, "splits", quiet=True)) == [(2, 0, 4)]
    opened = ibtools.open_details(path, "splits")
    assert np.isnan(opened["mi_xt"].values[0, 2:]).all()
    assert (opened["n_singletons"].values[0, 2:] == -1).all()
    record(writer, range(2, 6))
    report = ibtools.details_store(path, "splits", quiet=True)
    assert report == (DetailsReport("details/exact/splits", 4, 2, 0),)
    expected = ibtools.details(ibtools.open_store(path), "splits").compute()
    xr.testing.assert_equal(ibtools.open_details(path, "splits").load(), expected)


def test_details_store__a_repeat_that_began_anew_is_computed_anew(tmp_path):
    path = tmp_path / "s.zarr"
    writer = partial_store(path, recorded=6)
    ibtools.details_store(path, "layers", quiet=True)
    writer.start_attempt(seed=6, failed_attempts=1)
    record(writer, range(6), scale=0.1)
    assert counts(ibtools.details_store(path, "layers", quiet=True)) == [(6, 0, 0)]


def test_details_store__global_bounds_that_grew_compute_everything_anew(tmp_path):
    path, names = tmp_path / "s.zarr", ["binned-uniform-5-global", "binned-uniform-5-layer"]
    writer = partial_store(path, recorded=2)
    for name in names:
        ibtools.details_store(path, "layers", estimator=name, quiet=True)
    record(writer, range(2, 6))
    found = [ibtools.details_store(path, "layers", estimator=one, quiet=True)[0] for one in names]
    assert counts(found) == [(6, 0, 0), (4, 2, 0)]


def test_details_store__another_label_of_the_same_name_is_computed_anew(example_store):
    parity, other = np.arange(64) % 2, np.arange(64) // 2
    for values, expected in ((parity, 8), (parity, 0), (other, 8), (other, 0)):
        (report,) = ibtools.details_store(example_store, About("s", values), quiet=True)
        assert report.computed == expected
    found = ibtools.open_details(example_store, "by-s")
    assert found.attrs["label_values"] == 32
    assert found.attrs["entropy_s"] == 5.0


def test_details_store__permutations_of_other_options_are_other_details(example_store):
    for options, name in (((10, 0), "permutations-10-0"), ((10, 1), "permutations-10-1")):
        ibtools.details_store(example_store, Permutations(*options), quiet=True)
        assert ibtools.open_details(example_store, name).attrs["n_permutations"] == 10


def test_details_store__output_elsewhere(example_store, tmp_path):
    before = sorted(example_store.rglob("*"))
    output = tmp_path / "details.zarr"
    ibtools.details_store(example_store, "layers", output=output, quiet=True)
    assert sorted(example_store.rglob("*")) == before
    assert ibtools.open_details(output, "layers").sizes["other_layer"] == 3
    partial_store(tmp_path / "s.zarr", recorded=1)
    with pytest.raises(StoreError, match="details of another store"):
        ibtools.details_store(tmp_path / "s.zarr", "layers", output=output, quiet=True)


def test_details_store__killed_between_blocks_goes_on(example_store, monkeypatch):
    original, calls = writing.write_window, iter(range(1))

    def die(*arguments):
        if next(calls, None) is None:
            raise KeyboardInterrupt
        original(*arguments)

    monkeypatch.setattr(writing, "write_window", die)
    with pytest.raises(KeyboardInterrupt):
        ibtools.details_store(example_store, "layers", quiet=True)
    monkeypatch.undo()
    assert counts(ibtools.details_store(example_store, "layers", quiet=True)) == [(4, 4, 0)]


def test_open_details__none_yet(example_store):
    message = r"no details 'layers' of exact; compute them with: ibtools details .* layers"
    with pytest.raises(StoreError, match=message):
        ibtools.open_details(example_store, "layers")


def test_details_store__of_what_is_recorded_meanwhile_nothing_is_marked(tmp_path, monkeypatch):
    """A snapshot that is completed after the details began is left to the next run."""
    path = tmp_path / "s.zarr"
    writer = partial_store(path, recorded=2)
    original = results_module.details_each

    def meanwhile(*arguments):
        found = original(*arguments)
        record(writer, range(2, 6))
        return found

    with monkeypatch.context() as patch:
        patch.setattr(results_module, "details_each", meanwhile)
        assert counts(ibtools.details_store(path, "units", quiet=True)) == [(2, 0, 4)]
    assert counts(ibtools.details_store(path, "units", quiet=True)) == [(4, 2, 0)]
    expected = ibtools.details(ibtools.open_store(path), "units").compute()
    xr.testing.assert_equal(ibtools.open_details(path, "units").load(), expected)
