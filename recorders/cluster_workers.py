"""Repeats on the workers of a Dask cluster: one at a time on each, resumed when a worker is lost.

The repeats are placed from here, not by the scheduler: each worker process trains one network at a
time, because the seeds that a training sets are those of the whole process; and a repeat whose
worker is gone is given to another at once, whatever became of the process that had it (see
`ibtools.recorders.claim`).
"""

import queue
import threading
import time
import uuid
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from distributed import Client, Future, KilledWorker, get_worker

from ibtools.cluster import WorkerWatch, connection_lost
from ibtools.errors import RecordingError, StoreError
from ibtools.progress import Progress
from ibtools.recorders.claim import claim_repeat
from ibtools.recorders.recording import Recording
from ibtools.recorders.repeat import RepeatRecorder, shared_engine
from ibtools.recorders.workers import MAX_LOSSES, StoppedError
from ibtools.storage import StorePath, absolute
from ibtools.store import open_group

REPORT_SECONDS = 0.5
"""How often a worker tells of its epochs, at the most."""

_POLL_SECONDS = 0.2
_STOP_SECONDS = 5.0


def record_on_cluster(
    client: Client,
    recording: Recording,
    output: StorePath,
    repeats: Sequence[int],
    *,
    engine: str,
    jobs: int | None,
    progress: Progress,
) -> None:
    """Record some repeats of a store that exists, on the workers of a cluster.

    Parameters
    ----------
    client : distributed.Client
        Connected to the cluster.
    recording : Recording
        What is recorded.
    output : path or URL
        The store, which every worker must see under this name.
    repeats : sequence of int
        Their numbers. Each is the same on whichever worker it is recorded.
    engine : str
        "module:attribute".
    jobs : int or None
        Workers to use at the most; None for all, and for those that join later.
    progress : Progress
        Told of every epoch.

    Raises
    ------
    RecordingError
        If there are no workers, or a repeat was lost with more than `MAX_LOSSES` of them.
    ClusterError
        If the scheduler is lost, or all workers are for a long time.
    IbtoolsError
        Whatever recording raises, on whichever worker.
    """
    where = (absolute(output), engine)
    placing = _Placing(client, recording, where, jobs or 2**31, progress, deque(repeats))
    if not placing.workers():
        raise RecordingError("the cluster must have workers, found none; start one: dask worker")
    placing.run()


@dataclass(frozen=True)
class _Placed:
    """A repeat that a worker is recording."""

    worker: str
    future: Future


@dataclass
class _Placing:
    """Which repeat is where, what is still to do, and how often something was lost."""

    client: Client
    recording: Recording
    where_and_how: tuple[str, str]
    limit: int
    progress: Progress
    pending: deque[int]
    running: dict[int, _Placed] = field(default_factory=dict)
    shared: dict[str, Future] = field(default_factory=dict)
    losses: Counter[int] = field(default_factory=Counter)
    shown: Counter[int] = field(default_factory=Counter)
    reports: queue.SimpleQueue[tuple[int, int]] = field(default_factory=queue.SimpleQueue)
    watch: WorkerWatch = field(init=False)
    topic: str = field(default_factory=lambda: f"ibtools-record-{uuid.uuid4().hex}")

    def __post_init__(self) -> None:
        self.watch = WorkerWatch(self.client)

    def run(self) -> None:
        """Record all; whatever ends this early also ends what runs elsewhere."""
        with self._listening():
            try:
                while self.pending or self.running:
                    self._place(self.workers())
                    if not self.running:
                        self.watch.look()
                    time.sleep(_POLL_SECONDS)
                    self._show_reports()
                    self._collect(self.workers())
            finally:
                if self.running:
                    self._stop()

    def workers(self) -> list[str]:
        """Return the addresses of the workers that there are now."""
        try:
            return sorted(self.client.nthreads())
        except (OSError, ValueError) as err:
            raise connection_lost(err) from err

    def _place(self, workers: Sequence[str]) -> None:
        """Give every worker that has nothing to do a repeat."""
        busy = {placed.worker for placed in self.running.values()}
        free = [worker for worker in workers if worker not in busy]
        for worker in free[: max(0, self.limit - len(self.running))]:
            if not self.pending:
                return
            shared = self._share(worker)
            if shared is None:
                continue
            repeat = self.pending.popleft()
            future = self.client.submit(
                _record_repeat,
                shared,
                *self.where_and_how,
                repeat,
                self.topic,
                workers=[worker],
                pure=False,
            )
            self.running[repeat] = _Placed(worker, future)

    def _share(self, worker: str) -> Future | None:
        """Send settings and data to a worker, unless it has them; None if it takes no work now."""
        shared = self.shared.get(worker)
        if shared is None or shared.status != "finished":
            try:
                [shared] = self.client.scatter([self.recording], workers=[worker], hash=False)
            except (OSError, KeyError):  # paused for lack of memory, or gone since they were listed
                return None
            self.shared[worker] = shared
        return shared

    def _collect(self, workers: Sequence[str]) -> None:
        """Take note of what is finished, and give what is lost to another worker."""
        for repeat, placed in list(self.running.items()):
            status = placed.future.status
            if status == "finished":
                del self.running[repeat]
                settings = self.recording.settings
                self._show(repeat, settings.epochs + settings.prefit - self.shown[repeat])
            elif status == "error":
                err = placed.future.exception()
                if not isinstance(err, KilledWorker):
                    raise err
                self._lose(repeat)
            elif status in ("cancelled", "lost") or placed.worker not in workers:
                self._lose(repeat)

    def _lose(self, repeat: int) -> None:
        placed = self.running.pop(repeat)
        placed.future.cancel()
        self._show(repeat, -self.shown[repeat])
        self.losses[repeat] += 1
        if self.losses[repeat] > MAX_LOSSES:
            raise RecordingError(
                f"repeat {repeat} was lost with its worker {self.losses[repeat]} times, last with "
                f"{placed.worker}; see that worker's log (memory?), then go on with --resume "
                "(resume=True)"
            )
        self.pending.appendleft(repeat)

    @contextmanager
    def _listening(self) -> Iterator[None]:
        """Receive the reports of the workers, in a thread of the client."""
        self.client.subscribe_topic(self.topic, lambda event: self.reports.put(event[1]))
        try:
            yield
        finally:
            self.client.unsubscribe_topic(self.topic)

    def _show_reports(self) -> None:
        with suppress(queue.Empty):
            while True:
                repeat, epochs = self.reports.get_nowait()
                if repeat in self.running:
                    self._show(repeat, epochs)

    def _show(self, repeat: int, epochs: int) -> None:
        self.shown[repeat] += epochs
        self.progress.update(epochs)

    def _stop(self) -> None:
        """End what is running after the epoch under way; what is complete is on disk."""
        with suppress(OSError, ValueError):  # without a scheduler there is nobody to tell
            self.client.run(_stop_recording, self.topic, on_error="ignore")
            deadline = time.monotonic() + _STOP_SECONDS
            futures = [placed.future for placed in self.running.values()]
            while any(future.status == "pending" for future in futures):
                if time.monotonic() > deadline:
                    break
                time.sleep(_POLL_SECONDS)
            self.client.cancel(futures)


_stopped: set[str] = set()
"""On a worker: the recordings that were told to stop."""

_training = threading.Lock()
"""On a worker: held by the training that runs in this process."""


def _stop_recording(topic: str) -> None:
    _stopped.add(topic)


def _record_repeat(recording: Recording, output: str, engine: str, repeat: int, topic: str) -> None:
    """Record one repeat on this worker."""
    link = _Link(topic, repeat)
    with suppress(StoppedError), link.alone():
        loaded = shared_engine(engine)
        try:
            group = open_group(output, "r+")
        except StoreError as err:
            raise StoreError(
                f"{err} (on the worker {get_worker().address}: a store must be where every worker "
                "can reach it, on a shared file system or s3://)"
            ) from err
        claimed = claim_repeat(group, repeat)
        RepeatRecorder(recording, claimed, repeat, link).run(loaded)


class _Link:
    """Tells the client of progress, and ends the repeat when told to stop."""

    def __init__(self, topic: str, repeat: int) -> None:
        self._topic = topic
        self._repeat = repeat
        self._worker: Any = get_worker()
        self._task = self._worker.get_current_task()
        self._epochs = 0
        self._reported = 0.0

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Wait until no other training runs in this process."""
        while not _training.acquire(timeout=_POLL_SECONDS):
            self.update(0)
        try:
            yield
        finally:
            _training.release()

    def update(self, n: int = 1) -> None:
        """Count epochs; report them now and then; end the repeat if it is to stop."""
        self._epochs += n
        now = time.monotonic()
        if self._epochs and now - self._reported > REPORT_SECONDS:
            self._worker.log_event(self._topic, (self._repeat, self._epochs))
            self._epochs, self._reported = 0, now
        if self._topic in _stopped or not self._is_wanted():
            raise StoppedError

    def _is_wanted(self) -> bool:
        """Whether anybody still waits for the repeat.

        A scheduler whose client is gone, or has another worker do it, has the worker forget the
        task, which does not end it. A worker whose scheduler is gone closes itself.
        """
        task = self._worker.state.tasks.get(self._task)
        closing = self._worker.status.name in ("closing", "closed", "failed")
        return task is not None and task.state != "cancelled" and not closing

    def set_postfix_str(self, s: str) -> None:
        """Remarks stay with the worker."""
