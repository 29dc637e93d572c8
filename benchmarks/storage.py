"""Size of a real recording on disk, and what reading it costs, against other ways to lay it out.

The store is a short real recording of SYN-Tanh; longer ones compress better, because codes change
less from one snapshot to the next. Each layout holds the same codes in the chunks that ibtools
chooses, and is read as an analysis reads: a layer and a block of epochs at a time, in one thread.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.codecs import BloscCodec, TransposeCodec, ZstdCodec
from zarr.storage import LocalStore

from benchmarks.table import Row, best_time
from ibtools.recorders.record import record
from ibtools.store import get_array, open_group, read_array

BLOSC = BloscCodec(cname="zstd", clevel=3, shuffle="bitshuffle")
LAYOUTS: Mapping[str, Mapping[str, Any]] = {
    "ibtools: (sample, unit, epoch), zstd 3": {},
    "(sample, unit, epoch), blosc zstd 1 bitshuffle": {
        "compressors": BloscCodec(cname="zstd", clevel=1, shuffle="bitshuffle")
    },
    "(unit, sample, epoch), zstd 3": {"filters": [TransposeCodec(order=(0, 2, 4, 3, 1))]},
    "(epoch, sample, unit), zstd 3": {"filters": None},
    "(epoch, sample, unit), blosc zstd 3 bitshuffle": {"filters": None, "compressors": BLOSC},
}
"""What each layout changes of the one that a store has."""


def copy(code: "zarr.Array[Any]", path: Path, changes: Mapping[str, Any]) -> "zarr.Array[Any]":
    """Write the same codes in another layout."""
    settings = {
        "filters": [TransposeCodec(order=(0, 2, 3, 4, 1))],
        "compressors": ZstdCodec(level=3),
        **changes,
    }
    array = zarr.create_array(
        LocalStore(path),
        shape=code.shape,
        dtype=code.dtype,
        chunks=code.chunks,
        shards=code.shards,
        **settings,
    )
    for start in range(0, code.shape[1], code.chunks[1]):
        array[:, start : start + code.chunks[1]] = code[:, start : start + code.chunks[1]]
    return array


def read(code: "zarr.Array[Any]", n_units: NDArray[np.int64]) -> None:
    """Read every layer, a block of epochs at a time, without padding."""
    block = code.chunks[1]
    for start in range(0, code.shape[1], block):
        for layer, units in enumerate(n_units):
            np.ascontiguousarray(code[0, start : start + block, layer, :, :units])


def measure(store: Path) -> list[tuple[str, float, float, float]]:
    """Return, per layout: its name, bytes on disk, seconds to read, bytes of codes."""
    group = open_group(store)
    code, n_units = get_array(group, "code"), read_array(group, "n_units")
    n_codes = float(n_units.sum() * code.shape[0] * code.shape[1] * code.shape[3] * code.itemsize)
    found = []
    with tempfile.TemporaryDirectory() as folder, zarr.config.set({"threading.max_workers": 1}):
        for index, (name, changes) in enumerate(LAYOUTS.items()):
            path = Path(folder) / str(index)
            array = copy(code, path, changes)
            size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
            seconds = best_time(lambda array=array: read(array, n_units), seconds=1)
            found.append((name, float(size), seconds, n_codes))
    return found


def rows(*, experiment: str = "SYN-Tanh", epochs: int = 1000) -> list[Row]:
    """Measure the size of one repeat of every fifth epoch, against the codes as they are."""
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "store.zarr"
        record(experiment, store, epochs=epochs, repeats=1, quiet=True)
        _, size, _, n_codes = measure(store)[0]
        what = f"size of {experiment}, {epochs} epochs (baseline: codes)"
        return [Row(what, size / 1e6, n_codes / 1e6, "MB")]


def print_layouts(store: Path) -> None:
    """Print every layout of an existing store."""
    print("| layout | times smaller than the codes | codes read per second |")
    print("| --- | --- | --- |")
    for name, size, seconds, n_codes in measure(store):
        print(f"| {name} | {n_codes / size:.2f} | {n_codes / seconds / 1e6:.0f} MB |")


if __name__ == "__main__":
    import sys

    if len(sys.argv) > 1:
        print_layouts(Path(sys.argv[1]))
    else:
        from benchmarks.table import print_table

        print_table(rows())
