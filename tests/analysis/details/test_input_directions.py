"""What layers of a store know of inputs that the user has: against the kernel, and refusals."""

from pathlib import Path

import dask
import numpy as np
import pytest
import xarray as xr

import ibtools
from ibtools.analysis.details.input_directions import VARIABLES, sliced_input_information
from ibtools.analysis.kernels.input_slices import input_slices
from ibtools.analysis.kernels.permutations import sample_permutations
from ibtools.analysis.kernels.principal import principal_directions
from ibtools.analysis.kernels.slices import random_directions
from ibtools.errors import InputError, StoreError
from ibtools.store.inputs import checksum
from tests.conftest import LABEL, record_example

FEW = {"n_projections": 4, "n_permutations": 2}


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(0).normal(size=(64, 3)).astype(np.float32) * [1, 2, 4]


@pytest.fixture
def dataset(example_store: Path) -> xr.Dataset:
    return ibtools.open_store(example_store)


def test_sliced_input_information__is_the_kernel_of_each_snapshot(dataset, x):
    found = sliced_input_information(dataset, x, **FEW).compute()
    inputs = principal_directions(x.astype(np.float64), 2)
    np.testing.assert_array_equal(found["direction_share"], inputs.share)
    for repeat, epoch, layer, n_units in [(0, 5, "hidden_1", 5), (1, 10, "output", 3)]:
        values = dataset.ib.layer(layer)["activation"].sel(repeat=repeat, epoch=epoch).values
        expected = input_slices(
            values,
            inputs.scores,
            random_directions(n_units, 4, seed=0),
            sample_permutations(64, 2, seed=0),
            n_neighbours=3,
        )
        one = found.sel(repeat=repeat, epoch=epoch, layer=layer)
        np.testing.assert_array_equal(one["mi_direction"], expected.mean)
        np.testing.assert_array_equal(one["mi_direction_se"], expected.standard_error)
        np.testing.assert_array_equal(one["mi_direction_null"], expected.chance)
        np.testing.assert_array_equal(one["mi_direction_null_sd"], expected.chance_sd)
    for variable in VARIABLES:
        assert found[variable.name].dims == variable.dims
        assert found[variable.name].attrs == variable.attributes()
    expected = {
        "estimator": "sliced-input-4-3-2-0",
        "n_samples": 64,
        "inputs_known_by": "the number of samples",
    }
    assert expected.items() <= found.attrs.items()


def test_sliced_input_information__is_lazy_and_any_chunking_gives_the_same(
    dataset, x, forbid_computing
):
    few = dataset.sel(epoch=[0, 10]).assign(complete=dataset["complete"].sel(epoch=[0, 10]).load())
    few = few.assign({name: few[name].load() for name in ("activation_min", "activation_max")})
    few = few.assign({name: few[name].load() for name in ("scale", "zero_point")})
    with forbid_computing:
        found = sliced_input_information(few, x, **FEW)
    rechunked = few.chunk({"repeat": 2, "layer": 1, "sample": 13, "unit": 2})
    again = sliced_input_information(rechunked, x, **FEW)
    xr.testing.assert_equal(again.compute(), found.compute())


def test_sliced_input_information__of_other_inputs_is_another_graph(dataset, x):
    """Dask computes what has equal names once; inputs are in no name but that of the task."""
    part = dataset.isel(repeat=[0], epoch=[0])
    alone = [sliced_input_information(part, one, **FEW).compute() for one in (x, x[::-1])]
    together = dask.compute(*(sliced_input_information(part, one, **FEW) for one in (x, x[::-1])))
    for one, two in zip(alone, together, strict=True):
        xr.testing.assert_equal(one, two)
    assert (alone[0]["mi_direction"] != alone[1]["mi_direction"]).all()


def test_sliced_input_information__incomplete_snapshots_are_missing(dataset, x):
    complete = dataset["complete"].copy(data=dataset["complete"].values)
    complete[1, 0] = False
    part = dataset.assign(complete=complete).sel(epoch=[0], layer=["free"])
    found = sliced_input_information(part, x, **FEW).compute()
    assert np.isnan(found["mi_direction"]).all(["epoch", "layer", "direction"]).values.tolist() == [
        False,
        True,
    ]


def test_sliced_input_information__one_number_per_sample_is_its_own_direction(dataset):
    part = dataset.isel(repeat=[0], epoch=[0]).sel(layer=["free"])
    found = sliced_input_information(part, np.arange(64), n_directions=1, n_projections=2)
    assert found["direction_share"].values.tolist() == pytest.approx([1])


def test_sliced_input_information__checks_that_inputs_are_of_the_samples(dataset, x, tmp_path):
    with pytest.raises(InputError, match="an input for each of the 64 samples, found 63"):
        sliced_input_information(dataset, x[1:])
    twice = np.repeat(x[::2], 2, axis=0)
    store = ibtools.open_store(record_example(tmp_path / "twice.zarr", x=twice))
    found = sliced_input_information(store, twice, **FEW)
    assert found.attrs["inputs_known_by"] == "which samples have equal inputs"
    later = store.isel(sample=slice(10, None))
    assert sliced_input_information(later, twice[10:], **FEW).attrs["n_samples"] == 54
    store_of_x = ibtools.open_store(record_example(tmp_path / "x.zarr", x=x))
    found = sliced_input_information(store_of_x, x[::-1], **FEW)
    assert found.attrs["inputs_known_by"] == "the number of samples"
    for other in (x, np.roll(twice, 1, axis=0), twice[:, :1] * 0):
        with pytest.raises(InputError, match="other samples have equal ones than the store says"):
            sliced_input_information(store, other)


def test_sliced_input_information__checks_the_checksum_of_the_data(dataset, x):
    told = dataset.assign_attrs(data_checksum=checksum(x, LABEL))
    found = sliced_input_information(told, x, **FEW)
    assert found.attrs["inputs_known_by"] == "the checksum of the data"
    with pytest.raises(InputError, match=r"is not that of x and the labels.*same_inputs=True"):
        sliced_input_information(told, x[::-1])
    part = told.isel(sample=slice(32))
    with pytest.raises(InputError, match="of more samples"):
        sliced_input_information(part, x[:32])
    found = sliced_input_information(part, x[:32], same_inputs=True, **FEW)
    assert found.attrs["inputs_known_by"] == "the number of samples"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_projections": 1}, "at least 2 projections are needed, found 1"),
        ({"n_neighbours": 0}, "n_neighbours must be 1 to 63, as there are 64 samples, found 0"),
        ({"n_neighbours": 64}, "n_neighbours must be 1 to 63"),
        ({"n_permutations": -1}, "n_permutations must not be negative, found -1"),
        ({"seed": -1}, "a seed must not be negative, found -1"),
        ({"n_directions": 4}, "n_directions must be 1 to 3, as x has 3 values and 64 samples"),
    ],
)
def test_sliced_input_information__refuses_options_out_of_range(dataset, x, options, message):
    with pytest.raises(InputError, match=message):
        sliced_input_information(dataset, x, **options)


def test_sliced_input_information__refuses_what_it_cannot_compare(dataset, partition_store, x):
    infinite = x.copy()
    infinite[3, 1] = np.inf
    with pytest.raises(InputError, match="x must be finite"):
        sliced_input_information(dataset, infinite)
    with pytest.raises(StoreError, match="x must have no NaN"):
        sliced_input_information(dataset, np.where(x > 0, x, np.nan))
    with pytest.raises(StoreError, match="x must be the inputs, numbers"):
        sliced_input_information(dataset, ["a"] * 64)
    with pytest.raises(InputError, match="keeps only the partition of whole layers"):
        sliced_input_information(ibtools.open_store(partition_store), x)
    with pytest.raises(StoreError, match="needs the Dataset of a store"):
        sliced_input_information(xr.Dataset(), x)
