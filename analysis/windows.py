"""From tasks to results that can be written: some epochs of one repeat, all layers."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ibtools.analysis.blocks import Plan
from ibtools.analysis.digests import RowDigests
from ibtools.analysis.estimators import Estimator, LayerBlock
from ibtools.analysis.recording import Recording
from ibtools.analysis.result_variables import count_statistics, stack_statistics
from ibtools.analysis.tasks import Block, Source, analyze_blocks
from ibtools.tasks.workers import Job, Workers

ReadRows = Callable[[int], NDArray[np.float64] | None]
"""From the position of a repeat to its rows (epoch, layer, row), None if nobody needs them."""


@dataclass(eq=False)
class _Parts:
    """A snapshot of a layer of which parts are still to come."""

    digests: RowDigests
    left: int = 0


@dataclass(eq=False)
class Window:
    """Some epochs of one repeat that are analysed and written together.

    Parameters
    ----------
    repeat : int
        Position of the repeat.
    epochs : ndarray, (epoch,), int
        Positions of the epochs, ascending.
    estimators : tuple of int
        Positions of the estimators that are to do here.
    statistics : ndarray, (epoch, layer, statistic), float64
        As from `stack_statistics`; NaN where it is still to come.
    """

    repeat: int
    epochs: NDArray[np.intp]
    estimators: tuple[int, ...]
    statistics: NDArray[np.float64]
    _left: int = 0
    _parts: dict[tuple[int, int], _Parts] = field(default_factory=dict)

    def chosen(self, estimators: Sequence[Estimator]) -> tuple[Estimator, ...]:
        """Return those of all estimators that are to do here."""
        return tuple(estimators[index] for index in self.estimators)

    def expect(self, block: Block) -> None:
        """Count a block whose result will come."""
        self._left += 1
        if block.in_parts:
            parts = self._parts.setdefault(_snapshot(block), _Parts(RowDigests.zero(0)))
            parts.left += 1

    def add(
        self, block: Block, result: Any, recording: Recording, estimators: Sequence[Estimator]
    ) -> bool:
        """Take the result of a block; returns whether it was the last."""
        self._left -= 1
        if isinstance(result, RowDigests):
            found = self._merge(block, result, recording, estimators)
        else:
            found = result
        if found is not None:
            rows = np.searchsorted(self.epochs, block.epochs)
            self.statistics[rows, block.layers] = found
        return not self._left

    def _merge(
        self,
        block: Block,
        digests: RowDigests,
        recording: Recording,
        estimators: Sequence[Estimator],
    ) -> NDArray[np.float64] | None:
        """Add a part to its snapshot; returns the statistics when it was the last part."""
        parts = self._parts[_snapshot(block)]
        known = len(parts.digests.lanes)
        parts.digests = parts.digests + digests if known else digests
        parts.left -= 1
        if parts.left:
            return None
        del self._parts[_snapshot(block)]
        layer = recording.layers[block.layers.start]
        labels = parts.digests.labels()[np.newaxis, :, np.newaxis]
        partition = LayerBlock(
            labels,
            layer,
            recording.label,
            recording.n_classes,
            keeps_partition=True,
            entropy_x=recording.entropy_x,
        )
        return stack_statistics(estimators, partition)[:, np.newaxis]


def _snapshot(block: Block) -> tuple[int, int]:
    return int(block.epochs[0]), block.layers.start


def analyze_windows(
    windows: Iterator[Window],
    workers: Workers,
    *,
    plan: Plan,
    source: Source,
    recording: Recording,
    estimators: Sequence[Estimator],
    read_rows: ReadRows,
    job_bytes: int = 0,
) -> Iterator[Window]:
    """Analyse windows, and yield each when all of it is known.

    Parameters
    ----------
    windows : iterator of Window
        From `pending_windows`; is asked for the next when tasks run out.
    workers : Workers
        What runs the tasks.
    plan : Plan
        How windows are cut into tasks.
    source : Source
        The store.
    recording : Recording
        What is known of it.
    estimators : sequence of Estimator
        All of the analysis, to which the windows refer by position.
    read_rows : callable
        Reads the `ROWS` of a repeat.
    job_bytes : int, optional
        Blocks make one task until they are of so many bytes together; else each is a task.

    Yields
    ------
    Window
        With all statistics, in the order in which they become complete.
    """
    blocks = (
        (window, block) for window in windows for block in _expected_blocks(window, plan, read_rows)
    )
    for owners, results in workers.run(_jobs(blocks, source, estimators, job_bytes)):
        for (window, block), result in zip(owners, results, strict=True):
            if window.add(block, result, recording, window.chosen(estimators)):
                yield window


_Owned = tuple[Window, Block]


def _expected_blocks(window: Window, plan: Plan, read_rows: ReadRows) -> list[Block]:
    """Return the blocks of a window, after telling it of all of them."""
    blocks = list(plan.blocks(window.repeat, window.epochs, read_rows(window.repeat)))
    for block in blocks:
        window.expect(block)
    return blocks


def _jobs(
    blocks: Iterable[_Owned], source: Source, estimators: Sequence[Estimator], job_bytes: int
) -> Iterator[Job[list[_Owned]]]:
    """Put blocks together until they are enough for a task."""
    gathered: list[_Owned] = []
    n_bytes = 0
    for window, block in blocks:
        gathered.append((window, block))
        n_bytes += block.n_bytes
        if n_bytes >= job_bytes:
            yield _job(gathered, source, estimators)
            gathered, n_bytes = [], 0
    if gathered:
        yield _job(gathered, source, estimators)


def _job(owned: list[_Owned], source: Source, estimators: Sequence[Estimator]) -> Job[list[_Owned]]:
    pieces = [(window.chosen(estimators), block) for window, block in owned]
    return Job(owned, analyze_blocks, (source, pieces))


def pending_windows(
    pending: NDArray[np.bool_], n_epochs: int, *, n_layers: int, estimators: Sequence[Estimator]
) -> Iterator[Window]:
    """Yield what is still to do, some epochs at a time.

    Parameters
    ----------
    pending : ndarray, (estimator, repeat, epoch), bool
        What is to do. An estimator that has less to do than others makes for a second visit.
    n_epochs : int
        Epochs of a window at the most; windows begin at its multiples.
    n_layers : int
        Layers of the store.
    estimators : sequence of Estimator
        All of the analysis.

    Yields
    ------
    Window
        Without statistics.
    """
    for repeat in range(pending.shape[1]):
        for start in range(0, pending.shape[2], n_epochs):
            todo = pending[:, repeat, start : start + n_epochs].T
            for which in _kinds(todo[todo.any(axis=1)]):
                epochs = np.flatnonzero((todo == which).all(axis=1)) + start
                chosen = tuple(int(index) for index in np.flatnonzero(which))
                n_statistics = count_statistics([estimators[index] for index in chosen])
                empty = np.full((len(epochs), n_layers, n_statistics), np.nan)
                yield Window(repeat, epochs, chosen, empty)


def _kinds(todo: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the different rows; nearly always all are the same, and sorting them takes time."""
    if len(todo) and (todo == todo[0]).all():
        return todo[:1]
    return np.unique(todo, axis=0)[::-1]
