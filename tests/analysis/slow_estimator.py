"""Estimators that take their time, or kill who computes them, to interrupt an analysis."""

import os
import signal
import time
from dataclasses import dataclass

from ibtools.analysis.estimators import Exact, LayerBlock, Statistics

SECONDS = "IBTOOLS_TEST_SECONDS"
"""Environment variable: how long each layer of a block takes, a tenth of a second by default."""


@dataclass(frozen=True)
class SlowExact(Exact):
    """`exact`, which sleeps for each layer of a block."""

    def compute(self, block: LayerBlock) -> Statistics:
        time.sleep(float(os.environ.get(SECONDS, "0.1")))
        return super().compute(block)


@dataclass(frozen=True)
class DeadlyExact(Exact):
    """`exact`, of which every process dies that computes it, as of too little memory."""

    def compute(self, block: LayerBlock) -> Statistics:
        os.kill(os.getpid(), signal.SIGKILL)
        return super().compute(block)
