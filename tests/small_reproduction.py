"""A program that reproduces small experiments, to be killed: `python -m tests.small_reproduction`.

It prints each step when it begins it.
"""

import sys
from pathlib import Path

from ibtools.recorders.engines import ENGINES
from ibtools.recorders.training.trial import Trial
from ibtools.reproduction import Reproduction, Run, experiments, reproduce, reproducing
from ibtools.reproduction.forecast import Cost, Expected

FAKE = {"engine": "fake", "epochs": 4, "repeats": 2, "schedule": "every:2", "quiet": True}

ONE_REPEAT_AT_A_TIME = 230
"""Bytes: three runs of two thin repeats are expected to take 60, and a repeat 110 more."""


def small_reproductions() -> dict[str, Reproduction]:
    """Return experiments that are all of SYN-Tanh."""
    run = Run("SYN-Tanh", "SYN-Tanh", scattered="output")
    prefit = Run("SYN-Tanh-prefit", "SYN-Tanh", (("prefit", 2), ("repeats", 2)))
    small = (
        Reproduction("quantize", "the main result", (run,)),
        Reproduction("prefit", "after random labels", (prefit,), figures=("panels",)),
    )
    return {one.name: one for one in small}


def expected(*, cube: int = 100, thin: int = 10, repeats: int = 4) -> Expected:
    """Return what a run takes that needs no trial."""
    trial = Trial(5.0, 1.0, 1.0, snapshots=2, stored_bytes=2 * cube)
    return Expected(trial, 10, repeats, 1, 1, Cost(0.5, 2.0), Cost(0.5, 1.0), cube, thin)


def main(folder: Path) -> None:
    """Reproduce all of them, a repeat at a time, with an engine that needs no TensorFlow."""
    experiments.REPRODUCTIONS = small_reproductions()
    ENGINES.builtin["fake"] = "tests.recorders.fake_engine:FakeEngine"
    reproducing.forecast = lambda wanted, **how: {run: expected(repeats=2) for run in wanted}  # type: ignore[assignment]
    reproduce("all", folder, disk=ONE_REPEAT_AT_A_TIME, tell=_tell, **FAKE)


def _tell(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
