"""What must hold, exactly, of a real recording of SYN: trained, recorded, analysed."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import ibtools
from ibtools.analysis.kernels.information import rounding_bound
from ibtools.partition import partition
from ibtools.store.symbols import code_symbols, float_symbols, softmax_symbols

EPOCHS = (0, 1, 10, 20)


@pytest.fixture(scope="module", params=["SYN-Tanh-8", "SYN-ReLU-4"])
def store(request, tmp_path_factory) -> Path:
    experiment, bits = request.param.rsplit("-", 1)
    path = tmp_path_factory.mktemp("syn") / "syn.zarr"
    ibtools.record(
        experiment, path, bits=int(bits), repeats=1, epochs=20, schedule="0,1,10,20", quiet=True
    )
    ibtools.analyze_store(path, quiet=True)
    return path


@pytest.fixture(scope="module")
def results(store: Path) -> xr.Dataset:
    return ibtools.open_results(store).load()


def labels_of(store: Path, epoch: int) -> list[np.ndarray]:
    """Return the partition of each layer in turn, from the integer codes."""
    snapshot = xr.open_zarr(store).sel(repeat=0, epoch=epoch).load()
    partitions = []
    for layer in snapshot["layer"].values:
        n_units = int(snapshot["n_units"].sel(layer=layer))
        code = snapshot["code"].sel(layer=layer).values[:, :n_units]
        symbols = softmax_symbols(code) if layer == "output" else code_symbols(code)
        partitions.append(partition(np.ascontiguousarray(symbols))[0])
    return partitions


def test_syn__entropies_of_input_and_label(results: xr.Dataset):
    assert results.attrs["entropy_x"] == 12
    assert results.attrs["entropy_y"] == pytest.approx(0.999157, abs=5e-7)


def test_syn__information_about_the_input_is_the_entropy(results: xr.Dataset):
    """I(X;T) = H(T) <= min(H(X), width * log2(levels))."""
    assert results["mi_xt"].equals(results["entropy_t"])
    assert (results["entropy_t"] <= 12).all()
    widest = results["n_units"] * results["bits"]
    assert (results["entropy_t"] <= widest).all()


def test_syn__information_about_the_label_is_bounded(results: xr.Dataset):
    """0 <= I(T;Y) <= min(H(T), H(Y))."""
    assert (results["mi_ty"] >= 0).all()
    assert (results["mi_ty"] <= results["entropy_t"]).all()
    assert (results["mi_ty"] <= results.attrs["entropy_y"]).all()


def test_syn__data_processing(results: xr.Dataset):
    """H(T) and I(T;Y) do not increase along the layers, but for rounding of the last bits."""
    bound = rounding_bound(4096)
    for name in ("entropy_t", "mi_ty"):
        assert (results[name].diff("layer") <= bound).all()


@pytest.mark.parametrize("epoch", EPOCHS)
def test_syn__each_layer_is_a_function_of_the_one_before(store: Path, epoch: int):
    """States of a layer are unions of states of the layer before: exactly, in integers."""
    partitions = labels_of(store, epoch)
    for before, after in itertools.pairwise(partitions):
        assert len(np.unique(np.stack([before, after]), axis=1).T) == before.max() + 1


def test_syn__layers_that_separate_every_input_know_the_label(results: xr.Dataset):
    """I(T;Y) = H(Y) to the last bit when no state mixes classes."""
    unique = results["n_states"] == 4096
    if results.attrs["experiment"] == "SYN-Tanh":
        assert unique.sel(layer="hidden_1").all()
    found = results["mi_ty"].values[unique.values]
    assert (found == results.attrs["entropy_y"]).all()


@pytest.mark.parametrize("epoch", EPOCHS)
def test_syn__codes_and_decoded_values_have_equal_partitions(store: Path, epoch: int):
    """A quantised layer has the same states as integers and as the floats that they stand for.

    The softmax layer is the exception that the integer definition is for: float32 softmax splits
    states of equal logit differences by rounding (41 states become 55 in an untrained network).
    """
    activation = ibtools.open_store(store)["activation"].sel(repeat=0, epoch=epoch)
    partitions = labels_of(store, epoch)
    for layer, expected in zip(activation["layer"].values, partitions, strict=True):
        values = activation.sel(layer=layer).dropna("unit").values
        labels, n_states = partition(float_symbols(values))
        if layer != "output":
            np.testing.assert_array_equal(labels, expected)
        else:
            assert n_states >= expected.max() + 1
            first = np.unique(expected, return_index=True)[1]
            np.testing.assert_allclose(values, values[first][expected], rtol=1e-5)
