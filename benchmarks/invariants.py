"""`details ... invariants`: all units but one by subtracted digests, and a store of SYN.

The baseline of a wide layer is a partition of the rows of all units but one, unit after unit, as
`ibtools.partition` counts a layer; of a store it is the plain count of the same layers. With
permutations, total correlation and its kin are computed once more for each.
`python -m benchmarks.invariants` takes minutes.
"""

import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.analysing import WIDTHS, link_repeats, write_store
from benchmarks.table import Row, best_time
from ibtools.analysis.details.results import details_store
from ibtools.analysis.kernels.information import information_of_labels
from ibtools.analysis.kernels.sharing import knowledge_of_units
from ibtools.analysis.passes.results import analyze_store
from ibtools.partition import partition_block

N_SAMPLES, N_UNITS = 4096, 512


def wide_layer() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return codes (sample, unit) of which half are 0, and classes."""
    rng = np.random.default_rng(0)
    code = rng.integers(0, 256, (N_SAMPLES, N_UNITS), np.uint8)
    return code * (rng.random(code.shape) < 0.5), rng.integers(0, 10, N_SAMPLES)


def by_digests(code: NDArray[np.uint8], y: NDArray[np.int64]) -> None:
    """Compute what single units and all but one know of the label."""
    columns = np.ascontiguousarray(code.T)[..., np.newaxis]
    labels = partition_block(columns)[0][np.newaxis]
    knowledge_of_units(labels.astype(np.uint16), y, 10)


def by_rows(code: NDArray[np.uint8], y: NDArray[np.int64], units: range) -> None:
    """Count all units but one, for some of them."""
    for unit in units:
        others = np.delete(code, unit, axis=1)[np.newaxis]
        information_of_labels(partition_block(others)[0], y, 10)


def wide_rows(seconds: float) -> list[Row]:
    """Measure one snapshot of a wide layer; the baseline from 16 of its units."""
    code, y = wide_layer()
    by_digests(code, y)
    ours = best_time(partial(by_digests, code, y), seconds=seconds)
    some = range(0, N_UNITS, N_UNITS // 16)
    slow = best_time(partial(by_rows, code, y, some), seconds=seconds) * N_UNITS / len(some)
    what = f"all units but one, {N_SAMPLES} x {N_UNITS} (baseline: rows without the unit)"
    return [Row(what, ours, slow, "s")]


def store_rows(epochs: int, repeats: int = 1, drawn: tuple[int, ...] = (0, 2)) -> list[Row]:
    """Measure a store in the shape of SYN, whose repeats are links to the files of one."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "syn.zarr"
        write_store(path, epochs, repeats)
        link_repeats(path, repeats)
        analyze_store(path, output=Path(folder) / "first", quiet=True)  # compiles
        start = time.perf_counter()
        report = analyze_store(path, output=Path(folder) / "plain", quiet=True)
        plain = time.perf_counter() - start
        found = []
        for n_permutations in drawn:
            start = time.perf_counter()
            kind = f"invariants-{n_permutations}"
            details_store(path, kind, output=Path(folder) / kind, quiet=True)
            ours = time.perf_counter() - start
            what = (
                f"invariants of {report.computed * len(WIDTHS)} layers, "
                f"{n_permutations} permutations (baseline: analyze)"
            )
            found.append(Row(what, ours, plain, "s"))
        return found


if __name__ == "__main__":
    from benchmarks.table import print_table

    print_table([*wide_rows(seconds=2.0), *store_rows(epochs=1600, repeats=50)])
