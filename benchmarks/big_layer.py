"""A layer larger than memory: 20 000 samples x 50 000 units, counted by digests of its rows.

The layer has a known number of states: rows are drawn from fewer different ones, half of which
differ from another in a single unit. The store is written whole; only the analysis is measured.
"""

import math
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.memory import peak_memory
from benchmarks.table import Row
from ibtools.analysis.kernels.information import entropy
from ibtools.analysis.passes.results import open_results
from ibtools.store.creation import create_store
from ibtools.store.layout import StoreSpec
from ibtools.store.snapshots import LayerSpec, LayerValues
from ibtools.store.writer import RepeatWriter

STATES = 5000


def rows_of_states(n_units: int) -> NDArray[np.uint8]:
    """Return STATES different rows; each odd one differs from the one before in one unit."""
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 256, (STATES, n_units), "uint8")
    rows[1::2] = rows[::2]
    units = rng.integers(0, n_units, STATES // 2)
    rows[np.arange(1, STATES, 2), units] ^= 1
    return rows


def write_store(path: Path, n_samples: int, n_units: int) -> float:
    """Write one snapshot; returns the entropy of the layer."""
    state = np.random.default_rng(1).integers(0, STATES, n_samples)
    layer = LayerSpec("conv", n_units, "relu", 8)
    spec = StoreSpec((layer,), (0,), (0,), (1,), np.arange(n_samples) % 10)
    writer = RepeatWriter(create_store(path, spec), 0)
    writer.add_snapshot(0, {"conv": LayerValues(rows_of_states(n_units)[state], 0.1)})
    writer.finish("trained")
    return entropy(np.unique(state, return_counts=True)[1])


def rows(n_samples: int = 20_000, n_units: int = 50_000, memory: str = "1GiB") -> list[Row]:
    """Measure time and peak memory; the baseline is the size of the codes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "big.zarr"
        expected = write_store(path, n_samples, n_units)
        start = time.perf_counter()
        peak = peak_memory("analyze", path, "--quiet", "--memory", memory)
        seconds = time.perf_counter() - start
        results = open_results(path)
        found = float(results["mi_xt"].squeeze())
        if not math.isclose(found, expected, abs_tol=1e-12):
            raise ValueError(f"H(T) must be {expected} bits, found {found}")
        digested = results.attrs.get("digested_layers", "none")
    gigabytes = n_samples * n_units / 2**30
    what = f"layer of {n_samples} x {n_units} codes, --memory {memory}, digested: {digested}"
    return [
        Row(f"{what}: peak (baseline: the codes)", peak / 1024, gigabytes, "GiB"),
        Row(f"{what}: time with start-up (baseline: 1 s per GiB)", seconds, gigabytes, "s"),
    ]


if __name__ == "__main__":
    from benchmarks.table import print_table

    print_table([*rows(), *rows(memory="512MiB")])
