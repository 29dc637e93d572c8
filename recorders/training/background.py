"""A second thread that does jobs in order, with back-pressure."""

import threading
from collections import deque
from collections.abc import Callable
from typing import Self

from ibtools.errors import StoreError

_LOOK_SECONDS = 1.0
"""How often who waits looks whether the thread is there still."""


class Background:
    """Does jobs one after another in a second thread, until one of them fails.

    Use it as a context manager: leaving waits for the job that is being done, and drops those that
    wait. Nobody waits for a thread that has ended, whatever ended it.

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
        self._jobs: deque[Callable[[], None]] = deque()
        self._changed = threading.Condition()
        self._error: BaseException | None = None
        self._is_left = False
        # the interpreter must not wait for it: who does not leave would keep it from ending
        self._thread = threading.Thread(target=self._work, name="ibtools-writing", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._is_left = True
            self._changed.notify_all()
        self._thread.join()
        self._jobs.clear()

    def run(self, job: Callable[[], None]) -> None:
        """Add a job, and wait while there are too many; raises what a job before raised."""
        with self._changed:
            self._settle(self._limit - 1)
            self._jobs.append(job)
            self._changed.notify_all()

    def wait(self) -> None:
        """Wait until all jobs are done; raises as `run` does."""
        with self._changed:
            self._settle(0)

    def require_sound(self) -> None:
        """Raise what a job before raised."""
        if self._error is not None:
            raise self._error
        if not self._thread.is_alive():
            raise StoreError(
                "the thread that writes has ended, so that nothing more is written; what is on "
                "disk stays: go on with a recording of its own in each process (resume=True)"
            )

    def _settle(self, most: int) -> None:
        """Wait until at most so many jobs are left."""
        self.require_sound()
        while len(self._jobs) > most:
            self._changed.wait(_LOOK_SECONDS)
            self.require_sound()

    def _work(self) -> None:
        while (job := self._next()) is not None:
            try:
                job()
            except BaseException as err:  # raised by whoever adds the next job or waits
                self._finish(err)
                return
            self._finish()

    def _next(self) -> Callable[[], None] | None:
        """Wait for a job; None if there is none to come."""
        with self._changed:
            while not (self._jobs or self._is_left):
                self._changed.wait()
            return None if self._is_left else self._jobs[0]

    def _finish(self, error: BaseException | None = None) -> None:
        """Take the job that was done from the list; if it failed, all."""
        with self._changed:
            self._error = error
            if error is None:
                self._jobs.popleft()
            else:
                self._jobs.clear()
            self._changed.notify_all()
