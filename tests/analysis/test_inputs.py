"""H(X) of samples that share inputs: the same in all ways to analyse a store."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import ibtools
from ibtools.analysis.check import words
from ibtools.analysis.kernels.information import largest_entropy
from ibtools.analysis.kernels.inputs import input_entropy
from ibtools.analysis.repeats.shown import summarise_repeats
from ibtools.errors import StoreError
from ibtools.store.groups import get_array
from ibtools.store.header import Header
from ibtools.store.info import describe_info, store_info
from ibtools.store.opened import open_group
from ibtools.tasks.memory import LIBRARIES
from tests.analysis.oracle import slow_information
from tests.unbound import unbind

N_INPUTS, TIMES = 24, 8
X = np.repeat(np.arange(N_INPUTS, dtype=float), TIMES)
LABEL = np.repeat(np.arange(N_INPUTS) % 2, TIMES)
SPLIT = np.where(np.arange(X.size) < 64, "train", "test")
BOUND = 1e-12


def record(path: Path, *, x=X, label=LABEL, **options) -> Path:
    """Record a layer that tells all inputs apart, a wide one that does, and one of 12 states."""
    states = np.repeat(np.arange(N_INPUTS, dtype="uint8"), TIMES)[:, None]
    wide = np.random.default_rng(0).integers(0, 9, (N_INPUTS, 1200), "uint8")[states[:, 0]]
    layers = {"wide": wide, "all": states, "half": states // 2}
    snapshots = [(0, epoch, layers) for epoch in range(3)]
    ibtools.record_arrays(
        path, snapshots, label=label, x=x, epochs=range(3), repeats=[0], split=SPLIT, **options
    )
    return path


@pytest.fixture(scope="module")
def recorded(tmp_path_factory) -> Path:
    return record(tmp_path_factory.mktemp("recorded") / "repeated.zarr")


@pytest.fixture
def repeated(recorded: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(recorded, tmp_path / "repeated.zarr"))


def test_analyze__saturation_is_of_the_different_inputs(repeated: Path):
    """24 inputs, each recorded eight times, that a layer tells apart: all of H(X), not 0.60."""
    found = ibtools.analyze(ibtools.open_store(repeated)).isel(repeat=0, epoch=0).compute()
    assert found.attrs["entropy_x"] == input_entropy(np.arange(N_INPUTS)) == largest_entropy(24)
    assert found["saturation"].values[:2].tolist() == [1.0, 1.0]
    assert found["saturation"].values[2] == pytest.approx(np.log2(12) / np.log2(24))
    assert (found["mi_xt"] <= found.attrs["entropy_x"]).all()


def test_analyze_store__is_what_analyze_gives_in_parts_and_of_partitions_too(tmp_path: Path):
    for keep in ("codes", "partition"):
        path = record(tmp_path / keep, keep=keep)
        expected = ibtools.analyze(ibtools.open_store(path)).compute()
        memory = LIBRARIES + 400_000 if keep == "codes" else "512MiB"
        report = ibtools.analyze_store(path, memory=memory, quiet=True)
        assert report.digested == (("wide",) if keep == "codes" else ())
        found = ibtools.open_results(path).load()
        xr.testing.assert_equal(found, expected)
        assert found.attrs["entropy_x"] == expected.attrs["entropy_x"] == largest_entropy(24)
        assert (found["saturation"].sel(layer=["wide", "all"]) == 1).all()


def test_analyze__a_selection_has_the_inputs_of_its_samples(repeated: Path):
    chosen = ibtools.open_store(repeated).isel(sample=slice(4, 24), epoch=[0])
    assert chosen.ib.analyze().attrs["entropy_x"] == input_entropy(X[4:24])
    alone = ibtools.open_store(repeated).isel(sample=slice(0, TIMES), epoch=[0])
    found = alone.ib.analyze().compute()
    assert found.attrs["entropy_x"] == 0.0
    assert (found["saturation"] == 1).all()


def test_analyze__of_a_store_that_does_not_say_each_sample_is_an_input(repeated: Path, tmp_path):
    plain = record(tmp_path / "plain.zarr", x=None)
    assert "input" not in ibtools.open_store(plain)
    dropped = ibtools.open_store(repeated).drop_vars("input")
    for dataset in (ibtools.open_store(plain), dropped):
        found = dataset.ib.analyze()
        assert found.attrs["entropy_x"] == largest_entropy(X.size)
        np.testing.assert_allclose(found["saturation"].values[..., 1], 0.60448, atol=1e-5)
    assert "which are equal is not known" in describe_info(store_info(plain), plain)["inputs"]
    assert describe_info(store_info(repeated), repeated)["inputs"] == "24 different"


def test_input_numbers__refuse(repeated: Path):
    dataset = ibtools.open_store(repeated).assign_coords(input=("sample", X + 0.5))
    with pytest.raises(StoreError, match=r"whole number for each of the 192 samples, found float"):
        _ = Header.of(dataset).input


def test_summary_and_figures__take_the_ceiling_of_the_different_inputs(repeated: Path):
    ibtools.analyze_store(repeated, quiet=True)
    found = ibtools.summary(repeated)["peak_saturation"].sel(statistic="mean")
    assert found.values[:2].tolist() == [1.0, 1.0]
    saturated = summarise_repeats(ibtools.open_results(repeated)).saturated
    assert saturated.isel(epoch=0).values.tolist() == [True, True, False]


def test_details__splits_have_the_inputs_of_their_samples(repeated: Path):
    found = ibtools.details(ibtools.open_store(repeated), "splits").isel(repeat=0, epoch=0)
    expected = [input_entropy(one) for one in (X, X[SPLIT == "train"], X[SPLIT == "test"])]
    assert found["split_entropy_x"].values.tolist() == expected
    assert expected[1] == 3.0
    assert (found["saturation"].sel(layer=["wide", "all"]) == 1).all()
    half = found["saturation"].sel(layer="half", split="train")
    assert float(half) == pytest.approx(2 / 3)


def test_analyze__population_keeps_the_entropy_of_what_was_recorded(repeated: Path):
    found = ibtools.analyze(ibtools.open_store(repeated), estimator="exact-population-chao-shen")
    assert found.attrs["entropy_x"] == largest_entropy(24)


def test_analyze_store__results_of_other_inputs_are_computed_anew(repeated: Path):
    for _ in range(2):
        ibtools.analyze_store(repeated, quiet=True)
        ibtools.details_store(repeated, "splits", quiet=True)
    array = get_array(open_group(repeated, "r+"), "input")
    array[...] = np.arange(X.size)
    assert ibtools.analyze_store(repeated, quiet=True).computed == 3
    assert ibtools.details_store(repeated, "splits", quiet=True)[0].computed == 3
    found = ibtools.open_results(repeated)
    assert found.attrs["entropy_x"] == largest_entropy(X.size)
    np.testing.assert_allclose(found["saturation"].values[..., 1], 0.60448, atol=1e-5)
    assert ibtools.analyze_store(repeated, quiet=True).computed == 0


@given(
    hnp.arrays(np.int64, 40, elements=st.integers(0, 9)),
    hnp.arrays(np.int64, 10, elements=st.integers(0, 4)),
    hnp.arrays(np.int64, 40, elements=st.integers(0, 2)),
)
def test_saturation__leaves_this_much_to_the_label(x, f, y):
    """T = f(X): H(T) <= H(X), and I(X;Y) - I(T;Y) <= H(X) - H(T) for any labels."""
    entropy_x, mi_xy = map(float, slow_information(x, y))
    entropy_t, mi_ty = map(float, slow_information(f[x], y))
    assert input_entropy(x) == pytest.approx(entropy_x, abs=BOUND)
    assert input_entropy(f[x]) <= input_entropy(x)
    assert mi_xy - mi_ty <= entropy_x - entropy_t + BOUND


def check(path: Path) -> dict[str, ibtools.analysis.check.Check]:
    return {one.name: one for one in ibtools.check(path, quiet=True).checks}


def test_check__equal_inputs_have_equal_states(repeated: Path):
    found = check(repeated)
    assert (found["equal inputs"].status, found["equal inputs"].checked) == ("ok", 9)
    assert (found["labels of equal inputs"].status, found["labels of equal inputs"].checked) == (
        "ok",
        N_INPUTS,
    )
    get_array(open_group(unbind(repeated), "r+"), "code")[0, 1, 1, 3, 0] = 20
    one = check(repeated)["equal inputs"]
    assert (one.status, one.found, one.words) == ("violation", 1, words.INPUTS_SPLIT)
    assert str(one.worst) == "1 inputs: repeat 0, epoch 1, layer all"


def test_check__notes_labels_that_the_input_does_not_decide(tmp_path: Path):
    label = LABEL.copy()
    label[[0, 9]] = 2
    path = record(tmp_path / "s.zarr", label=label)
    report = ibtools.check(path, quiet=True)
    found = {one.name: one for one in report.checks}["labels of equal inputs"]
    assert (found.status, found.found, found.checked) == ("note", 2, N_INPUTS)
    assert str(found.worst) == "2 labels of one input"
    assert found.words == words.LABELS_DIFFER
    assert report.ok


def test_check__inputs_that_are_not_known_or_all_different(tmp_path: Path):
    found = check(record(tmp_path / "unknown.zarr", x=None))
    assert found["equal inputs"].status == "not checked"
    assert found["equal inputs"].words == words.INPUTS_NOT_RECORDED
    found = check(record(tmp_path / "different.zarr", x=np.arange(X.size)))
    assert found["equal inputs"].status == "ok"
    assert "labels of equal inputs" not in found
