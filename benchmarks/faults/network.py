"""Faults of a network and of a server of object storage: tried again, and the same in the end."""

import os
import random
from pathlib import Path
from unittest.mock import patch

from s3fs import S3FileSystem

from benchmarks.faults import trial
from tests.remote.faulty_server import Faults, run_faulty_server
from tests.remote.s3_server import run_s3_server

SHARE = 0.1
"""Of the requests that fail."""


def count_survived(kind: str, whole: Path, folder: Path, draws: random.Random) -> tuple[int, int]:
    """Record and analyse in a bucket while requests fail; faults, and how many of them survived."""
    with run_s3_server(folder) as server, run_faulty_server(server.url) as front:
        environment = server.environment | {"AWS_ENDPOINT_URL": front.url}
        with patch.dict(os.environ, environment), patch("ibtools.store.retrying.FIRST_PAUSE", 0.01):
            store = f"{server.create_bucket()}/s.zarr"
            front.faults = faults = Faults((kind,), share=SHARE)
            faults._random.seed(draws.random())
            trial.record(store)
            trial.analyze(store)
            front.faults = Faults()
            same = trial.recorded(store) == trial.recorded(whole)
            same &= trial.results(store) == trial.results(whole)
    S3FileSystem.clear_instance_cache()  # the next server is elsewhere
    tried = faults.met[kind]
    return tried, tried if same else 0


KINDS = {
    "a server answers 500 (a tenth of all requests)": "internal",
    "a server answers 503": "slow down",
    "a connection is reset": "reset",
    "an answer is cut short": "cut",
}
