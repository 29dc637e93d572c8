"""The estimators of float layers, per snapshot and one thread, against whole-matrix formulas.

Of `kde` the formula of Saxe et al. on the matrix of all pairs, of `knn` a sort of each row of it,
of `sliced` neighbours in trees, projection by projection, of `renyi` eigenvalues of whole matrices.
The larger size has no baseline in memory: there, time is against the square law from the smaller,
and memory against what the matrix would take. `python -m benchmarks.distances` takes minutes.
"""

import math
import subprocess
import sys
from collections.abc import Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma, logsumexp

from benchmarks.table import Row, best_time
from ibtools.analysis.estimators import LayerBlock, parse_estimator
from ibtools.analysis.kernels.distances import noisy_information
from ibtools.analysis.kernels.gram import chosen_samples, gram_information, squared_distances
from ibtools.analysis.kernels.neighbours import neighbour_information
from ibtools.analysis.kernels.slices import random_directions, sliced_information
from ibtools.store.snapshots import LayerSpec

SMALL, LARGE = (4096, 10), (70_000, 10)


def layer(samples: int, units: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return values of a layer of tanh units over random inputs, and classes."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((samples, 12))
    values = np.tanh(x @ rng.standard_normal((12, units)) / 3).astype(np.float32)
    return values, (x[:, 0] + rng.standard_normal(samples) > 0).astype(np.int64)


def whole_matrix(
    values: NDArray[np.float32], y: NDArray[np.int64], variance: float
) -> dict[str, float]:
    """Return the bounds in bits, from the matrix of all squared distances."""

    def entropies(points: NDArray[np.float64]) -> NDArray[np.float64]:
        squares = (points**2).sum(axis=1)
        distances = squares[:, None] + squares - 2 * points @ points.T
        widths = (variance, 4 * variance)
        logs = [logsumexp(-distances / (2 * w), axis=1) - math.log(len(points)) for w in widths]
        return -np.mean(logs, axis=1) / math.log(2)

    points = values.astype(np.float64)
    upper, lower = entropies(points)
    of_classes = [(y == c).mean() * entropies(points[y == c])[0] for c in np.unique(y)]
    return {"mi_xt_upper": upper, "mi_xt_lower": lower, "mi_ty": upper - sum(of_classes)}


def sorted_rows(values: NDArray[np.float32], y: NDArray[np.int64], k: int = 3) -> float:
    """Return Ross' estimate in bits, from the sorted rows of the matrix of all distances."""
    points = values.astype(np.float64)
    squares = (points**2).sum(axis=1)
    distances = squares[:, None] + squares - 2 * points @ points.T
    np.fill_diagonal(distances, 0)
    nats = digamma(len(y)) + digamma(k)
    for c in np.unique(y):
        rows = distances[y == c]
        radius = np.partition(rows[:, y == c], k, axis=1)[:, k, None]
        within = digamma((rows <= radius).sum(axis=1) - 1)
        nats -= (within + digamma((y == c).sum())).sum() / len(y)
    return float(nats / math.log(2))


def peak_megabytes(call: str, size: tuple[int, int]) -> float:
    """Return the peak memory of a process that makes one call, Python and libraries included."""
    program = (
        "import resource; from benchmarks.distances import *\n"
        f"values, y = layer(*{size})\n"
        f"{call}\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return int(done.stdout) / 1024


def rows(seconds: float, *, large: bool = False) -> list[Row]:
    """Measure the small size, and the large one if asked for."""
    values, y = layer(*SMALL)
    size = "{} x {}".format(*SMALL)
    found = []
    for variance in (1e-3, 1.0):
        ours = best_time(partial(noisy_information, values, y, variance), seconds=seconds)
        slow = best_time(partial(whole_matrix, values, y, variance), seconds=0, at_least=2)
        found.append(Row(f"kde-{variance:g}, {size}", ours * 1e3, slow * 1e3, "ms"))
    nearest = partial(neighbour_information, values, y, n_neighbours=3)
    ours, slow = (
        best_time(nearest, seconds=seconds),
        best_time(partial(sorted_rows, values, y), seconds=0, at_least=2),
    )
    found.append(Row(f"knn-3, {size}", ours * 1e3, slow * 1e3, "ms"))
    found += [*_other_quantities(values, y, size), *_chance_levels(values, y)]
    return found + (_large_rows(found) if large else [])


def _chance_levels(values: NDArray[np.float32], y: NDArray[np.int64]) -> Iterator[Row]:
    """Measure what the chance level of I(T;Y) adds, beside the same estimator without."""
    layer = LayerSpec("layer", values.shape[1], "tanh", 32)
    block = LayerBlock(values[np.newaxis], layer, y, n_classes=2)
    for name in ("kde-0.001", "kde-1", "knn-3", "sliced-128-0", "renyi-1.01-1000-0"):
        ours, without = (
            best_time(partial(parse_estimator(one).compute, block), seconds=0, at_least=2)
            for one in (name, f"{name}-null-0")
        )
        yield Row(
            f"{name} with its chance level (baseline: without)", ours * 1e3, without * 1e3, "ms"
        )


def _other_quantities(
    values: NDArray[np.float32], y: NDArray[np.int64], size: str
) -> Iterator[Row]:
    """Measure what is no information of the layer itself."""
    directions = random_directions(values.shape[1], 16, seed=0)
    projections = (values @ directions.T).astype(np.float32)
    sliced = partial(sliced_information, values, y, directions, n_neighbours=3)

    def trees() -> None:
        for one in projections.T:
            neighbour_information(one[:, np.newaxis], y, n_neighbours=3)

    ours, slow = (best_time(one, seconds=0, at_least=2) for one in (sliced, trees))
    yield Row(f"sliced-16-0, {size}", ours * 1e3, slow * 1e3, "ms")
    some = chosen_samples(len(values), 1000, seed=0)
    gram = partial(gram_information, values[some], y[some], alpha=1.01)

    def whole() -> None:
        kernel = np.exp(-squared_distances(values[some])) / len(some)
        for matrix in (kernel, kernel * (y[some][:, np.newaxis] == y[some])):
            np.linalg.eigvalsh(matrix)

    ours, slow = (best_time(one, seconds=0, at_least=2) for one in (gram, whole))
    yield Row(f"renyi-1.01-1000-0, {size}", ours * 1e3, slow * 1e3, "ms")


def _large_rows(small: list[Row]) -> list[Row]:
    """Measure time and memory of the large size."""
    values, y = layer(*LARGE)
    matrix = LARGE[0] ** 2 * 8 / 2**20
    square = (LARGE[0] / SMALL[0]) ** 2 / 1e3
    calls = {
        "kde-0.001": partial(noisy_information, values, y, 1e-3),
        "kde-1": partial(noisy_information, values, y, 1.0),
        "knn-3": partial(neighbour_information, values, y, n_neighbours=3),
    }
    size = "{} x {}".format(*LARGE)
    found = [
        Row(f"{name}, {size}", best_time(call, seconds=0, at_least=1), row.ours * square, "s")
        for (name, call), row in zip(calls.items(), small, strict=True)
    ]
    for name, call in (
        ("kde-0.001", "noisy_information(values, y, 1e-3)"),
        ("knn-3", "neighbour_information(values, y, n_neighbours=3)"),
    ):
        peak = peak_megabytes(call, LARGE)
        found.append(Row(f"{name}, {size}, memory of the process", peak, matrix, "MiB"))
    return found


if __name__ == "__main__":
    from benchmarks.table import print_table

    print_table(rows(seconds=2.0, large=True))
