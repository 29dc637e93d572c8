"""Peak memory of `ibtools analyze`, for stores of 0.2, 2 and 20 GB of codes in the shape of SYN.

What is measured is the operating system's peak resident size (VmHWM) of a fresh process. The codes
are those of one repeat; the files of the other repeats are links to its files, so that the stores
take no time or space to make, and all of every store is read and counted all the same.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.analysing import link_repeats, write_store
from benchmarks.table import Row

MEASURED = """
import sys
from ibtools.cli.main import cli
cli(sys.argv[1:], standalone_mode=False)
with open("/proc/self/status") as status:
    print(next(line.split()[1] for line in status if line.startswith("VmHWM")))
"""


def peak_memory(*command: str | Path) -> float:
    """Run an ibtools command in a fresh process, and return its peak resident size in MiB."""
    words = [sys.executable, "-c", MEASURED, *map(str, command)]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    return int(done.stdout.split()[-1]) / 1024


def rows(sizes: tuple[int, ...], options: tuple[tuple[str, ...], ...] = ((),)) -> list[Row]:
    """Measure stores of that many repeats, 0.2 GB each; the baseline is the smallest store."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        stores = {n: Path(folder) / f"{n}.zarr" for n in sizes}
        for n, store in stores.items():
            write_store(store, epochs=1600, repeats=n)
            link_repeats(store, n)
        for chosen in options:
            peaks = {}
            for n, store in stores.items():
                output = Path(folder) / f"results-{n}-{len(found)}"
                peaks[n] = peak_memory("analyze", store, "--quiet", "--output", output, *chosen)
                what = f"peak memory, {0.203 * n:.1f} GB, {os.cpu_count()} threads"
                label = " ".join([what, *chosen])
                found.append(Row(label, peaks[n], peaks[sizes[0]], "MiB"))
    return found


if __name__ == "__main__":
    from benchmarks.table import print_table

    limits = ((), ("--memory", "512MiB"), ("--memory", "384MiB"))
    print_table([*rows((1, 10, 100)), *rows((1, 10), limits[1:])])
