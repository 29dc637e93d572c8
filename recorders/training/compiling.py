"""What is said before machine code is compiled."""

from ibtools.kernel import is_compiled
from ibtools.progress import write_line
from ibtools.recorders.engines import plain_layers
from ibtools.recorders.engines.native.arrays import DenseLayers, Layers
from ibtools.recorders.engines.native.training import train
from ibtools.recorders.networks import Dense
from ibtools.recorders.training.recording import Recording


def warn_of_compiling(recording: Recording) -> None:
    """Say on standard error why the first recording or trial of all does not begin at once."""
    if recording.engine != "native":
        return
    is_dense = all(isinstance(layer, Dense) for layer in plain_layers(recording.network))
    if not is_compiled(train, first=DenseLayers if is_dense else Layers):
        write_line(
            f"machine code is compiled first, for about {'half a' if is_dense else 'a'} minute; "
            "later recordings have it"
        )
