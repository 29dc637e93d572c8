"""Repeats side by side: worker processes that each write their own part of one store."""

import multiprocessing
import queue
import signal
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from multiprocessing.managers import SyncManager
from typing import Any

from ibtools.progress import Progress
from ibtools.recorders.recording import Recording
from ibtools.recorders.repeat import RepeatRecorder, load_engine
from ibtools.store import StorePath, open_group

REPEATS_PER_PROCESS = 8
"""A worker is replaced after so many repeats: TensorFlow keeps some memory of each."""

_POLL_SECONDS = 0.2


def record_repeats(
    recording: Recording,
    output: StorePath,
    repeats: Sequence[int],
    *,
    engine: str,
    jobs: int,
    progress: Progress,
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
    jobs : int
        Processes; 1 records here.
    progress : Progress
        Told of every epoch.
    """
    if jobs == 1 or len(repeats) < 2:
        loaded, group = load_engine(engine), open_group(output, "r+")
        for repeat in repeats:
            RepeatRecorder(recording, group, repeat, progress).run(loaded)
        return
    context = multiprocessing.get_context("spawn")
    manager = SyncManager(ctx=context)
    manager.start(_ignore_interrupt)
    with manager:
        link = _Link(manager.Queue(), manager.Event())
        with ProcessPoolExecutor(
            min(jobs, len(repeats)),
            mp_context=context,
            initializer=_ignore_interrupt,
            max_tasks_per_child=REPEATS_PER_PROCESS,
        ) as pool:
            futures = [
                pool.submit(_record_repeat, recording, output, repeat, engine, link)
                for repeat in repeats
            ]
            _follow(futures, link, progress, pool)


class _StoppedError(Exception):
    """Ends a repeat whose recording was interrupted or has failed elsewhere."""


@dataclass(frozen=True)
class _Link:
    """Tells another process of progress, and is told to stop.

    Ctrl-C reaches every process of a terminal; the workers leave it to the one that started them.
    """

    epochs: Any
    stop: Any

    def update(self, n: int = 1) -> None:
        """Count epochs; end the repeat if it is to stop. What is complete is on disk."""
        self.epochs.put(n)
        if self.stop.is_set():
            raise _StoppedError

    def set_postfix_str(self, s: str) -> None:
        """Remarks stay with the worker."""


def _ignore_interrupt() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _record_repeat(
    recording: Recording, output: StorePath, repeat: int, engine: str, link: _Link
) -> None:
    group = open_group(output, "r+")
    RepeatRecorder(recording, group, repeat, link).run(load_engine(engine))


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
    finally:
        link.stop.set()
        pool.shutdown(wait=True, cancel_futures=True)


def _drain(epochs: Any, progress: Progress) -> None:
    while True:
        try:
            progress.update(epochs.get_nowait())
        except queue.Empty:
            return
