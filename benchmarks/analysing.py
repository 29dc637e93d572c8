"""`analyze` from disk to written results, against reading the same cube once through Zarr.

The store is random codes in the shape of SYN; both use the same number of threads.
"""

import os
import tempfile
from pathlib import Path

import dask.array as da
import numpy as np
import xarray as xr

from benchmarks.table import Row, best_time
from ibtools.analysis.results import GROUP, analyze_store
from ibtools.layout import StoreSpec
from ibtools.snapshots import LayerSpec, LayerValues
from ibtools.store import create_store
from ibtools.writer import RepeatWriter

WIDTHS = (10, 7, 5, 4, 3, 2)


def write_store(path: Path, epochs: int) -> None:
    """Write one repeat of codes that change slowly, as in training."""
    names = [f"hidden_{i}" for i in range(1, len(WIDTHS))] + ["output"]
    layers = tuple(
        LayerSpec(name, width, "softmax" if name == "output" else "tanh", 8)
        for name, width in zip(names, WIDTHS, strict=True)
    )
    label = np.arange(4096) % 2
    spec = StoreSpec(layers, (0,), tuple(range(epochs)), (1,), label)
    writer = RepeatWriter(create_store(path, spec), 0)
    rng = np.random.default_rng(0)
    first = {spec.name: rng.random((4096, spec.n_units)) * 255 for spec in layers}
    for epoch in range(epochs):
        values = {
            name: LayerValues((code + epoch / 10).astype(np.uint8), 0.01, 128)
            for name, code in first.items()
        }
        writer.add_snapshot(epoch, values)
    writer.finish("trained")


def rows(epochs: int) -> list[Row]:
    """Measure one store."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "syn.zarr"
        write_store(path, epochs)

        def read() -> None:
            da.max(xr.open_zarr(path)["code"].data).compute()

        def analyze() -> None:
            analyze_store(path, output=fresh(), quiet=True)

        def fresh() -> Path:
            return Path(tempfile.mkdtemp(dir=folder)) / GROUP

        analyze()
        ours, baseline = best_time(analyze, seconds=3), best_time(read, seconds=3)
        what = f"analyze {epochs} snapshots, {os.cpu_count()} threads (baseline: read the cube)"
        return [Row(what, ours, baseline, "s")]


if __name__ == "__main__":
    from benchmarks.table import print_table

    print_table(rows(epochs=1600))
