"""A cluster of processes, and a server that speaks S3: both real, both on this machine."""

import os
import re
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import dask
import pytest
from distributed import Client, LocalCluster

from ibtools.recorders import record as record_module
from tests.remote.engines import FOLDER


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

    They have no nanny: that would kill a worker that is given up.
    """
    with (
        dask.config.set({"distributed.scheduler.worker-ttl": "5s"}),
        start_cluster(n_workers=0) as cluster,
        start_worker(cluster) as one,
        start_worker(cluster) as other,
        Client(cluster) as client,
    ):
        client.wait_for_workers(2)
        yield cluster
        for process in (one, other):
            process.kill()


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
    monkeypatch.setattr("ibtools.layout.MAX_BLOCK_EPOCHS", 2)
    for name in ("MortalEngine", "BrokenEngine"):
        key = name.removesuffix("Engine").lower()
        monkeypatch.setitem(record_module.ENGINES, key, f"tests.remote.engines:{name}")
    if FOLDER in os.environ:
        (Path(os.environ[FOLDER]) / "plan").unlink(missing_ok=True)


class S3Server:
    """A running server, what was asked of it, and a new bucket for every test."""

    def __init__(self, url: str, log: Path) -> None:
        self.url = url
        self._log = log
        self._read = 0
        self._buckets = 0

    def create_bucket(self) -> str:
        self._buckets += 1
        name = f"bucket-{self._buckets}"
        request = urllib.request.Request(f"{self.url}/{name}", method="PUT")
        urllib.request.urlopen(request).close()
        return f"s3://{name}"

    def take_requests(self) -> Counter[str]:
        """Return the requests since this was last asked: GET, PUT, HEAD, DELETE, POST, LIST."""
        lines = self._log.read_text().splitlines()
        new, self._read = lines[self._read :], len(lines)
        found = [re.search(r'"(?:\x1b\[\d+m)?([A-Z]+) (\S+) HTTP', line) for line in new]
        return Counter(
            "LIST" if "list-type=2" in match[2] else match[1] for match in found if match
        )


AWS = {
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory) -> Iterator[S3Server]:
    """moto's server on a free port of the loopback interface, found through AWS_ENDPOINT_URL."""
    log = tmp_path_factory.mktemp("s3") / "log"
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    with (
        log.open("w") as file,
        subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT) as process,
        pytest.MonkeyPatch.context() as patch,
    ):
        try:
            url = _wait_for_url(process, log)
            for name, value in (AWS | {"AWS_ENDPOINT_URL": url}).items():
                patch.setenv(name, value)
            yield S3Server(url, log)
        finally:
            process.terminate()


def _wait_for_url(process: subprocess.Popen, log: Path) -> str:
    while process.poll() is None:
        found = re.search(r"Running on (http://127\.0\.0\.1:\d+)", log.read_text())
        if found:
            return found[1]
    raise RuntimeError(f"moto's server did not start: {log.read_text()}")


@pytest.fixture
def bucket(s3_server: S3Server) -> str:
    """An empty bucket, as a URL."""
    return s3_server.create_bucket()
