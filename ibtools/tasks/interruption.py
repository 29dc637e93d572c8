"""The end that Ctrl-C brings: a line that says what is on disk, and the command that goes on."""

import sys
from typing import NoReturn

from ibtools.cli.printing import tell_line
from ibtools.shown import counted, shell_command
from ibtools.store.info import StoreResults, count_results, count_snapshots
from ibtools.store.storage import StorePath

_INTERRUPTED = 130
"""Exit code of a process that Ctrl-C ended, by convention."""


def exit_interrupted(on_disk: str | None, *further: str) -> NoReturn:
    """Say on one line what is on disk and how to go on after Ctrl-C, and exit with 130."""
    if on_disk is None:
        command = shell_command(*sys.argv[1:])
        said = f"Interrupted; nothing was written. Begin again with: {command}"
    else:
        given = [argument for argument in sys.argv[1:] if argument not in ("--overwrite", *further)]
        command = shell_command(*given, *further)
        said = f"Interrupted; {on_disk}. Go on with: {command}"
    tell_line("", err=True)
    tell_line(said, err=True)
    sys.exit(_INTERRUPTED)


def recorded(store: StorePath) -> str | None:
    """Say what a recording left in `store`; None if there is none."""
    found = count_snapshots(store)
    return (
        None if found is None else f"{found[0]} of {counted(found[1], 'snapshot')} are in {store}"
    )


def computed(store: StorePath, kind: StoreResults) -> str | None:
    """Say which results of a kind are in `store`; None if there are none."""
    counts = [
        f"{name} ({counted(n, 'snapshot')})" for name, n in count_results(store, kind).items() if n
    ]
    return f"in {store} are {', '.join(counts)}" if counts else None
