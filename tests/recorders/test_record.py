import asyncio
import errno
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
import zarr

import ibtools
from ibtools.errors import (
    InputError,
    RecordingError,
    StoreError,
    StoreExistsError,
    UnknownNameError,
)
from ibtools.recorders import engines
from ibtools.recorders.engines import load_engine
from ibtools.recorders.record import RecordReport, forecast_recording, plan, record
from ibtools.recorders.training import workers as workers_module
from ibtools.recorders.training.checkpoint import load_checkpoint
from ibtools.recorders.training.forecast import Forecast
from ibtools.recorders.training.repeat import count_differences
from ibtools.recorders.training.trial import Trial
from ibtools.store.datasets import open_raw
from ibtools.store.durable import DurableStore
from ibtools.store.groups import consolidate
from ibtools.store.opened import open_group
from ibtools.store.snapshots import LayerValues
from ibtools.tasks import links
from tests.recorders.fake_engine import FakeEngine
from tests.unbound import unbind

SETTINGS = {"epochs": 9, "repeats": 2, "schedule": "every:2", "quiet": True}


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr("ibtools.store.layout.MAX_BLOCK_EPOCHS", 2)
    monkeypatch.setattr("ibtools.recorders.training.claim.CONFIRM_SECONDS", 0.0)
    monkeypatch.setattr(FakeEngine, "fails_in_attempts", ())
    monkeypatch.setitem(engines.ENGINES.builtin, "fake", "tests.recorders.fake_engine:FakeEngine")


def record_fake(path: Path, **changes) -> RecordReport:
    return record("SYN-Tanh", path, **(SETTINGS | {"engine": "fake"} | changes))


def files(store: Path) -> dict[str, bytes]:
    """Return all files but the root's metadata, which holds the time of creation."""
    return {
        str(path.relative_to(store)): path.read_bytes()
        for path in store.rglob("*")
        if path.is_file() and path.relative_to(store) != Path("zarr.json")
    }


def test_record__store_holds_what_was_reported(tmp_path: Path):
    path = tmp_path / "s.zarr"
    record_fake(path)
    dataset = xr.open_zarr(path).load()
    assert dataset["epoch"].values.tolist() == [0, 2, 4, 6, 8, 9]
    assert dataset["trained_epoch"].values.tolist() == list(range(1, 10))
    assert dataset["complete"].all()
    assert dataset["outcome"].values.tolist() == ["trained", "trained"]
    assert len(set(dataset["seed"].values.tolist())) == 2
    assert (dataset["train_accuracy"] == np.float32(0.9)).all()
    assert dataset["test_loss"].sel(trained_epoch=9, repeat=1) == np.float32(0.2)
    assert int((dataset["split"] == "test").sum()) == 820
    configuration = json.loads(dataset.attrs["configuration"])
    assert configuration["experiment"] == "SYN-Tanh"
    assert configuration["recorded_epochs"] == [0, 2, 4, 6, 8, 9]
    assert dataset.attrs["data_checksum"].startswith("sha256:")
    assert (dataset.attrs["inputs"], dataset.attrs["layers"]) == ("population", "chain")
    assert dataset["input"].values.tolist() == list(range(4096))
    assert "checkpoint" not in os.listdir(path)


def test_record__a_repeat_is_the_same_whatever_else_is_recorded(tmp_path: Path):
    record_fake(tmp_path / "two")
    record_fake(tmp_path / "one", repeats=1)
    two, one = (xr.open_zarr(tmp_path / name).load() for name in ("two", "one"))
    xr.testing.assert_equal(two.isel(repeat=[0]), one)


def test_record__knows_which_of_the_recorded_inputs_are_equal(tmp_path: Path):
    """Samples i and i + 20 have the same input, and a selection keeps that, resumed or not."""
    x = np.random.default_rng(0).integers(0, 9, (40, 5)).astype(np.float32)
    x[20:] = x[:20]
    np.savez(tmp_path / "mine.npz", x=x, y=np.arange(40) % 2, is_test=np.arange(40) % 4 == 0)
    settings = {"data": str(tmp_path / "mine.npz"), "network": "dense:5-4-2", "samples": 30}
    path = tmp_path / "s.zarr"
    record("custom", path, **SETTINGS, **settings, engine="fake")
    dataset = ibtools.open_store(path)
    kept = plan("custom", **settings, epochs=9).recorded_samples()
    expected = np.unique(x[kept], axis=0, return_inverse=True)[1].ravel()
    found = dataset["input"].values
    assert np.array_equal(found[:, None] == found, expected[:, None] == expected)
    assert len(set(found.tolist())) < 30
    record("custom", path, **SETTINGS, **settings, engine="fake", resume=True)
    np.testing.assert_array_equal(ibtools.open_store(path)["input"], found)


@pytest.mark.parametrize("settings", [{"control": "frozen"}, {"labels": "random"}])
def test_record__what_can_learn_nothing_never_counts_as_failed(
    tmp_path: Path, monkeypatch, settings: dict[str, str]
):
    monkeypatch.setattr(FakeEngine, "fails_in_attempts", (0,))
    kept = record_fake(tmp_path / "control", patience=2, **settings)
    assert kept == RecordReport(trained=2, failed=0, failed_attempts=0)
    usual = record_fake(tmp_path / "usual", patience=2)
    assert usual == RecordReport(trained=2, failed=0, failed_attempts=2)


def test_record__random_labels_are_in_the_store_beside_the_true_ones(tmp_path: Path):
    record_fake(tmp_path / "s.zarr", labels="random")
    dataset = ibtools.open_store(tmp_path / "s.zarr").load()
    data = plan("SYN-Tanh").data
    np.testing.assert_array_equal(dataset["label"], data.y)
    label = dataset["random_label"].values
    assert (label[:, data.is_test] == data.y[data.is_test]).all()
    assert (np.sort(label[:, ~data.is_test]) == np.sort(data.y[~data.is_test])).all()
    assert (label[0] != label[1]).any()
    assert json.loads(dataset.attrs["configuration"])["labels"] == "random"


class KilledError(RuntimeError):
    """Stands for a kill -9: nothing catches it."""


def record_killed_at(path: Path, monkeypatch, write: int) -> bool:
    """Record until the given write to the store, which fails; return whether it came to that."""
    original, count = DurableStore.set, 0

    async def killing(self, key, value, *arguments, **options):
        nonlocal count
        count += 1
        if count >= write:
            raise KilledError
        await original(self, key, value, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(DurableStore, "set", killing)
        try:
            record_fake(path)
        except KilledError:
            return True
    return False


@pytest.mark.parametrize("step", [pytest.param(1, marks=pytest.mark.slow), 19])
def test_record__killed_at_any_write_resumes_to_the_same_bytes(
    tmp_path: Path, monkeypatch, step: int
):
    """Every write of a recording is a point where it can die; a sample of them by default."""
    record_fake(tmp_path / "whole")
    expected = files(tmp_path / "whole")
    whole = xr.open_zarr(tmp_path / "whole")["code"].values
    write = 75
    while True:
        path = tmp_path / str(write)
        if not record_killed_at(path, monkeypatch, write):
            break
        complete = xr.open_zarr(path)["complete"].values
        found = xr.open_zarr(path)["code"].values[complete]
        np.testing.assert_array_equal(found, whole[complete])
        record_fake(path, resume=True)
        assert files(path) == expected, write
        write += step
    assert write > 100


def test_record__a_disk_that_fills_up_ends_the_training(tmp_path: Path, monkeypatch):
    """The second thread's error reaches the caller; what was complete stays and is gone on from."""
    record_fake(tmp_path / "whole", repeats=1)
    path, original = tmp_path / "s.zarr", DurableStore.set

    async def full(self, key, value, *arguments, **options):
        if key.startswith("code/c/0/1"):
            raise OSError(errno.ENOSPC, "No space left on device")
        await original(self, key, value, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(DurableStore, "set", full)
        with pytest.raises(StoreError, match="writing failed: No space left on device"):
            record_fake(path, repeats=1)
    assert xr.open_zarr(path)["complete"].values.tolist() == [[True] * 2 + [False] * 4]
    checkpoint = load_checkpoint(open_group(path), 0)
    assert checkpoint is not None
    assert checkpoint[0] == 2
    record_fake(path, repeats=1, resume=True)
    assert files(path) == files(tmp_path / "whole")


def test_record__trains_while_a_block_is_written(tmp_path: Path, monkeypatch):
    trained_on, original, report = threading.Event(), DurableStore.set, FakeEngine._report
    waited = []

    async def slow(self, key, value, *arguments, **options):
        if key.startswith("code/c/0/0"):
            waited.append(await asyncio.to_thread(trained_on.wait, 20))
        await original(self, key, value, *arguments, **options)

    def reporting(self, training, epoch, value):
        if epoch == 3:  # the first block ends with epoch 2
            trained_on.set()
        return report(self, training, epoch, value)

    monkeypatch.setattr(DurableStore, "set", slow)
    monkeypatch.setattr(FakeEngine, "_report", reporting)
    record_fake(tmp_path / "s.zarr", repeats=1)
    assert waited == [True]


def test_record__resume_does_not_train_again_what_is_finished(tmp_path: Path, monkeypatch):
    path = tmp_path / "s.zarr"
    record_fake(path)

    def refuse(*_, **__):
        raise AssertionError("trained again")

    monkeypatch.setattr(FakeEngine, "train", refuse)
    record_fake(path, resume=True)


def test_record__resume_by_an_engine_that_had_another_name(tmp_path: Path, monkeypatch):
    monkeypatch.setitem(engines.FORMER_NAMES, "false", "fake")
    record_fake(tmp_path / "s.zarr")
    group = zarr.open_group(tmp_path / "s.zarr", mode="r+")
    former = str(group.attrs["configuration"]).replace('"engine": "fake"', '"engine": "false"')
    group.attrs["configuration"] = former
    consolidate(tmp_path / "s.zarr")
    report = record("SYN-Tanh", tmp_path / "s.zarr", **SETTINGS, resume=True)
    assert report.trained == SETTINGS["repeats"]
    assert '"engine": "false"' in ibtools.open_store(tmp_path / "s.zarr").attrs["configuration"]


def test_record__resume_refuses_other_settings(tmp_path: Path):
    path = tmp_path / "s.zarr"
    record_fake(path)
    with pytest.raises(StoreError, match=r"seed is 0 in the store, 1 was asked for; ask for"):
        record_fake(path, resume=True, seed=1)
    with pytest.raises(StoreError, match="nothing is there"):
        record_fake(tmp_path / "typo.zarr", resume=True)


def test_record__never_overwrites_unless_asked(tmp_path: Path):
    path = tmp_path / "s.zarr"
    record_fake(path)
    before = files(path)
    with pytest.raises(StoreExistsError, match="--resume"):
        record_fake(path)
    assert files(path) == before
    with pytest.raises(InputError, match="not both"):
        record_fake(path, overwrite=True, resume=True)
    record_fake(path, overwrite=True)
    assert files(path) == before


def test_record__failed_trainings_are_retried_and_counted(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(FakeEngine, "fails_in_attempts", (0, 1))
    report = record_fake(tmp_path / "s.zarr", patience=5)
    assert (report.trained, report.failed, report.failed_attempts) == (2, 0, 4)
    dataset = xr.open_zarr(tmp_path / "s.zarr").load()
    assert dataset["failed_attempts"].values.tolist() == [2, 2]
    assert dataset["outcome"].values.tolist() == ["trained", "trained"]
    assert dataset["complete"].all()


def test_record__a_threshold_that_every_attempt_fails(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(FakeEngine, "fails_in_attempts", tuple(range(10)))
    with pytest.raises(RecordingError, match="all 2 repeats failed: no attempt reached"):
        record_fake(tmp_path / "s.zarr", patience=5, max_attempts=3)
    dataset = xr.open_zarr(tmp_path / "s.zarr").load()
    assert dataset["outcome"].values.tolist() == ["failed", "failed"]
    assert dataset["failed_attempts"].values.tolist() == [2, 2]
    assert dataset["complete"].sum("epoch").values.tolist() == [3, 3]


def test_recording__required_accuracy_is_the_papers_on_syn():
    assert plan("SYN-Tanh").required_accuracy() == pytest.approx(0.55, abs=0.002)


def test_record__jobs_change_nothing(tmp_path: Path, monkeypatch):
    """Worker processes write the same bytes, whatever their number."""
    monkeypatch.setattr("ibtools.store.layout.MAX_BLOCK_EPOCHS", 64)
    for jobs in (1, 2):
        record_fake(tmp_path / str(jobs), repeats=3, jobs=jobs)
    assert files(tmp_path / "1") == files(tmp_path / "2")


def test_record__workers_are_replaced(tmp_path: Path, monkeypatch):
    monkeypatch.setattr("ibtools.tasks.linked.TASKS_PER_PROCESS", 1)
    assert record_fake(tmp_path / "s.zarr", repeats=3, jobs=2).trained == 3


def test_link__tells_of_every_epoch():
    channel = links.Channel(queue.Queue(), SimpleNamespace(value=0))
    link = links.ProcessLink(3, channel)
    for _ in range(1000):
        link.update()
    link.flush()
    assert {number for number, _ in channel.told.queue} == {3}
    assert sum(steps for _, steps in channel.told.queue) == 1000
    assert channel.told.qsize() < 1000


def test_link__ends_the_repeat_when_told_to(monkeypatch):
    monkeypatch.setattr(links, "TELL_SECONDS", 0.0)
    channel = links.Channel(queue.Queue(), SimpleNamespace(value=0))
    link = links.ProcessLink(0, channel)
    link.update()
    channel.stop.value = 1
    with pytest.raises(links.StoppedError):
        link.update()


def test_record__an_error_in_a_worker_is_raised_here(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(workers_module, "_record_repeat", refuse_in_worker)
    with pytest.raises(StoreError, match="the disk is full"):
        record_fake(tmp_path / "s.zarr", jobs=2)


def refuse_in_worker(*_, **__) -> None:
    raise StoreError("the disk is full")


def test_record__first_repeat_equals_that_repeat_within_many(tmp_path: Path):
    record_fake(tmp_path / "many", repeats=3)
    record_fake(tmp_path / "alone", repeats=1, first_repeat=2)
    many, alone = (xr.open_zarr(tmp_path / name).load() for name in ("many", "alone"))
    xr.testing.assert_equal(many.sel(repeat=[2]), alone)


def test_record__prefit_keeps_the_random_labels(tmp_path: Path):
    record_fake(tmp_path / "s.zarr", prefit=4, epochs=4)
    dataset = xr.open_zarr(tmp_path / "s.zarr").load()
    assert dataset["epoch"].values.tolist() == [-4, -2, 0, 2, 4]
    assert dataset["phase"].values.tolist() == ["prefit"] * 2 + ["training"] * 3
    assert dataset["trained_epoch"].values.tolist() == list(range(-3, 5))
    random_label = dataset["random_label"]
    assert (random_label.sum("sample") == 2118).all()
    assert not (random_label == dataset["label"]).all("sample").any()
    assert not (random_label.isel(repeat=0) == random_label.isel(repeat=1)).all()
    assert not dataset["train_loss"].isnull().any()


def test_record__samples_are_a_fixed_subset(tmp_path: Path):
    record_fake(tmp_path / "some", samples=100)
    record_fake(tmp_path / "all")
    some, whole = (xr.open_zarr(tmp_path / name).load() for name in ("some", "all"))
    chosen = plan("SYN-Tanh", samples=100).recorded_samples()
    assert some.sizes["sample"] == 100
    assert (some["label"].values == whole["label"].values[chosen]).all()
    assert (some["split"].values == whole["split"].values[chosen]).all()


def test_record__keeping_the_partition_loses_no_information(tmp_path: Path):
    for keep in ("codes", "partition"):
        record_fake(tmp_path / keep, keep=keep)
        ibtools.analyze_store(tmp_path / keep, quiet=True)
    codes, partition = (ibtools.open_results(tmp_path / k).load() for k in ("codes", "partition"))
    xr.testing.assert_equal(codes, partition)


def test_forecast_recording__sizes_and_time():
    found = forecast_recording(
        "SYN-Tanh", engine="fake", epochs=100, repeats=3, schedule="every:10"
    )
    assert (found.repeats, found.snapshots) == (3, 11)
    assert found.bytes_per_repeat == 11 * 31 * 4096
    assert found.seconds_per_repeat > 0
    lines = found.format()
    assert "11 per repeat, 33 in all" in lines
    assert "1.4 MB per repeat" in lines
    assert "s in all with --jobs 1, start-up included" in lines


def test_forecast_recording__jobs_share_the_repeats():
    """Two processes take less time than one, and never less than the processor has to give."""
    trial = Trial(10.0, 1.0, 1.5, 3, 3000)
    taken = [trial.seconds(epochs=100, repeats=4, jobs=jobs) for jobs in (1, 2, 4)]
    cores = os.cpu_count() or 1
    assert taken == [10 + max(alone, 600 / cores) for alone in (400, 200, 100)]


def test_forecast_recording__leaves_nothing_behind(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    found = forecast_recording("SYN-Tanh", engine="fake", epochs=100, schedule="log:10")
    assert found.stored_bytes > 0
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (99, "99 s"), (101, "2 min"), (5999, "100 min"), (6001, "1.7 h")],
)
def test_forecast__time_in_a_unit_that_suits_it(seconds, text):
    lines = Forecast(1, 10, 1000, seconds, seconds, 500).format()
    assert f"about {text} per repeat, {text} in all" in lines


def test_plan__custom_needs_network_and_data():
    with pytest.raises(InputError, match="leaves the data to you: give --data"):
        plan("custom")
    with pytest.raises(InputError, match="leaves the network to you: give --network"):
        plan("custom", data="digits")
    recording = plan("custom", data="digits", network="dense:64-16-10")
    assert recording.settings.activation == "relu"


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"bits": 1}, InputError, "bits must be 2 to 8 or 16, or 32"),
        ({"bits": 9}, InputError, "bits must be 2 to 8 or 16, or 32"),
        ({"epochs": -1}, InputError, "epochs must not be negative"),
        ({"repeats": 0}, InputError, "repeats must be 1 or more"),
        ({"schedule": "often"}, InputError, "unknown schedule 'often'"),
        ({"engine": "fti"}, UnknownNameError, "unknown engine 'fti'; did you mean 'fit'"),
        ({"seed": -1}, InputError, "base must be at least 0"),
    ],
)
def test_record__bad_settings_write_nothing(tmp_path: Path, changes, error, message):
    with pytest.raises(error, match=message):
        record_fake(tmp_path / "s.zarr", **changes)
    assert not (tmp_path / "s.zarr").exists()


def test_record__unknown_experiment(tmp_path: Path):
    with pytest.raises(UnknownNameError, match=r"unknown experiment 'SYN-Than'; .*'SYN-Tanh'"):
        record("SYN-Than", tmp_path / "s.zarr")


def test_load_engine__without_tensorflow():
    with pytest.raises(RecordingError, match=r"pip install 'ibtools-nn\[record\]'"):
        load_engine("no_such_library:FitEngine")


def test_record__any_dense_network_on_the_small_data_set(tmp_path: Path):
    """With the real engine: names such as dense:64-32-10 must suit TensorFlow as well."""
    settings = {"network": "dense:64-16-10", "data": "digits", "epochs": 2, "quiet": True}
    report = record("custom", tmp_path / "s.zarr", engine="fit", **settings)
    assert (report.trained, report.failed) == (1, 0)
    dataset = ibtools.open_store(tmp_path / "s.zarr")
    assert dataset["layer"].values.tolist() == ["hidden_1", "output"]
    assert dataset["complete"].all()


KILLED = """
import sys
import ibtools.store.layout
from ibtools.recorders import record
from ibtools.recorders.training import repeat as recorder
ibtools.store.layout.MAX_BLOCK_EPOCHS = 4
original = recorder.save_checkpoint
def telling(group, repeat, epoch, state):
    original(group, repeat, epoch, state)
    print("checkpoint", flush=True)
recorder.save_checkpoint = telling
record.record("SYN-Tanh", sys.argv[1], epochs=40, repeats=1, schedule="every:2", quiet=True)
"""


def test_record__kill_9_and_resume_with_tensorflow(tmp_path: Path, monkeypatch):
    """The real engine in a real process: killed in the middle, then resumed to the same bytes."""
    monkeypatch.setattr("ibtools.store.layout.MAX_BLOCK_EPOCHS", 4)
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-c", KILLED]
    with subprocess.Popen(
        [*command, str(tmp_path / "killed")], stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        for _ in range(2):
            assert process.stdout.readline() == "checkpoint\n"
        os.kill(process.pid, signal.SIGKILL)
    complete = ibtools.open_store(tmp_path / "killed")["complete"].values
    assert complete[0, :8].all()
    assert not complete.all()
    settings = {"epochs": 40, "repeats": 1, "schedule": "every:2", "quiet": True}
    record("SYN-Tanh", tmp_path / "killed", **settings, resume=True)
    record("SYN-Tanh", tmp_path / "whole", **settings)
    assert files(tmp_path / "killed") == files(tmp_path / "whole")


def test_record__notes_whether_the_last_snapshot_is_the_same_in_other_batches(
    tmp_path: Path, monkeypatch
):
    record_fake(tmp_path / "sound.zarr")
    sound = open_raw(tmp_path / "sound.zarr")
    assert sound["n_recomputed"].values.tolist() == [1] * sound.sizes["repeat"]
    assert not sound["n_recomputed_differences"].any()
    monkeypatch.setattr(FakeEngine, "n_differences", 3)
    record_fake(tmp_path / "unsound.zarr")
    assert (open_raw(tmp_path / "unsound.zarr")["n_recomputed_differences"] == 3).all()


def test_count_differences__grids_that_differ():
    codes = np.zeros((2, 3), np.uint8)
    first, moved = LayerValues(codes, 0.5, 1), LayerValues(codes, 0.5, 2)
    values = LayerValues(codes.astype(np.float32))
    assert count_differences({"a": first, "b": values}, {"a": moved, "b": values}) == 6


@pytest.mark.sampled(1)
@pytest.mark.parametrize("bits", [4, 32])
def test_record__layers_without_names(tmp_path: Path, bits: int):
    """Keras would number them on with every model that is built."""
    options = {"network": "tests.recorders.user_models:unnamed", "data": "SYN", "bits": bits}
    short = {"epochs": 1, "repeats": 2, "schedule": "every:1", "quiet": True, "engine": "fit"}
    ibtools.record("custom", tmp_path / "s.zarr", **options, **short)
    dataset = ibtools.open_store(tmp_path / "s.zarr")
    assert dataset.layer.values.tolist() == ["dense", "dense_1"]
    assert dataset.complete.all()


def test_record__resume_with_another_split_says_so(tmp_path: Path):
    """Inputs and labels are the same, and so is their checksum."""
    data, arrays = tmp_path / "mine.npz", {"x": np.arange(8192).reshape(4096, 2)}
    arrays["y"] = np.arange(4096) % 2
    changes = {"data": str(data), "network": "dense:2-4-2"}
    np.savez(data, **arrays, is_test=np.arange(4096) % 5 == 0)
    record_fake(tmp_path / "s.zarr", **changes)
    record_fake(tmp_path / "s.zarr", **changes, resume=True)
    np.savez(data, **arrays, is_test=np.arange(4096) % 5 == 1)
    with pytest.raises(
        StoreError, match=r"split is 820 test samples \(.* 819 test .* was asked for"
    ):
        record_fake(tmp_path / "s.zarr", **changes, resume=True)


def test_record__resume_with_other_layers_says_so(tmp_path: Path):
    record_fake(tmp_path / "s.zarr")
    open_group(unbind(tmp_path / "s.zarr"), "r+")["layer"][0] = "first"
    with pytest.raises(StoreError, match=r"layers is .*first.* in the store, .*hidden_1"):
        record_fake(tmp_path / "s.zarr", resume=True)


@pytest.mark.parametrize("engine", ["native", "fake"])
@pytest.mark.parametrize("is_there", [True, False])
@pytest.mark.parametrize("is_dry", [True, False])
def test_record__says_that_machine_code_is_compiled_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys, engine, is_there, is_dry
):
    """A dry run, which compiles as well, says it in the same words."""
    monkeypatch.setattr(
        "ibtools.recorders.training.compiling.is_compiled", lambda function, first: is_there
    )
    monkeypatch.setattr("ibtools.recorders.training.trial.TRIED_SECONDS", 0.0)
    if is_dry:
        forecast_recording("SYN-Tanh", **SETTINGS, engine=engine)
    else:
        record_fake(tmp_path / "s.zarr", engine=engine)
    said = capsys.readouterr().err.count("machine code is compiled first")
    assert said == (engine == "native" and not is_there)


@pytest.mark.parametrize("is_large", [True, False])
def test_record__says_how_much_a_large_recording_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys, is_large: bool
):
    """3 repeats of 6 snapshots of 4096 samples in 31 units."""
    n_bytes = 3 * 6 * 4096 * 31
    monkeypatch.setattr("ibtools.recorders.record.LARGE_BYTES", n_bytes + (not is_large))
    record_fake(tmp_path / "s.zarr", repeats=3)
    said = capsys.readouterr().err
    assert ("SYN-Tanh: 2 MB before compression, 1 MB of each of 3 repeats;" in said) == is_large
    assert ("--keep partition" in said) == is_large
