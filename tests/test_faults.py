"""A fault of every kind that `python -m benchmarks.faults` injects by the hundred."""

import random
from pathlib import Path

import pytest

from benchmarks.faults import network, processes, trial
from benchmarks.faults.__main__ import KINDS
from tests.power_cut import why_not


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    processes.preload()
    path = tmp_path_factory.mktemp("whole") / "whole.zarr"
    trial.record(path)
    trial.analyze(path)
    return path


@pytest.mark.parametrize("name", KINDS)
def test_faults__of_every_kind_are_survived(name: str, whole: Path, tmp_path: Path, forced):
    if "power" in name and (reason := why_not(tmp_path)):
        pytest.skip(reason)
    assert KINDS[name](whole, tmp_path, random.Random(name))


@pytest.mark.slow
@pytest.mark.parametrize("name", network.KINDS)
def test_faults__of_a_server_are_survived(name: str, whole: Path, tmp_path: Path):
    tried, survived = network.count_survived(
        network.KINDS[name], whole, tmp_path, random.Random(name)
    )
    assert tried == survived > 0
