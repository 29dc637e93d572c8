"""Repeats recorded by the workers of a cluster, some of which die."""

import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from distributed import Client

from ibtools.errors import InputError, RecordingError, StoreError
from ibtools.recorders.record import plan
from ibtools.recorders.training import workers as workers_module
from ibtools.recorders.training.recording import Recording
from ibtools.recorders.training.workers import record_repeats
from ibtools.store.opened import open_group
from ibtools.tasks.linked import LinkedCluster
from tests.remote.conftest import start_cluster
from tests.remote.engines import met, plan_accident
from tests.remote.stores import SETTINGS, contents, record_small


@pytest.fixture
def whole(tmp_path: Path) -> dict[str, bytes]:
    """What the recording is when it is done here, without any accident."""
    record_small(tmp_path / "whole.zarr", engine="fake")
    return contents(tmp_path / "whole.zarr")


@pytest.fixture(autouse=True)
def fake(monkeypatch):
    """The configuration names the engine, so that all have to have the same name."""
    from ibtools.recorders import engines

    monkeypatch.setitem(engines.ENGINES.builtin, "fake", "tests.remote.engines:MortalEngine")


def record_on(cluster, path: Path, **changes):
    with Client(cluster) as client:
        client.wait_for_workers(1, timeout=60)  # a test before may have killed them all
    return record_with(cluster, path, **changes)


def record_with(cluster, path: Path, **changes):
    settings = {"engine": "fake", "scheduler": cluster.scheduler_address} | changes
    return record_small(path, **settings)


def test_record__on_a_cluster_writes_the_same_bytes(cluster, whole, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    report = record_on(cluster, Path("s.zarr"))
    assert report.trained == 3
    assert contents(tmp_path / "s.zarr") == whole


def test_record__on_the_client_that_is_there(cluster, whole, tmp_path: Path):
    with Client(cluster) as client:
        record_small(tmp_path / "s.zarr", engine="fake", jobs=2)
        assert client.status == "running"
    assert contents(tmp_path / "s.zarr") == whole


def test_record__a_killed_worker_changes_nothing(cluster, whole, tmp_path: Path):
    """Killed between two checkpoints; another worker goes on from the earlier one."""
    plan_accident(repeat=1, epoch=5, signal_name="SIGKILL")
    record_on(cluster, tmp_path / "s.zarr")
    assert len(met()) == 1
    assert contents(tmp_path / "s.zarr") == whole


def test_record__a_repeat_that_kills_every_worker_ends_it(cluster, whole, tmp_path: Path):
    plan_accident(repeat=0, epoch=5, signal_name="SIGKILL", times=4)
    with pytest.raises(RecordingError, match=r"repeat 0 was lost with its worker 4 times.*resume"):
        record_on(cluster, tmp_path / "s.zarr")
    assert len(met()) == 4
    complete = xr.open_zarr(tmp_path / "s.zarr")["complete"].sel(repeat=0)
    assert not complete[2:].any()  # the block before may still have been on its way to disk
    record_on(cluster, tmp_path / "s.zarr", resume=True)
    assert contents(tmp_path / "s.zarr") == whole


def test_record__a_worker_declared_dead_that_wakes_up_writes_nothing(
    impatient_cluster, whole, tmp_path: Path
):
    """Stopped, given up by the scheduler, its repeat finished elsewhere; then it goes on."""
    plan_accident(repeat=1, epoch=5, signal_name="SIGSTOP")
    record_on(impatient_cluster, tmp_path / "s.zarr")
    [process] = met()
    os.kill(int(process), signal.SIGCONT)
    for _ in range(200):
        if "claim lost" in met():
            break
        time.sleep(0.1)
    assert met()[1:] == ["claim lost"]
    assert contents(tmp_path / "s.zarr") == whole


class Spy:
    """Progress that counts, and is interrupted after so many epochs."""

    def __init__(self, interrupt_after: int | None = None) -> None:
        self.epochs = 0
        self._interrupt_after = interrupt_after

    def update(self, n: int = 1) -> None:
        self.epochs += n
        if self._interrupt_after is not None and self.epochs >= self._interrupt_after:
            raise KeyboardInterrupt


def record_watched(cluster, path: Path, progress: Spy, recording: Recording | None = None) -> None:
    """Record some repeats of a store that exists."""
    settings = {key: value for key, value in SETTINGS.items() if key != "quiet"}
    recording = recording or plan("SYN-Tanh", engine="fake", **settings)
    with Client(cluster) as client:
        target = "tests.remote.engines:MortalEngine"
        record_repeats(
            recording, path, (0, 1, 2), engine=target, jobs=None, progress=progress, client=client
        )


def create_empty(path: Path) -> None:
    """Create the store of the small recording, with nothing in it."""
    with (
        pytest.raises(RecordingError, match="must have workers"),
        start_cluster(n_workers=0) as cluster,
    ):
        record_with(cluster, path)


def test_record__shows_every_epoch_once(cluster, tmp_path: Path):
    create_empty(tmp_path / "s.zarr")
    plan_accident(repeat=1, epoch=5, signal_name="SIGKILL")
    progress = Spy()
    record_watched(cluster, tmp_path / "s.zarr", progress)
    assert len(met()) == 1
    assert progress.epochs == 3 * 9


def test_record__interrupted_on_a_cluster_is_resumed(cluster, whole, tmp_path: Path):
    """Ctrl-C ends the workers' repeats too; recording here goes on where they stopped."""
    create_empty(tmp_path / "s.zarr")
    with pytest.raises(KeyboardInterrupt):
        record_watched(cluster, tmp_path / "s.zarr", Spy(interrupt_after=1))
    outcome = open_group(tmp_path / "s.zarr")["outcome"][...]
    assert (outcome == "pending").any()
    record_small(tmp_path / "s.zarr", engine="fake", resume=True)
    assert contents(tmp_path / "s.zarr") == whole


def test_record__an_error_on_a_worker_is_raised_here(cluster, tmp_path: Path):
    with pytest.raises(StoreError, match="scale must be positive, found -1"):
        record_on(cluster, tmp_path / "s.zarr", engine="broken")


def test_record__a_path_that_workers_do_not_see(cluster, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(workers_module, "absolute", lambda path: "/nowhere/s.zarr")
    with pytest.raises(StoreError, match=r"nothing is there.*where every worker can reach it"):
        record_on(cluster, tmp_path / "s.zarr")


@pytest.mark.parametrize("jobs", [1, 5])
def test_record__jobs_bound_the_workers_in_use(cluster, tmp_path: Path, monkeypatch, jobs: int):
    create_empty(tmp_path / "s.zarr")
    most = 0
    original = LinkedCluster.look

    def watching(workers, running, done):
        nonlocal most
        original(workers, running, done)
        most = max(most, len(running))

    monkeypatch.setattr(LinkedCluster, "look", watching)
    record_on(cluster, tmp_path / "s.zarr", resume=True, jobs=jobs)
    assert most == min(jobs, 2)


def test_record__two_repeats_in_one_process_take_turns(whole, tmp_path: Path, accidents):
    """Threads of one process as workers: trainings share its random seeds, so one at a time."""
    with start_cluster(processes=False) as cluster:
        record_on(cluster, tmp_path / "s.zarr")
    assert contents(tmp_path / "s.zarr") == whole


def test_record__no_scheduler_writes_nothing(tmp_path: Path):
    with pytest.raises(InputError, match="must be like tcp://host:port"):
        record_small(tmp_path / "s.zarr", engine="fake", scheduler="here")
    with pytest.raises(InputError, match="jobs must be 1 or more, found 0"):
        record_small(tmp_path / "s.zarr", engine="fake", jobs=0)
    assert not (tmp_path / "s.zarr").exists()


@pytest.mark.slow
def test_record__tensorflow_on_a_cluster_with_a_killed_worker(cluster, tmp_path: Path):
    """The real engine: a worker dies in training, and the bytes are those of this process."""
    settings = {"epochs": 60, "repeats": 2, "schedule": "every:2", "engine": "fit"}
    record_small(tmp_path / "here.zarr", **settings)
    with Client(cluster) as client:
        processes = client.run(os.getpid)
        killed = []

        class Killer(Spy):
            def update(self, n: int = 1) -> None:
                super().update(n)
                complete = xr.open_zarr(tmp_path / "there.zarr", chunks=None)["complete"]
                if not killed and int(complete.sum()) >= 8:
                    killed.append(next(iter(processes.values())))
                    os.kill(killed[0], signal.SIGKILL)

        chosen = {key: value for key, value in settings.items() if key != "quiet"}
        recording = plan("SYN-Tanh", **chosen)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("ibtools.recorders.record.progress_bar", bar_of(Killer()))
            record_small(tmp_path / "there.zarr", jobs=2, **settings)
    assert killed
    assert np.array_equal(recording.settings.recorded_epochs[:2], (0, 2))
    assert contents(tmp_path / "there.zarr") == contents(tmp_path / "here.zarr")


def bar_of(progress: Spy):
    """Return a stand-in for `progress_bar` that shows nothing and counts."""
    from contextlib import contextmanager

    @contextmanager
    def bar(*_, **__):
        yield progress

    return bar
