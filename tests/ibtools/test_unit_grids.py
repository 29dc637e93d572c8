"""Layers whose units have grids of their own: what is stored, and that every reader is right."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr
from numpy.typing import NDArray

import ibtools
from ibtools import LayerValues, StoreError
from ibtools.analysis.check.measure import Audit, LayerAudit
from ibtools.analysis.measures.block import LayerBlock
from ibtools.analysis.passes.graph import analyze
from ibtools.store.creation import create_store
from ibtools.store.datasets import open_store
from ibtools.store.decode import dequantise
from ibtools.store.layout import StoreSpec
from ibtools.store.snapshots import LayerSpec
from ibtools.store.writer import RepeatWriter

SAMPLES, EPOCHS = 60, (0, 1, 5)
LABEL = np.arange(SAMPLES) % 3
SHAPE = (4, 2, 2)


def codes_of(repeat: int, epoch: int) -> dict[str, NDArray[np.uint8]]:
    rng = np.random.default_rng([repeat, epoch])
    return {
        "conv": rng.integers(0, 6, (SAMPLES, *SHAPE), "uint8") * 17,
        "narrow": rng.integers(0, 4, (SAMPLES, 3), "uint8"),
        "last": rng.integers(0, 5, (SAMPLES, 3), "uint8"),
    }


def grid_of(repeat: int, epoch: int) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Grids of the channels of `conv`, which come first."""
    rng = np.random.default_rng([7, repeat, epoch])
    return rng.random((4, 1, 1), "f4") + np.float32(0.1), rng.integers(0, 99, (4, 1, 1), "int32")


def snapshots(*, grids: bool = True, values: bool = False):
    """Stream snapshots with a grid of each channel, with one grid, or as the values themselves."""
    for repeat in (0, 1):
        for epoch in EPOCHS:
            layers = codes_of(repeat, epoch)
            scale, zero = grid_of(repeat, epoch) if grids else (0.5, 3)
            conv = LayerValues(layers["conv"], scale, zero)
            if values:
                conv = dequantise(layers["conv"], np.float32(scale), np.int32(zero))
            yield (
                repeat,
                epoch,
                {
                    "conv": conv,
                    "narrow": LayerValues(layers["narrow"], 0.25, 1, bits=2),
                    "last": layers["last"].astype("f4"),
                },
            )


def record(path: Path, snapshots, **options):
    ibtools.record_arrays(
        path, snapshots, label=LABEL, epochs=EPOCHS, repeats=(0, 1), is_chain=False, **options
    )
    return path


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record(tmp_path_factory.mktemp("grids") / "s.zarr", snapshots())


@pytest.fixture(scope="module")
def as_values(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record(tmp_path_factory.mktemp("values") / "s.zarr", snapshots(values=True))


def test_store__holds_the_grid_of_each_unit(store: Path):
    raw = xr.open_zarr(store)
    scale, zero = grid_of(1, 5)
    one = raw.isel(repeat=1, epoch=2)
    expected = np.broadcast_to(scale, SHAPE).ravel()
    np.testing.assert_array_equal(one.unit_scale[0], expected)
    np.testing.assert_array_equal(one.unit_zero_point[0], np.broadcast_to(zero, SHAPE).ravel())
    assert np.isnan(one.scale[0])
    assert one.scale[1] == 0.25
    assert np.isnan(one.unit_scale[1:]).all()
    assert raw.bits.values.tolist() == [8, 2, 32]


def test_open_store__decodes_each_unit_on_its_grid(store: Path, as_values: Path):
    found, expected = (open_store(path).activation for path in (store, as_values))
    np.testing.assert_array_equal(found, expected)
    for name in ("activation_min", "activation_max"):
        np.testing.assert_array_equal(open_store(store)[name], open_store(as_values)[name])


def test_open_store__selections_are_decoded(store: Path, as_values: Path):
    for selection in ({"layer": [0]}, {"epoch": [2], "layer": [0, 2]}):
        found = open_store(store).isel(selection).activation
        np.testing.assert_array_equal(found, open_store(as_values).isel(selection).activation)
    found = open_store(store).ib.layer("conv").activation
    np.testing.assert_array_equal(found, open_store(as_values).ib.layer("conv").activation)


ESTIMATORS = (
    "binned",
    "binned-uniform-30-unit",
    "binned-uniform-9-global",
    "binned-quantile-4-unit",
    "binned-width-0.07-zero",
    "kde",
    "knn-1",
    "requantised-8",
)


@pytest.mark.parametrize("estimator", ["exact", *ESTIMATORS])
def test_analyze__is_that_of_the_values(store: Path, as_values: Path, estimator: str):
    """Codes on grids of their own, and the values that they stand for, are one layer."""
    found, expected = (
        analyze(open_store(path), estimator=estimator).compute() for path in (store, as_values)
    )
    for name in expected.data_vars:
        np.testing.assert_array_equal(found[name], expected[name])


def test_analyze_store__is_that_of_the_lazy_function(store: Path, tmp_path: Path):
    for index, estimators in enumerate([ESTIMATORS[:3], ["exact", "kde"]]):
        output = tmp_path / str(index)
        ibtools.analyze_store(store, estimator=list(estimators), output=output, quiet=True)
        for estimator in estimators:
            found = ibtools.open_results(output, estimator=estimator)
            expected = analyze(open_store(store), estimator=estimator).compute()
            np.testing.assert_array_equal(found.mi_ty, expected.mi_ty)


@pytest.mark.parametrize("seed", range(3))
def test_analyze__exact_is_the_same_on_any_grid(tmp_path: Path, store: Path, seed: int):
    """A grid of each unit is a bijection of each unit: no state changes."""
    rng = np.random.default_rng(seed)

    def regridded():
        for repeat, epoch, layers in snapshots():
            scale = np.exp(rng.normal(size=(16,))).astype("f4")
            codes = layers["conv"].values.reshape(SAMPLES, 16)
            layers["conv"] = LayerValues(codes, scale, rng.integers(0, 256, 16))
            yield repeat, epoch, layers

    path = record(tmp_path / "s.zarr", regridded())
    one = record(tmp_path / "one.zarr", snapshots(grids=False))
    expected = analyze(open_store(store)).compute()
    for other in (path, one):
        found = analyze(open_store(other)).compute()
        for name in ("mi_xt", "mi_ty", "entropy_t", "n_states", "mi_ty_null"):
            np.testing.assert_array_equal(found[name], expected[name])


def test_details__of_units(store: Path, as_values: Path):
    found, expected = (ibtools.details(open_store(path), "units") for path in (store, as_values))
    for name in expected.data_vars:
        np.testing.assert_array_equal(found[name], expected[name])


def statuses(path: Path) -> dict[str, str]:
    report = ibtools.check(path, quiet=True)
    return {one.name: one.status for one in report.checks if one.subject == "recording"}


def test_check__grids_of_units_are_audited(store: Path):
    found = statuses(store)
    assert {found[one] for one in ("scale", "zero point", "range", "codes", "files")} == {"ok"}
    assert found["moving ranges"] == "ok"


def test_check__finds_wrong_grids(tmp_path: Path):
    path = record(tmp_path / "s.zarr", snapshots())
    group = zarr.open_group(path, mode="r+")
    group["unit_scale"][0, 1, 0, 2] = np.nan
    group["unit_zero_point"][1, 0, 0, 3] = 999
    del group["checksums"]
    found = {one.name: one for one in ibtools.check(path, quiet=True).checks}
    assert (found["scale"].status, found["scale"].found) == ("violation", 1)
    assert found["zero point"].worst.amount == 999 - 255
    assert found["range"].status == "violation"


def test_audit__units_in_portions_are_those_of_all():
    rng = np.random.default_rng(3)
    codes = rng.integers(0, 256, (2, 40, 6), "uint8")
    scales, zeros = rng.random((2, 6), "f4"), rng.integers(-9, 300, (2, 6), "int32")
    scales[1] = np.nan  # the second snapshot has one grid

    def audit(units: slice) -> LayerAudit:
        block = LayerBlock(
            codes[..., units],
            LayerSpec("a", 6, "linear", 8),
            np.arange(40) % 2,
            2,
            read_unit_grids=lambda: (scales[:, units], zeros[:, units]),
        )
        return Audit().reduce(block)

    whole = audit(slice(0, 6)).numbers
    merged = Audit().merge(audit(slice(0, 4)), audit(slice(4, 6))).numbers
    assert set(whole) == set(merged)
    for name, numbers in whole.items():
        np.testing.assert_array_equal(merged[name], numbers)
    values = dequantise(codes[0], scales[0], zeros[0])
    assert (whole["lowest_value"][0], whole["highest_value"][0]) == (values.min(), values.max())
    assert whole["n_unit_grids"].tolist() == [6, 0]
    assert whole["off_codes"].tolist() == [max(0, *(zeros[0] - 255), *-zeros[0]), 0]


def test_record_arrays__mapping_takes_a_grid_of_each_channel(tmp_path: Path, store: Path):
    codes, scales, zeros = ([], [], [])
    for repeat in (0, 1):
        codes.append([codes_of(repeat, epoch)["conv"] for epoch in EPOCHS])
        scales.append([grid_of(repeat, epoch)[0] for epoch in EPOCHS])
        zeros.append([grid_of(repeat, epoch)[1] for epoch in EPOCHS])
    path = tmp_path / "s.zarr"
    ibtools.record_arrays(
        path,
        {"conv": np.array(codes)},
        label=LABEL,
        epochs=EPOCHS,
        scale={"conv": np.array(scales)},
        zero_point={"conv": np.array(zeros)},
    )
    expected = open_store(store).activation.sel(layer="conv")
    np.testing.assert_array_equal(open_store(path).activation.sel(layer="conv"), expected)
    with pytest.raises(StoreError, match=r"an array \(repeat, epoch\) = \(2, 3\), found .*\(4,\)"):
        ibtools.record_arrays(
            tmp_path / "t.zarr",
            {"conv": np.array(codes)},
            label=LABEL,
            scale={"conv": [1.0, 2.0, 3.0, 4.0]},
        )


LAYERS = (LayerSpec("a", 3, "linear", 8), LayerSpec("output", 2, "softmax", 8))


def spec(**options) -> StoreSpec:
    settings = {"repeats": (0,), "epochs": tuple(range(5)), "trained_epochs": (), "label": LABEL}
    return StoreSpec(layers=LAYERS, **settings | options)


def layers_of(a_scale, output_scale=0.5, output_zero=0) -> dict[str, LayerValues]:
    codes = np.arange(SAMPLES * 3).astype("u1").reshape(SAMPLES, 3)
    return {
        "a": LayerValues(codes, a_scale),
        "output": LayerValues(codes[:, :2], output_scale, output_zero),
    }


def test_writer__a_snapshot_may_have_one_grid(tmp_path: Path):
    """Written in several commits, in any mixture, each snapshot keeps its own."""
    group = create_store(tmp_path / "s.zarr", spec(unit_grids=True))
    writer = RepeatWriter(group, 0)
    for epoch, scale in enumerate([0.5, [1.0, 2.0, 4.0], 0.25, np.float32([3, 2, 1]), 0.5]):
        writer.add_snapshot(epoch, layers_of(scale))
        writer.commit()
        writer = RepeatWriter(group, 0)
    raw = xr.open_zarr(tmp_path / "s.zarr").isel(repeat=0, layer=0)
    np.testing.assert_array_equal(raw.scale, [0.5, np.nan, 0.25, np.nan, 0.5])
    np.testing.assert_array_equal(raw.unit_scale[[1, 3]], [[1, 2, 4], [3, 2, 1]])
    assert raw.unit_scale[[0, 2, 4]].isnull().all()
    values = open_store(tmp_path / "s.zarr").activation.isel(repeat=0, layer=0)
    np.testing.assert_array_equal(values[3, 1], np.float32([9, 8, 5]))


def test_writer__without_a_place_for_them_refuses(tmp_path: Path):
    writer = RepeatWriter(create_store(tmp_path / "s.zarr", spec()), 0)
    writer.add_snapshot(0, layers_of(0.5))
    with pytest.raises(StoreError, match=r"'a' has grids of single units, .* first snapshot"):
        writer.add_snapshot(1, layers_of([1.0, 2.0, 4.0]))


def test_writer__refuses_other_sizes_and_softmax(tmp_path: Path):
    writer = RepeatWriter(create_store(tmp_path / "s.zarr", spec(unit_grids=True)), 0)
    with pytest.raises(StoreError, match=r"one scale, or one of each of the 3 units, .* \(2,\)"):
        writer.add_snapshot(0, layers_of([1.0, 2.0]))
    for grid in (([1.0, 2.0], 0), (1.0, [0, 1])):
        with pytest.raises(StoreError, match=r"'output' holds the codes .* must be on one grid"):
            writer.add_snapshot(0, layers_of(0.5, *grid))
    writer.add_snapshot(0, layers_of(0.5, [0.5, 0.5], [3, 3]))


def test_record_arrays__a_kept_partition_needs_no_grids(tmp_path: Path, store: Path):
    path = record(tmp_path / "s.zarr", snapshots(), keep="partition")
    assert "unit_scale" not in xr.open_zarr(path)
    found, expected = (analyze(open_store(one)).compute() for one in (path, store))
    np.testing.assert_array_equal(found.mi_xt, expected.mi_xt)


def test_store__without_such_layers_has_no_such_variables(tmp_path: Path):
    path = record(tmp_path / "s.zarr", snapshots(grids=False))
    assert not {"unit_scale", "unit_zero_point"} & set(xr.open_zarr(path).variables)


def test_open_store__with_half_of_the_grids_is_refused(tmp_path: Path):
    path = record(tmp_path / "s.zarr", snapshots())
    group = zarr.open_group(path, mode="r+")
    del group["unit_zero_point"]
    with pytest.raises(StoreError, match="unit_zero_point is missing"):
        open_store(path)


def test_repair_store__damaged_grids_lose_their_block_only(tmp_path: Path):
    path = record(tmp_path / "s.zarr", snapshots())
    file = path / "unit_scale" / "c" / "1" / "0" / "0" / "0"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(StoreError, match="unit_scale"):
        analyze(open_store(path), estimator="binned").compute()
    report = ibtools.repair_store(path, quiet=True)
    assert report.unmarked == {1: 3}


@pytest.mark.filterwarnings("ignore:Consolidated metadata")
def test_copy__by_xarray_is_the_same_store(tmp_path: Path, store: Path):
    copy = tmp_path / "copy.zarr"
    selected = open_store(store).isel(repeat=[1], epoch=[0, 2])
    xr.open_zarr(store).isel(repeat=[1], epoch=[0, 2]).to_zarr(copy, align_chunks=True)
    expected = analyze(selected, estimator="binned").compute()
    found = analyze(open_store(copy), estimator="binned").compute()
    np.testing.assert_array_equal(found.mi_ty, expected.mi_ty)


def test_recorder__grids_of_units_come_with_the_first_snapshot(tmp_path: Path, store: Path):
    """A store that grows has them block by block, the same as one from arrays."""
    path = tmp_path / "s.zarr"
    for repeat in (0, 1):
        with ibtools.Recorder(path, label=LABEL, repeat=repeat, quiet=True) as recorder:
            for at, epoch, layers in snapshots():
                if at == repeat:
                    recorder.snapshot(epoch, layers)
                    recorder.flush()
    found, expected = xr.open_zarr(path), xr.open_zarr(store)
    for name in ("unit_scale", "unit_zero_point", "scale", "code"):
        np.testing.assert_array_equal(found[name], expected[name])
    assert statuses(path)["scale"] == statuses(path)["range"] == "ok"
    with ibtools.Recorder(tmp_path / "t.zarr", label=LABEL, quiet=True) as recorder:
        recorder.snapshot(1, layers_of(0.5))
        with pytest.raises(StoreError, match=r"'a' has grids of single units"):
            recorder.snapshot(2, layers_of([1.0, 2.0, 4.0]))


def test_recorder__grids_are_copied(tmp_path: Path):
    scale = np.float32([1, 2, 4])
    with ibtools.Recorder(tmp_path / "s.zarr", label=LABEL, quiet=True) as recorder:
        recorder.snapshot(1, layers_of(scale))
        scale[...] = 9
    found = xr.open_zarr(tmp_path / "s.zarr").unit_scale[0, 0, 0]
    assert found.values.tolist() == [1, 2, 4]
