"""What the steps of a reproduction took, line by line in a file that is only added to."""

import csv
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from ibtools.store.storage import stored_bytes

FILE = "steps.csv"


@dataclass(frozen=True)
class Taken:
    """What one step took.

    Parameters
    ----------
    step : str
        What it did.
    seconds : float
        By the clock; of a step that was interrupted, of its last run.
    processor_seconds : float
        Of this process and of those that it started.
    folder_bytes : int
        All that was in the folder after it.
    """

    step: str
    seconds: float
    processor_seconds: float
    folder_bytes: int


@contextmanager
def noted(step: str, folder: Path) -> Iterator[None]:
    """Note what a step takes, if it ends well."""
    begun, used = time.perf_counter(), _processor_seconds()
    yield
    taken = Taken(
        step,
        round(time.perf_counter() - begun, 2),
        round(_processor_seconds() - used, 2),
        stored_bytes(folder),
    )
    _add(folder / FILE, taken)


def read_journal(folder: Path) -> list[Taken]:
    """Read what was noted of a folder, in the order in which it was done."""
    file = folder / FILE
    if not file.exists():
        return []
    with file.open(newline="", encoding="utf-8") as lines:
        return [
            Taken(
                row["step"],
                float(row["seconds"]),
                float(row["processor_seconds"]),
                int(row["folder_bytes"]),
            )
            for row in csv.DictReader(lines)
        ]


def _add(file: Path, taken: Taken) -> None:
    is_new = not file.exists()
    with file.open("a", newline="", encoding="utf-8") as lines:
        rows = csv.DictWriter(lines, [one.name for one in fields(Taken)])
        if is_new:
            rows.writeheader()
        rows.writerow(asdict(taken))


def _processor_seconds() -> float:
    """Return the processor time of this process, and of its children that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
