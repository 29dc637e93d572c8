"""Layers across networks: against the states of each, refusals, and the figure."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner

import ibtools
from ibtools.analysis.details.across_networks import VARIABLES
from ibtools.analysis.plots.across import shared_partitions
from ibtools.cli.main import cli
from ibtools.errors import InputError, StoreError, UnknownNameError
from tests.analysis.details.test_details import states_of
from tests.analysis.oracle import slow_information
from tests.conftest import LABEL, record_example


@pytest.fixture
def dataset(example_store: Path) -> xr.Dataset:
    return ibtools.open_store(example_store)


def test_across__equals_the_slow_oracle(dataset):
    found = ibtools.across(dataset.sel(epoch=[0]), dataset.sel(epoch=[5, 10])).compute()
    assert found["mi_tt"].shape == (2, 1, 3, 2, 2, 3)
    for repeat, layer, other_repeat, other_epoch, other_layer in [
        (0, "hidden_1", 1, 10, "output"),
        (1, "free", 1, 5, "free"),
        (1, "output", 0, 10, "hidden_1"),
    ]:
        one = states_of(dataset, repeat, 0, layer)
        two = states_of(dataset, other_repeat, other_epoch, other_layer)
        pair = found.sel(
            repeat=repeat,
            epoch=0,
            layer=layer,
            other_repeat=other_repeat,
            other_epoch=other_epoch,
            other_layer=other_layer,
        )
        _, expected = slow_information(one, two)
        assert float(pair["mi_tt"]) == pytest.approx(float(expected), abs=1e-12)
    for variable in VARIABLES:
        assert found[variable.name].dims == variable.dims
        assert found[variable.name].attrs == variable.attributes()
    expected = {"estimator": "exact", "n_samples": 64, "other_experiment": "arrays"}
    assert expected.items() <= found.attrs.items()


def test_across__of_itself_and_of_layers_is_what_layers_says(dataset):
    found = ibtools.across(dataset.sel(epoch=[1]), estimator="binned-uniform-3-layer").compute()
    shared = ibtools.details(dataset.sel(epoch=[1]), "layers", estimator="binned-uniform-3-layer")
    for repeat in range(2):
        within = found["mi_tt"].isel(repeat=repeat, epoch=0, other_repeat=repeat, other_epoch=0)
        np.testing.assert_array_equal(within, shared["mi_tt"].isel(repeat=repeat, epoch=0))
    own = found["variation_of_information"].isel(epoch=0, other_epoch=0)
    assert all(
        float(own.isel(repeat=0, other_repeat=0, layer=i, other_layer=i)) == 0 for i in (0, 1)
    )


def test_across__is_lazy_and_any_chunking_gives_the_same(dataset, forbid_computing):
    few = dataset.sel(epoch=[0, 10]).assign(complete=dataset["complete"].sel(epoch=[0, 10]).load())
    with forbid_computing:
        found = ibtools.across(few)
    rechunked = few.chunk({"repeat": 2, "layer": 1, "sample": 13, "unit": 2})
    xr.testing.assert_equal(ibtools.across(rechunked).compute(), found.compute())


def test_across__incomplete_snapshots_are_missing(dataset):
    complete = dataset["complete"].copy(data=dataset["complete"].values)
    complete[1, 0] = False
    found = ibtools.across(dataset.assign(complete=complete).sel(epoch=[0, 1])).compute()
    missing = np.isnan(found["mi_tt"]).all(["layer", "other_layer"])
    assert missing.isel(repeat=1, epoch=0).all()
    assert missing.isel(other_repeat=1, other_epoch=0).all()
    assert int(missing.sum()) == 4 + 4 - 1
    assert int(np.isnan(found["mi_tt"]).sum()) == 7 * 9


def test_across__refuses_other_samples(dataset, tmp_path):
    one = dataset.sel(epoch=[0])
    others = {
        "labels": record_example(tmp_path / "labels.zarr", label=LABEL[::-1]),
        "same": record_example(tmp_path / "same.zarr"),
        "inputs": record_example(tmp_path / "inputs.zarr", x=np.arange(64)),
        "equal": record_example(tmp_path / "equal.zarr", x=np.arange(64) // 2),
    }
    stores = {name: ibtools.open_store(path).sel(epoch=[0]) for name, path in others.items()}
    told = [
        stores["same"].assign_attrs(store_id=name, data_checksum=f"sha256:{number}")
        for name, number in (("a", 1), ("b", 1), ("c", 2))
    ]
    ibtools.across(*told[:2])
    with pytest.raises(InputError, match="same inputs, found 64 and 63 samples"):
        ibtools.across(one, one.isel(sample=slice(63)))
    with pytest.raises(InputError, match="the labels of the samples differ"):
        ibtools.across(one, stores["labels"])
    with pytest.raises(InputError, match=r"checksums of the data differ: sha256:1 and sha256:2"):
        ibtools.across(*told[1:])
    with pytest.raises(InputError, match="the numbers of the inputs differ"):
        ibtools.across(stores["inputs"], stores["equal"])
    with pytest.raises(InputError, match=r"do not say whether theirs are; .* same_inputs=True"):
        ibtools.across(one, stores["same"])
    found = ibtools.across(one, stores["same"], same_inputs=True).compute()
    xr.testing.assert_equal(found, ibtools.across(one).compute())


def test_across__refuses_too_many_pairs(dataset, monkeypatch):
    monkeypatch.setattr("ibtools.analysis.details.across_networks.MOST_PAIRS", 35)
    with pytest.raises(InputError, match=r"576 pairs of layers, and at most 35 .*sel\(epoch="):
        ibtools.across(dataset)
    assert ibtools.across(dataset.isel(epoch=[0]).sel(layer=["output"])).sizes["repeat"] == 2


def test_shared_partitions__of_layers_and_of_repeats(dataset):
    found = ibtools.across(dataset.sel(epoch=[5])).compute()["adjusted_mi"].isel(epoch=0)
    found = found.isel(other_epoch=0)
    ax = shared_partitions(dataset, epoch=5)
    drawn = np.ma.filled(ax.images[0].get_array(), np.nan)
    np.testing.assert_array_equal(drawn, found.sel(repeat=0, other_repeat=1))
    assert (ax.get_ylabel(), ax.get_xlabel()) == ("layer, repeat 0", "layer, repeat 1")
    assert [text.get_text() for text in ax.get_yticklabels()] == ["hidden_1", "free", "output"]
    assert len(ax.texts) == 9
    ax = shared_partitions(dataset, layer="free", epoch=5)
    drawn = np.ma.filled(ax.images[0].get_array(), np.nan)
    np.testing.assert_array_equal(drawn, found.sel(layer="free", other_layer="free"))
    ax = shared_partitions(dataset, repeat=1, other_repeat=1)
    np.testing.assert_allclose(np.diag(ax.images[0].get_array()), 1)


def drawn(ax) -> np.ndarray:
    return np.ma.filled(ax.images[0].get_array(), np.nan)


def test_shared_partitions__of_two_stores(dataset):
    """Rows and columns of stores with other layers, repeats and epochs."""
    other = dataset.sel(layer=["output", "free"], repeat=[1], epoch=[0, 5])
    other = other.assign_attrs(experiment="other")
    found = ibtools.across(dataset, other).compute()["adjusted_mi"]
    ax = shared_partitions(dataset, other=other)
    expected = found.sel(repeat=0, epoch=10, other_repeat=1, other_epoch=5)
    np.testing.assert_array_equal(drawn(ax), expected)
    assert (ax.get_ylabel(), ax.get_xlabel()) == ("layer, repeat 0", "layer, repeat 1")
    assert [text.get_text() for text in ax.get_yticklabels()] == ["hidden_1", "free", "output"]
    assert [text.get_text() for text in ax.get_xticklabels()] == ["output", "free"]
    assert ax.get_title() == "rows: arrays, epoch 10\ncolumns: other, epoch 5"
    ax = shared_partitions(dataset, other=other, layer="free", epoch=5)
    expected = found.sel(epoch=5, other_epoch=5, layer="free", other_layer="free")
    np.testing.assert_array_equal(drawn(ax), expected)
    assert ax.get_title() == "rows: arrays, free, epoch 5\ncolumns: other, free, epoch 5"


def test_shared_partitions__stores_of_one_experiment_are_named_by_what_differs(dataset):
    ax = shared_partitions(dataset, other=dataset)
    lines = ["rows: arrays, one store, epoch 10", "columns: arrays, other store, epoch 10"]
    assert ax.get_title().split("\n") == lines
    other = dataset.sel(layer=["output"])
    lines = ["rows: arrays, 8 and 32 bits, epoch 10", "columns: arrays, 8 bits, epoch 10"]
    assert shared_partitions(dataset, other=other).get_title().split("\n") == lines


def test_plot_store__across_opens_the_other_store(dataset, example_store, tmp_path):
    other = record_example(tmp_path / "other.zarr")
    with pytest.raises(InputError, match=r"do not say whether theirs are; .* \(--same-inputs\)"):
        ibtools.plot_store(example_store, "across", other=other)
    output = tmp_path / "across.png"
    command = ["plot", str(example_store), "across", "--other", str(other), "--same-inputs"]
    options = ["--repeat", "1", "--other-repeat", "0", "--epoch", "5", "--output", str(output)]
    result = CliRunner().invoke(cli, [*command, *options])
    assert result.exit_code == 0, result.output
    assert output.read_bytes().startswith(b"\x89PNG")
    ax = ibtools.plot_store(
        example_store, "across", other=other, same_inputs=True, repeat=1, other_repeat=0, epoch=5
    ).axes[0]
    expected = shared_partitions(dataset, repeat=1, other_repeat=0, epoch=5)
    np.testing.assert_array_equal(drawn(ax), drawn(expected))


def test_shared_partitions__refuses_another_store(dataset, tmp_path):
    labels = ibtools.open_store(record_example(tmp_path / "labels.zarr", label=LABEL[::-1]))
    with pytest.raises(InputError, match="the labels of the samples differ"):
        shared_partitions(dataset, other=labels, same_inputs=True)
    with pytest.raises(InputError, match="of the other store: there is no repeat 7; the store has"):
        shared_partitions(dataset, other=dataset, other_repeat=7)
    with pytest.raises(InputError, match="of the other store: epoch 5 is not recorded"):
        shared_partitions(dataset, other=dataset.sel(epoch=[0]), layer="free", epoch=5)
    with pytest.raises(UnknownNameError, match="unknown layer 'free'"):
        shared_partitions(dataset, other=dataset.sel(layer=["output"]), layer="free")
    with pytest.raises(StoreError, match="not from results"):
        shared_partitions(dataset, other=xr.Dataset())
    failed = dataset.assign(outcome=dataset["outcome"].copy(data=["failed", "failed"]))
    with pytest.raises(InputError, match=r"of the other store: .* none that did not fail has"):
        shared_partitions(dataset, other=failed, layer="free")


def test_shared_partitions__refuses(dataset, tmp_path):
    with pytest.raises(UnknownNameError, match="unknown layer 'outptu'"):
        shared_partitions(dataset, layer="outptu")
    with pytest.raises(InputError, match="leave out the repeats, or the layer"):
        shared_partitions(dataset, layer="free", repeat=0)
    with pytest.raises(InputError, match="there is no repeat 7"):
        shared_partitions(dataset, other_repeat=7)
    with pytest.raises(InputError, match="there is only repeat 1"):
        shared_partitions(dataset.sel(repeat=[1]))
    with pytest.raises(InputError, match="repeats are compared, and 1 that did not fail has"):
        shared_partitions(dataset.sel(repeat=[1]), layer="free")
    with pytest.raises(StoreError, match="not from results"):
        shared_partitions(xr.Dataset())
