"""Any store is cut into blocks that cover it once and fit into memory."""

import math
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibtools.analysis.estimators import Exact, parse_estimator
from ibtools.analysis.passes.cost import BLOCK_BYTES, Cost
from ibtools.analysis.passes.plan import Plan
from ibtools.analysis.passes.store_blocks import Source
from ibtools.analysis.passes.windows import analyze_windows, pending_windows
from ibtools.errors import InputError
from ibtools.store.snapshots import LayerSpec
from ibtools.tasks.workers import CLUSTER_JOB_BYTES

N_EXACT = len(Exact().variables)


@dataclass(frozen=True)
class FakeArray:
    """What a plan looks at, of an array that need not exist."""

    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    shards: tuple[int, ...] | None
    dtype: np.dtype

    @property
    def ndim(self) -> int:
        return len(self.shape)


def cut(sizes: dict[str, int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Cut a cube of bytes as a store might be: chunks of 2 MiB, shards of all layers."""
    units = min(sizes["unit"], 64)
    epochs = max(1, min(2**21 // (sizes["sample"] * units), sizes["epoch"], 64))
    chunk = (1, epochs, 1, sizes["sample"], units)
    return chunk, (1, epochs, sizes["layer"], sizes["sample"], -(-sizes["unit"] // units) * units)


def plan_of(
    layers: list[LayerSpec],
    *,
    repeats: int = 1,
    epochs: int = 100,
    samples: int = 64,
    budget: int = 2**28,
    threads: int = 2,
    estimator: str = "exact",
    chunks: tuple[int, ...] | None = None,
) -> Plan:
    units = max(layer.n_units for layer in layers)
    sizes = {
        "repeat": repeats, "epoch": epochs, "layer": len(layers), "sample": samples, "unit": units,
    }  # fmt: skip
    shape = tuple(sizes.values())
    chunk, shard = (chunks, None) if chunks else cut(sizes)
    array = FakeArray(shape, chunk, shard, np.dtype("u1"))
    cost = Cost([parse_estimator(estimator)], budget, threads)
    return Plan.of({"code": array}, tuple(layers), cost, n_threads=threads)


def layers_of(*widths: int) -> list[LayerSpec]:
    return [LayerSpec(f"layer_{i}", width, "tanh", 8) for i, width in enumerate(widths)]


@given(
    widths=st.lists(st.integers(1, 300), min_size=1, max_size=5),
    samples=st.integers(1, 5000),
    epochs=st.integers(1, 150),
    budget=st.sampled_from([2**24, 2**26, 2**28, 2**32]),
    threads=st.integers(1, 8),
    data=st.data(),
)
def test_plan__covers_what_is_asked_for_once(widths, samples, epochs, budget, threads, data):
    layers = layers_of(*widths)
    plan = plan_of(layers, samples=samples, epochs=epochs, budget=budget, threads=threads)
    wanted = data.draw(st.sets(st.integers(0, epochs - 1), min_size=1))
    seen = {
        (index, epoch): np.zeros((samples, layer.n_units), int)
        for index, layer in enumerate(layers)
        for epoch in wanted
    }
    for block in plan.blocks(0, np.array(sorted(wanted))):
        assert block.need <= budget
        assert not block.in_parts or block.units.start % 8 == 0
        for epoch in block.epochs:
            for index in range(block.layers.start, block.layers.stop):
                seen[index, int(epoch)][block.samples, block.units] += 1
    assert all((times == 1).all() for times in seen.values())


def test_plan__a_task_reads_whole_shards_of_syn():
    plan = plan_of(layers_of(10, 7, 5, 4, 3, 2), repeats=50, epochs=1600, samples=4096)
    (run,) = plan.runs
    assert (run.epochs, run.group) == (51, 6)


def test_plan__less_memory_makes_smaller_blocks():
    def chosen(budget: int, threads: int) -> tuple[int, int, bool]:
        plan = plan_of(
            layers_of(*[64] * 4), epochs=1000, samples=1024, budget=budget, threads=threads
        )
        (run,) = plan.runs
        return run.epochs, run.group, run.in_parts

    assert chosen(2**28, 2) == (64, 4, False)  # whole shards
    assert chosen(2**28, 8) == (32, 2, False)  # some layers of a shard, as even as it goes
    assert chosen(2**26, 8) == (32, 1, False)
    assert chosen(7 * 2**20, 8) == (10, 1, False)  # some epochs of a chunk, one task at a time


def test_plan__more_threads_than_shards_leave_none_idle():
    plan = plan_of(layers_of(3), repeats=1, epochs=640, threads=4)
    assert sum(1 for _ in plan.blocks(0, np.arange(640))) >= 10


def test_plan__layers_of_other_widths_are_not_read_as_padding():
    plan = plan_of(layers_of(500, 400, 10, 10, 400), samples=100)
    assert [(run.layers, run.n_units) for run in plan.runs] == [
        (slice(0, 1), 500),
        (slice(1, 2), 400),
        (slice(2, 4), 10),
        (slice(4, 5), 400),
    ]


class CountingWorkers:
    """Reads nothing, and counts what it is asked for."""

    def __init__(self) -> None:
        self.jobs = self.blocks = self.most_blocks = 0

    def run(self, jobs):
        for job in jobs:
            _, pieces = job.arguments
            self.jobs += 1
            self.blocks += len(pieces)
            self.most_blocks = max(self.most_blocks, len(pieces))
            yield job.owner, [(zeros(reads[0]),) for _, reads in pieces]


def zeros(block) -> dict[str, np.ndarray]:
    shape = (len(block.epochs), block.layers.stop - block.layers.start)
    return {one.name: np.zeros(shape) for one in Exact().variables}


def test_analyze_windows__a_million_chunks_are_few_tasks_of_bounded_size():
    """10^6 chunks of 2 MiB, 2 TB: a window at a time exists, and a task on a cluster covers 130."""
    layers = layers_of(*[10] * 10)
    plan = plan_of(layers, repeats=1000, epochs=5100, samples=4096)
    pending = np.ones((1, 1000, 5100), bool)
    windows = pending_windows(
        pending, plan.window_epochs(CLUSTER_JOB_BYTES), measures=[Exact()], sizes=[{"layer": 10}]
    )
    seen, workers = np.zeros((1000, 5100), int), CountingWorkers()
    for window in analyze_windows(
        windows,
        workers,
        plan=plan,
        source=Source("nowhere", "", "", (0.0, 1.0), 2**30, tuple(range(10))),
        header=None,
        measures=[Exact()],
        read_rows=lambda _: None,
        job_bytes=CLUSTER_JOB_BYTES,
    ):
        (values,) = window.values
        assert not any(np.isnan(one).any() for one in values.values())
        assert sum(one.nbytes for one in values.values()) < 2**22
        seen[window.repeat, window.epochs] += 1
    assert (seen == 1).all()
    assert math.prod((1000, 5100 // 51, 10)) == 10**6
    assert workers.blocks == 200_000
    assert workers.jobs < 9000
    assert workers.most_blocks <= 26


def test_plan__a_layer_larger_than_memory_is_cut_into_parts():
    layers = layers_of(100_000, 10)
    plan = plan_of(layers, samples=20_000, epochs=2, budget=3 * 2**28)
    assert plan.layers_in_parts == ("layer_0",)
    blocks = [block for block in plan.blocks(0, np.array([1])) if block.in_parts]
    for block in blocks:
        assert block.samples == slice(0, 20_000)
        assert (block.units.stop - block.units.start) * 20_000 <= BLOCK_BYTES
    assert 120 <= len(blocks) <= 130


def test_plan__says_how_much_memory_is_needed():
    layers = layers_of(5000)
    with pytest.raises(InputError, match=r"'layer_0' of 20000 .* 5000 units .* takes \d.*--memory"):
        plan_of(layers, samples=20_000, budget=2**20)
    with pytest.raises(InputError, match="binned-uniform-30-layer needs all"):
        plan_of(layers, samples=20_000, budget=2**28, estimator="binned")


def test_plan__foreign_chunks():
    """Chunks of several layers and few samples, without shards."""
    layers = layers_of(10, 10, 10)
    plan = plan_of(layers, samples=1000, epochs=50, chunks=(1, 7, 2, 300, 4))
    blocks = list(plan.blocks(0, np.arange(50)))
    assert all(block.samples == slice(0, 1000) for block in blocks)
    assert sum(len(b.epochs) * (b.layers.stop - b.layers.start) for b in blocks) == 150


def shape_of(window) -> tuple[int, ...]:
    """Epochs, layers, and how many numbers there are of each."""
    arrays = [one for values in window.values for one in values.values()]
    (shape,) = {one.shape for one in arrays}
    return (*shape, len(arrays))


def test_pending_windows__groups_by_what_is_to_do():
    pending = np.zeros((2, 2, 10), bool)
    pending[0, 0, :7] = True
    pending[1, 0, 2:] = True
    estimators = [Exact(), Exact(per_unit=True)]
    n_per_unit = len(estimators[1].variables)
    found = [
        (window.repeat, window.epochs.tolist(), window.measures, shape_of(window))
        for window in pending_windows(pending, 5, measures=estimators, sizes=[{"layer": 3}] * 2)
    ]
    assert found == [
        (0, [2, 3, 4], (0, 1), (3, 3, N_EXACT + n_per_unit)),
        (0, [0, 1], (0,), (2, 3, N_EXACT)),
        (0, [5, 6], (0, 1), (2, 3, N_EXACT + n_per_unit)),
        (0, [7, 8, 9], (1,), (3, 3, n_per_unit)),
    ]
