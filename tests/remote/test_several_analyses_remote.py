"""Analyses of one store in a bucket, which has no locks: checksums make the outcome right."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import zarr

from ibtools.analysis.passes.kept_results import find_damaged
from ibtools.analysis.passes.results import result_names
from tests.analysis import neighbours

KEYS = ("information/exact", "information/exact-per-unit")
RECORDED = range(2)

PROGRAM = """
import sys
from tests.analysis import neighbours
print("ready", flush=True)
sys.stdin.readline()
neighbours.analyse(sys.argv[1])
"""


def numbers(path) -> dict[str, bytes]:
    root = zarr.open_group(str(path), mode="r", use_consolidated=False)
    return {
        f"{key}/{name}": np.asarray(root[key][name][...]).tobytes()
        for key in KEYS
        for name in (*root[key]["checksum"].attrs["variables"], "checksum", "analysed")
    }


@pytest.fixture
def alone(tmp_path: Path) -> dict[str, bytes]:
    """The numbers of one analysis, on the local disk."""
    neighbours.create(tmp_path / "s.zarr", RECORDED)
    neighbours.analyse(tmp_path / "s.zarr")
    return numbers(tmp_path / "s.zarr")


def start_at_once(path: str, n: int) -> list[subprocess.Popen]:
    """Start analyses that have all imported what they need before the first begins."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(n)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    return processes


def end(processes: list[subprocess.Popen]) -> list[int]:
    return [process.wait(120) for process in processes if process.communicate()]


def test_analyze_store__several_at_once_in_a_bucket(bucket: str, alone):
    path = f"{bucket}/s.zarr"
    neighbours.create(path, RECORDED)
    assert end(start_at_once(path, 3)) == [0, 0, 0]
    assert numbers(path) == alone


@pytest.mark.slow
def test_analyze_store__several_at_once_in_a_bucket_and_one_is_killed(bucket: str, alone):
    """What the killed one has overwritten is found, and computed by whoever analyses next."""
    path = f"{bucket}/s.zarr"
    neighbours.create(path, RECORDED)
    killed, other = start_at_once(path, 2)
    while not result_names(path) and killed.poll() is None:
        time.sleep(0.05)
    time.sleep(0.3)
    killed.kill()
    assert end([killed, other])[1] == 0
    neighbours.analyse(path)
    assert numbers(path) == alone
    root = zarr.open_group(path, mode="r", use_consolidated=False)
    assert not any(find_damaged(root[key]).any() for key in KEYS)
