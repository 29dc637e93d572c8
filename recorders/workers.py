"""Repeats side by side: worker processes that each write their own part of one store.

The workers are processes of this machine, or those of a Dask cluster
(`ibtools.recorders.cluster_workers`).
"""

import multiprocessing
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from ibtools.cluster import connect, current_client
from ibtools.errors import InputError, RecordingError
from ibtools.parent import follow_parent
from ibtools.progress import Progress, write_line
from ibtools.recorders.claim import claim_repeat
from ibtools.recorders.recording import Recording
from ibtools.recorders.repeat import RepeatRecorder, load_engine, shared_engine
from ibtools.spawning import end_broken, start_worker
from ibtools.store import StorePath, open_group

if TYPE_CHECKING:
    from distributed import Client

REPEATS_PER_PROCESS = 32
"""Workers are replaced after so many repeats each: TensorFlow keeps some memory of every one.

All at once, by a new pool: Python's own `max_tasks_per_child` takes a worker that ends for an idle
one, and starts no other (CPython issue 115634), until none is left and the recording hangs.
"""

MAX_LOSSES = 3
"""How many workers a repeat may be lost with; with one more the recording fails."""

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
    spawning = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, spawning, initializer=follow_parent) as pool:
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

    Raises
    ------
    RecordingError
        If a repeat was lost with more than `MAX_LOSSES` workers, or the cluster is lost.
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
    _Processes(recording, output, engine, jobs, progress, deque(repeats)).run()


class StoppedError(Exception):
    """Ends a repeat whose recording was interrupted or has failed elsewhere."""


@dataclass
class _Link:
    """Tells another process of progress, and is told to stop; both now and then, as it takes time.

    It holds no lock that a killed process could keep: of whatever hangs on a queue, a new pool
    brings a new one, and `stop` is plain shared memory.
    """

    epochs: Any
    stop: Any
    repeat: int = -1
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
        if self.stop.value:
            raise StoppedError

    def flush(self) -> None:
        """Tell of what has not been told."""
        self.epochs.put((self.repeat, self.waiting))
        self.waiting = 0

    def set_postfix_str(self, s: str) -> None:
        """Remarks stay with the worker."""


_link: _Link
"""In a worker process: of its pool."""


def _begin(link: _Link) -> None:
    global _link
    follow_parent()
    _link = link


def _record_repeat(recording: Recording, output: StorePath, repeat: int, engine: str) -> None:
    """Record one repeat in this worker process."""
    link = replace(_link, repeat=repeat)
    link.flush()  # it has begun
    group = claim_repeat(open_group(output, "r+"), repeat)
    RepeatRecorder(recording, group, repeat, link).run(shared_engine(engine))
    link.flush()


@dataclass
class _Processes:
    """Which repeats are still to do, and how often each was lost with a process that died."""

    recording: Recording
    output: StorePath
    engine: str
    jobs: int
    progress: Progress
    pending: deque[int]
    losses: Counter[int] = field(default_factory=Counter)
    shown: Counter[int] = field(default_factory=Counter)

    def run(self) -> None:
        """Record all. A pool of which a process died is replaced; its repeats are resumed."""
        while self.pending:
            batch = list(islice(self.pending, self.jobs * REPEATS_PER_PROCESS))
            context = multiprocessing.get_context("spawn")
            link = _Link(context.SimpleQueue(), context.RawValue("b", 0))
            with ProcessPoolExecutor(
                min(self.jobs, len(batch)), context, initializer=_begin, initargs=(link,)
            ) as pool:
                try:
                    self._follow(batch, link, pool)
                except BrokenExecutor:
                    end_broken(pool)
                    self._drain(link)
                    self._lose(batch)

    def _follow(self, batch: Sequence[int], link: _Link, pool: ProcessPoolExecutor) -> None:
        """Show progress until all is done; the first error ends what has not begun."""
        try:
            futures = {
                pool.submit(
                    _record_repeat, self.recording, self.output, repeat, self.engine
                ): repeat
                for repeat in batch
            }
            running = set(futures)
            while running:
                done, running = wait(running, timeout=_POLL_SECONDS)
                self._drain(link)
                for future in sorted(done, key=lambda one: one.exception() is not None):
                    future.result()
                    self._finish(futures[future])
        except BrokenExecutor:
            raise
        except BaseException:
            link.stop.value = 1
            pool.shutdown(wait=True, cancel_futures=True)
            raise

    def _finish(self, repeat: int) -> None:
        self.pending.remove(repeat)
        del self.shown[repeat]

    def _drain(self, link: _Link) -> None:
        while not link.epochs.empty():
            repeat, epochs = link.epochs.get()
            self.shown[repeat] += epochs
            self.progress.update(epochs)

    def _lose(self, batch: Sequence[int]) -> None:
        """Take note of which repeats were under way when a process died."""
        lost = sorted(repeat for repeat in batch if repeat in self.shown) or [batch[0]]
        for repeat in lost:
            self.progress.update(-self.shown.pop(repeat, 0))
        self.losses.update(lost)
        most = max(self.losses[repeat] for repeat in lost)
        names = f"repeat{'s' * (len(lost) > 1)} {', '.join(map(str, lost))}"
        if most > MAX_LOSSES:
            raise RecordingError(
                f"a worker process died {most} times while it recorded {names}; the system kills "
                "processes when memory runs out. What is complete is on disk: go on with --resume, "
                "and with fewer --jobs (resume=True, jobs=1)"
            )
        write_line(
            f"a worker process died while {names} ran; recording goes on from the last checkpoint"
        )
