"""One pass over a store for a set of measures, task by task, window by window."""

import math
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

import numpy as np
import xarray as xr
import zarr
from numpy.typing import NDArray

from ibtools.analysis.measures.protocol import Measure
from ibtools.analysis.passes.computing import sizes_of
from ibtools.analysis.passes.cost import Cost, writing_bytes
from ibtools.analysis.passes.plan import TASKS_PER_THREAD, Plan
from ibtools.analysis.passes.ranges import read_rows
from ibtools.analysis.passes.store_blocks import Source
from ibtools.analysis.passes.windows import ReadRows, Window, analyze_windows, pending_windows
from ibtools.store.groups import get_array
from ibtools.store.header import Header
from ibtools.store.schema import RECORDED
from ibtools.tasks.workers import Workers


@dataclass(frozen=True, eq=False)
class Pass:
    """A pass over a store, before it begins.

    Parameters
    ----------
    source : Source
        The store, as tasks know it.
    dataset : Dataset
        The store, for grids and ranges.
    header : Header
        What the store says of itself.
    measures : tuple of Measure
        What is computed.
    plan : Plan
        How the store is cut into tasks.
    workers : Workers
        What runs them.
    """

    source: Source
    dataset: xr.Dataset
    header: Header
    measures: tuple[Measure, ...]
    plan: Plan
    workers: Workers

    @classmethod
    def of(
        cls,
        path: str,
        group: zarr.Group,
        dataset: xr.Dataset,
        measures: Sequence[Measure],
        workers: Workers,
        *,
        budget: int,
        global_range: tuple[float, float] = (math.nan, math.nan),
        layers: Sequence[int] | None = None,
        lenient: bool = False,
    ) -> Self:
        """Plan a pass.

        Parameters
        ----------
        path : str
            Of the store, absolute, or a URL.
        group, dataset : zarr.Group, Dataset
            The store.
        measures : sequence of Measure
            What to compute.
        workers : Workers
            What runs tasks.
        budget : int
            Bytes that all tasks of a process may use at once, with what writing results takes.
        global_range : tuple of float and float, optional
            For measures that need it.
        layers : sequence of int, optional
            Positions of the layers that are analysed, ascending; all by default, and then nothing
            is said of choosing some where one is too large.
        lenient : bool, optional
            Whether workers open a store whose coordinates break the contract.

        Raises
        ------
        InputError
            If what can't be cut further does not fit into memory.
        """
        header = Header.of(dataset)
        chosen = tuple(range(len(header.layers)) if layers is None else layers)
        part = header.select(chosen)
        writing = writing_bytes(measures, part)
        budget -= writing
        digest, analysis = header.content.digest, uuid.uuid4().hex
        source = Source(path, digest, analysis, global_range, budget, chosen, lenient)
        arrays = {name: get_array(group, name) for name in RECORDED if name in group}
        cost = Cost(
            tuple(measures),
            budget,
            workers.threads,
            part,
            writing,
            selective=layers is not None and len(header.layers) > 1,
        )
        plan = Plan.of(arrays, header.layers, cost, n_threads=workers.n_threads, chosen=chosen)
        return cls(source, dataset, header, tuple(measures), plan, workers)

    @property
    def chosen(self) -> xr.Dataset:
        """The store without the layers that are not analysed, for sizes and coordinates."""
        return self.dataset.isel(layer=list(self.plan.chosen))

    def windows(
        self,
        pending: NDArray[np.bool_],
        is_done: Callable[[Window], bool] = lambda window: False,
    ) -> Iterator[Window]:
        """Compute what is to do, (measure, repeat, epoch), and yield window after window.

        What `is_done` when its turn comes is left out.
        """
        job_bytes = self._job_bytes(pending)
        windows = pending_windows(
            pending,
            self.plan.window_epochs(job_bytes),
            measures=self.measures,
            sizes=sizes_of(self.measures, self.plan.cost.header),
        )
        return analyze_windows(
            (window for window in windows if not is_done(window)),
            self.workers,
            plan=self.plan,
            source=self.source,
            header=self.header,
            measures=self.measures,
            read_rows=self._read_rows(),
            job_bytes=job_bytes,
        )

    def _job_bytes(self, pending: NDArray[np.bool_]) -> int:
        """Return what a task should read: less than the workers ask for if they would idle."""
        n_bytes = int(pending.any(axis=0).sum()) * self.plan.snapshot_bytes
        return min(self.workers.job_bytes, n_bytes // (TASKS_PER_THREAD * self.workers.n_threads))

    def _read_rows(self) -> ReadRows:
        if all(one.needs != "values" for one in self.measures):
            return lambda _: None
        return lru_cache(maxsize=1)(lambda repeat: read_rows(self.dataset.isel(repeat=[repeat]))[0])
