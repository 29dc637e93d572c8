"""An engine whose process meets with an accident, as a test has planned it."""

import os
import signal
import time
from dataclasses import replace
from pathlib import Path

from ibtools.errors import ClaimLostError
from tests.recorders.fake_engine import FakeEngine

FOLDER = "IBTOOLS_TEST_FOLDER"
"""Environment variable of the workers: where plans are found and told to have been met."""

PAUSE = "IBTOOLS_TEST_PAUSE"
"""Environment variable: seconds that `SlowEngine` takes for an epoch."""


def plan_accident(*, repeat: int, epoch: int, signal_name: str, times: int = 1) -> None:
    """Have the process that comes to this epoch of this repeat send itself a signal."""
    folder = Path(os.environ[FOLDER])
    (folder / "met").write_text("")
    (folder / "plan").write_text(f"{repeat} {epoch} {signal_name} {times}")


def met() -> list[str]:
    """Return what became of the plan: a process id for every accident, "claim lost" after one."""
    return (Path(os.environ[FOLDER]) / "met").read_text().splitlines()


def _tell(line: str) -> None:
    with (Path(os.environ[FOLDER]) / "met").open("a") as file:
        file.write(f"{line}\n")


def _meet(repeat: int, epoch: int) -> None:
    plan = Path(os.environ.get(FOLDER, "/nowhere")) / "plan"
    if not plan.exists():
        return
    *where, signal_name, times = plan.read_text().split()
    if where == [str(repeat), str(epoch)] and len(met()) < int(times):
        _tell(str(os.getpid()))
        os.kill(os.getpid(), getattr(signal, signal_name))


class MortalEngine(FakeEngine):
    """`FakeEngine`, until the planned accident."""

    def train(self, training, on_epoch, *, resume=None):
        def mortal(report):
            _meet(training.seeds.repeat, report.epoch)
            return on_epoch(report)

        try:
            super().train(training, mortal, resume=resume)
        except ClaimLostError:
            _tell("claim lost")
            raise


class BrokenEngine(FakeEngine):
    """Reports codes that lie on no grid."""

    def train(self, training, on_epoch, *, resume=None):
        def broken(report):
            layers = {name: replace(layer, scale=-1.0) for name, layer in report.snapshot().items()}
            return on_epoch(replace(report, snapshot=lambda: layers))

        super().train(training, broken, resume=resume)


class SlowEngine(FakeEngine):
    """`FakeEngine`, with time to kill something in every epoch."""

    def train(self, training, on_epoch, *, resume=None):
        def slow(report):
            time.sleep(float(os.environ.get(PAUSE, "0.3")))
            return on_epoch(report)

        super().train(training, slow, resume=resume)


SLEEPY = """
import sys
from ibtools.store import layout
from ibtools.recorders import engines
layout.MAX_BLOCK_EPOCHS = 2
engines.ENGINES.builtin["sleepy"] = "tests.remote.engines:SlowEngine"
if __name__ == "__main__":
    from ibtools.cli.main import main
    main()
"""
"""A program that is the command line, with `SlowEngine` as engine "sleepy" and small blocks."""
