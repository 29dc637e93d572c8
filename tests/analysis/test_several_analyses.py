"""Analyses, details and a recording of one store at once, killed at any moment.

Whatever happens, the results are those of one analysis alone, and nothing is ever marked whose
numbers are not right.
"""

import multiprocessing
import random
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing.context import ForkServerContext
from pathlib import Path

import fsspec
import numpy as np
import pytest
import zarr

import ibtools
from ibtools.analysis.passes.kept_results import find_damaged
from ibtools.analysis.passes.results import result_names
from ibtools.store import locking
from tests.analysis import neighbours

KEYS = (
    "information/exact",
    "information/exact-per-unit",
    "details/exact/units",
    "details/exact/layers",
)


@pytest.fixture(scope="module")
def processes() -> ForkServerContext:
    """Processes that start at once, because their server has imported all that they need."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.analysis.neighbours"])
    return context


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr("ibtools.store.layout.MAX_BLOCK_EPOCHS", 2)


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> dict[str, np.ndarray]:
    """The numbers of one analysis of the whole recording."""
    path = tmp_path_factory.mktemp("alone") / "s.zarr"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ibtools.store.layout.MAX_BLOCK_EPOCHS", 2)
        neighbours.create(path, range(len(neighbours.EPOCHS)))
        neighbours.analyse(path)
        neighbours.details(path)
    return numbers(path)


def groups(path) -> Iterator[tuple[str, zarr.Group]]:
    root = zarr.open_group(str(path), mode="r", use_consolidated=False)
    for key in KEYS:
        group = root.get(key)
        if isinstance(group, zarr.Group) and "analysed" in group:
            yield key, group


def numbers(path) -> dict[str, np.ndarray]:
    """Return all values, checksums and marks."""
    return {
        f"{key}/{name}": np.asarray(group[name][...])
        for key, group in groups(path)
        for name in (*group["checksum"].attrs["variables"], "checksum", "analysed")
    }


def assert_what_is_marked_is_right(path, alone: dict[str, np.ndarray]) -> None:
    for key, group in groups(path):
        assert not find_damaged(group).any()
        marks = np.asarray(group["analysed"][...])
        for name in group["checksum"].attrs.get("variables", ()):
            found = np.asarray(group[name][...])[marks]
            np.testing.assert_array_equal(found, alone[f"{key}/{name}"][marks])


def assert_same(found: dict[str, np.ndarray], alone: dict[str, np.ndarray]) -> None:
    assert found.keys() == alone.keys()
    for name, values in alone.items():
        assert found[name].tobytes() == values.tobytes(), name


def survive(path: str, alone, processes: ForkServerContext, *, rounds: int, seed: int) -> None:
    """Start many at once, kill some of them at random moments, and look at what is left."""
    draw = random.Random(seed)
    neighbours.create(path)
    recording = processes.Process(target=neighbours.go_on, args=(path,))
    recording.start()
    work: list[Callable[[str], None]] = [neighbours.analyse] * 3 + [neighbours.details] * 2
    for _ in range(rounds):
        started = [processes.Process(target=one, args=(path,)) for one in work]
        for process in started:
            process.start()
        time.sleep(draw.uniform(0.2, 2.5))
        victims = draw.sample(started, draw.randint(1, len(started)))
        for process in victims:
            process.kill()
        for process in started:
            process.join(120)
        codes = [process.exitcode for process in started if process not in victims]
        assert codes == [0] * len(codes)
        assert_what_is_marked_is_right(path, alone)
    recording.join(120)
    assert recording.exitcode == 0
    neighbours.analyse(path)
    neighbours.details(path)
    assert_same(numbers(path), alone)
    assert "information/exact/checksum" in dict(
        zarr.open_consolidated(path).members(max_depth=None)
    )


def test_analyze_store__many_at_once_of_which_some_are_killed(tmp_path, processes, alone):
    survive(str(tmp_path / "s.zarr"), alone, processes, rounds=2, seed=0)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 9))
def test_analyze_store__many_at_once_of_which_some_are_killed_often(
    tmp_path, processes, alone, seed: int
):
    survive(str(tmp_path / "s.zarr"), alone, processes, rounds=8, seed=seed)


@pytest.fixture(params=["folder", "memory", "folder without locks"])
def place(request, tmp_path: Path, monkeypatch) -> Iterator[str]:
    if request.param == "memory":
        yield "memory://several/s.zarr"
        fsspec.filesystem("memory").rm("/several", recursive=True)
        return
    if "without" in request.param:
        monkeypatch.setattr("fcntl.flock", refuse)
    yield str(tmp_path / "s.zarr")


def refuse(*_) -> None:
    raise OSError(95, "Operation not supported")


def test_analyze_store__threads_of_one_process(place: str, alone):
    """They exclude each other whether or not processes can."""
    neighbours.create(place, range(len(neighbours.EPOCHS)))
    failed: list[BaseException] = []
    work = [neighbours.analyse] * 2 + [neighbours.details]
    barrier = threading.Barrier(len(work))

    def start(one: Callable[[str], None]) -> None:
        barrier.wait()
        try:
            one(place)
        except BaseException as err:
            failed.append(err)
            raise

    threads = [threading.Thread(target=start, args=(one,)) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    assert_same(numbers(place), alone)


@pytest.fixture
def no_locks(monkeypatch):
    """Storage without locks, also between the threads of a process."""

    monkeypatch.setattr("fcntl.flock", refuse)
    monkeypatch.setattr(locking, "_shared", lambda _: locking._Place())


# what zarr says of consolidated metadata can't be silenced in one thread alone
@pytest.mark.filterwarnings("ignore:Consolidated metadata")
def test_analyze_store__without_any_lock_the_outcome_is_right(tmp_path: Path, no_locks, alone):
    """Neighbours overwrite each other's numbers; checksums tell, and they compute them again."""
    path = str(tmp_path / "s.zarr")
    neighbours.create(path, range(len(neighbours.EPOCHS)))
    failed: list[BaseException] = []

    def start(one: Callable[[str], None]) -> None:
        try:
            one(path)
        except BaseException as err:
            failed.append(err)
            raise

    threads = [threading.Thread(target=start, args=(neighbours.analyse,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    found = numbers(path)
    assert_same(found, {name: of for name, of in alone.items() if name in found})


def test_open_results__while_others_write(tmp_path: Path, processes, alone):
    """A reader takes no lock, and sees nothing torn."""
    path = str(tmp_path / "s.zarr")
    neighbours.create(path, range(len(neighbours.EPOCHS)))
    process = processes.Process(target=neighbours.analyse, args=(path,))
    process.start()
    looks = 0
    while process.is_alive():
        if "exact" in result_names(path):
            found = ibtools.open_results(path)["mi_ty"].load().values
            there = ~np.isnan(found)
            np.testing.assert_array_equal(found[there], alone["information/exact/mi_ty"][there])
            looks += 1
        time.sleep(0.01)
    process.join()
    assert process.exitcode == 0
    assert looks
