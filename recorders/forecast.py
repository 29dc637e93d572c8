"""What a recording will cost, before it is begun."""

import time
from dataclasses import dataclass, replace

import numpy as np

from ibtools.info import row_bytes
from ibtools.recorders.engine import EpochReport
from ibtools.recorders.recording import Recording
from ibtools.recorders.repeat import load_engine


@dataclass(frozen=True)
class Forecast:
    """Size and time of a recording.

    Parameters
    ----------
    repeats, snapshots : int
        Repeats, and snapshots of each.
    bytes_per_repeat : int
        What is recorded of one repeat, before compression and without padding.
    seconds_per_repeat : float
        Measured on a few epochs and one snapshot of this machine, writing not included.
    """

    repeats: int
    snapshots: int
    bytes_per_repeat: int
    seconds_per_repeat: float

    def format(self) -> str:
        """Return the lines that ``record --dry-run`` prints."""
        total, hours = self.bytes_per_repeat * self.repeats, self.seconds_per_repeat / 3600
        return "\n".join(
            [
                f"repeats     {self.repeats}",
                f"snapshots   {self.snapshots} per repeat, {self.snapshots * self.repeats} in all",
                f"size        {self.bytes_per_repeat / 1e6:.1f} MB per repeat, "
                f"{total / 1e6:.1f} MB in all, before compression",
                f"time        about {hours:.2f} h per repeat, {hours * self.repeats:.2f} h in all "
                "with --jobs 1",
            ]
        )


def forecast(recording: Recording, *, engine: str) -> Forecast:
    """Measure a few epochs and one snapshot, and extrapolate. Nothing is written.

    Parameters
    ----------
    recording : Recording
        What would be recorded.
    engine : str
        "module:attribute".

    Returns
    -------
    Forecast
        Time without start-up and compilation.
    """
    settings = recording.settings
    trial = replace(
        recording.training(settings.first_repeat, 0),
        epochs=3,
        prefit=0,
        recorded_epochs=frozenset({0, 1, 2}),
    )
    ends: list[float] = []

    def on_epoch(report: EpochReport) -> bool:
        if trial.is_recorded(report.epoch):
            report.snapshot()
        ends.append(time.perf_counter())
        return True

    load_engine(engine).train(trial, on_epoch)
    with_snapshot, epoch = np.diff(ends)[1:]  # the first one compiles
    snapshot = max(0.0, with_snapshot - epoch)
    epochs, snapshots = settings.epochs + settings.prefit, len(settings.recorded_epochs)
    return Forecast(
        settings.repeats,
        snapshots,
        _snapshot_bytes(recording) * snapshots,
        float(epoch * epochs + snapshot * snapshots),
    )


def _snapshot_bytes(recording: Recording) -> int:
    spec = recording.store_spec()
    return spec.n_samples * sum(row_bytes(layer, spec.keep) for layer in spec.layers)
