"""What it costs that recordings survive power cuts, and that damage is found.

A recording is made with and without forcing files to the disk, and with and without checksums; the
cube of a store is read with and without looking at its checksums. Of each pair in turn, the best.
"""

import tempfile
from contextlib import ExitStack
from pathlib import Path
from unittest.mock import patch

import numpy as np
import zarr

from benchmarks.analysing import write_store
from benchmarks.recording import in_processes, milliseconds_per_epoch
from benchmarks.table import Row, best_time
from ibtools.store.damage import bare, find_damage
from ibtools.store.groups import get_array
from ibtools.store.opened import open_group

_RUNS = 3
_READINGS = 8


def without_forcing(stack: ExitStack) -> None:
    """Leave it to the operating system when files reach the disk."""
    stack.enter_context(patch("ibtools.store.durable._force", lambda descriptor: None))


def without_checksums(stack: ExitStack) -> None:
    """Create stores as earlier versions did, whose chunks end in no checksum."""
    original = zarr.Group.create_array

    def create_array(self: zarr.Group, *arguments: object, **options: object) -> object:
        if isinstance(options.get("compressors"), tuple):
            options["compressors"] = options["compressors"][0]  # type: ignore[index]
        return original(self, *arguments, **options)  # type: ignore[arg-type]

    stack.enter_context(patch("ibtools.store.creation.create_checksums", lambda group: None))
    stack.enter_context(patch.object(zarr.Group, "create_array", create_array))


def record(experiment: str, epochs: int, schedule: str, *, plain: bool, forced: bool) -> float:
    """Record one repeat with the default engine; milliseconds per epoch."""
    with ExitStack() as stack:
        if not forced:
            without_forcing(stack)
        if plain:
            without_checksums(stack)
        return milliseconds_per_epoch(experiment, "native", epochs, schedule)


def recording_rows(*, scale: int = 1) -> list[Row]:
    """Measure recordings, in turn."""
    kinds = {"now": (False, True), "unforced": (False, False), "before": (True, False)}
    times: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(_RUNS):
        for name, (plain, forced) in kinds.items():
            times[name].append(
                in_processes(1, _record_as, "SYN-Tanh", 3000 * scale, "every:5", plain, forced)
            )
    best = {name: min(found) for name, found in times.items()}
    what = {"before": "neither forced nor with checksums", "unforced": "with checksums, not forced"}
    return [
        Row(f"record SYN-Tanh (baseline: {said})", best["now"], best[name], "ms")
        for name, said in what.items()
    ]


def _record_as(experiment: str, epochs: int, schedule: str, plain: bool, forced: bool) -> float:
    return record(experiment, epochs, schedule, plain=plain, forced=forced)


def reading_rows(*, epochs: int) -> list[Row]:
    """Read the cube of a store of SYN's shape, chunk by chunk."""
    with tempfile.TemporaryDirectory() as folder:
        path, old = Path(folder) / "syn.zarr", Path(folder) / "old.zarr"
        write_store(path, epochs)
        with ExitStack() as stack:
            without_checksums(stack)
            write_store(old, epochs)
        group = open_group(path)
        plain = zarr.open_group(bare(open_group(old).store), mode="r")

        def read(one: zarr.Group) -> None:
            code = get_array(one, "code")
            for start in range(0, epochs, code.chunks[1]):
                np.asarray(code[0, start : start + code.chunks[1]])

        pairs = [
            (best_time(lambda: read(group)), best_time(lambda: read(plain)))
            for _ in range(_READINGS)
        ]
        ours, baseline = (min(times) for times in zip(*pairs, strict=True))
        audit = best_time(lambda: find_damage(group, quiet=True))
        return [
            Row(f"read {epochs} snapshots (baseline: no checksums)", ours, baseline, "s"),
            Row(f"check the files of {epochs} snapshots (baseline: read them)", audit, ours, "s"),
        ]


def rows(*, epochs: int, scale: int = 1) -> list[Row]:
    """Measure all."""
    return [*reading_rows(epochs=epochs), *recording_rows(scale=scale)]


if __name__ == "__main__":
    from benchmarks.table import print_table

    print_table(rows(epochs=800, scale=2))
