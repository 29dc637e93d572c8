"""Where the tasks of an analysis run: threads, processes, here, or a dask.distributed cluster.

All four are an `Executor` of `concurrent.futures`, and only a bounded number of tasks is handed to
it at a time: what a store of any size costs is the time of its tasks, never a graph of them all.
"""

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
    wait,
)
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any, Generic, Self, TypeVar

import dask
from dask.system import CPU_COUNT

from ibtools.cluster import WorkerWatch, connect, connection_lost, current_client
from ibtools.errors import ClusterError, IbtoolsError, InputError, unknown_name
from ibtools.parent import follow_parent
from ibtools.progress import write_line
from ibtools.spawning import end_broken, start_worker, validate_main

SCHEDULERS = ("threads", "processes", "synchronous")
"""Schedulers of this machine; any other name is the address of a cluster."""

IN_FLIGHT = 3
"""Tasks that are handed out at a time, for each thread: one is running, others wait for it."""

MAX_LOSSES = 3
"""How many worker processes a task may be lost with; with one more the analysis fails."""

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


@dataclass(frozen=True)
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

    @property
    def n_threads(self) -> int:
        """Threads of all processes together."""
        return self.processes * self.threads

    def run(self, jobs: Iterable[Job[Owner]]) -> Iterator[tuple[Owner, Any]]:
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
        again: deque[_Handed[Owner]] = deque()
        running: dict[Future[Any], _Handed[Owner]] = {}
        limit = IN_FLIGHT * self.n_threads
        try:
            while True:
                again.extend(map(_Handed, islice(waiting, limit - len(running) - len(again))))
                while again:
                    handed = again.popleft()
                    running[self._submit(handed.job)] = handed
                if not running:
                    return
                for future in self._wait(running):
                    handed = running.pop(future)
                    try:
                        result = _result(future)
                    except BrokenExecutor as err:
                        again.append(handed.lost(err))
                        continue
                    yield handed.job.owner, result
        finally:
            for future in running:
                future.cancel()

    def _submit(self, job: Job[Any]) -> Future[Any]:
        return self.executor.submit(job.function, *job.arguments)

    def _wait(self, running: Iterable[Future[Any]]) -> set[Future[Any]]:
        """Return what is done, after some time nothing."""
        done = wait(running, timeout=LOOK_SECONDS, return_when=FIRST_COMPLETED).done
        if not done and self.watch is not None:
            self.watch.look()
        return done


def _result(future: Future[Any]) -> Any:
    try:
        return future.result()
    except CancelledError as err:  # by nobody here: distributed does so when it is cut off
        raise connection_lost(err) from err
    except Exception as err:
        # distributed need not be installed, so its KilledWorker is known by name
        if type(err).__name__ == "KilledWorker":
            raise ClusterError(
                f"workers of the cluster died of the same task, one after another; {_LESS}"
            ) from err
        raise


@dataclass
class _Handed(Generic[Owner]):
    """A task, and with how many worker processes it was lost."""

    job: Job[Owner]
    losses: int = 0

    def lost(self, err: BrokenExecutor) -> Self:
        """Count a loss.

        Raises
        ------
        IbtoolsError
            If it is one too many.
        """
        self.losses += 1
        if self.losses > MAX_LOSSES:
            raise IbtoolsError(
                f"a worker process died, {self.losses} times at the same task; {_LESS}"
            ) from err
        return self


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
    return Workers(_Processes(n_workers), processes=n_workers)


class _Processes(Executor):
    """Worker processes; after one has died, new ones take what is handed in."""

    def __init__(self, n_workers: int) -> None:
        self._n_workers = n_workers
        self._pool = self._start()
        start_worker(self._pool, instead='compute with threads: scheduler="threads"')

    def _start(self) -> ProcessPoolExecutor:
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(self._n_workers, context, initializer=follow_parent)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        try:
            return self._pool.submit(fn, *args, **kwargs)
        except BrokenExecutor:
            write_line("a worker process died; new ones do again what it was doing")
            end_broken(self._pool)
            self._pool = self._start()
            return self._pool.submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._pool.shutdown(wait, cancel_futures=cancel_futures)


class _Here(Executor):
    """Runs each task when it is handed in."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


def _shut_down(executor: Executor) -> None:
    if isinstance(executor, ThreadPoolExecutor | _Processes):
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
