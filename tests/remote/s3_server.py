"""A server that speaks S3: moto's, in a process of its own, on a free port of this machine."""

import os
import re
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "no_proxy": "127.0.0.1",
}
"""What a user sets to reach a server of S3 here, but for AWS_ENDPOINT_URL."""

WITHOUT_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class S3Server:
    """A running server, what was asked of it, and as many new buckets as are needed."""

    def __init__(self, url: str, log: Path) -> None:
        self.url = url
        self._log = log
        self._read = 0
        self._buckets = 0

    @property
    def environment(self) -> dict[str, str]:
        """Variables of the environment under which the server is found."""
        return ENVIRONMENT | {"AWS_ENDPOINT_URL": self.url}

    def create_bucket(self) -> str:
        """Create a bucket and return its URL."""
        self._buckets += 1
        name = f"bucket-{self._buckets}"
        request = urllib.request.Request(f"{self.url}/{name}", method="PUT")
        WITHOUT_PROXY.open(request).close()
        return f"s3://{name}"

    def take_requests(self) -> Counter[str]:
        """Return the requests since this was last asked: GET, PUT, HEAD, DELETE, POST, LIST."""
        lines = self._log.read_text().splitlines()
        new, self._read = lines[self._read :], len(lines)
        found = [re.search(r'"(?:\x1b\[\d+m)?([A-Z]+) (\S+) HTTP', line) for line in new]
        return Counter(
            "LIST" if "list-type=2" in match[2] else match[1] for match in found if match
        )


@contextmanager
def run_s3_server(folder: Path) -> Iterator[S3Server]:
    """Run a server for as long as the context lasts; its log goes to `folder`."""
    log = folder / "s3.log"
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    with (
        log.open("w") as file,
        subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT) as process,
    ):
        try:
            yield S3Server(_wait_for_url(process, log), log)
        finally:
            process.terminate()


def _wait_for_url(process: subprocess.Popen[bytes], log: Path) -> str:
    while process.poll() is None:
        found = re.search(r"Running on (http://127\.0\.0\.1:\d+)", log.read_text())
        if found:
            return found[1]
        time.sleep(0.05)
    raise RuntimeError(f"moto's server did not start: {log.read_text()}")
