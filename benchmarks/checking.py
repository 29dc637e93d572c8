"""`check` of a store without results, against `analyze` with `exact`: both read the cube once."""

import os
import tempfile
from pathlib import Path

from benchmarks.analysing import write_store
from benchmarks.table import Row, best_time
from ibtools.analysis.check import check
from ibtools.analysis.passes.results import GROUP, analyze_store


def rows(epochs: int) -> list[Row]:
    """Measure one store."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "syn.zarr"
        write_store(path, epochs)

        def audit() -> None:
            check(path, quiet=True)

        def analyze() -> None:
            output = Path(tempfile.mkdtemp(dir=folder)) / GROUP
            analyze_store(path, output=output, quiet=True)

        audit()
        analyze()
        ours, baseline = best_time(audit, seconds=3), best_time(analyze, seconds=3)
        what = f"check {epochs} snapshots, {os.cpu_count()} threads (baseline: analyze them)"
        return [Row(what, ours, baseline, "s")]


if __name__ == "__main__":
    from benchmarks.table import print_table

    print_table(rows(epochs=1600))
