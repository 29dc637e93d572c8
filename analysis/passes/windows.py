"""From tasks to results that can be written: some epochs of one repeat, all layers."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ibtools.analysis.kernels.digests import RowDigests
from ibtools.analysis.measures.block import LayerBlock
from ibtools.analysis.measures.protocol import Measure
from ibtools.analysis.passes.computing import Values, compute, empty_values
from ibtools.analysis.passes.plan import Plan
from ibtools.analysis.passes.store_blocks import Reads, Source, analyze_blocks, is_digested
from ibtools.store.header import Header
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
    """Some epochs of one repeat that are computed and written together.

    Parameters
    ----------
    repeat : int
        Position of the repeat.
    epochs : ndarray, (epoch,), int
        Positions of the epochs, ascending.
    measures : tuple of int
        Positions of the measures that are to do here.
    values : tuple of dict of str to ndarray
        Of each of them the variables by name, (epoch, ...); missing where they are still to come.
    """

    repeat: int
    epochs: NDArray[np.intp]
    measures: tuple[int, ...]
    values: tuple[Values, ...]
    _left: int = 0
    _parts: dict[tuple[int, int], _Parts] = field(default_factory=dict)

    def chosen(self, measures: Sequence[Measure]) -> tuple[Measure, ...]:
        """Return those of all measures that are to do here."""
        return tuple(measures[index] for index in self.measures)

    def expect(self, reads: Reads, measures: Sequence[Measure]) -> None:
        """Count a piece whose result will come."""
        self._left += 1
        if is_digested(measures, reads):
            parts = self._parts.setdefault(_snapshot(reads), _Parts(RowDigests.zero(0)))
            parts.left += 1

    def add(
        self,
        reads: Reads,
        result: Any,
        header: Header,
        measures: Sequence[Measure],
        layers: slice,
    ) -> bool:
        """Take the result of a piece, which is of some layers; returns whether it was the last."""
        self._left -= 1
        if isinstance(result, RowDigests):
            result = self._merge(reads, result, header, measures)
        if result is not None:
            rows = np.searchsorted(self.epochs, reads[0].epochs)
            for measure, values, found in zip(measures, self.values, result, strict=True):
                for variable in measure.variables:
                    at = (rows, layers) if "layer" in variable.dims else rows
                    values[variable.name][at] = found[variable.name]
        return not self._left

    def _merge(
        self, reads: Reads, digests: RowDigests, header: Header, measures: Sequence[Measure]
    ) -> tuple[Values, ...] | None:
        """Add a part to its snapshot; returns the values when it was the last part."""
        parts = self._parts[_snapshot(reads)]
        known = len(parts.digests.lanes)
        parts.digests = parts.digests + digests if known else digests
        parts.left -= 1
        if parts.left:
            return None
        del self._parts[_snapshot(reads)]
        block = LayerBlock(
            parts.digests.labels()[np.newaxis, :, np.newaxis],
            header.layers[reads[0].layers.start],
            header.label,
            header.n_classes,
            keeps_partition=True,
            entropy_x=header.entropy_x,
        )
        nowhere: NDArray[np.int64] = np.zeros(1, np.int64)
        return compute(measures, [block], repeat=nowhere, epoch=nowhere, header=header)


def _snapshot(reads: Reads) -> tuple[int, int]:
    return int(reads[0].epochs[0]), reads[0].layers.start


def analyze_windows(
    windows: Iterator[Window],
    workers: Workers,
    *,
    plan: Plan,
    source: Source,
    header: Header,
    measures: Sequence[Measure],
    read_rows: ReadRows,
    job_bytes: int = 0,
) -> Iterator[Window]:
    """Compute windows, and yield each when all of it is known.

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
    header : Header
        What is known of it.
    measures : sequence of Measure
        All of the pass, to which the windows refer by position.
    read_rows : callable
        Reads the `ROWS` of a repeat.
    job_bytes : int, optional
        Pieces make one task until they are of so many bytes together; else each is a task.

    Yields
    ------
    Window
        With all values, in the order in which they become complete.
    """
    pieces = (
        (window, reads)
        for window in windows
        for reads in _expected_pieces(window, plan, read_rows, measures)
    )
    for owners, results in workers.run(_jobs(pieces, source, measures, job_bytes)):
        for (window, reads), result in zip(owners, results, strict=True):
            layers = plan.place(reads)
            if window.add(reads, result, header, window.chosen(measures), layers):
                yield window


_Owned = tuple[Window, Reads]


def _expected_pieces(
    window: Window, plan: Plan, read_rows: ReadRows, measures: Sequence[Measure]
) -> list[Reads]:
    """Return the pieces of a window, after telling it of all of them."""
    pieces = list(plan.pieces(window.repeat, window.epochs, read_rows(window.repeat)))
    chosen = window.chosen(measures)
    for reads in pieces:
        window.expect(reads, chosen)
    return pieces


def _jobs(
    pieces: Iterable[_Owned], source: Source, measures: Sequence[Measure], job_bytes: int
) -> Iterator[Job[list[_Owned]]]:
    """Put pieces together until they are enough for a task."""
    gathered: list[_Owned] = []
    n_bytes = 0
    for window, reads in pieces:
        gathered.append((window, reads))
        n_bytes += sum(block.n_bytes for block in reads)
        if n_bytes >= job_bytes:
            yield _job(gathered, source, measures)
            gathered, n_bytes = [], 0
    if gathered:
        yield _job(gathered, source, measures)


def _job(owned: list[_Owned], source: Source, measures: Sequence[Measure]) -> Job[list[_Owned]]:
    pieces = [(window.chosen(measures), reads) for window, reads in owned]
    return Job(owned, analyze_blocks, (source, pieces))


def pending_windows(
    pending: NDArray[np.bool_],
    n_epochs: int,
    *,
    measures: Sequence[Measure],
    sizes: Sequence[Mapping[str, int]],
) -> Iterator[Window]:
    """Yield what is still to do, some epochs at a time.

    Parameters
    ----------
    pending : ndarray, (measure, repeat, epoch), bool
        What is to do. A measure that has less to do than others makes for a second visit.
    n_epochs : int
        Epochs of a window at the most; windows begin at its multiples.
    measures : sequence of Measure
        All of the pass.
    sizes : sequence of mapping
        Of each, the sizes of the dims of its variables: see `sizes_of`.

    Yields
    ------
    Window
        Without values.
    """
    for repeat in range(pending.shape[1]):
        for start in range(0, pending.shape[2], n_epochs):
            todo = pending[:, repeat, start : start + n_epochs].T
            for which in _kinds(todo[todo.any(axis=1)]):
                epochs = np.flatnonzero((todo == which).all(axis=1)) + start
                chosen = tuple(int(index) for index in np.flatnonzero(which))
                values = tuple(
                    empty_values(measures[index], len(epochs), sizes[index]) for index in chosen
                )
                yield Window(repeat, epochs, chosen, values)


def _kinds(todo: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the different rows; nearly always all are the same, and sorting them takes time."""
    if len(todo) and (todo == todo[0]).all():
        return todo[:1]
    return np.unique(todo, axis=0)[::-1]
