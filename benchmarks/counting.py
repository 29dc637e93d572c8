"""Counting one layer: H(T) and I(T;Y) from uint8 codes, against the textbook method.

The textbook method is `numpy.unique(rows, axis=0)` for the layer and once per class. Two threads
are measured against one, and so are two processes, which share nothing: what two processes gain is
what the machine has to give.
"""

import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray

from benchmarks.table import Row, best_time
from ibtools.analysis.estimators import Exact, LayerBlock
from ibtools.store.snapshots import LayerSpec

SIZES = ((4096, 10, 2), (4096, 2, 2), (70_000, 16, 10), (70_000, 338, 10))
"""Samples, units, classes."""


def codes_of_a_layer(samples: int, units: int) -> NDArray[np.uint8]:
    """Return codes as a layer of tanh units over random inputs has them, (block, sample, unit)."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((samples, 12))
    values = np.tanh(x @ rng.standard_normal((12, units)) / 3)
    code = np.rint((values + 1) * 127.5).astype(np.uint8)
    block = 16 if samples * units < 1e6 else 2
    return np.stack([code] * block)


@lru_cache
def block_of_a_layer(samples: int, units: int, classes: int) -> LayerBlock:
    """Return what the estimator is given."""
    y = np.random.default_rng(1).integers(0, classes, samples)
    layer = LayerSpec("hidden", units, "tanh", 8)
    return LayerBlock(codes_of_a_layer(samples, units), layer, y, classes)


def textbook(code: NDArray[np.uint8], y: NDArray[np.int64]) -> tuple[float, float]:
    """Return H(T) and I(T;Y) in bits."""

    def entropy(rows: NDArray[np.uint8]) -> float:
        counts = np.unique(rows, axis=0, return_counts=True)[1]
        p = counts / counts.sum()
        return float(-(p * np.log2(p)).sum())

    given = sum(float((y == c).mean()) * entropy(code[y == c]) for c in np.unique(y))
    return entropy(code), entropy(code) - given


def rows(seconds: float) -> list[Row]:
    """Measure every size on one thread."""
    found = []
    for samples, units, classes in SIZES:
        block = block_of_a_layer(samples, units, classes)
        count = partial(Exact().statistics, block)
        count()
        ours = best_time(count, seconds=seconds) / len(block) / samples
        slow = best_time(partial(textbook, block.recorded[0], block.y), seconds=0, at_least=2)
        what = f"count {samples} x {units}, one thread (baseline: textbook)"
        found.append(Row(what, ours * 1e9, slow / samples * 1e9, "ns/row"))
    return found


def count_for(size: tuple[int, int, int], seconds: float) -> int:
    """Count a layer again and again; returns how often."""
    block, times = block_of_a_layer(*size), 0
    stop = time.perf_counter() + seconds
    while time.perf_counter() < stop:
        Exact().compute(block)
        times += 1
    return times


def scaling_rows(seconds: float) -> list[Row]:
    """Measure two threads, and two processes, against one thread."""
    spawn = multiprocessing.get_context("spawn")
    kinds: dict[str, Callable[[int], Executor]] = {
        "threads": ThreadPoolExecutor,
        "processes": partial(ProcessPoolExecutor, mp_context=spawn),
    }
    found = []
    for size in SIZES[:1] + SIZES[2:3]:
        for name, executor in kinds.items():
            with executor(2) as pool:
                list(pool.map(count_for, [size] * 2, [1.0] * 2))  # compile, start
                one = pool.submit(count_for, size, seconds).result()
                two = sum(pool.map(count_for, [size] * 2, [seconds] * 2))
            per_row = seconds / len(block_of_a_layer(*size)) / size[0] * 1e9
            what = f"count {size[0]} x {size[1]}, two {name} (baseline: one)"
            found.append(Row(what, per_row / two, per_row / one, "ns/row"))
    return found


if __name__ == "__main__":
    from benchmarks.table import print_table

    print_table([*rows(seconds=2.0), *scaling_rows(seconds=5.0)])
