"""Forecasts of the size and time of a recording."""

import time
from dataclasses import dataclass, field, replace

from ibtools.recorders.engines import load_engine
from ibtools.recorders.engines.protocol import EpochReport
from ibtools.recorders.training.recording import Recording
from ibtools.store.info import format_layers, format_left_out
from ibtools.store.quantised_inputs import QuantisedInputs
from ibtools.store.snapshots import LayerSpec

_TRIED_EPOCHS = 10


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
    quantised_inputs : QuantisedInputs or None
        What the input quantiser leaves of the inputs; None for a float network, which has none.
    layers : tuple of LayerSpec, optional
        What is recorded of the network.
    left_out : dict of str to str, optional
        The layers that are not recorded, and why.
    """

    repeats: int
    snapshots: int
    bytes_per_repeat: int
    seconds_per_repeat: float
    quantised_inputs: QuantisedInputs | None = None
    layers: tuple[LayerSpec, ...] = ()
    left_out: dict[str, str] = field(default_factory=dict)

    def format(self) -> str:
        """Return the lines that ``record --dry-run`` prints."""
        total, seconds = self.bytes_per_repeat * self.repeats, self.seconds_per_repeat
        quantised = "" if self.quantised_inputs is None else str(self.quantised_inputs)
        lines = {
            "layers": format_layers(self.layers),
            "left out": format_left_out(self.left_out),
            "quantised": quantised,
        }
        return "\n".join(
            [
                *(f"{name:<11} {text}" for name, text in lines.items() if text),
                f"repeats     {self.repeats}",
                f"snapshots   {self.snapshots} per repeat, {self.snapshots * self.repeats} in all",
                f"size        {self.bytes_per_repeat / 1e6:.1f} MB per repeat, "
                f"{total / 1e6:.1f} MB in all, before compression",
                f"time        about {_duration(seconds)} per repeat, "
                f"{_duration(seconds * self.repeats)} in all with --jobs 1",
            ]
        )


def forecast(recording: Recording, *, engine: str) -> Forecast:
    """Measure a few epochs and one snapshot, and extrapolate, start-up left out; write nothing."""
    settings = recording.settings
    trial = replace(
        recording.training(settings.first_repeat, 0),
        epochs=2 + _TRIED_EPOCHS,
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
    _, compiled, second, *_, last = ends  # the first epoch compiles
    epoch = (last - second) / _TRIED_EPOCHS  # some together: an engine may train ahead
    snapshot = max(0.0, second - compiled - epoch)
    epochs, snapshots = settings.epochs + settings.prefit, len(settings.recorded_epochs)
    return Forecast(
        settings.repeats,
        snapshots,
        _snapshot_bytes(recording) * snapshots,
        float(epoch * epochs + snapshot * snapshots),
        recording.quantised_inputs,
        recording.store_spec().layers,
        dict(recording.network.left_out),
    )


def _duration(seconds: float) -> str:
    """Write a duration in the unit that suits it."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def _snapshot_bytes(recording: Recording) -> int:
    spec = recording.store_spec()
    return spec.n_samples * sum(layer.row_bytes(spec.keep) for layer in spec.layers)
