"""Repeats side by side: worker processes that each write their own part of one store.

The workers are processes of this machine, or those of a Dask cluster
(`ibtools.recorders.cluster_workers`).
"""

import multiprocessing
import queue
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.managers import SyncManager
from typing import TYPE_CHECKING, Any

from ibtools.cluster import connect, current_client
from ibtools.errors import InputError
from ibtools.interrupt import ignore_interrupt
from ibtools.progress import Progress
from ibtools.recorders.claim import claim_repeat
from ibtools.recorders.recording import Recording
from ibtools.recorders.repeat import RepeatRecorder, load_engine, shared_engine
from ibtools.spawning import start_worker
from ibtools.store import StorePath, open_group

if TYPE_CHECKING:
    from distributed import Client

REPEATS_PER_PROCESS = 32
"""Workers are replaced after so many repeats each: TensorFlow keeps some memory of every one.

All at once, by a new pool: Python's own `max_tasks_per_child` takes a worker that ends for an idle
one, and starts no other (CPython issue 115634), until none is left and the recording hangs.
"""

_POLL_SECONDS = 0.2


@contextmanager
def open_cluster(jobs: int | None, scheduler: str | None) -> "Iterator[Client | None]":
    """Connect to the cluster that is to record, if one is.

    Parameters
    ----------
    jobs : int or None
        Repeats side by side.
    scheduler : str or None
        Address of a Dask scheduler. Without one, the client that this process has is used where
        more than one job is asked for.

    Yields
    ------
    distributed.Client or None
        None for this machine.

    Raises
    ------
    InputError
        If `jobs` is below 1, or the cluster can't be reached.
    IbtoolsError
        If worker processes can't be started on this machine.
    """
    if jobs is not None and jobs < 1:
        raise InputError(f"jobs must be 1 or more, found {jobs}")
    if scheduler is None and (jobs in (None, 1) or current_client() is None):
        if jobs not in (None, 1):
            _validate_startable()
        yield None
        return
    with connect(scheduler) as client:
        yield client


def _validate_startable() -> None:
    """Check that worker processes can be started, before there is a store."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        start_worker(pool, instead="record with one process: jobs=1")


def record_repeats(
    recording: Recording,
    output: StorePath,
    repeats: Sequence[int],
    *,
    engine: str,
    jobs: int | None,
    progress: Progress,
    client: "Client | None" = None,
) -> None:
    """Record some repeats of a store that exists.

    Parameters
    ----------
    recording : Recording
        What is recorded.
    output : path or URL
        The store.
    repeats : sequence of int
        Their numbers. Each is the same in whichever process and order it is recorded.
    engine : str
        "module:attribute".
    jobs : int or None
        Processes of this machine, None or 1 for this one; or workers of the cluster, None for all.
    progress : Progress
        Told of every epoch.
    client : distributed.Client, optional
        Of the cluster that records; without one, this machine does.
    """
    if client is not None:
        from ibtools.recorders.cluster_workers import record_on_cluster

        record_on_cluster(
            client, recording, output, repeats, engine=engine, jobs=jobs, progress=progress
        )
        return
    if jobs is None or jobs == 1 or len(repeats) < 2:
        loaded, group = load_engine(engine), open_group(output, "r+")
        for repeat in repeats:
            claimed = claim_repeat(group, repeat)
            RepeatRecorder(recording, claimed, repeat, progress).run(loaded)
        return
    context = multiprocessing.get_context("spawn")
    manager = SyncManager(ctx=context)
    manager.start(ignore_interrupt)
    with manager:
        link = _Link(manager.Queue(), manager.Event())
        at_once = jobs * REPEATS_PER_PROCESS
        for first in range(0, len(repeats), at_once):
            batch = repeats[first : first + at_once]
            with ProcessPoolExecutor(
                min(jobs, len(batch)), mp_context=context, initializer=ignore_interrupt
            ) as pool:
                futures = [
                    pool.submit(_record_repeat, recording, output, repeat, engine, link)
                    for repeat in batch
                ]
                _follow(futures, link, progress, pool)


class StoppedError(Exception):
    """Ends a repeat whose recording was interrupted or has failed elsewhere."""


@dataclass
class _Link:
    """Tells another process of progress, and is told to stop; both now and then, as it takes time.

    Ctrl-C reaches every process of a terminal; the workers leave it to the one that started them.
    """

    epochs: Any
    stop: Any
    waiting: int = 0
    reported: float = 0.0

    def update(self, n: int = 1) -> None:
        """Count epochs; end the repeat if it is to stop. What is complete is on disk."""
        self.waiting += n
        now = time.monotonic()
        if now - self.reported < _POLL_SECONDS:
            return
        self.reported = now
        self.flush()
        if self.stop.is_set():
            raise StoppedError

    def flush(self) -> None:
        """Tell of what has not been told."""
        self.epochs.put(self.waiting)
        self.waiting = 0

    def set_postfix_str(self, s: str) -> None:
        """Remarks stay with the worker."""


def _record_repeat(
    recording: Recording, output: StorePath, repeat: int, engine: str, link: _Link
) -> None:
    group = claim_repeat(open_group(output, "r+"), repeat)
    RepeatRecorder(recording, group, repeat, link).run(shared_engine(engine))
    link.flush()


def _follow(
    futures: list[Future[None]], link: _Link, progress: Progress, pool: ProcessPoolExecutor
) -> None:
    """Show progress until all is done; the first error ends what has not begun."""
    pending = set(futures)
    try:
        while pending:
            done, pending = wait(pending, timeout=_POLL_SECONDS)
            _drain(link.epochs, progress)
            for future in done:
                future.result()
    except BaseException:
        link.stop.set()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _drain(epochs: Any, progress: Progress) -> None:
    while True:
        try:
            progress.update(epochs.get_nowait())
        except queue.Empty:
            return
