"""Repeats side by side: worker processes that each write their own part of one store."""

import multiprocessing
import queue
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
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
    with context.Manager() as manager:
        epochs = manager.Queue()
        with ProcessPoolExecutor(
            min(jobs, len(repeats)), mp_context=context, max_tasks_per_child=REPEATS_PER_PROCESS
        ) as pool:
            futures = [
                pool.submit(_record_repeat, recording, output, repeat, engine, epochs)
                for repeat in repeats
            ]
            _follow(futures, epochs, progress, pool)


@dataclass(frozen=True)
class _QueueProgress:
    """Tells another process of progress."""

    epochs: Any

    def update(self, n: int = 1) -> None:
        self.epochs.put(n)

    def set_postfix_str(self, s: str) -> None:
        """Remarks stay with the worker."""


def _record_repeat(
    recording: Recording, output: StorePath, repeat: int, engine: str, epochs: Any
) -> None:
    group = open_group(output, "r+")
    RepeatRecorder(recording, group, repeat, _QueueProgress(epochs)).run(load_engine(engine))


def _follow(
    futures: list[Future[None]], epochs: Any, progress: Progress, pool: ProcessPoolExecutor
) -> None:
    """Show progress until all is done; the first error ends what has not begun."""
    pending = set(futures)
    try:
        while pending:
            done, pending = wait(pending, timeout=_POLL_SECONDS)
            _drain(epochs, progress)
            for future in done:
                future.result()
    except BaseException:
        pool.shutdown(wait=True, cancel_futures=True)
        raise


def _drain(epochs: Any, progress: Progress) -> None:
    while True:
        try:
            progress.update(epochs.get_nowait())
        except queue.Empty:
            return
