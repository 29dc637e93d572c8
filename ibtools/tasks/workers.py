"""Tasks and what runs them: threads, processes, this thread, or a dask.distributed cluster.

All four are an `Executor` of `concurrent.futures`, and only a bounded number of tasks is handed to
it at a time: what a store of any size costs is the time of its tasks, never a graph of them all.
"""

import time
from collections import deque
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ThreadPoolExecutor,
    wait,
)
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

import dask
from dask.system import CPU_COUNT

from ibtools.errors import ClusterError, IbtoolsError, InputError, unknown_name
from ibtools.progress import write_line
from ibtools.tasks.cluster import WorkerWatch, connect, connection_lost, current_client
from ibtools.tasks.processes import Processes, validate_main

SCHEDULERS = ("threads", "processes", "synchronous")
"""Schedulers of this machine; any other name is the address of a cluster."""

IN_FLIGHT = 3
"""Tasks that are handed out at a time, for each thread: one is running, others wait for it."""

MAX_LOSSES = 3
"""How many workers a task may be lost with; with one more the run fails."""

CLUSTER_JOB_BYTES = 2**28
"""What a task on a cluster should read: a second of work, against milliseconds of its scheduler."""

LOOK_SECONDS = 5.0
"""How long nothing may get done before a cluster is asked for its workers."""

_LESS = (
    "processes are killed when memory runs out: give less with --memory, or use fewer workers. All "
    "results that are marked are intact; run it again to go on"
)
_ALIASES = {"single-threaded": "synchronous", "sync": "synchronous", "threading": "threads"}
_NOT_FOR_CLUSTERS = ("processes", "synchronous", "threads")

Owner = TypeVar("Owner")


@dataclass(frozen=True)
class Job(Generic[Owner]):
    """One task: a call of a function, and whose it is.

    Parameters
    ----------
    owner : object
        Comes back with the result; stays in this process.
    function : callable
        Of a module, so that it can be called elsewhere.
    arguments : tuple
        Small: they may travel.
    """

    owner: Owner
    function: Callable[..., Any]
    arguments: tuple[Any, ...]


@dataclass
class Handed(Generic[Owner]):
    """A task that is handed out: where to, with how many workers it was lost before, and why."""

    job: Job[Owner]
    place: str = ""
    losses: int = 0
    error: BaseException | None = None


Running = dict["Future[Any]", Handed[Owner]]
"""Tasks that are handed out and not done."""


@dataclass
class Workers:
    """What runs tasks.

    Parameters
    ----------
    executor : Executor
        Takes the tasks.
    processes : int
        Processes that run them.
    threads : int
        Threads of each.
    job_bytes : int
        What a task should read at the least, because handing it out costs so much.
    watch : WorkerWatch, optional
        Looks after the workers of a cluster while no task gets done.
    """

    executor: Executor
    processes: int = 1
    threads: int = 1
    job_bytes: int = 0
    watch: WorkerWatch | None = None

    look_seconds: ClassVar[float] = LOOK_SECONDS

    @property
    def n_threads(self) -> int:
        """Threads of all processes together."""
        return self.processes * self.threads

    def run(self, jobs: Iterable[Job[Owner]]) -> Generator[tuple[Owner, Any], None, None]:
        """Run tasks, and yield owners and results as they are done, in any order.

        Parameters
        ----------
        jobs : iterable of Job
            Is asked for more only when tasks are done.

        Raises
        ------
        IbtoolsError
            If workers die of a task again and again, or the cluster is lost.
        """
        waiting = iter(jobs)
        again: deque[Handed[Owner]] = deque()
        running: Running[Owner] = {}
        try:
            while True:
                for place, handed in zip(
                    self.free(running.values()), _next(again, waiting), strict=False
                ):
                    handed.place = place
                    future = self.submit(handed)
                    if future is None:
                        again.append(handed)
                    else:
                        running[future] = handed
                if not running:
                    left = next(_next(again, waiting), None)
                    if left is None:
                        return
                    again.appendleft(left)  # for it there was no place
                lost = []
                for future in self._wait(running):
                    handed = running.pop(future)
                    if self.is_lost(future, handed):
                        handed.error = _error(future)
                        lost.append(handed)
                        continue
                    yield handed.job.owner, _result(future)
                if lost:
                    again.extend(self._count_losses(lost))
        finally:
            self.end(running)

    def free(self, running: Collection[Handed[Any]]) -> Iterable[str]:
        """Return the places that a task can be handed to now, one as often as it takes tasks."""
        return [""] * (IN_FLIGHT * self.n_threads - len(running))

    def submit(self, handed: Handed[Any]) -> "Future[Any] | None":
        """Hand a task to its place; None if that takes none now."""
        return self.executor.submit(handed.job.function, *handed.job.arguments)

    def is_lost(self, future: Future[Any], handed: Handed[Any]) -> bool:
        """Whether a task is gone with its worker, and has to be done again."""
        return isinstance(_error(future), BrokenExecutor)

    def tell_losses(self, lost: Sequence[Handed[Any]]) -> None:
        """Say that tasks were lost.

        Raises
        ------
        IbtoolsError
            If one of them was lost too often.
        """
        most = max(handed.losses for handed in lost)
        if most > MAX_LOSSES:
            raise IbtoolsError(
                f"a worker process died, {most} times at the same task; {_LESS}"
            ) from lost[0].error
        write_line("a worker process died; new ones do again what it was doing")

    def end(self, running: Running[Any]) -> None:
        """End what is still running when nobody asks for more."""
        for future in running:
            future.cancel()

    def look(self, running: Running[Any], done: Collection[Future[Any]]) -> None:
        """Look after workers while no task gets done."""
        if not done and self.watch is not None:
            self.watch.look()

    def more_lost(self, running: Running[Any], done: Collection[Future[Any]]) -> set[Future[Any]]:
        """Return what else is lost or done: where a process of a pool dies, all of them end."""
        if not any(self.is_lost(future, running[future]) for future in done):
            return set()
        if isinstance(self.executor, Processes):
            self.executor.renew()
        return wait(running, timeout=0).done

    def _wait(self, running: Running[Any]) -> list[Future[Any]]:
        """Return what is done, or lost; what failed comes last. After some time, nothing."""
        if not running:
            time.sleep(self.look_seconds)
        done = wait(running, timeout=self.look_seconds, return_when=FIRST_COMPLETED).done
        self.look(running, done)
        return sorted(done | self.more_lost(running, done), key=_has_failed)

    def _count_losses(self, lost: Sequence[Handed[Owner]]) -> Sequence[Handed[Owner]]:
        for handed in lost:
            handed.losses += 1
        self.tell_losses(lost)
        return lost


def _next(again: deque[Handed[Owner]], jobs: Iterator[Job[Owner]]) -> Iterator[Handed[Owner]]:
    """Yield what is to be handed out: first what was lost."""
    while again:
        yield again.popleft()
    yield from map(Handed, jobs)


def _error(future: Future[Any]) -> BaseException | None:
    """Return what a task raised; None too if it is not done, or was cancelled."""
    return None if future.cancelled() or not future.done() else future.exception()


def _has_failed(future: Future[Any]) -> bool:
    return future.cancelled() or not future.done() or future.exception() is not None


def _result(future: Future[Any]) -> Any:
    try:
        return future.result()
    except CancelledError as err:  # by nobody here: distributed does so when it is cut off
        raise connection_lost(err) from err
    except Exception as err:
        if is_killed(err):
            raise ClusterError(
                f"workers of the cluster died of the same task, one after another; {_LESS}"
            ) from err
        raise


def is_killed(err: BaseException | None) -> bool:
    """Whether an error is the KilledWorker of distributed, which need not be installed."""
    return type(err).__name__ == "KilledWorker"


@contextmanager
def open_workers(scheduler: str | None = None) -> Iterator[Workers]:
    """Open what runs tasks, and close it at the end.

    Parameters
    ----------
    scheduler : str, optional
        "threads", "processes" or "synchronous" on this machine, or the address of a
        dask.distributed scheduler, such as ``tcp://host:8786``. By default a distributed Client
        that is open in this process; else what ``dask.config`` names; else threads. Their number
        is ``num_workers`` of ``dask.config``, by default that of the cores.

    Yields
    ------
    Workers
        Ready.

    Raises
    ------
    UnknownNameError
        If there is no such scheduler.
    InputError
        If the cluster can't be reached or has no workers, or distributed is not installed.
    IbtoolsError
        If processes can't be started, because the script that starts them has no main guard.
    """
    validate_main()
    name = _ALIASES.get(str(scheduler), scheduler)
    if name is not None and name not in SCHEDULERS and "://" not in name:
        raise unknown_name("scheduler", name, (*SCHEDULERS, "tcp://HOST:PORT"))
    with ExitStack() as stack:
        if name in _NOT_FOR_CLUSTERS:
            workers = _local(name)
        elif name is not None:
            workers = _cluster(stack.enter_context(connect(name)))
        else:
            client = current_client()
            workers = _local(_configured()) if client is None else _cluster(client)
        stack.callback(_shut_down, workers.executor)
        yield workers


def _configured() -> str:
    """Return the scheduler that dask is set to, if it is one of ours."""
    name = dask.config.get("scheduler", None)
    name = _ALIASES.get(str(name), name)
    return str(name) if name in SCHEDULERS else "threads"


def _local(name: str) -> Workers:
    n_workers = int(dask.config.get("num_workers", None) or CPU_COUNT)
    if name == "synchronous":
        return Workers(_Here())
    if name == "threads":
        return Workers(ThreadPoolExecutor(n_workers, "ibtools"), threads=n_workers)
    processes = Processes(n_workers, instead='compute with threads: scheduler="threads"')
    return Workers(processes, processes=n_workers)


class _Here(Executor):
    """Runs each task when it is handed in."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


def _shut_down(executor: Executor) -> None:
    if isinstance(executor, ThreadPoolExecutor | Processes):
        executor.shutdown(wait=True, cancel_futures=True)
    else:
        executor.shutdown(wait=False)


def _cluster(client: Any) -> Workers:
    threads = list(client.nthreads().values())
    if not threads:
        raise InputError(
            f"the cluster at {client.scheduler.address} has no workers; start some with: "
            f"dask worker {client.scheduler.address}"
        )
    executor = client.get_executor(pure=False)
    return Workers(executor, len(threads), max(threads), CLUSTER_JOB_BYTES, WorkerWatch(client))
