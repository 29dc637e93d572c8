import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner

import ibtools
from ibtools.analysis.passes import carrying
from ibtools.analysis.passes.kept_results import KeptResults
from ibtools.cli.main import cli
from ibtools.errors import InputError, StoreError, StoreExistsError, UnknownNameError
from ibtools.store.creation import create_store
from ibtools.store.header import Header
from ibtools.store.info import format_info, store_info
from ibtools.store.layout import StoreSpec
from ibtools.store.opened import open_group
from ibtools.store.schema import UNIT_GRIDS
from ibtools.store.snapshots import LayerSpec
from ibtools.store.writer import RepeatWriter
from tests.conftest import LABEL, record_example
from tests.ibtools.test_unit_grids import snapshots as unit_grid_snapshots
from tests.recorders.loops import train

ROOT = Path(__file__).parents[2]
ESTIMATORS = ("exact", "requantised", "binned-uniform-30-layer")
RESULTS = ("details/exact/classes", *(f"information/{name}" for name in sorted(ESTIMATORS)))


@pytest.fixture(scope="module")
def analysed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example store with results, also of estimators that need codes, and a detail.

    It is shared by all tests, which only read it.
    """
    path = record_example(tmp_path_factory.mktemp("analysed") / "example.zarr")
    ibtools.analyze_store(path, estimator=ESTIMATORS, quiet=True)
    ibtools.details_store(path, "classes", quiet=True)
    return path


@pytest.fixture(scope="module")
def partitioned(analysed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, thinned to its partition; only read, too."""
    output = tmp_path_factory.mktemp("thin") / "thin.zarr"
    before = digest(analysed)
    report = thin(analysed, output, keep="partition")
    assert (report.copied, report.skipped, report.snapshots) == (2, 0, 8)
    assert sorted(report.results) == [*RESULTS]
    assert digest(analysed) == before
    return output


def thin(source: Path, output: Path | str, **choice):
    return ibtools.thin_store(source, output, quiet=True, **choice)


def digest(folder: Path) -> str:
    """Digest the names and bytes of all files."""
    files = sorted(one for one in folder.rglob("*") if one.is_file())
    parts = (str(one.relative_to(folder)).encode() + one.read_bytes() for one in files)
    return hashlib.sha256(b"".join(parts)).hexdigest()


def opened(path: Path | str) -> xr.Dataset:
    return xr.open_zarr(path).load()


def expect_same(found: xr.Dataset, expected: xr.Dataset, *names: str) -> None:
    for name in names or (*expected.variables,):
        xr.testing.assert_equal(found[name].variable, expected[name].variable)


def expect_sound(path: Path | str) -> None:
    report = ibtools.check(path, quiet=True)
    assert report.ok, report


def outcomes(path: Path) -> list[str]:
    return Header.of(open_group(path)).coordinates["outcome"].tolist()


def test_thin_store__partition_is_that_of_a_recording_which_kept_it(
    partitioned: Path, partition_store: Path
):
    """Quantised, float and softmax layers: the same labels and ranges, to the last bit."""
    assert not {"code", "activation", "scale", "zero_point"} & set(opened(partitioned))
    expect_same(opened(partitioned), opened(partition_store))


def test_thin_store__results_come_along(analysed: Path, partitioned: Path):
    for name in ESTIMATORS:
        expect_same(
            ibtools.open_results(partitioned, estimator=name),
            ibtools.open_results(analysed, estimator=name),
        )
    found, expected = (ibtools.open_details(path, "classes") for path in (partitioned, analysed))
    expect_same(found, expected)
    assert ibtools.plot_store(partitioned, "information-plane", estimator="binned") is not None


def test_thin_store__partition_is_counted_to_the_same_bits(
    analysed: Path, partitioned: Path, tmp_path: Path
):
    ibtools.analyze_store(partitioned, output=tmp_path / "anew.zarr", quiet=True)
    expect_same(ibtools.open_results(tmp_path / "anew.zarr"), ibtools.open_results(analysed))


def test_thin_store__further_analysis_goes_on_with_what_came_along(partitioned: Path):
    report = ibtools.analyze_store(partitioned, quiet=True)
    assert (report.computed, report.skipped, report.anew) == (0, 8, ())
    with pytest.raises(InputError, match="keeps only the partition"):
        ibtools.analyze_store(partitioned, estimator="binned", quiet=True)


def test_check__says_what_a_partition_can_not_recount(partitioned: Path):
    report = ibtools.check(partitioned, quiet=True)
    assert report.ok
    assert {one.subject: one.status for one in report.checks if one.name == "recount"} == {
        "information/exact": "ok",
        "information/requantised": "not checked",
        "information/binned-uniform-30-layer": "not checked",
    }


def test_thin_store__layers(analysed: Path, tmp_path: Path):
    output = tmp_path / "thin.zarr"
    report = thin(analysed, output, layers=["free", "hidden_1"])
    found, expected = opened(output), opened(analysed).sel(layer=["hidden_1", "free"])
    names = [name for name in expected if name not in ("code", "activation")]
    expect_same(found, expected, *names, *expected.coords)
    for name in ("code", "activation"):
        assert (found[name].values == expected[name].values[..., :5])[~np.isnan(found[name])].all()
    assert list(json.loads(found.attrs["layers_left_out"])) == ["output"]
    assert found.attrs["layers"] == "graph"
    assert report.results == ()
    assert set(report.left.values()) == {"the layers of the source are not all kept"}
    ibtools.analyze_store(output, quiet=True)
    expected = ibtools.open_results(analysed).sel(layer=["hidden_1", "free"])
    expect_same(ibtools.open_results(output), expected, "mi_xt", "mi_ty", "n_states")
    expect_sound(output)


def test_thin_store__epochs(analysed: Path, tmp_path: Path):
    output = tmp_path / "thin.zarr"
    thin(analysed, output, epochs=[10, 1])
    expect_same(opened(output), opened(analysed).sel(epoch=[1, 10]))
    expect_same(
        ibtools.open_results(output, estimator="requantised"),
        ibtools.open_results(analysed, estimator="requantised").sel(epoch=[1, 10]),
    )
    expect_sound(output)
    thin(output, tmp_path / "thinner.zarr", keep="partition", epochs="log:1")
    found = opened(tmp_path / "thinner.zarr")
    assert found["epoch"].values.tolist() == [1, 10]
    assert found.attrs["thinned_from"].count("that was thinned from arrays, store ") == 1


def test_thin_store__tells_what_it_is_of(analysed: Path, tmp_path: Path):
    output = tmp_path / "thin.zarr"
    thin(analysed, output, keep="partition", epochs=[1], layers=["output"])
    source, found = opened(analysed).attrs, opened(output).attrs
    assert found["thinned_from"] == (
        f"arrays, store {source['store_id']}; the partition in place of codes and values; "
        "1 of 3 layers; 1 of 4 recorded epochs"
    )
    assert json.loads(found["configuration"]) == {"keep": "partition"}
    assert found["store_id"] != source["store_id"]
    inherited = ("experiment", "created", "ibtools_version", "library_versions", "format_version")
    assert [found[name] for name in inherited] == [source[name] for name in inherited]
    told = format_info(store_info(output), output)
    assert f"thinned     from arrays, store {source['store_id']}; the partition" in told
    assert "epochs      1 recorded, 1 to 1, of 3 trained" in told


SMALL = {
    "layers": (LayerSpec("hidden", 3, "relu", 8), LayerSpec("output", 2, "softmax", 12)),
    "repeats": (3, 4, 5, 6),
    "epochs": (-1, 0, 1),
    "trained_epochs": (0, 1),
    "label": LABEL,
    "split": np.where(LABEL == 2, "test", "train"),
    "input": np.arange(64) // 2,
    "configuration": {"experiment": "X", "keep": "codes", "recorded_epochs": [-1, 0, 1]},
    "attributes": {"experiment": "X", "data": "D", "data_checksum": "sha256:0", "mine": [1]},
    "prefit": True,
    "recomputed": True,
    "inputs": "population",
    "is_chain": True,
    "classes": ("a", "b", "c"),
}


def record_small(path: Path) -> Path:
    """Record a trained, a failed and an interrupted repeat, and leave one that is not begun."""
    group = create_store(path, StoreSpec(**SMALL))
    for repeat, n_epochs in ((3, 3), (4, 2), (5, 1)):
        rng = np.random.default_rng(repeat)
        writer = RepeatWriter(group, repeat)
        writer.start_attempt(seed=10 * repeat, failed_attempts=repeat - 3)
        writer.set_numbers(n_recomputed=2, n_recomputed_differences=repeat)
        writer.set_random_label(rng.permutation(LABEL))
        writer.add_scalars(1, {"train_loss": 0.5 * repeat, "test_accuracy": 0.25})
        for epoch in SMALL["epochs"][:n_epochs]:
            hidden, output = rng.integers(0, 4, (64, 3)), rng.integers(0, 999, (64, 2))
            layers = {
                "hidden": ibtools.LayerValues(hidden.astype("uint8"), 0.5, 1),
                "output": ibtools.LayerValues(output.astype("uint16"), 0.25, 9, bits=12),
            }
            writer.add_snapshot(epoch, layers)
        writer.commit()
        if repeat < 5:
            writer.finish("trained" if repeat == 3 else "failed")
    return path


def test_thin_store__all_else_comes_along(tmp_path: Path):
    source, output = record_small(tmp_path / "small.zarr"), tmp_path / "thin.zarr"
    thin(source, output, epochs=[-1, 1])
    found, expected = opened(output), opened(source).sel(epoch=[-1, 1])
    expect_same(found, expected)
    assert found["outcome"].values.tolist() == ["trained", "failed", "pending", "pending"]
    assert found["complete"].values.sum(axis=1).tolist() == [2, 1, 1, 0]
    configuration = SMALL["configuration"] | {"recorded_epochs": [-1, 1]}
    assert json.loads(found.attrs["configuration"]) == configuration
    own = {name: found.attrs[name] for name in ("configuration", "store_id", "thinned_from")}
    assert found.attrs == expected.attrs | own


def test_thin_store__narrow_layers_need_no_wide_codes(tmp_path: Path):
    source = record_small(tmp_path / "small.zarr")
    thin(source, tmp_path / "thin.zarr", layers=["hidden"])
    found, expected = opened(tmp_path / "thin.zarr"), opened(source).sel(layer=["hidden"])
    assert found["code"].dtype == "uint8"
    np.testing.assert_array_equal(found["code"], expected["code"])


def test_thin_store__what_changed_in_the_source_is_copied_again(tmp_path: Path):
    source, output = record_small(tmp_path / "small.zarr"), tmp_path / "thin.zarr"
    assert thin(source, output, keep="partition").copied == 4
    writer = RepeatWriter(open_group(source, "r+"), 5)
    layers = {
        "hidden": ibtools.LayerValues(np.ones((64, 3), "uint8"), 0.5, 1),
        "output": ibtools.LayerValues(np.ones((64, 2), "uint16"), 0.5, 1, bits=12),
    }
    writer.add_snapshot(1, layers)
    writer.finish("trained")
    RepeatWriter(open_group(source, "r+"), 3).start_attempt(seed=77, failed_attempts=1)
    assert thin(source, output, keep="partition").copied == 3
    found, expected = opened(output), opened(source)
    expect_same(found, expected, "complete", "outcome", "seed", "train_loss")
    assert found["outcome"].values.tolist() == ["pending", "failed", "trained", "pending"]


def test_thin_store__grids_of_units(tmp_path: Path):
    source, output = tmp_path / "grids.zarr", tmp_path / "thin.zarr"
    ibtools.record_arrays(
        source, unit_grid_snapshots(), label=np.arange(60) % 3, repeats=[0, 1], epochs=[0, 1, 5]
    )
    thin(source, output, epochs=[0, 5])
    expect_same(opened(output), opened(source).sel(epoch=[0, 5]))
    assert set(UNIT_GRIDS) < set(opened(output))
    expect_sound(output)


def test_thin_store__of_a_store_that_grows(tmp_path: Path):
    source, output = tmp_path / "grown.zarr", tmp_path / "thin.zarr"
    train(source, 6)
    train(source, 3, repeat=1)
    thin(source, output, keep="partition", epochs="every:2")
    expected = opened(source).sel(epoch=[0, 2, 4, 6])
    names = ("complete", "learning_rate", "train_accuracy", "activation_min", "outcome")
    expect_same(opened(output), expected, *names)
    assert opened(output).attrs["unit_shapes"] == {"output": [2, 3]}
    expect_sound(output)


def test_thin_store__many_blocks(tmp_path: Path):
    """Blocks of the thin store are other ones than those of the source."""
    source, output = tmp_path / "grown.zarr", tmp_path / "thin.zarr"
    train(source, 200)
    thin(source, output, epochs="every:2")
    expect_same(opened(output), opened(source).isel(epoch=slice(None, None, 2)))


def test_thin_store__goes_on_repeat_by_repeat(
    analysed: Path, partitioned: Path, tmp_path: Path, monkeypatch
):
    output, finish = tmp_path / "thin.zarr", RepeatWriter.finish

    def die(writer: RepeatWriter, outcome):
        if writer._repeat == 1:
            raise KeyboardInterrupt
        finish(writer, outcome)

    with monkeypatch.context() as patch:
        patch.setattr(RepeatWriter, "finish", die)
        with pytest.raises(KeyboardInterrupt):
            thin(analysed, output, keep="partition")
    assert outcomes(output) == ["trained", "pending"]
    assert store_info(output).results == {}
    report = thin(analysed, output, keep="partition")
    assert (report.copied, report.skipped) == (1, 1)
    expect_same(opened(output), opened(partitioned))
    expect_same(ibtools.open_results(output), ibtools.open_results(partitioned))


def test_thin_store__goes_on_with_results(analysed: Path, tmp_path: Path, monkeypatch):
    output, write, written = tmp_path / "thin.zarr", KeptResults.write, []

    def die(kept: KeptResults, *args):
        if len(written) == 3:
            raise KeyboardInterrupt
        written.append(write(kept, *args))

    with monkeypatch.context() as patch:
        patch.setattr(KeptResults, "write", die)
        with pytest.raises(KeyboardInterrupt):
            thin(analysed, output, epochs=[0, 5])
    assert thin(analysed, output, epochs=[0, 5]).copied == 0
    for name in ESTIMATORS:
        expected = ibtools.open_results(analysed, estimator=name).sel(epoch=[0, 5])
        expect_same(ibtools.open_results(output, estimator=name), expected)


def test_thin_store__results_that_were_half_created_are_created_anew(
    analysed: Path, tmp_path: Path, monkeypatch
):
    output, create, created = tmp_path / "thin.zarr", carrying._create_array, []

    def die(group, array, name, *args):
        if len(created) == 7:
            raise KeyboardInterrupt
        created.append(create(group, array, name, *args))

    with monkeypatch.context() as patch:
        patch.setattr(carrying, "_create_array", die)
        with pytest.raises(KeyboardInterrupt):
            thin(analysed, output, epochs=[0])
    assert store_info(output).results == {}
    thin(analysed, output, epochs=[0])
    expect_same(ibtools.open_results(output), ibtools.open_results(analysed).sel(epoch=[0]))


def test_thin_store__killed(example_store: Path, tmp_path: Path):
    """A process that is killed in the middle of a repeat leaves it pending."""
    output = tmp_path / "thin.zarr"
    program = (
        "import os, ibtools\n"
        "from ibtools.store.writer import RepeatWriter\n"
        "write = RepeatWriter._write_row\n"
        "def die(writer, name):\n"
        "    if writer._repeat == 1 and name == 'complete' and writer._block:\n"
        "        os.kill(os.getpid(), 9)\n"
        "    write(writer, name)\n"
        "RepeatWriter._write_row = die\n"
        f"ibtools.thin_store({str(example_store)!r}, {str(output)!r}, keep='partition')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False, timeout=300)
    assert done.returncode == -signal.SIGKILL
    assert outcomes(output) == ["trained", "pending"]
    assert Header.of(open_group(output)).complete.sum(axis=1).tolist() == [4, 0]
    assert thin(example_store, output, keep="partition").copied == 1
    expect_same(opened(output), opened(record_example(tmp_path / "p.zarr", keep="partition")))
    expect_sound(output)


def test_thin_store__repeat_that_was_begun_anew_meanwhile(
    example_store: Path, tmp_path: Path, monkeypatch
):
    add = RepeatWriter.add_kept

    def begin_anew(writer: RepeatWriter, *args):
        other = RepeatWriter(open_group(example_store, "r+"), 0)
        monkeypatch.undo()
        add(writer, *args)
        other.start_attempt(seed=99, failed_attempts=1)

    monkeypatch.setattr(RepeatWriter, "add_kept", begin_anew)
    with pytest.raises(StoreError, match="repeat 0 was begun anew while it was read"):
        thin(example_store, tmp_path / "thin.zarr", keep="partition")
    assert outcomes(tmp_path / "thin.zarr") == ["pending", "pending"]


def test_thin_store__damage_is_named(example_store: Path, tmp_path: Path):
    shard = example_store / "code" / "c" / "1" / "0" / "0" / "0" / "0"
    shard.write_bytes(shard.read_bytes()[:-9] + b"unlikely!")
    with pytest.raises(StoreError, match="not as it was recorded"):
        thin(example_store, tmp_path / "thin.zarr", keep="partition")
    assert outcomes(tmp_path / "thin.zarr") == ["trained", "pending"]


def test_thin_store__results_that_are_out_of_date_stay_behind(analysed: Path, tmp_path: Path):
    source = tmp_path / "relabelled.zarr"
    shutil.copytree(analysed, source)
    open_group(source, "r+")["label"][:] = np.roll(LABEL, 1)
    report = thin(source, tmp_path / "thin.zarr", keep="partition")
    assert report.results == ()
    assert "other labels" in report.left["information/exact"]
    assert store_info(tmp_path / "thin.zarr").results == {}


def test_thin_store__to_a_url(analysed: Path):
    output = "memory://test_thinning/thin.zarr"
    thin(analysed, output, keep="partition")
    assert thin(analysed, output, keep="partition").copied == 0
    expect_same(
        ibtools.open_results(output, estimator="requantised"),
        ibtools.open_results(analysed, estimator="requantised"),
    )
    with pytest.raises(StoreExistsError, match="is that store"):
        ibtools.thin_store(output, output + "/", epochs=[1])


@pytest.mark.parametrize(
    ("choice", "error", "message"),
    [
        ({}, InputError, "at least one thing must be left out"),
        ({"keep": "codes"}, UnknownNameError, "unknown keep 'codes'"),
        ({"layers": ["hiden_1"]}, UnknownNameError, "did you mean 'hidden_1'"),
        ({"layers": []}, InputError, "at least one layer"),
        ({"epochs": [0, 7]}, InputError, "found 7, which is not among the 4 that are, 0 to 10"),
        ({"epochs": "0,7"}, InputError, "epochs must be recorded, found 7"),
        ({"epochs": "often"}, InputError, "unknown schedule 'often'"),
        ({"epochs": []}, InputError, "at least one epoch"),
    ],
)
def test_thin_store__refuses_what_is_no_choice(
    analysed: Path, tmp_path: Path, choice, error, message
):
    with pytest.raises(error, match=message):
        thin(analysed, tmp_path / "thin.zarr", **choice)
    assert not (tmp_path / "thin.zarr").exists()


def test_thin_store__of_a_partition_asks_for_more(partition_store: Path, tmp_path: Path):
    with pytest.raises(InputError, match="keeps the partition only already"):
        thin(partition_store, tmp_path / "thin.zarr", keep="partition")
    thin(partition_store, tmp_path / "thin.zarr", keep="partition", layers="output")
    expect_same(opened(tmp_path / "thin.zarr"), opened(partition_store).sel(layer=["output"]))


def test_thin_store__refuses_places_that_are_taken(example_store: Path, tmp_path: Path):
    before = digest(example_store)
    link, other = tmp_path / "link.zarr", record_example(tmp_path / "other.zarr")
    link.symlink_to(example_store)
    foreign = tmp_path / "folder"
    foreign.mkdir()
    (foreign / "notes.txt").write_text("mine")
    thin(example_store, tmp_path / "thin.zarr", epochs=[1])
    for place, message in {
        example_store: "is that store",
        link: "is that store",
        example_store / "thin": "is inside of it",
        foreign: "not an ibtools store",
        tmp_path: "not an ibtools store",
        other: "it was not thinned from this one",
        tmp_path / "thin.zarr": "it was not thinned from this one as it is now",
    }.items():
        with pytest.raises(StoreExistsError, match=message):
            thin(example_store, place, keep="partition")
    assert digest(example_store) == before
    assert os.listdir(foreign) == ["notes.txt"]


def test_thin__command(analysed: Path, tmp_path: Path):
    output = tmp_path / "thin.zarr"
    command = ["thin", str(analysed), "--output", str(output), "--epochs", "log:2", "--quiet"]
    result = CliRunner().invoke(cli, [*command, "--layers", "output,free"])
    assert result.exit_code == 0, result.output
    assert result.output.startswith(f"{output}: 2 repeats copied, 0 skipped (copied before), 6 ")
    assert result.output.count("the layers of the source are not all kept") == 1
    result = CliRunner().invoke(cli, [*command, "--layers", "output,free", "--json"])
    assert json.loads(result.output)["skipped"] == 2


@pytest.mark.parametrize("how", [{"epochs": [0, 10]}, {"keep": "partition"}])
def test_thin_store__what_a_simulated_store_was_made_with_comes_along(how, tmp_path: Path):
    path, thin = tmp_path / "known.zarr", tmp_path / "thin.zarr"
    ibtools.simulate_store(path, samples=32, repeats=1, epochs=10, schedule=[0, 5, 10])
    ibtools.thin_store(path, thin, quiet=True, **how)
    source, found = ibtools.open_store(path), ibtools.open_store(thin)
    for name in ("known_entropy_t", "known_mi_ty"):
        expected = source[name].sel(epoch=found["epoch"]).values
        np.testing.assert_array_equal(found[name].values, expected)
        assert np.isfinite(expected).all()
