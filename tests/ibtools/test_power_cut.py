"""Whatever was marked before the power was cut is there after it."""

import random
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import ibtools
from benchmarks.faults.trial import EPOCHS, LAYERS, N_SAMPLES, REPEATS, draw
from ibtools.errors import IbtoolsError
from ibtools.store.creation import create_store
from ibtools.store.groups import find_group, get_array, is_taken, is_unfinished
from ibtools.store.layout import StoreSpec
from ibtools.store.opened import open_group
from ibtools.store.snapshots import History
from ibtools.store.writer import RepeatWriter
from tests.power_cut import Disk, mounted_disk, why_not


@pytest.fixture(scope="module", autouse=True)
def _disks(tmp_path_factory: pytest.TempPathFactory) -> None:
    if reason := why_not(tmp_path_factory.mktemp("probe")):
        pytest.skip(reason)


def create(path: Path) -> None:
    label = np.arange(N_SAMPLES) % 2
    create_store(
        path,
        StoreSpec(LAYERS, REPEATS, EPOCHS, EPOCHS, label),
        overwrite=is_taken(path),
    )


def record(path: Path, done: list[tuple[int, int]]) -> None:
    """Record what is not complete; `done` gets each snapshot once it is said to be complete."""
    for row, repeat in enumerate(REPEATS):
        writer = RepeatWriter(open_group(path, "r+"), repeat)
        if get_array(open_group(path), "outcome")[row] != "pending":
            continue
        complete = writer.complete
        if not complete.any():
            writer.start_attempt(seed=repeat, failed_attempts=0)
        for epoch in EPOCHS:
            if complete[epoch]:
                continue
            writer.add_history(epoch, History(1.0, 0.5, 1.0, 0.5))
            writer.add_snapshot(epoch, draw(repeat, epoch))
            if epoch % 50 == 9:  # in the middle of a block, whose file is then replaced
                writer.commit()
            done.extend((row, one) for one in np.flatnonzero(writer.complete))
        writer.finish("trained")


def begin_and_record(path: Path, done: list[tuple[int, int]]) -> None:
    create(path)
    record(path, done)


def run_until_cut(disk: Disk, work: Callable[[], None], seconds: float) -> None:
    """Cut the power after some time, and wait until the work has noticed."""
    thread = threading.Thread(target=swallow, args=(work,))
    thread.start()
    time.sleep(seconds)
    disk.cut()
    thread.join()
    disk.restart()


def swallow(work: Callable[[], None]) -> None:
    try:
        work()
    except (IbtoolsError, OSError):
        return


def count_lost(path: Path, done: set[tuple[int, int]]) -> int:
    """Count the snapshots that were said to be complete and are not there as they were recorded."""
    group = find_group(path, "r")
    if group is None or is_unfinished(group):
        return len(done)
    found = ibtools.open_store(path)
    complete = found["complete"].values
    codes, zero_point = found["code"].values, found["zero_point"].values
    wrong = 0
    for row, epoch in zip(*np.nonzero(complete), strict=True):
        taken = draw(REPEATS[row], int(epoch))["hidden"]
        same = np.array_equal(codes[row, epoch, 0, :, :7], taken.values)
        wrong += not (same and zero_point[row, epoch, 0] == taken.zero_point)
    return wrong + sum(not complete[one] for one in done)


def files(path: Path) -> dict[str, bytes]:
    found = {str(one.relative_to(path)): one for one in path.rglob("*") if one.is_file()}
    return {
        name: file.read_bytes()
        for name, file in found.items()
        if name != "zarr.json" and not name.endswith(".partial")
    }


@pytest.mark.parametrize(
    ("cuts", "seed"),
    [(4, 0), *(pytest.param(10, seed, marks=pytest.mark.slow) for seed in range(1, 11))],
)
def test_record__loses_nothing_that_is_marked_when_the_power_is_cut(
    tmp_path: Path, cuts: int, seed: int, forced
):
    """At random moments, then resumed, cut again, and resumed to the same bytes."""
    begin_and_record(tmp_path / "whole.zarr", [])
    expected = files(tmp_path / "whole.zarr")
    started = time.perf_counter()
    begin_and_record(tmp_path / "timed.zarr", [])
    longest = time.perf_counter() - started
    draws = random.Random(seed)
    lost = counted = 0
    with mounted_disk(tmp_path) as disk:
        for cut in range(cuts):
            path = disk.folder / f"{cut}.zarr"
            done: list[tuple[int, int]] = []
            run_until_cut(
                disk, lambda p=path, d=done: begin_and_record(p, d), draws.uniform(0, longest)
            )
            lost += count_lost(path, set(done))
            group = find_group(path, "r")
            if group is None or is_unfinished(group):
                create(path)
            run_until_cut(disk, lambda p=path, d=done: record(p, d), draws.uniform(0, longest))
            lost += count_lost(path, set(done))
            counted += len(set(done))
            record(path, [])
            assert files(path) == expected, cut
            for file in sorted(path.rglob("*"), reverse=True):
                file.rmdir() if file.is_dir() else file.unlink()
    assert counted > 10 * cuts
    assert lost == 0
