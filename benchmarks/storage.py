"""Codes of a real recording on disk: their size, and what writing and reading them costs.

`python -m benchmarks.storage` makes a short recording of SYN-Tanh; longer ones compress better,
because codes change less and less from one snapshot to the next. With the path of a store it prints
all layouts for that store. Times are those of the processor, over all threads.

`ZARR_CODEC_PIPELINE__PATH=zarrs.ZarrsCodecPipeline` measures another codec pipeline.
"""

import math
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.codecs import BloscCodec, TransposeCodec, ZstdCodec

from benchmarks.table import Row
from ibtools.recorders.record import record
from ibtools.store.groups import get_array, read_array
from ibtools.store.opened import open_group
from ibtools.store.schema import CUBE

_BITS = BloscCodec(cname="zstd", clevel=3, shuffle="bitshuffle", typesize=1)
OURS, UNCOMPRESSED = "ibtools: unit, sample, epoch; zstd 3", "epoch, sample, unit; uncompressed"
LAYOUTS: dict[str, tuple[str, Any]] = {
    OURS: ("unit sample epoch", ZstdCodec(level=3)),
    "unit, sample, epoch; zstd 5": ("unit sample epoch", ZstdCodec(level=5)),
    "unit, sample, epoch; zstd 7": ("unit sample epoch", ZstdCodec(level=7)),
    "unit, sample, epoch; blosc zstd 3 bitshuffle": ("unit sample epoch", _BITS),
    "sample, unit, epoch; zstd 5": ("sample unit epoch", ZstdCodec(level=5)),
    "epoch, unit, sample; zstd 5": ("epoch unit sample", ZstdCodec(level=5)),
    "epoch, sample, unit; blosc zstd 3 bitshuffle": ("epoch sample unit", _BITS),
    UNCOMPRESSED: ("epoch sample unit", None),
}
"""Order of a chunk, the last being innermost, and its codec."""


@dataclass(frozen=True)
class Measured:
    """One layout of a recording.

    Parameters
    ----------
    codes, size : float
        Bytes of the codes without padding, and of what is on disk.
    write, read : float
        Seconds of the processor.
    """

    codes: float
    size: float
    write: float
    read: float


def blocks(code: "zarr.Array[Any]") -> Iterator[slice]:
    """Yield the epochs of each shard."""
    shards = code.shards or code.chunks
    for start in range(0, code.shape[1], shards[1]):
        yield slice(start, start + shards[1])


def create(path: Path, code: "zarr.Array[Any]", layout: str) -> "zarr.Array[Any]":
    """Create an array for the first repeat of `code`, in the same chunks."""
    order, codec = LAYOUTS[layout]
    dims = [CUBE.index(dim) for dim in ("repeat", "layer", *order.split())]
    return zarr.create_array(
        path,
        shape=(1, *code.shape[1:]),
        chunks=code.chunks,
        shards=code.shards,
        dtype=code.dtype,
        filters=TransposeCodec(order=tuple(dims)),
        compressors=codec,
    )


def processor_time(function: Callable[[], object], repeats: int) -> float:
    """Return the least of several runs, in seconds of the processor."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return min(times)


def read_layers(code: "zarr.Array[Any]", n_units: NDArray[np.int64]) -> None:
    """Read a layer and a block of epochs at a time, without padding."""
    for epochs in blocks(code):
        for layer, units in enumerate(n_units):
            code[0, epochs, layer, :, :units]


def measure(store: Path, layout: str) -> Measured:
    """Write the codes of the first repeat of a store in some layout, and read them."""
    group = open_group(store)
    code, n_units = get_array(group, "code"), read_array(group, "n_units")
    with tempfile.TemporaryDirectory() as folder:
        array, write = create(Path(folder) / "code", code, layout), 0.0
        for epochs in blocks(code):
            values, start = code[:1, epochs], time.process_time()
            array[:, epochs] = values
            write += time.process_time() - start
        size = sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file())
        read = processor_time(lambda: read_layers(array, n_units), repeats=3)
    n_codes = math.prod((code.shape[1], code.shape[3], int(n_units.sum())))
    return Measured(float(n_codes * code.dtype.itemsize), float(size), write, read)


def rows(*, epochs: int) -> list[Row]:
    """Record SYN-Tanh, every fifth epoch, and measure size and reading."""
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "syn.zarr"
        record("SYN-Tanh", store, epochs=epochs, repeats=1, quiet=True)
        ours, plain = (measure(store, layout) for layout in (OURS, UNCOMPRESSED))
    what = f"codes of SYN-Tanh, {epochs} epochs (baseline: uncompressed)"
    return [
        Row(f"size on disk, {what}", ours.size / 1e6, ours.codes / 1e6, "MB"),
        Row(f"read {what}", ours.read, plain.read, "s of processor"),
    ]


def print_layouts(store: Path) -> None:
    """Print every layout of an existing store."""
    print("| layout | times smaller | written, MB/s | read, MB/s |")
    print("| --- | --- | --- | --- |")
    for layout in LAYOUTS:
        found = measure(store, layout)
        speeds = [f"{found.codes / seconds / 1e6:.0f}" for seconds in (found.write, found.read)]
        print(f"| {layout} | {found.codes / found.size:.2f} | {' | '.join(speeds)} |", flush=True)


if __name__ == "__main__":
    from benchmarks.table import print_table

    if len(sys.argv) > 1:
        print_layouts(Path(sys.argv[1]))
    else:
        print_table(rows(epochs=2000))
