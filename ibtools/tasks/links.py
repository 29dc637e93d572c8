"""Links between a long task and the run that it is of: steps one way, an early end the other."""

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from ibtools.tasks.processes import follow_parent

TELL_SECONDS = 0.5
"""How often a task tells of its steps, at the most."""

POLL_SECONDS = 0.2
"""How often is looked for what others have told."""


class StoppedError(Exception):
    """Ends a task whose run was interrupted or has failed elsewhere."""


class Link(ABC):
    """What a task tells its run: the steps that it has done, now and then, as it takes time.

    Parameters
    ----------
    number : int
        Of the task in its run.
    """

    where = ""
    """The worker of a cluster that the task runs on."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._waiting = 0
        self._told = 0.0

    def update(self, n: int = 1) -> None:
        """Count steps."""
        self._waiting += n
        now = time.monotonic()
        if self._waiting and now - self._told >= TELL_SECONDS:
            self._told = now
            self.flush()
        if not self._is_wanted():
            raise StoppedError

    def flush(self) -> None:
        """Tell of what has not been told."""
        if self._waiting:
            self._tell((self._number, self._waiting))
            self._waiting = 0

    @abstractmethod
    def _tell(self, told: tuple[int, int]) -> None: ...

    @abstractmethod
    def _is_wanted(self) -> bool: ...


@dataclass
class Channel:
    """What a pool of processes shares with its parent.

    It holds no lock that a killed process could keep: of whatever hangs on a queue, a new pool
    brings a new one, and `stop` is plain shared memory.
    """

    told: Any
    stop: Any


_channel: Channel
"""In a worker process: of its pool."""


def follow_channel(channel: Channel) -> None:
    """Begin a worker process."""
    global _channel
    follow_parent()
    _channel = channel


class ProcessLink(Link):
    """The link of a task in a worker process."""

    def __init__(self, number: int, channel: Channel) -> None:
        super().__init__(number)
        self._channel = channel

    def _tell(self, told: tuple[int, int]) -> None:
        self._channel.told.put(told)

    def _is_wanted(self) -> bool:
        return not self._channel.stop.value


def run_in_process(number: int, function: Callable[..., None], *arguments: Any) -> None:
    """Run a task in this worker process."""
    link = ProcessLink(number, _channel)
    with suppress(StoppedError):
        function(*arguments, link)
        link.flush()


_stopped: set[str] = set()
"""On a worker of a cluster: the runs that were told to stop."""

_one_at_a_time = threading.Lock()
"""On a worker of a cluster: held by the long task that runs in this process."""


class ClusterLink(Link):
    """The link of a task on a worker of a cluster."""

    def __init__(self, number: int, topic: str) -> None:
        from distributed import get_worker

        super().__init__(number)
        self._topic = topic
        self._worker: Any = get_worker()
        self._task = self._worker.get_current_task()
        self.where = str(self._worker.address)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Wait until no other long task runs in this process."""
        while not _one_at_a_time.acquire(timeout=POLL_SECONDS):
            self.update(0)
        try:
            yield
        finally:
            _one_at_a_time.release()

    def _tell(self, told: tuple[int, int]) -> None:
        self._worker.log_event(self._topic, told)

    def _is_wanted(self) -> bool:
        """Whether anybody still waits for the task.

        A scheduler whose client is gone, or has another worker do it, has the worker forget the
        task, which does not end it. A worker whose scheduler is gone closes itself.
        """
        task = self._worker.state.tasks.get(self._task)
        closing = self._worker.status.name in ("closing", "closed", "failed")
        forgotten = task is None or task.state == "cancelled"
        return not (forgotten or closing or self._topic in _stopped)


def run_on_cluster(topic: str, number: int, function: Callable[..., None], *arguments: Any) -> None:
    """Run a task on this worker."""
    link = ClusterLink(number, topic)
    with suppress(StoppedError), link.alone():
        function(*arguments, link)


def stop_on_cluster(topic: str) -> None:
    """Have the tasks of a run on this worker end after the step that they are at."""
    _stopped.add(topic)
