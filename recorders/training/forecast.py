"""Forecasts of the size and time of a recording."""

from dataclasses import dataclass, field

from ibtools.progress import progress_bar
from ibtools.recorders.training.recording import Recording
from ibtools.recorders.training.trial import trial_store, tried_epochs, try_recording
from ibtools.shown import duration
from ibtools.store.info import format_layers, format_left_out
from ibtools.store.quantised_inputs import QuantisedInputs
from ibtools.store.snapshots import LayerSpec


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
        Measured on the first epochs of one repeat on this machine, writing included.
    seconds : float
        Of all repeats with `jobs` processes, start-up included.
    stored_bytes : int
        What all repeats take on disk, if all compresses as the first snapshots do: later ones
        change less, and mostly take less.
    jobs : int
        Processes side by side.
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
    seconds: float
    stored_bytes: int
    jobs: int = 1
    quantised_inputs: QuantisedInputs | None = None
    layers: tuple[LayerSpec, ...] = ()
    left_out: dict[str, str] = field(default_factory=dict)

    def format(self) -> str:
        """Return the lines that ``record --dry-run`` prints."""
        total = self.bytes_per_repeat * self.repeats
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
                f"{total / 1e6:.1f} MB in all, before compression; about "
                f"{self.stored_bytes / 1e6:.1f} MB on disk",
                f"time        about {duration(self.seconds_per_repeat)} per repeat, "
                f"{duration(self.seconds)} in all with --jobs {self.jobs}, start-up included",
            ]
        )


def forecast(recording: Recording, *, jobs: int = 1, quiet: bool = False) -> Forecast:
    """Record the first epochs of one repeat for some seconds, and extrapolate; keep nothing."""
    settings = recording.settings
    with (
        trial_store() as store,
        progress_bar(tried_epochs(recording), "trial", unit="epoch", quiet=quiet) as progress,
    ):
        trial = try_recording(recording, store, progress)
    epochs, snapshots = settings.epochs + settings.prefit, len(settings.recorded_epochs)
    return Forecast(
        settings.repeats,
        snapshots,
        recording.repeat_bytes(),
        trial.epoch_seconds * epochs,
        trial.seconds(epochs=epochs, repeats=settings.repeats, jobs=jobs),
        round(trial.stored_bytes / trial.snapshots * snapshots * settings.repeats),
        jobs,
        recording.quantised_inputs,
        recording.store_spec().layers,
        dict(recording.network.left_out),
    )
