"""What a task costs on each scheduler, and what planning costs for a store of a million chunks."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

import ibtools
from benchmarks.table import Row
from ibtools.analysis.estimators import Exact
from ibtools.analysis.passes.cost import Cost
from ibtools.analysis.passes.plan import Plan
from ibtools.analysis.passes.windows import pending_windows
from ibtools.store.creation import create_store
from ibtools.store.datasets import open_raw
from ibtools.store.groups import get_array
from ibtools.store.layout import StoreSpec
from ibtools.store.snapshots import LayerSpec
from ibtools.tasks.memory import LIBRARIES, parse_memory
from ibtools.tasks.workers import Job, Workers, open_workers

LAYERS = tuple(LayerSpec(f"hidden_{i}", 10, "tanh", 8) for i in range(10))


def nothing() -> None:
    """Be a task."""


def seconds_per_task(workers: Workers, n_tasks: int) -> float:
    """Run tasks that do nothing."""
    list(workers.run(Job(None, nothing, ()) for _ in range(10)))  # start
    start = time.perf_counter()
    list(workers.run(Job(None, nothing, ()) for _ in range(n_tasks)))
    return (time.perf_counter() - start) / n_tasks


@contextmanager
def cluster_workers() -> Iterator[Workers]:
    """Open two worker processes under dask.distributed."""
    import distributed

    with (
        distributed.LocalCluster(2, threads_per_worker=1, dashboard_address=":0") as cluster,
        open_workers(cluster.scheduler_address) as workers,
    ):
        yield workers


def rows(n_tasks: int = 2000) -> list[Row]:
    """Measure every scheduler against a plain loop."""
    with open_workers("synchronous") as workers:
        loop = seconds_per_task(workers, n_tasks) * 1e6
    found = []
    for name in ("threads", "processes"):
        with open_workers(name) as workers:
            found.append((name, seconds_per_task(workers, n_tasks) * 1e6))
    with cluster_workers() as workers:
        found.append(("dask.distributed", seconds_per_task(workers, n_tasks) * 1e6))
    return [Row(f"a task on {name} (baseline: a loop)", ours, loop, "us") for name, ours in found]


def planning_rows(repeats: int = 1000) -> list[Row]:
    """Plan a store of 1000 chunks a repeat, none of which exists.

    The baseline is to spell out the same store as one dask graph, measured on ten repeats.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "million.zarr"
        spec = StoreSpec(
            LAYERS, tuple(range(repeats)), tuple(range(6400)), (1,), np.zeros(4096, int)
        )
        group = create_store(path, spec)
        get_array(group, "complete")[:10] = True
        start = time.perf_counter()
        cost = Cost([Exact()], parse_memory("1GiB") - LIBRARIES, 2)
        plan = Plan.of({"code": get_array(group, "code")}, LAYERS, cost, n_threads=2)
        pending = np.ones((1, repeats, 6400), bool)
        n_tasks = sum(
            1
            for window in pending_windows(
                pending, plan.window_epochs(), measures=[Exact()], sizes=[{"layer": 10}]
            )
            for _ in plan.blocks(window.repeat, window.epochs)
        )
        ours = time.perf_counter() - start
        few = open_raw(path).isel(repeat=slice(10))
        start = time.perf_counter()
        dict(ibtools.analyze(few)["mi_xt"].data.__dask_graph__())
        baseline = (time.perf_counter() - start) * repeats / 10
    what = (
        f"plan {repeats * 1000} chunks as {n_tasks} tasks (baseline: one dask graph, extrapolated)"
    )
    return [Row(what, ours, baseline, "s")]


if __name__ == "__main__":
    from benchmarks.table import print_table

    print_table([*rows(), *planning_rows()])
