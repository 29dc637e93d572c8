"""A cluster of processes, and a server that speaks S3: both real, both on this machine."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dask
import pytest
from distributed import Client, LocalCluster

from ibtools.recorders import engines
from tests.remote.engines import FOLDER
from tests.remote.s3_server import S3Server, run_s3_server


@pytest.fixture(scope="session")
def accidents(tmp_path_factory) -> Iterator[None]:
    """The folder that `tests.remote.engines` plans accidents in, for workers started after it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(FOLDER, str(tmp_path_factory.mktemp("accidents")))
        yield


def start_cluster(**settings) -> LocalCluster:
    return LocalCluster(
        **({"n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0"} | settings)
    )


@pytest.fixture(scope="session")
def cluster(accidents) -> Iterator[LocalCluster]:
    """Two worker processes of one thread each, as `dask worker` starts them."""
    with start_cluster() as cluster:
        yield cluster


@pytest.fixture
def impatient_cluster(accidents) -> Iterator[LocalCluster]:
    """A scheduler that gives up a worker which is silent for five seconds, and two workers.

    They have no nanny: that would kill a worker that is given up. On a busy machine a sound worker
    is given up too, and ends; then another takes its place.
    """
    with (
        dask.config.set({"distributed.scheduler.worker-ttl": "5s"}),
        start_cluster(n_workers=0) as cluster,
        Client(cluster) as client,
        two_workers(cluster),
    ):
        client.wait_for_workers(2, timeout=120)
        yield cluster


@contextmanager
def two_workers(cluster: LocalCluster) -> Iterator[None]:
    """Keep two worker processes, be they stopped or not."""
    processes = [start_worker(cluster) for _ in range(2)]
    leaving = threading.Event()

    def keep() -> None:
        while not leaving.wait(0.5):
            for position, process in enumerate(processes):
                if process.poll() is not None:
                    processes[position] = start_worker(cluster)

    keeper = threading.Thread(target=keep)
    keeper.start()
    try:
        yield
    finally:
        leaving.set()
        keeper.join()
        for process in processes:
            process.kill()
            process.wait()


def start_worker(cluster: LocalCluster) -> subprocess.Popen:
    """Start a worker from the command line, in a process of its own."""
    command = ["dask", "worker", "--no-nanny", "--nthreads", "1", "--no-dashboard"]
    return subprocess.Popen(
        [sys.executable, "-m", *command, cluster.scheduler_address],
        stderr=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr("ibtools.store.layout.MAX_BLOCK_EPOCHS", 2)
    for name in ("MortalEngine", "BrokenEngine"):
        key = name.removesuffix("Engine").lower()
        monkeypatch.setitem(engines.ENGINES.builtin, key, f"tests.remote.engines:{name}")
    if FOLDER in os.environ:
        (Path(os.environ[FOLDER]) / "plan").unlink(missing_ok=True)


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory) -> Iterator[S3Server]:
    """A server that every process started from here finds through AWS_ENDPOINT_URL."""
    with (
        run_s3_server(tmp_path_factory.mktemp("s3")) as server,
        pytest.MonkeyPatch.context() as patch,
    ):
        for name, value in server.environment.items():
            patch.setenv(name, value)
        yield server


@pytest.fixture
def bucket(s3_server: S3Server) -> str:
    """An empty bucket, as a URL."""
    return s3_server.create_bucket()


@pytest.fixture
def cluster_with_s3(s3_server: S3Server, accidents) -> Iterator[LocalCluster]:
    """Two worker processes that were started where the server is known."""
    with start_cluster() as cluster:
        yield cluster
