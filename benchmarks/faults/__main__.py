"""Inject faults of every kind, count what survives, and print the table of the documentation."""

import argparse
import random
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.faults import files, metadata, network, processes, trial
from ibtools.progress import progress_bar

Try = Callable[[Path, Path, random.Random], bool]

KINDS: dict[str, Try] = {
    "a recording is killed (SIGKILL), twice": processes.try_kill_recording,
    "an analysis is killed": processes.try_kill_analysis,
    "two analyses of one store are killed": processes.try_kill_analyses,
    "the power is cut, recording or analysing": processes.try_cut_power,
    "the disk is full": processes.try_fill_disk,
    **{name: partial(files.try_damage, one) for name, one in files.DAMAGES.items()},
    **{name: partial(metadata.try_damage, one) for name, one in metadata.DAMAGES.items()},
}
"""What is tried; of a store that is not disturbed, a folder for this try, and what is random."""


def count_survived(kind: Try, whole: Path, times: int, *, seed: int, name: str) -> int:
    """Try a kind of fault some times, each in a folder of its own."""
    survived = 0
    with progress_bar(times, name, unit="fault") as progress:
        for number in range(times):
            with tempfile.TemporaryDirectory() as folder:
                survived += kind(whole, Path(folder), random.Random(f"{seed} {name} {number}"))
            progress.update()
    return survived


def print_row(name: str, tried: int, survived: int) -> None:
    """Print a row of the table as soon as it is known."""
    print(f"| {name} | {tried} | {survived} | {tried - survived} |", flush=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=5, help="faults of each kind (default: 5)")
    parser.add_argument("--seed", type=int, default=0, help="of all that is random (default: 0)")
    parser.add_argument("--only", default="", help="kinds with this in their name")
    chosen = parser.parse_args()
    processes.preload()
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "whole.zarr"
        trial.record(whole)
        trial.analyze(whole)
        print("| fault | tried | survived | lost |")
        print("| --- | --- | --- | --- |")
        for name, kind in KINDS.items():
            if chosen.only in name:
                found = count_survived(kind, whole, chosen.times, seed=chosen.seed, name=name)
                print_row(name, chosen.times, found)
        for name, fault in network.KINDS.items():
            if chosen.only in name:
                with tempfile.TemporaryDirectory() as place:
                    draws = random.Random(f"{chosen.seed} {name}")
                    print_row(name, *network.count_survived(fault, whole, Path(place), draws))


if __name__ == "__main__":
    main()
