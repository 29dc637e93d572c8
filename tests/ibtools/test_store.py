import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr
from zarr.codecs import BloscCodec

import ibtools
from ibtools.errors import IbtoolsError, InputError, StoreError, StoreExistsError, StoreVersionError
from ibtools.store.creation import create_store
from ibtools.store.datasets import open_store
from ibtools.store.decode import dequantise, softmax
from ibtools.store.groups import consolidate
from ibtools.store.info import format_info, store_info
from ibtools.store.layout import CHUNK_BYTES, Chunking, StoreSpec, choose_chunking
from ibtools.store.opened import open_group
from ibtools.store.schema import CUBE, RESULT_VARIABLES, STORE_VARIABLES, markdown_table
from ibtools.store.snapshots import History, LayerSpec, LayerValues
from ibtools.store.writer import RepeatWriter
from tests.conftest import LABEL, example_snapshots
from tests.unbound import unbind

LAYERS = (LayerSpec("hidden", 3, "relu", 8), LayerSpec("output", 2, "softmax", 8))


def small_spec(**changes) -> StoreSpec:
    settings = {
        "layers": LAYERS,
        "repeats": (0, 1),
        "epochs": (0, 5),
        "trained_epochs": (1, 2, 3, 4, 5),
        "label": np.array([0, 1, 1, 0]),
    }
    return StoreSpec(**(settings | changes))


def codes(units: int, start: int = 0) -> LayerValues:
    values = (np.arange(4 * units) + start).astype("uint8").reshape(4, units)
    return LayerValues(values, scale=0.5, zero_point=1)


def snapshot(start: int = 0) -> dict[str, LayerValues]:
    return {"hidden": codes(3, start), "output": codes(2, start)}


def test_open_zarr__shows_the_labelled_cube_without_ibtools(example_store: Path):
    dataset = xr.open_zarr(example_store)
    assert dataset["code"].dims == CUBE
    assert list(dataset["layer"].values) == ["hidden_1", "free", "output"]
    assert list(dataset["epoch"].values) == [0, 1, 5, 10]
    assert {"seed", "outcome", "label", "n_units", "bits", "phase"} <= set(dataset.coords)
    assert "grid" in dataset["code"].attrs["description"]
    loaded = dataset["code"].sel(layer="hidden_1", repeat=1, epoch=5).isel(unit=slice(5))
    expected = next(s for s in example_snapshots() if s[:2] == (1, 5))[2]["hidden_1"].values
    assert (loaded.values == expected).all()


def test_open_zarr__needs_no_import_of_ibtools(example_store: Path):
    program = (
        f"import sys, xarray; ds = xarray.open_zarr({str(example_store)!r}); "
        "ds.load(); "
        "assert ds.code.ndim == 5 and not any(m.startswith('ibtools') for m in sys.modules)"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)


def test_open_store__decodes_every_kind_of_layer(example_store: Path):
    activation = open_store(example_store)["activation"]
    repeat, epoch, layers = next(s for s in example_snapshots() if s[:2] == (1, 10))
    activation = activation.sel(repeat=repeat, epoch=epoch)
    hidden, output = layers["hidden_1"], layers["output"]
    expected = dequantise(hidden.values, np.float32(0.25), np.int32(2))
    found = activation.sel(layer="hidden_1").values
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found[:, :5], expected)
    np.testing.assert_array_equal(activation.sel(layer="free").values[:, :2], layers["free"])
    logits = dequantise(output.values, np.float32(0.5), np.int32(4))
    np.testing.assert_array_equal(activation.sel(layer="output").values[:, :3], softmax(logits))


def test_open_store__padding_is_nan_so_that_reductions_are_right(example_store: Path):
    activation = open_store(example_store)["activation"]
    n_units = activation["n_units"]
    assert (activation.notnull().sum("unit") == n_units).all()
    total = activation.sel(layer="output").sum("unit")
    np.testing.assert_allclose(total, 1, rtol=1e-6)


def test_open_store__is_lazy(example_store: Path, forbid_computing):
    with forbid_computing:
        dataset = open_store(example_store)
        dataset["activation"].sel(layer="output").mean("sample")
    assert dataset["activation"].chunks is not None
    assert dataset["code"].chunks is not None


def test_open_store__incomplete_snapshots_are_nan(tmp_path: Path):
    group = create_store(tmp_path / "s.zarr", small_spec())
    writer = RepeatWriter(group, 1)
    writer.add_snapshot(0, snapshot())
    writer.commit()
    activation = open_store(tmp_path / "s.zarr")["activation"]
    there = activation.notnull().any(["layer", "sample", "unit"])
    assert there.values.tolist() == [[False, False], [True, False]]


def test_dequantise__worked_by_hand():
    found = dequantise(np.array([[0, 128, 255]], "uint8"), np.float32(0.1), np.int32(128))
    expected = np.float32(0.1) * np.array([[-128, 0, 127]], "float32")
    np.testing.assert_array_equal(found, expected)


def test_create_store__template_has_every_declared_variable(tmp_path: Path):
    layers = (*LAYERS, LayerSpec("free", 4, "linear", 32))
    arrays = {}
    extra = {"prefit": True, "recomputed": True, "input": np.array([0, 1, 1, 2])}
    extra |= {"unit_grids": True, "known": True}
    for keep in ("codes", "partition"):
        spec = small_spec(layers=layers, keep=keep, **extra)
        arrays |= dict(create_store(tmp_path / keep, spec).arrays())
    assert set(arrays) == {variable.name for variable in STORE_VARIABLES}
    for variable in STORE_VARIABLES:
        assert arrays[variable.name].metadata.dimension_names == variable.dims


def test_create_store__is_zarr_v3_and_sharded(tmp_path: Path):
    group = create_store(tmp_path / "s.zarr", small_spec())
    assert group.metadata.zarr_format == 3
    cube = group["code"]
    assert cube.shards is not None
    assert cube.chunks == (1, 2, 1, 4, 3)
    assert cube.shards == (1, 2, 2, 4, 3)


def test_create_store__codes_above_8_bits_are_uint16(tmp_path: Path):
    layers = (LayerSpec("wide", 2, "relu", 12), LayerSpec("output", 2, "softmax", 8))
    group = create_store(tmp_path / "s.zarr", small_spec(layers=layers))
    assert group["code"].dtype == np.uint16


def test_create_store__refuses_a_path_that_exists(tmp_path: Path):
    path = tmp_path / "s.zarr"
    create_store(path, small_spec())
    with pytest.raises(StoreExistsError, match="--overwrite"):
        create_store(path, small_spec())


def test_create_store__never_overwrites_what_is_not_a_store(tmp_path: Path):
    (tmp_path / "thesis.tex").write_text("years of work")
    zarr.create_group(tmp_path / "foreign.zarr")
    for path in (tmp_path, tmp_path / "thesis.tex", tmp_path / "foreign.zarr"):
        with pytest.raises(StoreExistsError, match="never overwritten"):
            create_store(path, small_spec(), overwrite=True)
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_create_store__overwrites_a_store_when_asked(tmp_path: Path):
    path = tmp_path / "s.zarr"
    create_store(path, small_spec())
    create_store(path, small_spec(epochs=(0,)), overwrite=True)
    assert open_store(path).sizes["epoch"] == 1


def test_create_store__without_permission(tmp_path: Path):
    place = tmp_path / "file"
    place.write_text("")
    with pytest.raises(StoreError, match="can't be created"):
        create_store(place / "s.zarr", small_spec())


def test_open_store__nothing_there(tmp_path: Path):
    with pytest.raises(StoreError, match="nothing is there; check the path"):
        open_store(tmp_path / "typo.zarr")


def test_open_store__something_else_there(tmp_path: Path):
    zarr.create_group(tmp_path / "foreign.zarr")
    with pytest.raises(StoreError, match="not an ibtools store"):
        open_store(tmp_path / "foreign.zarr")
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(StoreError, match="something else is there"):
        open_store(tmp_path / "notes.txt")


def test_open_store__newer_format_says_how_to_upgrade(example_store: Path):
    zarr.open_group(example_store, mode="r+").attrs["format_version"] = 99
    with pytest.raises(StoreVersionError, match=r"format version 99.*pip install --upgrade"):
        open_store(example_store)


@pytest.mark.parametrize("name", ["complete", "scale", "label"])
def test_open_store__truncated(example_store: Path, name: str):
    shutil.rmtree(example_store / name)
    with pytest.raises(StoreError, match=f"truncated or foreign: variable {name} is missing"):
        open_store(example_store)


def test_open_store__damaged_metadata(example_store: Path):
    (example_store / "zarr.json").write_text("{")
    with pytest.raises(StoreError, match="must be a JSON object"):
        open_store(example_store)


def test_open_store__wrong_dims_or_dtype(example_store: Path):
    for key, value, message in [
        ("dimension_names", ["repeat", "layer"], "must have the dimensions"),
        ("data_type", "int8", "must be bool, found int8"),
    ]:
        place = example_store / "complete" / "zarr.json"
        original = place.read_text()
        metadata = json.loads(original) | {key: value}
        metadata["fill_value"] = 0 if key == "data_type" else False
        place.write_text(json.dumps(metadata))
        with pytest.raises(StoreError, match=message):
            open_store(example_store)
        place.write_text(original)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"layers": ()}, "at least one layer"),
        ({"layers": (LAYERS[0], LAYERS[0])}, "different names"),
        ({"layers": (LayerSpec("x", 0, "relu", 8),)}, "must have a unit"),
        ({"layers": (LayerSpec("x", 1, "relu", 17),)}, "found 17"),
        ({"epochs": (5, 0)}, "epochs must be ascending"),
        ({"epochs": (0, 5, 5)}, "without duplicates, found 5, 5"),
        ({"epochs": (0, 2**31)}, "epochs must be whole numbers from .* to 2147483647, found 2147"),
        ({"epochs": (-(2**31) - 1, 0)}, "whole numbers from -2147483648 to .*, found -2147483649"),
        ({"epochs": (0, 1.5)}, "whole numbers .*, found 1.5"),
        ({"epochs": (True,)}, "whole numbers .*, found True"),
        ({"epochs": ("0",)}, "whole numbers .*, found '0'"),
        ({"epochs": 3}, "epochs must be a sequence of whole numbers, found 3"),
        ({"trained_epochs": (2**31,)}, "trained_epochs must be whole numbers"),
        ({"repeats": (2**63,)}, "repeats must be whole numbers .* found 9223372036854775808"),
        ({"repeats": ()}, "repeats must name at least one"),
        ({"label": np.array([[0]])}, r"shape \(1, 1\)"),
        ({"label": np.array([0.5])}, "one whole number or word per sample, found float64"),
        ({"label": np.array([-1, 0])}, "from 0, found int64, -1 to 0; number them: label, cl"),
        ({"label": np.array(["a", "b"])}, "from 0, found <U1, a to b"),
        ({"label": np.array([0, 2**63], "uint64")}, "from 0, found uint64, 0 to 9223372036854"),
        ({"classes": ("a",)}, r"name each of the classes 0 to 1 differently, found \('a',\)"),
        ({"classes": ("a", "a")}, "differently"),
        ({"input": np.array([0, 1])}, r"input must have one entry for each of the 4 samples"),
        ({"is_chain": "no"}, "is_chain must be True, False or None, found 'no'"),
        ({"layers": (LayerSpec(0, 1, "relu", 8),)}, r"a word \(str\) for a name, found 0"),
        ({"layers": (LayerSpec("x", 1, np.tanh, 8),)}, r"a name \(str\), found <ufunc"),
        ({"keep": "partitions"}, "did you mean 'partition'"),
        ({"split": np.array(["train"])}, "one entry for each of the 4 samples, found shape"),
        ({"split": np.array(["train", "val", "test", "test"])}, "train or test .*, found 'val'"),
    ],
)
def test_store_spec__refuses_contradictions(changes: dict, message: str):
    with pytest.raises(IbtoolsError, match=message):
        small_spec(**changes)


def test_choose_chunking__large_layers():
    """Bounded units per chunk: a narrow layer beside a wide one stores no padding chunks."""
    sizes = {"repeat": 1, "epoch": 10, "layer": 3, "sample": 70_000, "unit": 5408}
    found = choose_chunking(sizes, itemsize=1)
    assert found == Chunking((1, 1, 1, 35_000, 64), (1, 1, 1, 70_000, 5440))


@pytest.mark.parametrize(
    ("samples", "units", "layers", "itemsize", "epochs"),
    [
        (4096, 10, 6, 1, 64),  # SYN: what a killed recording may lose
        (70_000, 16, 5, 1, 23),  # MNIST: the memory of a recording
        (70_000, 64, 1, 1, 7),  # one wide layer: the memory of an analysis
        (4096, 10, 6, 4, 64),
        (70_000, 16, 5, 4, 5),
        (10**7, 64, 1, 4, 1),  # a single snapshot is larger than all bounds
    ],
)
def test_choose_chunking__blocks_are_long_until_memory_ends(
    samples: int, units: int, layers: int, itemsize: int, epochs: int
):
    sizes = {"repeat": 1, "epoch": 1600, "layer": layers, "sample": samples, "unit": units}
    found = choose_chunking(sizes, itemsize)
    assert found.chunks[1] == found.shards[1] == epochs
    assert found.shards[2] == layers
    assert math.prod(found.chunks) * itemsize <= CHUNK_BYTES
    assert found.shards[3] - samples < samples // found.chunks[3] + 1


def test_choose_chunking__shards_are_multiples_of_chunks():
    for unit in (1, 63, 64, 65, 1000):
        for sample in (1, 4096, 2**20 + 1):
            sizes = {"repeat": 2, "epoch": 7, "layer": 4, "sample": sample, "unit": unit}
            found = choose_chunking(sizes, itemsize=4)
            pairs = zip(found.shards, found.chunks, strict=True)
            assert all(shard % chunk == 0 for shard, chunk in pairs)


def test_writer__padding_chunks_are_not_stored(tmp_path: Path):
    layers = (LayerSpec("wide", 128, "relu", 8), LayerSpec("narrow", 1, "relu", 8))
    sizes = {}
    for name, specs in {"both": layers, "wide": layers[:1]}.items():
        group = create_store(tmp_path / name, small_spec(layers=specs, epochs=(0,)))
        rng = np.random.default_rng(0)
        values = {
            spec.name: LayerValues(rng.integers(1, 255, (4, spec.n_units), "uint8"), 1.0)
            for spec in specs
        }
        RepeatWriter(group, 0).add_snapshot(0, values)
        shard = tmp_path / name / "code" / "c" / "0" / "0" / "0" / "0" / "0"
        sizes[name] = shard.stat().st_size
    assert sizes["both"] - sizes["wide"] < 64 * 4


EARLIER_CODECS = {"compressors": BloscCodec(cname="zstd", clevel=3, shuffle="bitshuffle")}


def store_in_earlier_layout(path: Path) -> zarr.Group:
    """Create a store as it was cut and encoded before: epochs outermost, bits shuffled."""
    group = create_store(path, small_spec())
    cube = group["code"]
    group.create_array(
        "code",
        shape=cube.shape,
        chunks=(1, 1, 1, 4, 3),
        shards=(1, 1, 2, 4, 3),
        dtype="uint8",
        fill_value=0,
        dimension_names=cube.metadata.dimension_names,
        attributes=cube.attrs.asdict(),
        overwrite=True,
        **EARLIER_CODECS,
    )
    consolidate(path)
    return open_group(unbind(path), "r+")


def test_store__of_an_earlier_layout_is_recorded_and_read_as_any_other(tmp_path: Path):
    groups = {
        "earlier": store_in_earlier_layout(tmp_path / "earlier"),
        "now": create_store(tmp_path / "now", small_spec()),
    }
    for group in groups.values():
        for repeat in (0, 1):
            writer = RepeatWriter(group, repeat)
            writer.add_snapshot(0, snapshot(repeat))
            writer.add_snapshot(5, snapshot(7 * repeat))
            writer.finish("trained")
    assert groups["earlier"]["code"].metadata != groups["now"]["code"].metadata
    earlier, now = (open_store(tmp_path / name).load() for name in groups)
    xr.testing.assert_equal(earlier, now)
    for name in groups:
        ibtools.analyze_store(tmp_path / name, quiet=True)
    earlier, now = (ibtools.open_results(tmp_path / name).load() for name in groups)
    xr.testing.assert_equal(earlier, now)


def test_create_store__codecs_are_those_of_every_zarr_reader(tmp_path: Path):
    """Codes and values lie epoch by epoch, each beside its own; a partition stays in its order."""
    layers = (*LAYERS, LayerSpec("free", 4, "linear", 32))
    cubes = create_store(tmp_path / "cubes", small_spec(layers=layers))
    partition = create_store(tmp_path / "partition", small_spec(keep="partition"))
    found = {}
    for array in (cubes["code"], cubes["activation"], partition["partition"]):
        (sharding,) = array.metadata.to_dict()["codecs"]
        found[array.name] = [codec["name"] for codec in sharding["configuration"]["codecs"]]
    assert found == {
        "/code": ["transpose", "bytes", "zstd", "crc32c"],
        "/activation": ["transpose", "bytes", "blosc", "crc32c"],
        "/partition": ["bytes", "blosc", "crc32c"],
    }


def test_writer__codes_that_change_little_are_small_on_disk(tmp_path: Path):
    layers = (LayerSpec("only", 8, "relu", 8),)
    spec = small_spec(
        layers=layers, repeats=(0,), epochs=tuple(range(64)), label=np.zeros(500, int)
    )
    writer = RepeatWriter(create_store(tmp_path / "s.zarr", spec), 0)
    rng = np.random.default_rng(0)
    start = rng.integers(0, 200, (500, 8))
    for epoch in range(64):
        start = start + (rng.random(start.shape) < 0.05)
        writer.add_snapshot(epoch, {"only": LayerValues(start.astype("uint8"), 1.0)})
    (shard,) = [path for path in (tmp_path / "s.zarr" / "code").rglob("0") if path.is_file()]
    assert shard.stat().st_size < 64 * 500 * 8 / 3


def test_writer__round_trip_is_identical(tmp_path: Path):
    group = create_store(tmp_path / "s.zarr", small_spec())
    writer = RepeatWriter(group, 0)
    assert not writer.add_snapshot(0, snapshot(1))
    writer.add_history(5, History(0.5, 0.75, 0.25, 0.5))
    assert writer.add_snapshot(5, snapshot(7))
    writer.finish("trained")
    dataset = xr.open_zarr(tmp_path / "s.zarr").load()
    codes_5 = dataset["code"].sel(repeat=0, epoch=5, layer="hidden")
    np.testing.assert_array_equal(codes_5, snapshot(7)["hidden"].values)
    assert dataset["scale"].sel(repeat=0, epoch=0, layer="output") == 0.5
    assert dataset["zero_point"].sel(repeat=0, epoch=0, layer="output") == 1
    assert dataset["activation_max"].sel(repeat=0, epoch=5, layer="hidden") == 0.5 * (18 - 1)
    assert dataset["train_accuracy"].sel(repeat=0, trained_epoch=5) == 0.75
    assert dataset["complete"].values.tolist() == [[True, True], [False, False]]
    assert dataset["outcome"].values.tolist() == ["trained", "pending"]


def test_writer__commit_of_part_of_a_block_keeps_the_rest(tmp_path: Path):
    group = create_store(tmp_path / "s.zarr", small_spec())
    first = RepeatWriter(group, 0)
    first.add_snapshot(0, snapshot(1))
    first.commit()
    RepeatWriter(group, 0).add_snapshot(5, snapshot(7))
    cube = xr.open_zarr(tmp_path / "s.zarr")["code"].sel(repeat=0, layer="hidden")
    np.testing.assert_array_equal(cube.sel(epoch=0), snapshot(1)["hidden"].values)
    np.testing.assert_array_equal(cube.sel(epoch=5), snapshot(7)["hidden"].values)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ({"hidden": codes(3)}, "must have the layers hidden, output; found hidden"),
        ({"hidden": codes(2), "output": codes(2)}, r"\(4, 3\), found \(4, 2\)"),
        (
            {"hidden": LayerValues(np.zeros((4, 3), "int64"), 1.0), "output": codes(2)},
            "uint8 or uint16, found int64",
        ),
        (
            {"hidden": LayerValues(np.zeros((4, 3), "uint8")), "output": codes(2)},
            "scale must be positive, found nan",
        ),
        (
            {"hidden": LayerValues(np.full((4, 3), 256, "uint16"), 1.0), "output": codes(2)},
            "below 256, found 256",
        ),
    ],
)
def test_writer__refuses_before_anything_is_written(tmp_path: Path, layers: dict, message: str):
    group = create_store(tmp_path / "s.zarr", small_spec())
    writer = RepeatWriter(group, 0)
    with pytest.raises(StoreError, match=message):
        writer.add_snapshot(0, layers)
    assert not writer.complete.any()


def test_writer__unknown_epoch_and_repeat(tmp_path: Path):
    group = create_store(tmp_path / "s.zarr", small_spec())
    with pytest.raises(StoreError, match="repeat 7 is not in the store"):
        RepeatWriter(group, 7)
    with pytest.raises(StoreError, match="epoch 3 is not in the store, which holds 0 to 5"):
        RepeatWriter(group, 0).add_snapshot(3, snapshot())


FULL_DISK = """
import resource, signal, sys
import numpy as np
import ibtools.store.layout
from ibtools.errors import StoreError
from ibtools.store.layout import StoreSpec
from ibtools.store.snapshots import LayerSpec, LayerValues
from ibtools.store.creation import create_store
from ibtools.store.datasets import open_store
from ibtools.store.writer import RepeatWriter

ibtools.store.layout.MAX_BLOCK_EPOCHS = 8
layer = LayerSpec("wide", 64, "relu", 8)
group = create_store(
    sys.argv[1],
    StoreSpec((layer,), (0,), tuple(range(32)), (1,), np.zeros(4096, int)),
)
writer = RepeatWriter(group, 0)
rng = np.random.default_rng(0)
def add(epoch):
    codes = rng.integers(0, 255, (4096, 64), "uint8")
    writer.add_snapshot(epoch, {"wide": LayerValues(codes, 1.0)})
for epoch in range(8):
    add(epoch)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
try:
    for epoch in range(8, 32):
        add(epoch)
except StoreError as err:
    print(err)
complete = open_store(sys.argv[1])["complete"].values
assert complete.tolist() == [[True] * 8 + [False] * 24], complete
"""


def test_writer__full_disk_is_one_clear_error_and_nothing_is_lost(tmp_path: Path):
    """The operating system refuses files above a size, as a full disk would."""
    run = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path / "s.zarr")],
        check=True,
        capture_output=True,
        text=True,
    )
    assert "writing failed" in run.stdout
    assert "All that is marked complete is intact" in run.stdout


def test_store__any_fsspec_path():
    path = "memory://test_store/run.zarr"
    ibtools.record_arrays(
        path, example_snapshots(), label=LABEL, repeats=range(2), epochs=(0, 1, 5, 10)
    )
    with pytest.raises(StoreExistsError):
        ibtools.record_arrays(path, {"x": np.zeros((1, 1, 2, 1), "f4")}, label=[0, 1])
    assert open_store(path)["complete"].all()
    report = ibtools.analyze_store(path, quiet=True)
    assert report.computed == 8
    assert float(ibtools.open_results(path)["mi_ty"].max()) > 0


def test_open_group__is_read_only_by_default(example_store: Path):
    with pytest.raises(ValueError, match="read"):
        open_group(example_store)["complete"][...] = False


def test_markdown_table__has_every_variable():
    table = markdown_table(STORE_VARIABLES + RESULT_VARIABLES)
    assert len(table.splitlines()) == 2 + len(STORE_VARIABLES) + len(RESULT_VARIABLES)
    assert table.count("\n| `") == len(STORE_VARIABLES) + len(RESULT_VARIABLES)


def test_store__leaves_no_partial_files(example_store: Path):
    names = [name for _, _, files in os.walk(example_store) for name in files]
    assert not [name for name in names if "partial" in name]


def test_partition_store__has_labels_and_ranges_but_no_values(
    partition_store: Path, example_store: Path
):
    dataset, whole = open_store(partition_store).load(), xr.open_zarr(example_store).load()
    assert not {"code", "activation", "scale", "zero_point"} & set(dataset.variables)
    assert dataset["partition"].dims == CUBE[:4]
    assert dataset["partition"].dtype == np.uint32
    for name in ("activation_min", "activation_max"):
        np.testing.assert_array_equal(dataset[name], whole[name])
    for repeat, epoch, layers in example_snapshots():
        labels = dataset["partition"].sel(repeat=repeat, epoch=epoch)
        rows = layers["hidden_1"].values
        same = (rows[:, None] == rows).all(axis=2)
        found = labels.sel(layer="hidden_1").values
        np.testing.assert_array_equal(found[:, None] == found, same)


def test_partition_store__exact_information_is_that_of_the_codes(
    partition_store: Path, example_store: Path
):
    expected = ibtools.analyze(open_store(example_store)).compute()
    found = ibtools.analyze(open_store(partition_store)).compute()
    xr.testing.assert_equal(found, expected)
    half = {"sample": np.arange(1, 64, 2)}
    xr.testing.assert_equal(
        ibtools.analyze(open_store(partition_store).isel(half)).compute(),
        ibtools.analyze(open_store(example_store).isel(half)).compute(),
    )
    assert ibtools.analyze_store(partition_store, quiet=True).computed == 8
    xr.testing.assert_equal(ibtools.open_results(partition_store).load(), expected)


@pytest.mark.parametrize("estimator", ["binned", "requantised", "exact-per-unit"])
def test_partition_store__estimators_that_need_values_refuse(partition_store, estimator):
    with pytest.raises(InputError, match="record again with --keep codes"):
        ibtools.analyze(open_store(partition_store), estimator=estimator)


def test_partition_store__info(partition_store: Path, example_store: Path):
    info = store_info(partition_store)
    assert info.keep == "partition"
    assert info.cube_bytes == 8 * 64 * 3 * 4
    assert "kept        partition: which samples share a state" in format_info(info, "x")
    assert "kept        codes and float32 values of every unit" in format_info(
        store_info(example_store), "x"
    )


def test_partition_store__resumes_within_a_block(tmp_path: Path):
    """Two writers, one after the other, give the bytes of one."""
    for name in ("one", "two"):
        group = create_store(tmp_path / name, small_spec(keep="partition"))
        writer = RepeatWriter(group, 0)
        writer.add_snapshot(0, snapshot(1))
        if name == "two":
            writer.commit()
            writer = RepeatWriter(group, 0)
        writer.add_snapshot(5, snapshot(7))
    for name in ("partition", "activation_min", "complete"):
        found = [open_store(tmp_path / store)[name].values for store in ("one", "two")]
        np.testing.assert_array_equal(*found)


def test_writer__random_label(tmp_path: Path):
    group = create_store(tmp_path / "s.zarr", small_spec(prefit=True, epochs=(-2, 0)))
    writer = RepeatWriter(group, 1)
    writer.set_random_label(np.array([1, 1, 9, 0]))  # of a class that no recorded sample is of
    writer.set_random_label(np.array([1, 1, 0, 0]))
    dataset = open_store(tmp_path / "s.zarr")
    assert dataset["random_label"].values.tolist() == [[-1] * 4, [1, 1, 0, 0]]
    assert dataset["phase"].values.tolist() == ["prefit", "training"]
    for wrong in ([1, 1, -2, 0], [1, 0]):
        with pytest.raises(StoreError, match="number a class from 0 for each of the 4 samples"):
            writer.set_random_label(np.array(wrong))
    plain = RepeatWriter(create_store(tmp_path / "plain.zarr", small_spec()), 0)
    with pytest.raises(StoreError, match=r"StoreSpec\(prefit=True\)"):
        plain.set_random_label(np.array([1, 1, 0, 0]))


def test_store__says_how_many_snapshots_were_computed_twice(tmp_path: Path):
    group = create_store(tmp_path / "s.zarr", small_spec(recomputed=True))
    assert (group["n_recomputed"].dtype, group["n_recomputed_differences"].dtype) == ("i4", "i8")
    assert open_store(tmp_path / "s.zarr")["n_recomputed"].values.tolist() == [0, 0]
    assert "n_recomputed" not in create_store(tmp_path / "t.zarr", small_spec())


def test_store_info__epoch_0_is_before_the_training(tmp_path: Path):
    """It is no epoch of training, unless others were on random labels before it."""
    values = np.zeros((1, 3, 4, 1), np.float32)
    for epochs, n_trained in (([0, 5, 9], 2), ([1, 5, 9], 3), ([-1, 0, 1], 3)):
        path = tmp_path / f"{epochs[0]}.zarr"
        ibtools.record_arrays(path, {"x": values}, label=[0, 1, 0, 1], epochs=epochs)
        said = format_info(store_info(path), path)
        assert f"of {n_trained} trained" in said
        assert "3 of 3 snapshots" in said
