"""Writing, opening and analysing over S3, against the same on the local disk.

The server is moto's, on this machine: what it takes to answer is part of the time, what a network
takes is not. The numbers of requests are those of any server.
"""

import os
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from unittest.mock import patch

from benchmarks.analysing import WIDTHS, write_store
from benchmarks.table import Row
from ibtools.analysis.passes.results import analyze_store
from ibtools.store.datasets import open_store
from ibtools.store.storage import StorePath
from tests.remote.s3_server import S3Server, run_s3_server


def seconds(function: Callable[[], object]) -> float:
    """Return how long one run takes."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def measure(server: S3Server, what: str, there: Callable[[], object], here: float) -> Row:
    """Measure something over S3, once, with its requests, against its time on the local disk."""
    server.take_requests()
    ours = seconds(there)
    requests = server.take_requests()
    counted = ", ".join(f"{number} {method}" for method, number in requests.most_common())
    return Row(f"{what}, {requests.total()} requests: {counted}", ours, here, "s")


def rows(epochs: int) -> list[Row]:
    """Measure a store of one repeat; the baseline is the same on the local disk."""
    gigabytes = epochs * 4096 * sum(WIDTHS) / 1e9
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(run_s3_server(folder))
        stack.enter_context(patch.dict(os.environ, server.environment))
        local, remote = folder / "syn.zarr", f"{server.create_bucket()}/syn.zarr"

        def analyze(path: StorePath, output: StorePath) -> Callable[[], object]:
            return lambda: analyze_store(path, output=output, quiet=True)

        written = seconds(lambda: write_store(local, epochs))
        first = measure(server, "write over S3", lambda: write_store(remote, epochs), written)
        opened = seconds(lambda: open_store(local))
        second = measure(server, "open over S3", lambda: open_store(remote), opened)
        analyze(local, folder / "warm.zarr")()
        analysed = seconds(analyze(local, folder / "here.zarr"))
        third = measure(
            server,
            f"analyze {gigabytes:.2f} GB of codes over S3, results in the bucket",
            analyze(remote, f"{remote}-results"),
            analysed,
        )
        return [first, second, third]


if __name__ == "__main__":
    from benchmarks.table import print_table

    print_table(rows(epochs=1600))
