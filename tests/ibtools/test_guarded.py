"""What was recorded is read as it was recorded, or not at all."""

import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr

import ibtools
from ibtools.analysis.passes import store_blocks
from ibtools.errors import StoreError
from ibtools.store.checksums import GROUP, NONE, ChecksumLayout, find_checksums
from ibtools.store.datasets import open_raw
from ibtools.store.groups import consolidate, find_group, get_array
from ibtools.store.info import format_info, store_info
from ibtools.store.opened import open_group
from ibtools.store.snapshots import LayerValues
from ibtools.store.writer import RepeatWriter

N_EPOCHS = 70  # in blocks of 64 and 6
N_SAMPLES = 24


def draw(repeat: int, epoch: int) -> dict[str, np.ndarray | LayerValues]:
    """Draw a snapshot of codes, of codes that are all 0, and of values."""
    rng = np.random.default_rng((repeat, epoch))
    codes = rng.integers(0, 16, (N_SAMPLES, 5)).astype("uint8")
    return {
        "hidden": LayerValues(codes, 0.5, 3),
        "dead": LayerValues(np.zeros((N_SAMPLES, 2), "uint8"), 1.0, 0),
        "output": rng.normal(size=(N_SAMPLES, 3)).astype("float32"),
    }


def record(path: Path) -> Path:
    ibtools.record_arrays(
        path,
        ((repeat, epoch, draw(repeat, epoch)) for repeat in (3, 7) for epoch in range(N_EPOCHS)),
        label=np.arange(N_SAMPLES) % 2,
        epochs=range(N_EPOCHS),
        repeats=(3, 7),
        bits=4,
    )
    return path


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record(tmp_path_factory.mktemp("recorded") / "s.zarr")


@pytest.fixture
def store(recorded: Path, tmp_path: Path) -> Path:
    """A copy of the store that a test may damage."""
    shutil.copytree(recorded, tmp_path / "s.zarr")
    return tmp_path / "s.zarr"


def read_everything(path: Path) -> xr.Dataset:
    return ibtools.open_store(path).load()


def without_checksums(path: Path) -> Path:
    """Make of a store what earlier versions of ibtools wrote, as far as reading goes."""
    shutil.rmtree(path / GROUP)
    consolidate(path)
    return path


def delete(file: Path) -> None:
    file.unlink()


def make_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def make_dangling(file: Path) -> None:
    file.unlink()
    file.symlink_to(file.parent / "nowhere")


READERS = {
    "open_store": read_everything,
    "open_raw": lambda path: open_raw(path).load(),
    "analyze": lambda path: ibtools.analyze_store(path, quiet=True),
    "per unit": lambda path: ibtools.analyze_store(path, estimator="exact-per-unit", quiet=True),
    "lazy": lambda path: ibtools.analyze(ibtools.open_store(path)).compute(),
    "details": lambda path: ibtools.details_store(path, "classes", quiet=True),
}


def test_open_store__whole_shows_what_was_recorded(recorded: Path):
    found = read_everything(recorded)
    for row, repeat in enumerate((3, 7)):
        for epoch in (0, 63, 64, 69):
            taken = draw(repeat, epoch)
            hidden = found["code"].values[row, epoch, 0, :, :5]
            np.testing.assert_array_equal(hidden, taken["hidden"].values)
            output = found["activation"].values[row, epoch, 2, :, :3]
            np.testing.assert_array_equal(output, taken["output"])


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("damage", [delete, make_folder, make_dangling])
def test_every_reader__a_missing_chunk_is_an_error_that_names_its_place(store, reader, damage):
    damage(store / "code/c/1/0/0/0/0")
    with pytest.raises(StoreError) as caught:
        READERS[reader](store)
    said = str(caught.value)
    assert "code/c/1/0/0/0/0 is not as it was recorded: it is" in said
    assert "code of repeat 7, epochs 0 to 63, layers hidden, dead, output" in said
    assert "--repair" in said
    assert "\n" not in said


@pytest.mark.parametrize("reader", READERS)
def test_every_reader__without_checksums_a_missing_chunk_is_an_error_too(store, reader):
    (without_checksums(store) / "code/c/1/1/0/0/0").unlink()
    with pytest.raises(StoreError, match="epochs 64 to 69, layers hidden, dead, output"):
        READERS[reader](store)


@pytest.mark.parametrize(
    ("here", "there"),
    [
        ("code/c/0/0/0/0/0", "code/c/1/0/0/0/0"),  # repeats
        ("code/c/0/0/0/0/0", "code/c/0/1/0/0/0"),  # epochs
        ("activation/c/0/0/0/0/0", "activation/c/1/0/0/0/0"),
        ("activation_max/c/0/0/0", "activation_max/c/1/0/0"),
    ],
)
def test_open_store__swapped_files_are_an_error(store: Path, here: str, there: str):
    (store / here).rename(store / "aside")
    (store / there).rename(store / here)
    (store / "aside").rename(store / there)
    with pytest.raises(StoreError, match="it is another file than was written there"):
        open_raw(store).load()


def test_open_store__an_older_file_is_an_error(store: Path, recorded: Path, tmp_path: Path):
    """A file that a backup brought back is sound, and stale."""
    other = tmp_path / "other.zarr"
    ibtools.record_arrays(
        other,
        (
            (repeat, epoch, draw(repeat + 1, epoch))
            for repeat in (3, 7)
            for epoch in range(N_EPOCHS)
        ),
        label=np.arange(N_SAMPLES) % 2,
        epochs=range(N_EPOCHS),
        repeats=(3, 7),
        bits=4,
    )
    shutil.copy(other / "code/c/0/1/0/0/0", store / "code/c/0/1/0/0/0")
    with pytest.raises(StoreError, match="repeat 3, epochs 64 to 69"):
        read_everything(store)


def test_open_store__no_flipped_bit_goes_unnoticed(store: Path):
    """Of every file of a recording, each of some bits spread over it."""
    rng = np.random.default_rng(0)
    whole = open_raw(store).load()
    unnoticed = []
    for file in sorted(store.rglob("c/**/*")):
        if not file.is_file() or GROUP in file.parts:
            continue
        good = file.read_bytes()
        for bit in rng.choice(len(good) * 8, 2, replace=False):
            damaged = bytearray(good)
            damaged[bit // 8] ^= 1 << bit % 8
            file.write_bytes(damaged)
            try:
                found = open_raw(store).load()
            except (StoreError, ValueError, RuntimeError):
                continue
            finally:
                file.write_bytes(good)
            if not found.identical(whole):
                unnoticed.append((file, bit))
    assert not unnoticed


def test_open_store__truncated_files_are_an_error(store: Path):
    file = store / "code/c/0/0/0/0/0"
    good = file.read_bytes()
    for length in (0, 1, 50, len(good) // 2, len(good) - 1):
        file.write_bytes(good[:length])
        with pytest.raises(StoreError, match=r"cut short|bytes were changed"):
            read_everything(store)


@pytest.mark.parametrize("name", ["n_units", "bits", "repeat", "epoch", "activation_function"])
def test_open_group__changed_coordinates_are_an_error(store: Path, name: str):
    array = get_array(zarr.open_group(store, mode="r+"), name)
    values = array[...]
    values[0] = "relu" if name == "activation_function" else values[0] - 1
    array[...] = values
    with pytest.raises(StoreError, match=f"{name} must be as recorded, but was changed since"):
        open_group(store)


def test_open_group__labels_may_be_given_anew(store: Path):
    label = get_array(zarr.open_group(store, mode="r+"), "label")
    label[...] = 1 - label[...]
    assert read_everything(store)["label"].values[0] == 1


def test_open_store__a_dead_layer_needs_no_file(tmp_path: Path):
    """Codes that are all 0 leave no chunk, with checksums or without."""
    path = tmp_path / "s.zarr"
    dead = np.zeros((1, 2, N_SAMPLES, 2), "uint8")
    ibtools.record_arrays(path, {"dead": dead}, label=np.arange(N_SAMPLES) % 2)
    assert not (path / "code/c").exists()
    for store in (path, without_checksums(path)):
        assert not read_everything(store)["code"].values.any()


def test_open_store__a_deleted_mark_is_an_error(store: Path):
    (store / "complete/c/1/0").unlink()
    with pytest.raises(StoreError, match="complete of repeat 7, epochs 0 to 69"):
        read_everything(store)


def test_open_store__repeats_appended_by_xarray_are_read(store: Path):
    more = xr.open_zarr(store).isel(repeat=[0]).load().assign_coords(repeat=[9])
    for variable in more.variables.values():
        variable.encoding.clear()
    more = more.drop_vars([name for name in more.variables if "repeat" not in more[name].dims])
    more.to_zarr(store, append_dim="repeat", zarr_format=3, consolidated=False)
    found = read_everything(store)
    assert found["repeat"].values.tolist() == [3, 7, 9]
    np.testing.assert_array_equal(found["code"].values[2], found["code"].values[0])


def test_open_store__a_copy_by_xarray_carries_no_checksums(store: Path, tmp_path: Path):
    ibtools.open_store(store).isel(epoch=slice(10)).to_zarr(
        tmp_path / "copy.zarr", consolidated=False
    )
    xr.testing.assert_equal(
        read_everything(tmp_path / "copy.zarr").drop_vars("activation"),
        read_everything(store).isel(epoch=slice(10)).drop_vars("activation"),
    )


def test_store_info__says_whether_there_are_checksums(store: Path):
    assert store_info(store).has_checksums
    assert "checksums   of every chunk" in format_info(store_info(store), store)
    assert "checksums   none" in format_info(store_info(without_checksums(store)), store)


def test_plain_xarray__reads_a_store_with_checksums(store: Path):
    plain = xr.open_zarr(store)
    assert "entry" not in plain.dims
    np.testing.assert_array_equal(plain["code"], open_raw(store)["code"])


def test_guarded_store__survives_pickling(store: Path):
    (store / "code/c/0/0/0/0/0").unlink()
    group = find_group(store, "r")
    assert group is not None
    copied = pickle.loads(pickle.dumps(group.store))
    with pytest.raises(StoreError, match="it is missing"):
        zarr.open_group(copied, mode="r")["code"][0, 0]


def test_checksums__know_every_chunk_and_only_those(recorded: Path):
    beside = find_checksums(open_group(recorded))
    assert beside is not None
    layout, table = ChecksumLayout.from_attributes(beside.attrs), beside["crc32c"][...]
    assert (table[..., 1] < 0).all()
    for repeat in range(2):
        for place in layout.places(repeat):
            known = (table[repeat, place.entries, 0] != NONE).any()
            assert known == (recorded / place.key).is_file(), place.key


def test_analyze__a_block_that_is_read_in_parts_is_checked(store: Path, monkeypatch):
    """A shard of which single chunks are read has an index, and each chunk its place."""
    swapped = store / "code/c/0/1/0/0/0"
    shutil.copy(store / "code/c/1/1/0/0/0", swapped)
    monkeypatch.setattr(store_blocks, "_open", store_blocks._open.__wrapped__)
    dataset = ibtools.open_store(store)
    with pytest.raises(StoreError, match="it is another file than was written there"):
        dataset["code"].isel(repeat=0, epoch=66, layer=0).load()


def test_open_store__bool_as_older_xarray_writes_it(store: Path):
    """xarray before 2026.9 writes bool as int8, and says so in an attribute."""
    path = without_checksums(store)
    expected = read_everything(path)["complete"]
    group = zarr.open_group(path, mode="r+")
    found = get_array(group, "complete")
    values, chunks = np.asarray(found[...]), found.chunks
    old = group.create_array(
        "complete", data=values.astype("int8"), chunks=chunks, overwrite=True,
        dimension_names=("repeat", "epoch"),
    )  # fmt: skip
    old.attrs["dtype"] = "bool"
    consolidate(path)
    xr.testing.assert_equal(read_everything(path)["complete"], expected)
    complete = RepeatWriter(open_group(path, "r+"), 3).complete
    assert complete.dtype == bool
    np.testing.assert_array_equal(complete, values[0])
