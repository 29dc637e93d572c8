"""Details of stores: against the arrays that were recorded, whatever the chunks."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import ibtools
from ibtools.analysis.details import About, Invariants, Permutations, detail_class
from ibtools.errors import InputError, StoreError, UnknownNameError
from ibtools.store.creation import create_store
from ibtools.store.layout import StoreSpec
from ibtools.store.schema import CUBE
from ibtools.store.snapshots import LayerSpec, LayerValues
from ibtools.store.writer import RepeatWriter
from tests.analysis.oracle import slow_information, slow_partition
from tests.conftest import LABEL

PARITY = np.arange(64) % 2
EVERY = [
    "classes",
    "layers",
    "prediction",
    "splits",
    "units",
    About("parity", PARITY),
    Permutations(20, seed=3),
    Invariants(2, seed=1),
]


@pytest.fixture
def dataset(example_store: Path) -> xr.Dataset:
    return ibtools.open_store(example_store)


def states_of(dataset: xr.Dataset, repeat: int, epoch: int, layer: str) -> np.ndarray:
    """Label the samples by their exact states, slowly."""
    name = "activation" if layer == "free" else "code"
    at = {"repeat": repeat, "epoch": epoch, "layer": layer}
    n_units = int(dataset["n_units"].sel(layer=layer))
    values = dataset[name].sel(at).values[:, :n_units]
    if layer == "output":
        values = values.astype(int) - values.max(axis=1, keepdims=True).astype(int)
    return slow_partition(values)[0]


@pytest.mark.parametrize(("repeat", "epoch"), [(0, 0), (1, 10)])
def test_details__equal_the_slow_oracle(dataset, repeat, epoch):
    found = ibtools.details(dataset, EVERY)
    at = {"repeat": repeat, "epoch": epoch}
    code = dataset["code"].sel(at).sel(layer="output").values[:, :3]
    prediction = np.array([row.tolist().index(row.max()) for row in code])
    states = {name: states_of(dataset, **at, layer=name) for name in dataset["layer"].values}
    for name, labels in states.items():
        one = {kind: results.sel(at).sel(layer=name).compute() for kind, results in found.items()}
        for other, others in states.items():
            _, expected = slow_information(labels, others)
            shared = float(one["layers"]["mi_tt"].sel(other_layer=other))
            assert shared == pytest.approx(float(expected), abs=1e-12)
        for c in range(3):
            _, expected = slow_information(labels, c == LABEL)
            shared = float(one["classes"]["mi_t_class"].sel({"class": c}))
            assert shared == pytest.approx(float(expected), abs=1e-12)
        for kind, variable, label in (
            ("prediction", "mi_t_prediction", prediction),
            ("by-parity", "mi_ts", PARITY),
        ):
            _, expected = slow_information(labels, label)
            assert float(one[kind][variable]) == pytest.approx(float(expected), abs=1e-12)
    units = found["units"].sel(at).compute()
    values = dataset["code"].sel(at).sel(layer="hidden_1").values
    for unit in range(5):
        expected = slow_information(values[:, unit], LABEL)
        one = units.sel(layer="hidden_1", unit=unit)
        assert float(one["entropy_unit"]) == pytest.approx(float(expected[0]), abs=1e-12)
        assert float(one["mi_unit_y"]) == pytest.approx(float(expected[1]), abs=1e-12)


def test_details__have_the_declared_variables(dataset):
    for name, found in ibtools.details(dataset, EVERY).items():
        declared = detail_class(name).variables
        assert list(found.data_vars) == [one.name for one in declared if not one.coordinate]
        for variable in declared:
            assert found[variable.name].dims == variable.dims
            assert found[variable.name].attrs == variable.attributes()
            if not variable.coordinate:
                assert found[variable.name].dtype == variable.dtypes[0]
                assert found[variable.name].compute().dtype == variable.dtypes[0]
        assert found.attrs["estimator"] == "exact"
        assert found.attrs["n_samples"] == 64


ESTIMATORS = [
    "exact",
    "exact-per-unit",
    "requantised",
    "binned-uniform-3-global",
    "binned-quantile-3-unit",
    "binned-width-0.3-zero",
    "binned-uniform-4-0_1",
]


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_details__work_for_every_estimator_that_counts(dataset, estimator):
    found = ibtools.details(dataset, EVERY, estimator=estimator)
    found = {name: one.compute() for name, one in found.items()}
    ordinary = ibtools.analyze(dataset, estimator=estimator).compute()
    everyone = found["splits"].sel(split="all")
    for name in found["splits"].data_vars:
        np.testing.assert_array_equal(everyone[name], ordinary[name])
    own = [found["layers"]["mi_tt"].isel(layer=i, other_layer=i).values for i in range(3)]
    np.testing.assert_array_equal(np.stack(own, axis=2), ordinary["entropy_t"])
    assert found["classes"].attrs["estimator"] == ordinary.attrs["estimator"]
    mean, sd = (found["permutations-20-3"][f"permuted_{name}"] for name in ("mean", "sd"))
    assert (abs(mean - ordinary["mi_ty_null"]) <= 6 * sd / 20**0.5 + 1e-12).all()


def test_details__units_average_to_the_means_of_per_unit(dataset):
    units = ibtools.details(dataset, "units").compute()
    means = ibtools.analyze(dataset, estimator="exact-per-unit").compute()
    for unit, mean in (("entropy_unit", "mi_xt_per_unit"), ("mi_unit_y", "mi_ty_per_unit")):
        np.testing.assert_allclose(units[unit].mean("unit"), means[mean], atol=1e-12)
    missing = np.isnan(units["mi_unit_y_null"]).sum("unit").isel(repeat=0, epoch=0)
    assert missing.values.tolist() == [0, 3, 2]


@pytest.mark.sampled(2)
@pytest.mark.parametrize("chunks", [(1, 1, 1, 30, 2), (2, 4, 3, 64, 5), (2, 2, 2, 40, 1)])
def test_details__any_chunking_and_scheduler_gives_the_same_bits(dataset, chunks):
    expected = {name: one.compute() for name, one in ibtools.details(dataset, EVERY).items()}
    rechunked = dataset.chunk(dict(zip(CUBE, chunks, strict=True)))
    for name, one in ibtools.details(rechunked, EVERY).items():
        assert one.compute(scheduler="synchronous").equals(expected[name]), name
    processes = ibtools.details(rechunked, [Permutations(20, seed=3)])
    found = processes["permutations-20-3"].compute(scheduler="processes", num_workers=2)
    assert found.equals(expected["permutations-20-3"])


def test_details__selections_in_any_order_draw_the_same_permutations(dataset):
    whole = ibtools.permutation_test(dataset, n_permutations=20, seed=3).compute()
    part = dataset.isel(repeat=[1], epoch=[3, 0]).sel(layer=["output"])
    found = ibtools.permutation_test(part, n_permutations=20, seed=3).compute()
    xr.testing.assert_equal(found, whole.isel(repeat=[1], epoch=[3, 0]).sel(layer=["output"]))


def test_details__are_lazy(dataset, forbid_computing):
    small = ("complete", "scale", "zero_point", "activation_min", "activation_max")
    dataset = dataset.assign({name: dataset[name].load() for name in small})
    with forbid_computing:
        found = ibtools.details(dataset, EVERY, estimator="binned-uniform-3-global")
        repr(found)
    for one in found.values():
        assert all(variable.chunks is not None for variable in one.data_vars.values())


def test_details__several_read_a_chunk_once(example_store):
    dataset, reads = xr.open_zarr(example_store), []

    def read(block, block_info=None):
        if block_info:
            reads.append(tuple(block_info[0]["chunk-location"]))
        return block

    for name in ("code", "activation"):
        dataset[name] = dataset[name].copy(data=dataset[name].data.map_blocks(read))
    found = ibtools.details(dataset, ["classes", "layers", "units"])
    xr.merge([one.drop_vars("unit", errors="ignore") for one in found.values()]).compute(
        scheduler="synchronous"
    )
    assert len(reads) == 2 * 3  # two repeats, three layers, one block of epochs


def test_details__incomplete_snapshots_are_missing(tmp_path):
    layers = (LayerSpec("x", 1, "relu", 8), LayerSpec("output", 2, "softmax", 8))
    spec = StoreSpec(layers, (0,), (0, 1), (1,), np.array([0, 1]))
    writer = RepeatWriter(create_store(tmp_path / "s.zarr", spec), 0)
    values = {"x": np.array([[1], [2]], "uint8"), "output": np.array([[5, 5], [1, 2]], "uint8")}
    writer.add_snapshot(0, {name: LayerValues(code, 1.0) for name, code in values.items()})
    writer.commit()
    dataset = ibtools.open_store(tmp_path / "s.zarr")
    found = ibtools.details(dataset, ["prediction", "splits"])
    prediction, splits = (one.compute() for one in found.values())
    first, second = prediction["mi_t_prediction"].isel(repeat=0)
    assert first.values.tolist() == [1.0, 1.0]  # of equal units the first
    assert np.isnan(second).all()
    assert splits["n_singletons"].sel(split="all").values.tolist() == [[[2, 2], [-1, -1]]]


def test_details__of_a_store_that_keeps_the_partition(example_store, partition_store):
    possible = ["classes", "layers", "splits", About("parity", PARITY), Permutations(20)]
    expected = ibtools.details(ibtools.open_store(example_store), possible)
    for name, found in ibtools.details(ibtools.open_store(partition_store), possible).items():
        xr.testing.assert_equal(found.compute(), expected[name].compute())
    for name in ("units", "prediction", "invariants-2-0"):
        with pytest.raises(InputError, match=f"{name} needs the values of units"):
            ibtools.details(ibtools.open_store(partition_store), name)


def test_details__refuse(dataset):
    with pytest.raises(UnknownNameError, match="unknown detail 'layer'; did you mean 'layers'"):
        ibtools.details(dataset, "layer")
    with pytest.raises(StoreError, match="epoch was dropped"):
        ibtools.details(dataset.isel(epoch=0), "layers")
    with pytest.raises(InputError, match="64 samples of the store, found 3"):
        ibtools.details(dataset, About("s", [0, 1, 2]))
    with pytest.raises(InputError, match="for each of the 3 classes; found 2 in 'free'"):
        ibtools.details(dataset.sel(layer=["hidden_1", "free"]), "prediction")
    with pytest.raises(InputError, match="estimator exact-population-grassberger does not count"):
        ibtools.details(dataset, "layers", estimator="exact-population-grassberger")
