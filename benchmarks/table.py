"""Timing and printing."""

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One line of the table: ours against a baseline in the same run."""

    what: str
    ours: float
    baseline: float
    unit: str

    def format(self) -> str:
        """Return the line, with how many times smaller ours is."""
        ratio = self.baseline / self.ours
        numbers = f"{self.ours:.3g} {self.unit} | {self.baseline:.3g} {self.unit} | {ratio:.1f}"
        return f"| {self.what} | {numbers} |"


def best_time(function: Callable[[], object], *, seconds: float = 1.0, at_least: int = 3) -> float:
    """Return the shortest of many runs, in seconds."""
    times: list[float] = []
    stop = time.perf_counter() + seconds
    while len(times) < at_least or time.perf_counter() < stop:
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def print_table(rows: list[Row]) -> None:
    """Print rows as Markdown."""
    print("| what | ibtools | baseline | times |")
    print("| --- | --- | --- | --- |")
    for row in rows:
        print(row.format())
