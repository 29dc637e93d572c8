"""An engine without TensorFlow: its network is one number that each epoch's order changes."""

import numpy as np

from ibtools.recorders.engines.protocol import EpochReport
from ibtools.store.snapshots import History, LayerValues


def _recorded(training):
    return slice(None) if training.recorded is None else training.recorded


class FakeEngine:
    """Trains nothing, but reports, resumes and fails as an engine does."""

    fails_in_attempts: tuple[int, ...] = ()
    n_differences: int = 0

    def train(self, training, on_epoch, *, resume=None):
        first = -training.prefit
        start, value = (
            (first, training.seeds.model) if resume is None else (resume[0], int(resume[1]))
        )
        if resume is None and not on_epoch(self._report(training, first, value)):
            return
        for epoch in range(start + 1, training.epochs + 1):
            order = training.seeds.batch_order(epoch, 100)
            value = (value * 31 + int(order[:10] @ np.arange(10))) % 2**31
            if not on_epoch(self._report(training, epoch, value)):
                return

    def _report(self, training, epoch, value):
        accuracy = 0.1 if training.seeds.attempt in self.fails_in_attempts else 0.9
        trained = epoch + training.prefit
        history = (
            History(1 / (trained + 1), accuracy, 2 / (trained + 1), accuracy) if trained else None
        )

        def snapshot():
            rng = np.random.default_rng(value)
            return {
                spec.name: LayerValues(
                    rng.integers(0, 2**spec.bits, (4096, spec.n_units), "uint8")[
                        _recorded(training)
                    ],
                    scale=1 / (1 + trained),
                    zero_point=trained,
                )
                for spec in training.network.layer_specs(training.activation, training.bits)
            }

        def recompute():
            taken = snapshot()
            taken["hidden_1"].values[0, : self.n_differences] ^= 1
            return taken

        def state():
            return str(value).zfill(12).encode()

        return EpochReport(epoch, history, snapshot, state, recompute)
