"""What a recording will cost, before it is begun."""

import time
from dataclasses import dataclass, replace

from ibtools.info import row_bytes
from ibtools.recorders.engine import EpochReport
from ibtools.recorders.recording import Recording
from ibtools.recorders.repeat import load_engine

_TRIAL_EPOCHS = 3


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
    trial = replace(recording.training(settings.first_repeat, 0), epochs=_TRIAL_EPOCHS, prefit=0)
    ends: list[float] = []
    snapshots: list[float] = []

    def on_epoch(report: EpochReport) -> bool:
        ends.append(time.perf_counter())
        if report.epoch < _TRIAL_EPOCHS:
            report.snapshot()
            snapshots.append(time.perf_counter() - ends[-1])
            ends[-1] = time.perf_counter()
        return True

    load_engine(engine).train(trial, on_epoch)
    epochs = settings.epochs + settings.prefit
    seconds = (ends[-1] - ends[-2]) * epochs + snapshots[-1] * len(settings.recorded_epochs)
    return Forecast(
        settings.repeats,
        len(settings.recorded_epochs),
        _snapshot_bytes(recording) * len(settings.recorded_epochs),
        seconds,
    )


def _snapshot_bytes(recording: Recording) -> int:
    spec = recording.store_spec()
    return spec.n_samples * sum(row_bytes(layer, spec.keep) for layer in spec.layers)
