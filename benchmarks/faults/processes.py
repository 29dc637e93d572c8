"""Faults of processes, power and disks: what is marked stays, and the rest is gone on with."""

import errno
import multiprocessing
import random
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from unittest.mock import patch

from benchmarks.faults import trial
from ibtools.errors import IbtoolsError
from ibtools.store.durable import DurableStore
from tests.power_cut import mounted_disk

_FORKS = multiprocessing.get_context("forkserver")

Work = Callable[[Path], None]


def preload() -> None:
    """Have the processes that are started begin with everything imported."""
    _FORKS.set_forkserver_preload(["benchmarks.faults.trial"])


def kill_at_random(works: Sequence[Work], store: Path, seconds: float) -> None:
    """Start a process for each work, and kill all of them after some time."""
    processes = [_FORKS.Process(target=_run, args=(work, store)) for work in works]
    for process in processes:
        process.start()
    time.sleep(seconds)
    for process in processes:
        process.kill()
        process.join()


def _run(work: Work, store: Path) -> None:
    try:
        work(store)
    except IbtoolsError:
        return


def time_of(work: Work, store: Path) -> float:
    """Return the seconds that a process takes for a work, its start included."""
    start = time.perf_counter()
    process = _FORKS.Process(target=_run, args=(work, store))
    process.start()
    process.join()
    return time.perf_counter() - start


def try_kill_recording(whole: Path, folder: Path, draws: random.Random) -> bool:
    """Kill a recording, once more after resuming it, and finish it."""
    store = folder / "s.zarr"
    longest = time_of(trial.record, folder / "timed.zarr")
    for _ in range(2):
        kill_at_random([trial.record], store, draws.uniform(0, longest))
        if store.exists() and any(store.glob("complete/c/*/*")) and not trial.is_right(store):
            return False
    return _is_finished(whole, store)


def try_kill_analysis(whole: Path, folder: Path, draws: random.Random) -> bool:
    """Kill one analysis, and finish it."""
    return _try_analyses(whole, folder, draws, 1)


def try_kill_analyses(whole: Path, folder: Path, draws: random.Random) -> bool:
    """Kill two analyses of one store at once, and finish them."""
    return _try_analyses(whole, folder, draws, 2)


def _try_analyses(whole: Path, folder: Path, draws: random.Random, n: int) -> bool:
    store = folder / "s.zarr"
    trial.record(store)
    longest = time_of(trial.analyze, whole)
    kill_at_random([trial.analyze] * n, store, draws.uniform(0, 2 * longest))
    return _is_finished(whole, store)


def try_cut_power(whole: Path, folder: Path, draws: random.Random) -> bool:
    """Cut the power while a store is recorded and analysed, and go on after it."""
    with mounted_disk(folder) as disk:
        store = disk.folder / "s.zarr"
        start = time.perf_counter()
        _work_on(disk.folder / "timed.zarr")
        longest = time.perf_counter() - start
        worker = threading.Thread(target=_run, args=(_work_on, store))
        worker.start()
        time.sleep(draws.uniform(0, longest))
        disk.cut()
        worker.join()
        disk.restart()
        if any(store.glob("complete/c/*/*")) and not trial.is_right(store):
            return False
        return _is_finished(whole, store)


def _work_on(store: Path) -> None:
    try:
        trial.record(store)
        trial.analyze(store)
    except OSError:
        return


def try_fill_disk(whole: Path, folder: Path, draws: random.Random) -> bool:
    """Have a disk without room at one of the writes of a recording and its analysis."""
    store, original = folder / "s.zarr", DurableStore.set
    left = draws.randrange(250)

    async def full(self: DurableStore, key: str, value: object) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        await original(self, key, value)  # type: ignore[arg-type]

    with patch.object(DurableStore, "set", full):
        _run(_work_on, store)
    return _is_finished(whole, store)


def _is_finished(whole: Path, store: Path) -> bool:
    """Go on to the end, and compare with what was never disturbed."""
    trial.record(store)
    trial.analyze(store)
    same = trial.recorded(store) == trial.recorded(whole)
    return same and trial.results(store) == trial.results(whole)
