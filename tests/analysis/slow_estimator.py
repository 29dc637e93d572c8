"""An estimator that takes its time, for tests that interrupt an analysis."""

import time
from dataclasses import dataclass

from ibtools.analysis.estimators import Exact, LayerBlock, Statistics


@dataclass(frozen=True)
class SlowExact(Exact):
    """`exact`, a tenth of a second for each block."""

    def statistics(self, block: LayerBlock) -> Statistics:
        time.sleep(0.1)
        return super().statistics(block)
