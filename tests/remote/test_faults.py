"""Servers that fail for a while or for good, clients and schedulers that are killed."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import xarray as xr
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError
from fsspec.config import conf
from zarr.abc.store import RangeByteRequest, SuffixByteRequest
from zarr.buffer import default_buffer_prototype
from zarr.storage import MemoryStore

import ibtools
from ibtools.errors import ClusterError, StoreError
from ibtools.store import remote, retrying
from ibtools.store.storage import RemoteError
from ibtools.tasks import cluster as cluster_module
from ibtools.tasks.cluster import WorkerWatch
from tests.analysis.slow_estimator import SECONDS
from tests.conftest import record_example
from tests.remote.engines import SLEEPY
from tests.remote.faulty_server import Faults, FaultyServer, run_faulty_server
from tests.remote.stores import contents, record_small


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr("ibtools.recorders.training.claim.CONFIRM_SECONDS", 0.0)
    monkeypatch.setattr(retrying, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(retrying, "LONGEST_PAUSE", 0.05)


@pytest.fixture(scope="module")
def server_in_front(s3_server) -> Iterator[FaultyServer]:
    """A server in front of the real one, which fsspec's configuration names."""
    with run_faulty_server(s3_server.url) as server, pytest.MonkeyPatch.context() as patch:
        patch.setitem(conf, "s3", {"endpoint_url": server.url})
        yield server


@pytest.fixture
def faulty(server_in_front: FaultyServer) -> Iterator[FaultyServer]:
    """A server that works, until it is given faults."""
    yield server_in_front
    server_in_front.faults = Faults()


def answer(status: int, code: str) -> ClientError:
    response = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "GetObject")


@pytest.mark.parametrize(
    ("err", "passing"),
    [
        (answer(500, "InternalError"), True),
        (answer(503, "SlowDown"), True),
        (answer(429, "TooManyRequests"), True),
        (answer(403, "ExpiredToken"), False),
        (answer(404, "NoSuchKey"), False),
        (ReadTimeoutError(endpoint_url="x"), True),
        (EndpointConnectionError(endpoint_url="x"), True),
        (ConnectionResetError(), True),
        (TimeoutError(), True),
        (PermissionError(), False),
        (OSError("disk"), False),
    ],
    ids=repr,
)
def test_is_passing(err: Exception, passing: bool):
    assert retrying.is_passing(err) is passing


def test_is_passing__what_s3fs_translated():
    outer = OSError("translated")
    outer.__cause__ = answer(500, "InternalError")
    assert retrying.is_passing(outer)
    outer.__cause__ = answer(403, "AccessDenied")
    assert not retrying.is_passing(outer)


def test_persist__does_nothing_twice_that_does_not_pass():
    asked = []

    async def refuse():
        asked.append(1)
        raise PermissionError("no")

    with pytest.raises(RemoteError, match=r"no \(s3://b/x\)"):
        asyncio.run(retrying.persist("s3://b/x", refuse))
    assert len(asked) == 1


@pytest.mark.parametrize("asked", [RangeByteRequest(2, 12), SuffixByteRequest(10)])
def test_get__a_truncated_object_names_itself(asked):
    prototype = default_buffer_prototype()

    async def read():
        inner = MemoryStore()
        await inner.set("code/c/0", prototype.buffer.from_bytes(b"12345"))
        await remote._RetryingStore(inner, "s3://b/s").get("code/c/0", prototype, asked)

    with pytest.raises(RemoteError, match=r"s3://b/s/code/c/0: .*must have 10 bytes.*found [35]:"):
        asyncio.run(read())


BAD_DAY = ("internal", "slow down", "too many", "reset", "cut")


def test_record__a_third_of_all_requests_fails(bucket: str, faulty: FaultyServer, tmp_path: Path):
    """Whatever passes: the bytes are those of a quiet day."""
    settings = {"repeats": 1, "epochs": 2}
    record_small(tmp_path / "whole", **settings)
    faulty.faults = faults = Faults(BAD_DAY, share=1 / 3)
    record_small(f"{bucket}/s.zarr", **settings)
    assert all(faults.met[kind] for kind in BAD_DAY)
    faulty.faults = Faults()
    assert contents(f"{bucket}/s.zarr") == contents(tmp_path / "whole")


@pytest.mark.slow
def test_analyze_store__a_third_of_all_requests_fails(
    bucket: str, faulty: FaultyServer, example_store: Path
):
    ibtools.analyze_store(example_store, quiet=True)
    record_example(f"{bucket}/s.zarr")
    faulty.faults = Faults(BAD_DAY, share=1 / 3)
    assert ibtools.analyze_store(f"{bucket}/s.zarr", quiet=True).computed == 8
    found = ibtools.open_results(f"{bucket}/s.zarr").load()
    xr.testing.assert_equal(found, ibtools.open_results(example_store).load())


@pytest.mark.slow
def test_record__a_server_that_is_silent_now_and_then(bucket: str, faulty: FaultyServer):
    faulty.faults = Faults(("silent", "internal"), share=0.1)
    assert record_small(f"{bucket}/s.zarr", repeats=1).trained == 1


def test_record__credentials_expire(bucket: str, faulty: FaultyServer, tmp_path: Path):
    """One line that says what to do; with new ones the same command goes on."""
    settings = {"repeats": 1, "epochs": 6}
    record_small(tmp_path / "whole", **settings)
    faulty.faults = Faults(("expired",), share=1.0, after=150)
    with pytest.raises(StoreError, match=r"(renew|check) the credentials.*--resume"):
        record_small(f"{bucket}/s.zarr", **settings)
    assert faulty.faults.met["expired"]
    faulty.faults = Faults()
    record_small(f"{bucket}/s.zarr", **settings, resume=True)
    assert contents(f"{bucket}/s.zarr") == contents(tmp_path / "whole")


def test_info__a_server_that_fails_for_good(bucket: str, faulty: FaultyServer, monkeypatch):
    record_small(f"{bucket}/s.zarr", repeats=1, epochs=0)
    monkeypatch.setattr(retrying, "RETRY_SECONDS", 0.2)
    faulty.faults = Faults(("internal",), share=1.0)
    with pytest.raises(StoreError, match=r"internal error.*; tried again for 0 s \(s3://"):
        ibtools.open_store(f"{bucket}/s.zarr")
    assert faulty.faults.met["internal"] > 2


class Cluster:
    """A scheduler and a worker without nanny, in processes of their own."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "scheduler.json"
        self.scheduler = self._start("scheduler", "--port", "0")
        wait_until(self._file.exists)
        self.worker = self._start("worker", "--no-nanny", "--nthreads", "1")

    @property
    def options(self) -> list[str]:

        return ["--scheduler", json.loads(self._file.read_text())["address"]]

    def _start(self, what: str, *further: str) -> subprocess.Popen:
        options = ["--scheduler-file", str(self._file), "--no-dashboard", *further]
        return subprocess.Popen(
            [sys.executable, "-m", "dask", what, *options],
            stderr=subprocess.DEVNULL,
            env=os.environ | {"PYTHONPATH": os.getcwd(), SECONDS: "1"},
        )

    def kill(self) -> None:
        for process in (self.scheduler, self.worker):
            process.kill()
            process.wait()


@pytest.fixture
def own_cluster(tmp_path: Path) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path)
    yield cluster
    cluster.kill()


def wait_until(what, seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


PROGRAM = """
import sys
from ibtools.analysis.passes import cost, plan
from tests.analysis.slow_estimator import SlowExact
plan.WINDOW_BYTES = cost.BLOCK_BYTES = 1
if __name__ == "__main__":
    from ibtools.cli import analyze
    analyze._create_estimators = lambda *_, **__: (SlowExact(),)
    from ibtools.cli.main import main
    main()
"""


@pytest.mark.slow  # a busy machine loses the connection before the scheduler is killed
def test_analyze__the_scheduler_is_killed(own_cluster: Cluster, example_store: Path, tmp_path):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    command = [sys.executable, program, "analyze", example_store, *own_cluster.options]
    environment = os.environ | {"PYTHONPATH": os.getcwd()}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        marks = example_store / "information/exact/analysed/c/0/0"
        wait_until(marks.exists)
        own_cluster.scheduler.kill()
        _, said = process.communicate(timeout=200)
    assert process.returncode == 1, said
    assert said.startswith("Error: the connection to the scheduler is lost")
    assert said.count("\n") == 1
    assert "run the same command again" in said
    assert 1 <= ibtools.analyze_store(example_store, quiet=True).skipped < 8


def test_record__the_client_is_killed(own_cluster: Cluster, tmp_path: Path):
    """The worker stops training, and lives; what it wrote stays."""
    path = tmp_path / "s.zarr"
    program = tmp_path / "program.py"
    program.write_text(SLEEPY)
    epochs = "--repeats 1 --epochs 1000 --schedule every:2 --engine sleepy"
    command = ["record", "SYN-Tanh", *epochs.split(), "--output", path, *own_cluster.options]
    environment = os.environ | {"PYTHONPATH": os.getcwd()}
    with subprocess.Popen([sys.executable, program, *command], env=environment) as process:
        wait_until((path / "checkpoint/repeat-0/zarr.json").exists)
        process.kill()
    worker = own_cluster.worker
    assert worker.poll() is None

    def changes() -> bool:
        before = newest(path)
        time.sleep(5)
        return newest(path) != before

    wait_until(lambda: not changes())
    assert worker.poll() is None
    with ibtools_client(own_cluster) as client:
        assert client.submit(sum, [1, 2]).result(timeout=60) == 3


def ibtools_client(cluster: Cluster):
    return cluster_module._open(cluster.options[1])


def newest(path: Path) -> float:
    times = []
    for file in path.rglob("*"):
        try:
            times.append(file.stat().st_mtime)
        except FileNotFoundError:
            continue
    return max(times)


class StillCluster:
    """Stands for a client whose workers are all in one state."""

    def __init__(self, *states: str) -> None:
        self.states = states

    def scheduler_info(self, n_workers: int = 5) -> dict:
        return {"workers": {str(n): {"status": state} for n, state in enumerate(self.states)}}


@pytest.mark.parametrize(("states", "why"), [((), "all are gone"), (("paused",), "1 are paused")])
def test_worker_watch__waits_for_a_bounded_time(monkeypatch, states, why: str):
    clock = iter((0.0, 100.0, 130.0))
    monkeypatch.setattr(cluster_module.time, "monotonic", lambda: next(clock))
    watch = WorkerWatch(StillCluster(*states))
    watch.look()
    watch.look()
    with pytest.raises(ClusterError, match=rf"no worker that takes work for 130 s: {why}"):
        watch.look()


def test_worker_watch__begins_anew_with_a_worker(monkeypatch):
    clock = iter((0.0, 110.0, 130.0, 240.0))
    monkeypatch.setattr(cluster_module.time, "monotonic", lambda: next(clock))
    client = StillCluster()
    watch = WorkerWatch(client)
    watch.look()
    client.states = ("running", "paused")
    watch.look()
    client.states = ()
    watch.look()
    watch.look()
