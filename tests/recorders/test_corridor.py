"""The one way into a store: what is wrong is raised at once, and nobody waits for ever."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import ibtools
from ibtools.errors import InputError, StoreError
from ibtools.recorders.corridor import Corridor
from ibtools.recorders.growing_writer import GrowingWriter
from ibtools.recorders.training.background import Background
from ibtools.store.creation import create_store
from ibtools.store.info import store_info
from ibtools.store.layout import StoreSpec
from ibtools.store.snapshots import LayerSpec, LayerValues
from ibtools.store.writer import RepeatWriter
from tests.recorders.loops import LABEL, snapshot_of, train

ROOT = Path(__file__).parents[2]
CODE = np.zeros((24, 2), "uint8")


def begin(store: Path, **settings: object) -> ibtools.Recorder:
    return ibtools.Recorder(store, **({"label": LABEL, "quiet": True} | settings))


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store of one repeat, epochs 0, 3 and 6."""
    path = tmp_path / "run.zarr"
    train(path, 6, schedule="every:3")
    return path


@contextmanager
def nothing_written() -> Iterator[None]:
    """Fail if anything reaches the second thread."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Background, "run", lambda *_: pytest.fail("reached the second thread"))
        yield


@pytest.mark.parametrize("epoch", [1, 2, 5])
def test_recorder__a_second_training_of_other_epochs_is_told_so_at_once(store: Path, epoch: int):
    recorder = begin(store, repeat=1, bits={"hidden": 4})
    told = pytest.raises(StoreError, match=f": epoch {epoch} must come after .* same epochs")
    with nothing_written(), told:
        recorder.snapshot(epoch, snapshot_of(1, epoch))
    assert xr.open_zarr(store).sizes["repeat"] == 1


def test_recorder__a_second_training_tells_numbers_of_other_epochs(tmp_path: Path):
    store = tmp_path / "run.zarr"
    with begin(store) as recorder:
        for epoch in (0, 3):
            recorder.snapshot(epoch, {"a": CODE})
    with begin(store, repeat=1) as recorder:
        with pytest.raises(StoreError, match="trained epoch 1 must come after"):
            recorder.epoch(1, loss=0.5)
        recorder.snapshot(0, {"a": CODE})
        recorder.flush()
        with pytest.raises(StoreError, match="trained epoch 2 must come after"):
            recorder.epoch(2, loss=0.5)
        recorder.epoch(4, loss=0.5)
        recorder.snapshot(4, {"a": CODE})
    assert ibtools.open_store(store)["complete"].values.tolist() == [
        [True, True, False],
        [True, False, True],
    ]


def test_recorder__what_another_repeat_has_recorded_since_counts(store: Path):
    """Epochs that came to the store while a repeat is recorded are known after its next block."""
    with begin(store, repeat=1, bits={"hidden": 4}) as recorder:
        recorder.snapshot(0, snapshot_of(1, 0))
        train(store, 12, schedule="every:3", resume=True)
        recorder.snapshot(3, snapshot_of(1, 3))
        recorder.flush()
        with pytest.raises(StoreError, match=r"epoch 10 must come after .* last of which is 12"):
            recorder.snapshot(10, snapshot_of(1, 10))
        recorder.snapshot(12, snapshot_of(1, 12))


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ({"b": CODE}, "must have the layers a; found b"),
        ({"a": CODE[:5]}, r"must be \(sample, unit\) = \(24, 2\), found \(5, 2\)"),
        ({"a": CODE[:, :1]}, r"must be \(sample, unit\) = \(24, 2\), found \(24, 1\)"),
        ({"a": CODE.astype("f4")}, "codes must be uint8 or uint16, found float32"),
        ({"a": CODE + np.uint8(16)}, "4-bit codes must be below 16, found 16"),
    ],
)
def test_recorder__a_wrong_layer_is_told_at_once(tmp_path: Path, layers, message):
    with begin(tmp_path / "run.zarr", bits=4) as recorder:
        recorder.snapshot(1, {"a": CODE})
        with nothing_written(), pytest.raises(StoreError, match=message):
            recorder.snapshot(2, layers)
    assert store_info(tmp_path / "run.zarr").n_complete == 1


def test_corridor__an_epoch_that_a_fixed_axis_lacks(tmp_path: Path):
    spec = StoreSpec((LayerSpec("a", 2, "linear", 8),), (0,), (0, 1), (0, 1), LABEL)
    writer = RepeatWriter(create_store(tmp_path / "s.zarr", spec), 0)
    with Background(2) as background:
        corridor = Corridor(writer, background, copies=False)
        with pytest.raises(StoreError, match="epoch 99 is not in the store"):
            corridor.add_snapshot(99, {})
        with pytest.raises(StoreError, match="trained_epoch 99 is not in the store"):
            corridor.add_scalars(99, {"train_loss": 1.0})


def test_record_arrays__a_stream_may_use_its_arrays_again(tmp_path: Path):
    code, epochs = np.zeros((24, 2), "uint8"), range(5)

    def stream():
        for epoch in epochs:
            code[...] = epoch
            scale = np.full(2, 1.0 + epoch, "float32")
            yield 0, epoch, {"a": LayerValues(code, scale=scale)}
            scale[...] = 0

    ibtools.record_arrays(tmp_path / "s.zarr", stream(), label=LABEL, epochs=epochs, repeats=[0])
    raw = xr.open_zarr(tmp_path / "s.zarr")
    assert raw["code"][0, :, 0, 0, 0].values.tolist() == list(epochs)
    assert raw["unit_scale"][0, :, 0, 0].values.tolist() == [1, 2, 3, 4, 5]


def test_record_arrays__a_word_that_identifies_the_inputs_is_kept(tmp_path: Path):
    ibtools.record_arrays(tmp_path / "s.zarr", {"a": CODE[None, None]}, label=LABEL, x="v2")
    assert ibtools.open_store(tmp_path / "s.zarr").attrs["data_checksum"] == "v2"


def test_recorder__numbers_do_not_wait_for_snapshots_to_be_written(tmp_path, monkeypatch):
    """A loop that tells a number is not kept while a large snapshot is written."""
    gate, original = threading.Event(), GrowingWriter.add_kept

    def slow(self, *arguments):
        gate.wait(30)
        original(self, *arguments)

    monkeypatch.setattr("ibtools.recorders.corridor.BLOCK_BYTES", 1)
    monkeypatch.setattr(GrowingWriter, "add_kept", slow)
    with begin(tmp_path / "run.zarr") as recorder:
        recorder.snapshot(1, {"a": CODE})
        start = time.monotonic()
        for epoch in range(2, 100):
            recorder.epoch(epoch, loss=1.0)
        assert time.monotonic() - start < 10
        gate.set()
    loss = ibtools.open_store(tmp_path / "run.zarr")["loss"]
    assert loss.sel(repeat=0).count() == 98


def returns_within(seconds: float, call) -> BaseException | None:
    """Call in a thread of its own; return what it raised, and fail if it is not done in time."""
    raised: list[BaseException | None] = []

    def run() -> None:
        try:
            call()
        except BaseException as err:
            raised.append(err)
        else:
            raised.append(None)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    assert raised, f"waited for more than {seconds} s"
    return raised[0]


def test_background__whose_thread_has_ended_keeps_nobody_waiting():
    """Whatever ended it: a queue that is full, and one that is empty, raise."""
    background = Background(limit=1)
    background._work = lambda: None  # as if the interpreter could not go on with it
    background._thread = threading.Thread(target=background._work)
    background.__enter__()
    for call in (lambda: background.run(lambda: None), background.wait):
        assert isinstance(returns_within(20, call), StoreError)
    assert returns_within(20, lambda: background.__exit__(None, None, None)) is None


def test_background__whose_thread_ends_while_others_wait():
    background = Background(limit=1)
    ends = threading.Event()
    background._thread = threading.Thread(target=lambda: ends.wait(30))
    background.__enter__()
    background.run(lambda: None)
    threading.Timer(0.2, ends.set).start()
    for call in (lambda: background.run(lambda: None), background.wait):
        err = returns_within(20, call)
        assert isinstance(err, StoreError)
        assert "thread that writes has ended" in str(err)


def test_background__who_waits_for_a_full_queue_is_told_that_a_job_failed():
    def fail() -> None:
        time.sleep(0.2)
        raise StoreError("the disk is full")

    with Background(limit=1) as background:
        background.run(fail)
        err = returns_within(20, lambda: background.run(lambda: None))
    assert "the disk is full" in str(err)


def test_recorder__an_error_in_the_loop_after_one_in_the_second_thread(tmp_path, monkeypatch):
    """The error of the loop is raised, with a note of the other; nobody waits."""

    def fail(*_: object, **__: object) -> None:
        raise StoreError("the disk is full")

    def loop() -> None:
        with begin(tmp_path / "run.zarr") as recorder:
            recorder.snapshot(1, {"a": CODE})
            recorder.flush()
            with monkeypatch.context() as patch:
                patch.setattr("ibtools.recorders.growing_writer.grow_store", fail)
                recorder.snapshot(2, {"a": CODE})
                with pytest.raises(StoreError, match="disk is full"):
                    recorder.flush()
            raise ZeroDivisionError

    err = returns_within(60, loop)
    assert isinstance(err, ZeroDivisionError)
    assert err.__notes__ == ["the disk is full"]
    assert store_info(tmp_path / "run.zarr").n_complete == 1


def test_recorder__an_error_after_it_was_closed(tmp_path: Path):
    def loop() -> None:
        with begin(tmp_path / "run.zarr") as recorder:
            recorder.snapshot(1, {"a": CODE})
            recorder.close()
            raise ZeroDivisionError

    err = returns_within(60, loop)
    assert isinstance(err, ZeroDivisionError)
    assert not hasattr(err, "__notes__")
    assert store_info(tmp_path / "run.zarr").outcomes["trained"] == 1


def run_script(tmp_path: Path, program: str) -> "subprocess.CompletedProcess[str]":
    """Run a script that records to `run.zarr`; fail if it does not end."""
    return subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "run.zarr")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


def test_recorder__that_a_function_leaves_open_is_written_all_the_same(tmp_path: Path):
    """Nothing is lost with the last name of a recorder that nobody closed."""
    done = run_script(
        tmp_path,
        "import sys, ibtools; from tests.recorders.loops import *\n"
        "def main():\n"
        "    settings = dict(label=LABEL, bits={'hidden': 4}, quiet=True)\n"
        "    recorder = ibtools.Recorder(sys.argv[1], **settings)\n"
        "    for epoch in range(1, 6): recorder.snapshot(epoch, snapshot_of(0, epoch))\n"
        "main()\n",
    )
    assert done.returncode == 0, done.stderr
    assert "was not closed: what came is kept" in done.stderr
    assert store_info(tmp_path / "run.zarr").n_complete == 5


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_recorder__a_child_that_leaves_the_context_of_its_parent_ends(tmp_path: Path):
    """It has no second thread to wait for, and writes nothing; the parent goes on."""
    done = run_script(
        tmp_path,
        "import os, sys, warnings, ibtools; from tests.recorders.loops import *\n"
        "warnings.simplefilter('ignore')\n"
        "with ibtools.Recorder(sys.argv[1], label=LABEL, bits={'hidden': 4}, quiet=True) as one:\n"
        "    one.snapshot(1, snapshot_of(0, 1))\n"
        "    child = os.fork()\n"
        "    if not child: raise ZeroDivisionError('in the child')\n"
        "    assert os.waitpid(child, 0)[1]\n"
        "    one.snapshot(2, snapshot_of(0, 2))\n",
    )
    assert done.returncode == 0, done.stderr
    assert "in the child" in done.stderr
    assert store_info(tmp_path / "run.zarr").n_complete == 2
    assert store_info(tmp_path / "run.zarr").outcomes["trained"] == 1


def test_recorder__lists_as_schedules_are_parsed(tmp_path: Path):
    recorder = begin(tmp_path / "run.zarr", schedule=np.array([3, 1, 3]), epochs=5)
    assert [epoch for epoch in range(9) if recorder.wants(epoch)] == [1, 3]
    for schedule, message in (
        ([1, 9], "between 0 and the 5 that are trained; found 9"),
        ([], "at least one epoch"),
        ([0.5], "list of whole numbers"),
    ):
        with pytest.raises(InputError, match=message):
            begin(tmp_path / "run.zarr", schedule=schedule, epochs=5)


def test_recorder__says_how_many_snapshots_there_will_be(tmp_path: Path, capsys):
    path = tmp_path / "run.zarr"
    settings = {"label": LABEL, "epochs": 60, "schedule": "log:20"}
    with ibtools.Recorder(path, **settings) as recorder:
        for epoch in (0, 1):
            recorder.snapshot(epoch, {"a": CODE})
    assert "run.zarr: 17 snapshots, 1 layer of 24 samples" in capsys.readouterr().err
    with ibtools.Recorder(path, resume=True, **settings) as recorder:
        recorder.snapshot(2, {"a": CODE})
    assert "run.zarr: 15 more snapshots, 1 layer of" in capsys.readouterr().err
