from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import ibtools
from ibtools.errors import InputError, StoreError
from ibtools.recorders.engines import ENGINES
from ibtools.store.snapshots import LayerValues
from tests.recorders.loops import LABEL, snapshot_of, train


@pytest.fixture
def stores(tmp_path: Path) -> list[Path]:
    """Two stores of one repeat each, of other epochs and scalars."""
    train(tmp_path / "a.zarr", 4, seed=1)
    with ibtools.Recorder(
        tmp_path / "b.zarr", label=LABEL, bits={"hidden": 4}, seed=2, quiet=True
    ) as recorder:
        for epoch in (0, 4, 8):
            recorder.epoch(epoch, momentum=0.9)
            recorder.snapshot(epoch, snapshot_of(1, epoch))
    return [tmp_path / "a.zarr", tmp_path / "b.zarr"]


def test_open_store__several_along_repeat(stores):
    joined = ibtools.open_store(stores)
    assert joined["repeat"].values.tolist() == [0, 1]
    assert joined["seed"].values.tolist() == [1, 2]
    assert joined["store"].values.tolist() == [str(one) for one in stores]
    assert joined["epoch"].values.tolist() == [0, 1, 2, 3, 4, 8]
    expected = [[True] * 5 + [False], [True, False, False, False, True, True]]
    assert joined["complete"].values.tolist() == expected
    assert joined["code"].dtype == np.uint8
    assert joined["momentum"].sel(repeat=1).values.tolist()[-1] == 0.9
    assert np.isnan(joined["momentum"].sel(repeat=0)).all()


@pytest.mark.parametrize("dim", ["repeat", "run"])
def test_analyze__several_stores_equal_each(stores, dim):
    joined = ibtools.analyze(ibtools.open_store({"a": stores[0], "b": stores[1]}, dim=dim)).load()
    for place, path in enumerate(stores):
        alone = ibtools.analyze(ibtools.open_store(path)).load()
        found = joined.isel({dim: [place] if dim == "repeat" else place})
        found = found.sel(epoch=alone["epoch"])
        for name in ("mi_xt", "mi_ty", "mi_ty_null", "n_states"):
            np.testing.assert_array_equal(found[name], alone[name])
    if dim == "run":
        assert joined["run"].values.tolist() == ["a", "b"]


def record_part(path: Path, first: int, repeats: int, **settings) -> Path:
    """Record some repeats of one experiment with an engine without TensorFlow, and analyse them."""
    counts = {"first_repeat": first, "repeats": repeats, "epochs": 3, "schedule": "every:1"}
    ibtools.record("SYN-Tanh", path, engine="fake", quiet=True, **counts, **settings)
    ibtools.analyze_store(path, quiet=True)
    return path


@pytest.fixture
def fake_engine(monkeypatch):
    monkeypatch.setitem(ENGINES.builtin, "fake", "tests.recorders.fake_engine:FakeEngine")


def test_open_results__parts_of_a_recording_are_the_whole(fake_engine, tmp_path):
    parts = [record_part(tmp_path / "0.zarr", 0, 2), record_part(tmp_path / "2.zarr", 2, 1)]
    whole = ibtools.open_results(record_part(tmp_path / "whole.zarr", 0, 3)).load()
    joined = ibtools.open_results(parts).load()
    xr.testing.assert_equal(joined.drop_vars("store"), whole)
    assert joined["store"].values.tolist() == [str(parts[0])] * 2 + [str(parts[1])]
    assert joined.attrs["configuration"] == whole.attrs["configuration"]
    several = ibtools.open_results(parts, estimator=None)
    xr.testing.assert_equal(several.sel(estimator="exact", drop=True)["mi_xt"], joined["mi_xt"])


def test_open_results__repeats_of_one_number_are_numbered_anew(fake_engine, tmp_path):
    stores = {
        "a": record_part(tmp_path / "a.zarr", 0, 2),
        "b": record_part(tmp_path / "b.zarr", 0, 2),
    }
    joined = ibtools.open_results(stores)
    assert joined["repeat"].values.tolist() == [0, 1, 2, 3]
    assert joined["store"].values.tolist() == ["a", "a", "b", "b"]


def test_open_results__joins_one_experiment_only(fake_engine, tmp_path):
    one = record_part(tmp_path / "one.zarr", 0, 1)
    slower = record_part(tmp_path / "slower.zarr", 1, 1, learning_rate=1e-5)
    shorter = record_part(tmp_path / "shorter.zarr", 1, 1, samples=100)
    with pytest.raises(StoreError, match=r"learning_rate of .*slower.zarr differ"):
        ibtools.open_results([one, slower])
    with pytest.raises(StoreError, match=r"samples of .*shorter.zarr differ"):
        ibtools.open_results([one, shorter])
    with pytest.raises(InputError, match="at least one store"):
        ibtools.open_results([])


def test_plot__two_runs_in_one_line(stores):
    runs = ibtools.open_store({"first": stores[0], "second": stores[1]}, dim="run")
    figure = ibtools.plot(runs.ib.analyze().compute(), "information-plane")
    titles = [ax.get_title() for ax in figure.axes if ax.get_title()]
    assert any("run = first" in title for title in titles)
    assert any("run = second" in title for title in titles)


def test_open_store__runs_of_other_widths(tmp_path):
    for bits in (4, 8):
        code = np.arange(24, dtype="uint8")[:, np.newaxis] % 2**4
        with ibtools.Recorder(
            tmp_path / f"{bits}.zarr", label=LABEL, bits=bits, quiet=True
        ) as recorder:
            recorder.snapshot(0, {"a": LayerValues(code, 0.5, 0)})
    runs = ibtools.open_store([tmp_path / "4.zarr", tmp_path / "8.zarr"], dim="run")
    assert runs["bits"].dims == ("run", "layer")
    assert ibtools.analyze(runs)["n_states"].values.ravel().tolist() == [16, 16]
    with pytest.raises(StoreError, match="but bits of"):
        ibtools.open_store([tmp_path / "4.zarr", tmp_path / "8.zarr"])


def test_open_store__several_that_differ(stores, tmp_path):
    train(tmp_path / "other.zarr", 1, label=LABEL[::-1])
    with pytest.raises(StoreError, match=r"but label of .*other\.zarr differs"):
        ibtools.open_store([stores[0], tmp_path / "other.zarr"])
    with pytest.raises(InputError, match="at least one store"):
        ibtools.open_store([])
    with pytest.raises(InputError, match="dim must be repeat, or a name"):
        ibtools.open_store(stores, dim="unit")


def test_open_store__several_are_lazy_and_saved(stores, tmp_path):
    joined = ibtools.open_store(stores)
    assert joined["code"].chunks is not None
    joined.drop_vars(["activation", "store"]).to_zarr(tmp_path / "joined.zarr", consolidated=False)
    assert xr.open_zarr(tmp_path / "joined.zarr", consolidated=False).sizes["repeat"] == 2
