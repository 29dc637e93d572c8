"""Counting one layer: H(T) and I(T;Y) from uint8 codes, one thread, against the textbook method.

The textbook method is `numpy.unique(rows, axis=0)` for the layer and once per class.
"""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmarks.table import Row, best_time
from ibtools.analysis.estimators import Exact
from ibtools.snapshots import LayerSpec

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


def textbook(code: NDArray[np.uint8], y: NDArray[np.int64]) -> tuple[float, float]:
    """Return H(T) and I(T;Y) in bits."""

    def entropy(rows: NDArray[np.uint8]) -> float:
        counts = np.unique(rows, axis=0, return_counts=True)[1]
        p = counts / counts.sum()
        return float(-(p * np.log2(p)).sum())

    given = sum(float((y == c).mean()) * entropy(code[y == c]) for c in np.unique(y))
    return entropy(code), entropy(code) - given


def rows(seconds: float) -> list[Row]:
    """Measure every size."""
    found = []
    for samples, units, classes in SIZES:
        block = codes_of_a_layer(samples, units)
        y = np.random.default_rng(1).integers(0, classes, samples)
        layer = LayerSpec("hidden", units, "tanh", 8)
        count = partial(Exact().statistics, block, layer=layer, y=y, n_classes=classes)
        count()
        ours = best_time(count, seconds=seconds) / len(block) / samples
        slow = best_time(partial(textbook, block[0], y), seconds=0, at_least=2) / samples
        found.append(Row(f"count {samples} x {units}", ours * 1e9, slow * 1e9, "ns/row"))
    return found


if __name__ == "__main__":
    from benchmarks.table import print_table

    print_table(rows(seconds=2.0))
