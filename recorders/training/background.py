"""A second thread that does jobs in order, with back-pressure."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self


class Background:
    """Does jobs one after another in a second thread, until one of them fails.

    Use it as a context manager: leaving waits for the job that is being done, and drops those that
    wait.

    Parameters
    ----------
    limit : int
        Jobs that are not done yet, at the most.

    Examples
    --------
    >>> done = []
    >>> with Background(limit=2) as background:
    ...     for number in range(5):
    ...         background.run(lambda number=number: done.append(number))
    ...     background.wait()
    >>> done
    [0, 1, 2, 3, 4]
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._pool = ThreadPoolExecutor(1)
        self._jobs: deque[Future[None]] = deque()
        self._sound = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def run(self, job: Callable[[], None]) -> None:
        """Add a job, and wait while there are too many; raises what a job before raised."""
        self._settle(self._limit - 1)
        self._jobs.append(self._pool.submit(self._do, job))

    def wait(self) -> None:
        """Wait until all jobs are done; raises as `run` does."""
        self._settle(0)

    def _settle(self, most: int) -> None:
        """Forget what is done, until at most so many jobs are left.

        A job that failed stays the first, so that its error is raised again.
        """
        while self._jobs and (len(self._jobs) > most or self._jobs[0].done()):
            self._jobs[0].result()
            self._jobs.popleft()

    def _do(self, job: Callable[[], None]) -> None:
        if self._sound:
            self._sound = False
            job()
            self._sound = True
