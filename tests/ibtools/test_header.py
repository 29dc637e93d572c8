"""What a store says of itself, from whatever it is read, and how often that is read."""

import pickle
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from zarr.storage import LocalStore

import ibtools
from ibtools.analysis.kernels.information import entropy
from ibtools.analysis.passes.results import open_results
from ibtools.errors import StoreError
from ibtools.store.datasets import open_raw, open_store
from ibtools.store.groups import get_array
from ibtools.store.guarded import GuardedStore
from ibtools.store.header import Header
from ibtools.store.identity import Content
from ibtools.store.info import store_info
from ibtools.store.opened import open_checked, open_group
from ibtools.store.schema import STORE_COORDINATES
from ibtools.store.snapshots import LayerSpec
from ibtools.store.validation import nodes

WORDS = np.array(["cat", "dog", "owl"])
LABEL = WORDS[np.array([0, 1, 2, 0, 1, 2, 2, 2])]
X = np.array([0, 1, 2, 3, 0, 1, 2, 7])


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Two layers, codes of logits among them, three snapshots, and equal inputs."""
    code = np.arange(24, dtype="uint8").reshape(3, 8, 1)
    layers = {"hidden": code[None], "output": np.repeat(code, 2, 2)[None]}
    path = tmp_path / "s.zarr"
    split = ["train"] * 6 + ["test"] * 2
    functions = {"output": "softmax"}
    ibtools.record_arrays(
        path, layers, label=LABEL, x=X, split=split, activation_functions=functions, is_chain=True
    )
    return path


def described(header: Header) -> list[object]:
    """Return all that a header says, to be compared."""
    arrays = (header.label, header.classes, header.complete, header.input, header.split)
    plain = (header.layers, header.keep, header.n_classes, header.n_samples)
    said = (header.is_chain, header.records_population, header.entropy_x, header.content.digest)
    return [*plain, *said, *(array.tolist() for array in arrays)]


def test_header__says_what_was_recorded(store: Path):
    header = Header.of(open_group(store))
    hidden, output = LayerSpec("hidden", 1, "linear", 8), LayerSpec("output", 2, "softmax", 8)
    assert header.layers == (hidden, output)
    assert [layer.is_softmax_of_codes for layer in header.layers] == [False, True]
    assert header.classes.tolist() == ["cat", "dog", "owl"]
    assert header.label.tolist() == [0, 1, 2, 0, 1, 2, 2, 2]
    assert header.complete.tolist() == [[True] * 3]
    assert header.entropy_x == entropy(np.array([2, 2, 2, 1, 1]))
    assert header.split.tolist() == ["train"] * 6 + ["test"] * 2
    assert (header.is_chain, header.records_population) == (True, False)
    assert (header.keep, header.recorded) == ("codes", ("code",))
    assert header.content.digest == Content.of(open_group(store)).digest


@pytest.mark.parametrize("keep", ["codes", "partition"])
def test_header__is_the_same_of_a_group_and_of_its_datasets(tmp_path: Path, keep: str):
    path = tmp_path / "s.zarr"
    values = np.arange(8, dtype="f4").reshape(1, 1, 8, 1)
    ibtools.record_arrays(path, {"a": values}, label=LABEL, x=X, keep=keep)
    expected = described(Header.of(open_group(path)))
    for opened in (open_raw(path), open_store(path), xr.open_zarr(path)):
        assert described(Header.of(opened)) == expected
    assert described(Header.of(*open_checked(path))) == expected


def test_header__of_a_selection(store: Path):
    chosen = open_store(store).isel(sample=[0, 2, 4], layer=[1], epoch=[0])
    header = Header.of(chosen)
    assert [layer.name for layer in header.layers] == ["output"]
    assert header.label.tolist() == [0, 2, 1]
    assert header.input.tolist() == [0, 2, 0]
    assert header.complete.tolist() == [[True]]
    transposed = open_store(store).transpose("epoch", "repeat", ...)
    assert Header.of(transposed).complete.shape == (1, 3)


def test_header__detached_is_sent_without_the_store(store: Path):
    header = Header.of(open_store(store))
    sent = pickle.loads(pickle.dumps(header.detached()))
    assert (sent.store, sent.n_units, sent.n_classes) == (None, 2, 3)
    assert sent.entropy_x == header.entropy_x
    assert len(pickle.dumps(header.detached())) < len(pickle.dumps(open_store(store).load()))
    with pytest.raises(StoreError, match="scale must be read before"):
        sent.read("scale")


def test_header__refuses_inputs_that_are_no_numbers(store: Path):
    dataset = open_store(store).assign_coords(input=("sample", X + 0.5))
    with pytest.raises(StoreError, match="whole number for each of the 8 samples, found float"):
        _ = Header.of(dataset).input


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count what is read: metadata by their folder, chunks by their key."""
    counted: Counter[str] = Counter()
    get, read = LocalStore.get, nodes.read_bounded

    async def count_chunk(self, key, *args, **options):
        counted[key] += 1
        return await get(self, key, *args, **options)

    def count_node(file, *options):
        counted[f"{file.parent.name}/zarr.json"] += 1
        return read(file, *options)

    monkeypatch.setattr(LocalStore, "get", count_chunk)
    monkeypatch.setattr(nodes, "read_bounded", count_node)
    return counted


def test_open_store__reads_metadata_and_coordinates_once(store: Path, reads: Counter[str]):
    open_store(store)
    for name in STORE_COORDINATES:
        files = [key for key in reads if key.startswith(f"{name}/c/")]
        assert files, name
        assert {reads[key] for key in files} == {1}
        assert reads[f"{name}/zarr.json"] == 1, name
    assert {n for key, n in reads.items() if key.startswith("checksums/crc32c/c")} == {1}
    assert not [key for key in reads if key.startswith(("code/c", "scale/c"))]


def test_store_info__reads_coordinates_once(store: Path, reads: Counter[str]):
    store_info(store)
    assert {reads[key] for key in reads if key.startswith(("label/c", "layer/c", "bits/c"))} == {1}


def test_open_results__looks_at_a_store_once(store: Path, reads: Counter[str]):
    ibtools.analyze_store(store, estimator=["exact", "binned"], quiet=True)
    reads.clear()
    open_results(store, estimator=["exact", "binned"])
    assert reads["code/zarr.json"] == 1
    assert reads["exact/zarr.json"] == 1


def test_open_group__uses_the_metadata_that_it_judged(store: Path):
    """Whatever a file becomes between the look at it and its use, what was judged is used."""
    group = open_group(store)
    (store / "scale" / "zarr.json").write_text("{")
    assert get_array(group, "scale").shape == (1, 3, 2)
    with pytest.raises(StoreError, match=r"scale: zarr\.json: must be a JSON object"):
        open_group(store)


def test_guarded_store__forgets_what_was_judged_when_it_travels(store: Path):
    group = open_group(store)
    assert isinstance(group.store, GuardedStore)
    assert group.store.judged
    there = pickle.loads(pickle.dumps(group))
    assert not there.store.judged
    np.testing.assert_array_equal(get_array(there, "label")[...], get_array(group, "label")[...])
