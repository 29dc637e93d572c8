"""`analyze` from disk to written results, against reading the same cube once through Zarr.

The store is random codes in the shape of SYN; both use the same number of threads.
"""

import multiprocessing
import os
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import dask.array as da
import numpy as np
import xarray as xr
import zarr

from benchmarks.counting import textbook
from benchmarks.table import Row, best_time
from ibtools.analysis.passes.result_groups import GROUP
from ibtools.analysis.passes.results import analyze_store
from ibtools.store.creation import create_store
from ibtools.store.layout import StoreSpec
from ibtools.store.snapshots import LayerSpec, LayerValues
from ibtools.store.storage import StorePath
from ibtools.store.writer import RepeatWriter

WIDTHS = (10, 7, 5, 4, 3, 2)


def write_store(path: StorePath, epochs: int, repeats: int = 1, n_inputs: int = 4096) -> None:
    """Write the first of some repeats: codes that change slowly, as in training.

    Of fewer inputs than 4096, further samples are the same as some: a layer that is not saturated.
    """
    names = [f"hidden_{i}" for i in range(1, len(WIDTHS))] + ["output"]
    layers = tuple(
        LayerSpec(name, width, "softmax" if name == "output" else "tanh", 8)
        for name, width in zip(names, WIDTHS, strict=True)
    )
    label = np.arange(4096) % 2
    spec = StoreSpec(layers, tuple(range(repeats)), tuple(range(epochs)), (1,), label)
    writer = RepeatWriter(create_store(path, spec), 0)
    rng = np.random.default_rng(0)
    first = {spec.name: rng.random((4096, spec.n_units)) * 255 for spec in layers}
    if n_inputs < 4096:
        drawn = rng.integers(n_inputs, size=4096)
        first = {name: values[drawn] for name, values in first.items()}
    for epoch in range(epochs):
        values = {
            name: LayerValues((code + epoch / 10).astype(np.uint8), 0.01, 128)
            for name, code in first.items()
        }
        writer.add_snapshot(epoch, values)
    writer.finish("trained")


def link_repeats(path: Path, repeats: int) -> None:
    """Make all further repeats of a local store links to the files of the first."""
    arrays = [*path.glob("*/c"), *path.glob("*/*/c")]
    for array, first in [(one.parent, file) for one in arrays for file in one.glob("0/**/*")]:
        for repeat in range(1, repeats if first.is_file() else 0):
            link = array / "c" / str(repeat) / first.relative_to(array / "c" / "0")
            link.parent.mkdir(parents=True, exist_ok=True)
            link.unlink(missing_ok=True)
            link.hardlink_to(first)


def rows(epochs: int) -> list[Row]:
    """Measure one store against reading it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "syn.zarr"
        write_store(path, epochs)

        def read() -> None:
            da.max(xr.open_zarr(path)["code"].data).compute()

        def analyze() -> None:
            analyze_store(path, output=Path(tempfile.mkdtemp(dir=folder)) / GROUP, quiet=True)

        analyze()
        ours, baseline = best_time(analyze, seconds=3), best_time(read, seconds=3)
        what = f"analyze {epochs} snapshots, {os.cpu_count()} threads (baseline: read the cube)"
        return [Row(what, ours, baseline, "s")]


def resolution_rows(epochs: int) -> list[Row]:
    """Measure all resolutions against the plain count, from disk to written results.

    Once every sample has a state of its own in almost every layer, and once four samples share one.
    """
    return [_resolution_row(epochs, n_inputs) for n_inputs in (4096, 1000)]


def _resolution_row(epochs: int, n_inputs: int) -> Row:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "syn.zarr"
        write_store(path, epochs, n_inputs=n_inputs)

        def analyze(estimator: str) -> None:
            output = Path(tempfile.mkdtemp(dir=folder)) / GROUP
            analyze_store(path, estimator=estimator, output=output, quiet=True)

        runs = [partial(analyze, name) for name in ("resolution", "exact")]
        for run in runs:
            run()
        ours, baseline = (best_time(run, seconds=3) for run in runs)
        what = f"all resolutions of {epochs} snapshots, {n_inputs} states (baseline: exact)"
        return Row(what, ours, baseline, "s")


def textbook_of_epoch(path: Path, epoch: int) -> None:
    """Do with one snapshot what the textbook does."""
    store = zarr.open_group(path, mode="r")
    y = np.asarray(store["label"])
    code = np.asarray(store["code"][0, epoch])
    for layer, width in zip(code, WIDTHS, strict=True):
        textbook(layer[:, :width], y)


def protocol_rows(repeats: int = 50, epochs: int = 1600, sampled: int = 24) -> list[Row]:
    """Measure the paper's SYN protocol against the textbook method in two processes.

    The textbook method is measured on some snapshots, and its time for all is that times as many.
    The repeats are links to the files of one; all of them are read and counted.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "syn.zarr"
        write_store(path, epochs, repeats)
        link_repeats(path, repeats)
        start = time.perf_counter()
        report = analyze_store(path, quiet=True)
        ours = time.perf_counter() - start
        chosen = np.linspace(0, epochs - 1, sampled).astype(int).tolist()
        with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
            list(pool.map(textbook_of_epoch, [path] * 2, chosen[:2]))  # start
            start = time.perf_counter()
            list(pool.map(textbook_of_epoch, [path] * sampled, chosen))
            slow = (time.perf_counter() - start) / sampled * report.computed
    what = (
        f"analyze {report.computed * len(WIDTHS)} partitions "
        f"(baseline: textbook, two processes, extrapolated from {sampled * len(WIDTHS)})"
    )
    return [Row(what, ours, slow, "s")]


if __name__ == "__main__":
    from benchmarks.table import print_table

    print_table([*rows(epochs=1600), *resolution_rows(epochs=1600), *protocol_rows()])
