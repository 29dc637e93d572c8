"""Worker processes of this machine: each is a new Python, which runs the user's script first.

What a script does without asking whether it is the main program, every worker does again, until it
comes to where the script starts workers. Python ends it there.

Python ends worker processes when the process that started them ends by itself. Where that is
killed, nobody does: so they look after it themselves.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from multiprocessing.connection import wait
from multiprocessing.process import current_process
from typing import Any

from ibtools.errors import IbtoolsError

_LOOK_SECONDS = 1.0

_GUARD = (
    'put what the script does below `if __name__ == "__main__":`, in a file, since workers can\'t '
    "run what was read from standard input"
)

SPAWNING = multiprocessing.get_context("spawn")
"""How workers are started, and what they share is created."""


def validate_main() -> None:
    """Check that this process is no worker that, while it is started, does what the script does."""
    # multiprocessing itself asks so; there is no public way
    if getattr(current_process(), "_inheriting", False):
        raise IbtoolsError(
            f"a worker ran the whole script, and would write what another writes; {_GUARD}"
        )


def validate_startable(*, instead: str) -> None:
    """Check that workers can be started at all; `instead` is what needs none, for the error."""
    Processes(1, instead=instead).shutdown()


class Processes(Executor):
    """Worker processes. When one has died, all are lost, until `renew` starts others.

    Parameters
    ----------
    n_workers : int
        How many.
    instead : str, optional
        What needs no workers, for the error. With it, the first is started at once, to see whether
        any can be.
    begin : callable, optional
        Returns what every worker calls when it starts, and its arguments; asked for each pool.

    Raises
    ------
    IbtoolsError
        If the first worker ends before it does anything.
    """

    def __init__(
        self,
        n_workers: int,
        *,
        instead: str | None = None,
        begin: Callable[[], tuple[Callable[..., None], tuple[Any, ...]]] | None = None,
    ) -> None:
        self._n_workers = n_workers
        self._begin = begin or (lambda: (follow_parent, ()))
        self._pool = self._start()
        if instead is not None:
            self._start_worker(instead)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Hand a task in; it is lost at once if a worker has died."""
        try:
            return self._pool.submit(fn, *args, **kwargs)
        except BrokenExecutor as err:
            lost: Future[Any] = Future()
            lost.set_exception(err)
            return lost

    def renew(self) -> None:
        """Start new workers, and end the others, which have nothing to do or are broken."""
        _end(self._pool)
        self._pool = self._start()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more tasks; wait for those that run."""
        self._pool.shutdown(wait, cancel_futures=cancel_futures)

    def _start(self) -> ProcessPoolExecutor:
        begin, arguments = self._begin()
        return ProcessPoolExecutor(self._n_workers, SPAWNING, initializer=begin, initargs=arguments)

    def _start_worker(self, instead: str) -> None:
        try:
            self._pool.submit(int).result()
        except BrokenExecutor as err:
            raise IbtoolsError(
                "worker processes can't be started: each runs the script that starts them, and "
                f"ends there; {_GUARD}. Or {instead}"
            ) from err


def follow_parent() -> None:
    """Do nothing on Ctrl-C from now on, and end when the parent is gone.

    Ctrl-C reaches every process of a terminal; it is for the one that started the workers. The
    end is that of a process that is killed, whatever is computed or written: what is marked
    complete is on disk.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, name="ibtools-parent", daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    first = os.getppid()
    # the pipe of the sentinel stays open where another process has inherited it
    while not wait([parent.sentinel], timeout=_LOOK_SECONDS):
        if os.getppid() != first:
            break
    os._exit(1)


def _end(pool: ProcessPoolExecutor) -> None:
    """End what is left of a pool.

    Python does so where a worker died, but for one that was just being started then, for which it
    waits for ever.
    """
    # there is a public way from Python 3.14 on: terminate_workers
    for process in list((getattr(pool, "_processes", None) or {}).values()):
        process.terminate()
    pool.shutdown(wait=True)
