"""What is said before machine code is compiled."""

from ibtools.kernel import is_compiled
from ibtools.progress import write_line
from ibtools.recorders.engines.native.training import train
from ibtools.recorders.training.recording import Recording


def warn_of_compiling(recording: Recording) -> None:
    """Say on standard error why the first recording or trial of all does not begin at once."""
    if recording.engine == "native" and not is_compiled(train):
        write_line("machine code is compiled first, for about a minute; later recordings have it")
