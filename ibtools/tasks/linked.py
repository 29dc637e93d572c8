"""Long tasks: few, one at a time on each worker, that tell of their steps and can be stopped.

What is the same for all of them is handed over once for each worker.
"""

import queue
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any, ClassVar

from ibtools.errors import InputError, RecordingError
from ibtools.tasks.cluster import WorkerWatch, connect, connection_lost, current_client
from ibtools.tasks.links import (
    POLL_SECONDS,
    Channel,
    follow_channel,
    run_in_process,
    run_on_cluster,
    stop_on_cluster,
)
from ibtools.tasks.processes import SPAWNING, Processes, validate_startable
from ibtools.tasks.workers import Handed, Running, Workers, is_killed

if TYPE_CHECKING:
    from distributed import Client

TASKS_PER_PROCESS = 32
"""Processes are replaced after so many tasks each: TensorFlow keeps some memory of every one.

All at once, by a new pool: Python's own `max_tasks_per_child` takes a worker that ends for an idle
one, and starts no other (CPython issue 115634), until none is left and the run hangs.
"""

_STOP_SECONDS = 5.0


@contextmanager
def open_cluster(jobs: int | None, scheduler: str | None) -> "Iterator[Client | None]":
    """Connect to the cluster that is to run long tasks, if one is; None is for this machine.

    Without an address it is that of the client that this process has, for more than one job.
    """
    if jobs is not None and jobs < 1:
        raise InputError(f"jobs must be 1 or more, found {jobs}")
    if scheduler is None and (jobs in (None, 1) or current_client() is None):
        if jobs not in (None, 1):
            validate_startable(instead="record with one process: jobs=1")
        yield None
        return
    with connect(scheduler) as client:
        yield client


@dataclass
class LinkedWorkers(Workers, ABC):
    """What runs long tasks, and is told of their steps.

    Parameters
    ----------
    shared : object
        The first argument of every task. The last one is its `Link`.
    limit : int
        Tasks side by side, at the most.
    on_steps : callable
        Told of the owner of a task, and how many steps it has done more.
    on_loss : callable
        Told of all tasks that were lost at a time; may end the run with an error.
    """

    shared: Any = None
    limit: int = 1
    on_steps: Callable[[Any, int], None] = lambda *_: None
    on_loss: Callable[[Sequence[Handed[Any]]], None] = lambda _: None
    numbers: Iterator[int] = field(default_factory=count)
    owners: dict[int, Any] = field(default_factory=dict)

    look_seconds: ClassVar[float] = POLL_SECONDS

    def tell_losses(self, lost: Sequence[Handed[Any]]) -> None:
        """Leave it to the user of the run."""
        self.on_loss(lost)

    def number(self, handed: Handed[Any]) -> int:
        """Give a task a new number; what a worker that was given up tells of it is ignored."""
        owner = handed.job.owner
        self.owners = {number: one for number, one in self.owners.items() if one != owner}
        number = next(self.numbers)
        self.owners[number] = owner
        return number

    def look(self, running: Running[Any], done: Collection[Future[Any]]) -> None:
        """Pass on what was told; that nothing is done yet is no reason to worry."""
        for number, steps in self.take_told():
            if number in self.owners:
                self.on_steps(self.owners[number], steps)

    @abstractmethod
    def take_told(self) -> Iterable[tuple[int, int]]:
        """Return what was told since, by the number of the task."""


@dataclass
class LinkedProcesses(LinkedWorkers):
    """Processes of this machine; their executor is a `Processes` that begins with `begin`."""

    executor: Processes = field(init=False)
    given: int = 0
    channel: Channel = field(init=False)

    def __post_init__(self) -> None:
        self.executor = Processes(self.limit, begin=self._begin)

    def _begin(self) -> tuple[Callable[..., None], tuple[Any, ...]]:
        self.channel = Channel(SPAWNING.SimpleQueue(), SPAWNING.RawValue("b", 0))
        return follow_channel, (self.channel,)

    def free(self, running: Collection[Handed[Any]]) -> Iterable[str]:
        """Return as many places as processes have nothing to do; none until they are replaced."""
        quota = self.limit * TASKS_PER_PROCESS
        if self.given >= quota and not running:
            self.executor.renew()
            self.given = 0
        return [""] * min(self.limit - len(running), quota - self.given)

    def submit(self, handed: Handed[Any]) -> "Future[Any] | None":
        """Hand a task to any process."""
        self.given += 1
        job = handed.job
        return self.executor.submit(
            run_in_process, self.number(handed), job.function, self.shared, *job.arguments
        )

    def take_told(self) -> Iterable[tuple[int, int]]:
        """Return what was told since, by the number of the task."""
        while not self.channel.told.empty():
            yield self.channel.told.get()

    def end(self, running: Running[Any]) -> None:
        """End what is running after the step that it is at, and all processes."""
        self.channel.stop.value = 1
        self.executor.shutdown(wait=True, cancel_futures=True)


@dataclass
class LinkedCluster(LinkedWorkers):
    """The workers of a cluster.

    Tasks are placed from here, not by the scheduler: one at a time in each process; and a task
    whose worker is gone is given to another at once, whatever became of the process that had it.
    """

    executor: Any = field(init=False)
    client: "Client" = field(kw_only=True)
    told: "queue.SimpleQueue[tuple[int, int]]" = field(default_factory=queue.SimpleQueue)
    copies: dict[str, Any] = field(default_factory=dict)
    topic: str = field(default_factory=lambda: f"ibtools-{uuid.uuid4().hex}")

    def __post_init__(self) -> None:
        if not self._addresses():
            raise RecordingError(
                "the cluster must have workers, found none; start one: dask worker"
            )
        self.watch = WorkerWatch(self.client)
        self.executor = self.client.get_executor(pure=False)
        self.client.subscribe_topic(self.topic, lambda event: self.told.put(event[1]))

    def free(self, running: Collection[Handed[Any]]) -> Iterable[str]:
        """Return the workers that have nothing to do."""
        busy = {handed.place for handed in running}
        free = [address for address in self._addresses() if address not in busy]
        return free[: max(0, self.limit - len(running))]

    def submit(self, handed: Handed[Any]) -> "Future[Any] | None":
        """Hand a task to its worker; None if that takes none now."""
        if not self._share(handed.place):
            return None
        job, copy = handed.job, self.copies[handed.place]
        task = (run_on_cluster, self.topic, self.number(handed), job.function, copy)
        future: Future[Any] = self.executor.submit(*task, *job.arguments, workers=[handed.place])
        return future

    def is_lost(self, future: Future[Any], handed: Handed[Any]) -> bool:
        """Whether a task is gone with its worker, and has to be done again."""
        return future.cancelled() or not future.done() or is_killed(future.exception())

    def more_lost(self, running: Running[Any], done: Collection[Future[Any]]) -> set[Future[Any]]:
        """Return the tasks whose worker is gone."""
        addresses = self._addresses()
        return {one for one, handed in running.items() if handed.place not in addresses}

    def look(self, running: Running[Any], done: Collection[Future[Any]]) -> None:
        """Pass on what was told, and look after workers while none has anything to do."""
        super().look(running, done)
        if not running and self.watch is not None:
            self.watch.look()

    def take_told(self) -> Iterable[tuple[int, int]]:
        """Return what was told since, by the number of the task."""
        with suppress(queue.Empty):
            while True:
                yield self.told.get_nowait()

    def end(self, running: Running[Any]) -> None:
        """End what is running after the step that it is at; what is complete is on disk."""
        with suppress(OSError, ValueError):  # without a scheduler there is nobody to tell
            self.client.unsubscribe_topic(self.topic)
            if running:
                self.client.run(stop_on_cluster, self.topic, on_error="ignore")
                wait(running, timeout=_STOP_SECONDS)
            self.executor.shutdown(wait=False)

    def _addresses(self) -> list[str]:
        try:
            return sorted(self.client.nthreads())
        except (OSError, ValueError) as err:
            raise connection_lost(err) from err

    def _share(self, address: str) -> bool:
        """Send what all tasks share to a worker, unless it has it; False if it takes no work."""
        copy = self.copies.get(address)
        if copy is None or copy.status != "finished":
            try:
                [copy] = self.client.scatter([self.shared], workers=[address], hash=False)
            except (OSError, KeyError):  # paused for lack of memory, or gone since they were listed
                return False
            self.copies[address] = copy
        return True
