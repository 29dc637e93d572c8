import json
import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import ibtools
from ibtools.errors import (
    ClaimLostError,
    InputError,
    StoreError,
    StoreExistsError,
    UnknownNameError,
)
from ibtools.recorders import growing_writer
from ibtools.store.info import store_info
from ibtools.store.snapshots import LayerValues
from tests.recorders.loops import LABEL, snapshot_of, train

ROOT = Path(__file__).parents[2]


def run_loop(path: Path, **settings: object) -> int:
    """Run a loop in a process of its own."""
    command = [sys.executable, "-m", "tests.recorders.loops", str(path), json.dumps(settings)]
    return subprocess.run(command, cwd=ROOT, check=False, timeout=300).returncode


def chunks_of(path: Path) -> dict[str, bytes]:
    """Return the files with values, the table of checksums among them."""
    return {
        one.relative_to(path).as_posix(): one.read_bytes()
        for one in sorted(path.glob("**/c/**/*"))
        if one.is_file()
    }


def expect_recorded(path: Path, repeat: int, epochs: list[int]) -> None:
    """Look whether snapshots are there as they were given, and no others."""
    raw = xr.open_zarr(path).sel(repeat=repeat).load()
    complete = raw["epoch"].values[raw["complete"].values]
    assert complete.tolist() == epochs
    for epoch in epochs:
        given, found = snapshot_of(repeat, epoch), raw.sel(epoch=epoch)
        code = found["code"].sel(layer="hidden")[:, :5]
        np.testing.assert_array_equal(code, given["hidden"].values)
        value = found["activation"].sel(layer="output")
        np.testing.assert_array_equal(value, given["output"].reshape(24, 6))


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "run.zarr"


def test_recorder__records_what_comes(store):
    train(store, 9, schedule="every:3", seed=7, x=np.arange(24)[::-1])
    dataset = ibtools.open_store(store)
    assert dataset["epoch"].values.tolist() == [0, 3, 6, 9]
    assert dataset["trained_epoch"].values.tolist() == list(range(10))
    assert dataset["outcome"].values.tolist() == ["trained"]
    assert dataset["seed"].values.tolist() == [7]
    np.testing.assert_allclose(dataset["train_accuracy"][0, 1:], np.arange(1, 10) / 9, rtol=1e-6)
    np.testing.assert_array_equal(dataset["learning_rate"][0, 1:], 1 / np.arange(1, 10))
    assert np.isnan(dataset["learning_rate"][0, 0])
    assert dataset.attrs["unit_shapes"] == {"output": [2, 3]}
    assert dataset["input"].values.tolist() == list(range(24))
    assert ibtools.check(store, quiet=True).ok
    hidden = dataset["activation"].sel(epoch=6, layer="hidden", repeat=0)
    given = snapshot_of(0, 6)["hidden"]
    np.testing.assert_array_equal(
        hidden[:, :5], 0.5 * (given.values.astype("float32") - np.float32(8))
    )


def test_recorder__many_blocks_and_epochs_equal_arrays(store, tmp_path):
    """What is recorded as it comes is analysed as what is given at once."""
    train(store, 150)
    arrays = tmp_path / "arrays.zarr"
    ibtools.record_arrays(
        arrays,
        ((0, epoch, snapshot_of(0, epoch)) for epoch in range(151)),
        label=LABEL,
        repeats=[0],
        epochs=range(151),
        bits={"hidden": 4},
    )
    found, expected = (ibtools.analyze(ibtools.open_store(path)).load() for path in (store, arrays))
    for name in expected.data_vars:
        np.testing.assert_array_equal(found[name], expected[name])


def test_recorder__more_epochs_than_the_table_had_room_for(store):
    """Room for checksums is made as epochs come; all of it is checked."""
    layers = {"a": np.arange(8, dtype="uint8").reshape(4, 2)}
    with ibtools.Recorder(store, label=[0, 1, 0, 1], quiet=True) as recorder:
        for epoch in range(2500):
            recorder.snapshot(epoch, layers)
    assert store_info(store).n_complete == 2500
    report = ibtools.check(store, quiet=True)
    assert report.ok
    (store / "code" / "c" / "0" / "35" / "0" / "0" / "0").write_bytes(b"damaged")
    with pytest.raises(StoreError, match="not as it was recorded"):
        ibtools.open_store(store)["code"].load()


def test_recorder__ends_early(store):
    with ibtools.Recorder(
        store, label=LABEL, epochs=100, bits={"hidden": 4}, quiet=True
    ) as recorder:
        for epoch in range(1, 4):
            recorder.snapshot(epoch, snapshot_of(0, epoch))
    info = store_info(store)
    assert (info.n_complete, info.n_epochs) == (3, 3)
    assert info.outcomes["trained"] == 1
    assert ibtools.analyze_store(store, quiet=True)


def test_recorder__an_error_in_the_loop_keeps_what_came(store):
    def loop() -> None:
        with begin(store, bits={"hidden": 4}) as recorder:
            recorder.snapshot(1, snapshot_of(0, 1))
            recorder.snapshot(2, snapshot_of(0, 2))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        loop()
    expect_recorded(store, 0, [1, 2])
    assert store_info(store).outcomes["pending"] == 1
    train(store, 4, resume=True)
    expect_recorded(store, 0, [0, 1, 2, 3, 4][1:])
    assert store_info(store).outcomes["trained"] == 1


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("whole") / "whole.zarr"
    train(path, 104)
    return path


@pytest.mark.sampled(2)
@pytest.mark.parametrize("stop_after", [1, 40, 64, 100])
def test_recorder__killed_and_resumed_equals_uninterrupted(store, whole, stop_after):
    """Whatever was on disk when it died, the same loop ends with the same bytes."""
    assert run_loop(store, epochs=104, stop_after=stop_after) == 9
    expect_recorded(store, 0, list(range(stop_after + 1)))
    train(store, 104, resume=True)
    assert chunks_of(store) == chunks_of(whole)
    ours, theirs = (json.loads((path / "zarr.json").read_text()) for path in (store, whole))
    same = [one.pop("attributes") for one in (ours, theirs)]
    assert {k: v for k, v in same[0].items() if k not in ("created", "store_id")} == {
        k: v for k, v in same[1].items() if k not in ("created", "store_id")
    }
    assert ours == theirs


def test_recorder__says_from_where_to_go_on(store):
    with ibtools.Recorder(store, label=LABEL, bits={"hidden": 4}, quiet=True) as recorder:
        assert recorder.next_epoch == 1
        recorder.snapshot(1, snapshot_of(0, 1))
        recorder.epoch(2, learning_rate=0.5)
        recorder.snapshot(5, snapshot_of(0, 5))
        recorder.epoch(7, learning_rate=0.25)
        assert recorder.next_epoch == 6
    again = ibtools.Recorder(store, label=LABEL, bits={"hidden": 4}, resume=True, quiet=True)
    assert again.next_epoch == 6
    assert not again.wants(5)
    assert again.wants(6)
    again.snapshot(6, snapshot_of(0, 6))
    again.close()
    rate = ibtools.open_store(store)["learning_rate"].sel(repeat=0)
    assert rate.sel(trained_epoch=2) == 0.5
    assert np.isnan(rate.sel(trained_epoch=7))  # trained again since


def test_recorder__repeats_come_in_any_order(store):
    train(store, 5, repeat=2, seed=2)
    train(store, 70, repeat=0, seed=0)
    info = store_info(store)
    assert info.outcomes == {"trained": 2, "failed": 0, "pending": 1}
    expect_recorded(store, 2, list(range(6)))
    expect_recorded(store, 0, list(range(71)))
    assert xr.open_zarr(store)["seed"].values.tolist() == [0, -1, 2]
    assert ibtools.check(store, quiet=True).ok


def test_recorder__several_processes_at_once_while_a_third_analyses(store):
    """Two repeats are recorded into one store, and analysed meanwhile, again and again."""
    train(store, 1, repeat=2)
    codes: dict[int, int] = {}
    threads = [
        threading.Thread(target=lambda k=k: codes.update({k: run_loop(store, epochs=70, repeat=k)}))
        for k in (0, 1)
    ]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        ibtools.analyze_store(store, quiet=True)
        assert dict(xr.open_zarr(store).sizes)["repeat"] == 3
        threads[-1].join(0.5)
    for thread in threads:
        thread.join()
    assert codes == {0: 0, 1: 0}
    for repeat in (0, 1):
        expect_recorded(store, repeat, list(range(71)))
    ibtools.analyze_store(store, quiet=True)
    results = ibtools.open_results(store).load()
    expected = ibtools.analyze(ibtools.open_store(store)).load()
    np.testing.assert_array_equal(results["mi_ty"], expected["mi_ty"])
    assert not (store / "checkpoint").exists()


def test_recorder__two_processes_create_the_store_at_once(store):
    processes = [
        subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.recorders.loops",
                str(store),
                json.dumps({"epochs": 3, "repeat": repeat}),
            ],
            cwd=ROOT,
        )
        for repeat in (0, 1)
    ]
    assert [process.wait(300) for process in processes] == [0, 0]
    for repeat in (0, 1):
        expect_recorded(store, repeat, [0, 1, 2, 3])


def test_recorder__steps_of_the_optimiser(store):
    with ibtools.Recorder(
        store, label=LABEL, counts="step", schedule="0,1,10", bits={"hidden": 4}, quiet=True
    ) as recorder:
        for step in range(11):
            if recorder.wants(step):
                recorder.snapshot(step, snapshot_of(0, step))
    dataset = ibtools.open_store(store)
    assert dataset.attrs["counts"] == "step"
    assert dataset["epoch"].values.tolist() == [0, 1, 10]


def test_recorder__scalars_that_come_late(store):
    with ibtools.Recorder(store, label=LABEL, bits={"hidden": 4}, quiet=True) as recorder:
        recorder.epoch(0, loss=1.5)
        recorder.snapshot(0, snapshot_of(0, 0))
        recorder.flush()
        recorder.epoch(3, grad_norm=2, test_loss=np.float32(0.5))
        recorder.epoch(3, loss=0.25)
    dataset = ibtools.open_store(store).sel(repeat=0)
    assert dataset["trained_epoch"].values.tolist() == [0, 3]
    assert dataset["loss"].values.tolist() == [1.5, 0.25]
    assert dataset["test_loss"].values[1] == 0.5
    np.testing.assert_array_equal(dataset["grad_norm"], [np.nan, 2])
    assert dataset.attrs["scalars"] == ["loss", "grad_norm"]


def test_recorder__partition_only(store):
    train(store, 3, keep="partition")
    assert ibtools.open_store(store)["partition"].dims[-1] == "sample"
    assert ibtools.check(store, quiet=True).ok


def test_recorder__arrays_are_copied(store):
    code = np.zeros((24, 2), "uint8")
    with ibtools.Recorder(store, label=LABEL, quiet=True) as recorder:
        for epoch in range(3):
            code[...] = epoch
            recorder.snapshot(epoch, {"a": code})
    assert xr.open_zarr(store)["code"][0, :, 0, 0, 0].values.tolist() == [0, 1, 2]


def test_recorder__is_seen_while_it_runs(store, monkeypatch):
    monkeypatch.setattr(growing_writer, "COMMIT_SECONDS", 0)
    monkeypatch.setattr(growing_writer, "_PAUSES", 0)
    with ibtools.Recorder(store, label=LABEL, bits={"hidden": 4}, quiet=True) as recorder:
        for epoch in range(3):
            recorder.snapshot(epoch, snapshot_of(0, epoch))
            recorder.flush()
            assert store_info(store).n_complete == epoch + 1
            expect_recorded(store, 0, list(range(epoch + 1)))


def test_recorder__says_what_it_takes(store, capsys):
    with ibtools.Recorder(store, label=LABEL, epochs=9, schedule="every:3") as recorder:
        recorder.snapshot(0, {"a": np.zeros((24, 100), "uint8")})
    said = capsys.readouterr().err
    assert "1 layer of 24 samples, 2.34 kiB a snapshot, 9.38 kiB the 4 of a repeat" in said


def begin(store: Path, **settings: object) -> ibtools.Recorder:
    return ibtools.Recorder(store, **({"label": LABEL, "quiet": True} | settings))


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"schedule": "sometimes"}, InputError, "unknown schedule"),
        ({"schedule": "paper"}, InputError, "known length"),
        ({"epochs": -1}, InputError, "epochs must be a whole number from 0"),
        ({"repeat": -1}, InputError, "repeat must be a whole number from 0"),
        ({"repeat": 0.5}, StoreError, "repeat must be whole numbers"),
        ({"counts": "batch"}, UnknownNameError, "unknown counts"),
        ({"x": np.zeros((3, 2))}, StoreError, "an input for each of the 24 samples"),
        ({"label": []}, StoreError, "label"),
    ],
)
def test_recorder__refuses_before_anything_is_there(store, settings, error, message):
    with pytest.raises(error, match=message):
        begin(store, **settings)
    assert not store.exists()


def test_recorder__refuses_other_samples_and_layers(store):
    train(store, 2, x=np.arange(24), split=["train"] * 24)
    same = {"x": np.arange(24), "split": ["train"] * 24, "repeat": 1}
    for other, what in (
        ({"label": LABEL[::-1]}, "label"),
        ({"x": np.arange(24) // 2}, "x"),
        ({"x": None}, None),
        ({"split": ["test"] * 24}, "split"),
    ):
        if what is None:  # all inputs differ, as where nothing is known of them
            continue
        with pytest.raises(StoreError, match=f"of the same samples, but its {what} differs"):
            begin(store, **{**same, **other})
    recorder = begin(store, **same)
    with pytest.raises(StoreError, match="must have the same layers"):
        recorder.snapshot(0, {"hidden": np.zeros((24, 5), "uint8")})


def test_recorder__a_repeat_that_is_there(store, tmp_path):
    train(store, 2)
    with pytest.raises(StoreExistsError, match=r"repeat 0 is there already.*resume=True"):
        begin(store)
    train(store, 1, overwrite=True)
    expect_recorded(store, 0, [0, 1])
    fixed = tmp_path / "fixed.zarr"
    ibtools.record_arrays(fixed, {"a": np.zeros((1, 2, 24, 2), "uint8")}, label=LABEL)
    with pytest.raises(StoreExistsError, match="created with all that it holds"):
        begin(fixed, resume=True)
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.tex").write_text("")
    with pytest.raises(StoreExistsError, match="not an ibtools store"):
        begin(other, overwrite=False)


def test_recorder__order_and_names(store):
    with begin(store, bits={"hidden": 4}) as recorder:
        recorder.snapshot(3, snapshot_of(0, 3))
        with pytest.raises(StoreError, match="ascending epochs, found 3 after 3"):
            recorder.snapshot(3, snapshot_of(0, 3))
        with pytest.raises(StoreError, match="found 2 after 3"):
            recorder.epoch(2, loss=1.0)
        with pytest.raises(StoreError, match="'code' is a variable of every store"):
            recorder.epoch(4, code=1.0)
        with pytest.raises(StoreError, match="loss must be a number"):
            recorder.epoch(4, loss="small")
        with pytest.raises(StoreError, match="must have the layers"):
            recorder.snapshot(4, {"hidden": snapshot_of(0, 4)["hidden"]})
        with pytest.raises(StoreError, match="found an empty one"):
            recorder.snapshot(4, {})
    expect_recorded(store, 0, [3])
    with pytest.raises(StoreError, match="was closed"):
        recorder.snapshot(5, snapshot_of(0, 5))


def test_recorder__other_epochs_than_another_repeat(store):
    train(store, 6, schedule="every:3")
    with (
        pytest.raises(StoreError, match="all repeats must have the same epochs"),
        begin(store, repeat=1, bits={"hidden": 4}) as recorder,
    ):
        recorder.snapshot(2, snapshot_of(1, 2))
    expect_recorded(store, 0, [0, 3, 6])


def test_recorder__nothing_came(store):
    with pytest.raises(StoreError, match="nothing was recorded"), begin(store):
        pass
    assert not store.exists()


def test_recorder__what_fails_in_the_second_thread_is_raised(store, monkeypatch):
    def fail(*_: object, **__: object) -> bool:
        raise StoreError("the disk is full")

    recorder = begin(store)
    recorder.snapshot(0, {"a": np.zeros((24, 2), "uint8")})
    recorder.flush()
    monkeypatch.setattr(growing_writer, "grow_store", fail)
    recorder.snapshot(1, {"a": np.zeros((24, 2), "uint8")})
    with pytest.raises(StoreError, match="disk is full"):
        recorder.flush()
    with pytest.raises(StoreError, match="disk is full"):
        recorder.close()
    monkeypatch.undo()
    assert store_info(store).n_complete == 1


def test_layer_values__grid_changes_from_epoch_to_epoch(store):
    with begin(store) as recorder:
        for epoch in range(3):
            code = np.full((24, 1), epoch, "uint8")
            recorder.snapshot(epoch, {"a": LayerValues(code, scale=1.0 + epoch, zero_point=epoch)})
    raw = xr.open_zarr(store)
    assert raw["scale"][0, :, 0].values.tolist() == [1, 2, 3]
    assert raw["zero_point"][0, :, 0].values.tolist() == [0, 1, 2]


def test_open_store__has_grown_since_its_root_was_read(store, monkeypatch):
    """All that happens to a store between two reads of one opening."""
    from ibtools.store import opened

    train(store, 2)
    original = opened.changed_coordinates

    def grow_before(*arguments: object) -> tuple[str, ...]:
        monkeypatch.setattr(opened, "changed_coordinates", original)
        train(store, 4, resume=True)
        return original(*arguments)

    monkeypatch.setattr(opened, "changed_coordinates", grow_before)
    seen = ibtools.open_store(store)
    assert seen["epoch"].values.tolist() == [0, 1, 2]
    assert seen["complete"].values.all()
    assert ibtools.open_store(store)["epoch"].values.tolist() == [0, 1, 2, 3, 4]


def test_recorder__one_repeat_is_not_mixed_with_another(store):
    """Two that began before the store was there: the second to come is refused."""
    first, second = (begin(store, bits={"hidden": 4}, seed=seed) for seed in (1, 2))
    first.snapshot(1, snapshot_of(0, 1))
    with pytest.raises(StoreExistsError, match="repeat 0 is"):
        second.snapshot(1, snapshot_of(1, 1))
    first.snapshot(2, snapshot_of(0, 2))
    first.close()
    with pytest.raises(StoreExistsError, match="repeat 0 is there already"):
        second.snapshot(1, snapshot_of(1, 1))
    expect_recorded(store, 0, [1, 2])


def test_recorder__is_not_closed(store):
    """A script that ends without close() keeps what came, and is told so."""
    program = (
        "import sys, ibtools; from tests.recorders.loops import *\n"
        "recorder = ibtools.Recorder(sys.argv[1], label=LABEL, bits={'hidden': 4}, quiet=True)\n"
        "for epoch in range(1, 6): recorder.snapshot(epoch, snapshot_of(0, epoch))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(store)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "the recorder of repeat 0 was not closed: what came is kept" in done.stderr
    expect_recorded(store, 0, [1, 2, 3, 4, 5])
    assert store_info(store).outcomes["pending"] == 1


def test_recorder__that_was_taken_over_changes_nothing_more(store):
    ousted = begin(store, bits={"hidden": 4})
    ousted.snapshot(1, snapshot_of(0, 1))
    ousted.flush()
    with begin(store, bits={"hidden": 4}, overwrite=True) as recorder:
        recorder.snapshot(1, snapshot_of(0, 1))
        recorder.flush()
        ousted.snapshot(4, snapshot_of(0, 4))
        with pytest.raises(ClaimLostError, match="has taken over"):
            ousted.flush()
        recorder.snapshot(2, snapshot_of(0, 2))
    with pytest.raises(ClaimLostError):
        ousted.close()
    expect_recorded(store, 0, [1, 2])
    assert xr.open_zarr(store)["epoch"].values.tolist() == [1, 2]


def test_recorder__the_folder_changes_in_between(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    with begin(Path("run.zarr"), bits={"hidden": 4}) as recorder:
        recorder.snapshot(1, snapshot_of(0, 1))
        monkeypatch.chdir(tmp_path / "elsewhere")
        recorder.snapshot(2, snapshot_of(0, 2))
    expect_recorded(tmp_path / "run.zarr", 0, [1, 2])


def test_recorder__resume_with_other_settings(store):
    with begin(store, bits={"hidden": 4}, seed=1, inputs="sample", attributes={"lr": "1"}) as one:
        one.snapshot(1, snapshot_of(0, 1))
    with pytest.raises(InputError, match="give one"):
        begin(store, resume=True, overwrite=True)
    for other, message in (
        ({"seed": 2}, "was begun from seed 1, found seed 2"),
        ({"inputs": "population"}, "same inputs, sample; found population"),
        ({"attributes": {"lr": "2"}}, "same lr, 1; found 2"),
    ):
        recorder = begin(store, bits={"hidden": 4}, resume=True, **other)
        with pytest.raises(StoreError, match=message):
            recorder.snapshot(2, snapshot_of(0, 2))
    expect_recorded(store, 0, [1])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_recorder__in_a_forked_process(store):
    with begin(store, bits={"hidden": 4}) as recorder:
        recorder.snapshot(1, snapshot_of(0, 1))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "getpid", lambda: -1)  # as the child sees it
            with pytest.raises(StoreError, match="stays in the process that made it"):
                recorder.snapshot(2, snapshot_of(0, 2))
        with pytest.raises(TypeError, match="make one in each"):
            pickle.dumps(recorder)


def test_recorder__leaves_no_half_files(store):
    train(store, 2)
    (store / "code" / "c" / "half.partial").write_bytes(b"")
    train(store, 3, resume=True)
    assert not list(store.rglob("*.partial"))


def test_recorder__numbers_that_are_none(store):
    with begin(store, bits={"hidden": 4}, schedule=[1, 3]) as recorder:
        assert [epoch for epoch in range(5) if recorder.wants(epoch)] == [1, 3]
        for wrong in ("0.5", None, 10**400):
            with pytest.raises(StoreError, match="loss must be a number"):
                recorder.epoch(1, loss=wrong)
        with pytest.raises(StoreError, match="must be a fraction, 0 to 1, found 97"):
            recorder.epoch(1, test_accuracy=97)
        recorder.snapshot(1, snapshot_of(0, 1))
