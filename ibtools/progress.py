"""Progress of long work, with the time left."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from tqdm import tqdm

from ibtools.shown import shortened, visible


class Progress(Protocol):
    """What long work tells about itself."""

    def update(self, n: int = 1) -> object:
        """Count `n` more steps as done."""


class _Bar(tqdm):  # type: ignore[misc]  # it has no types
    """A bar whose rate leaves out the first step, which may compile machine code for minutes."""

    has_begun = False

    def update(self, n: float | None = 1) -> bool | None:
        """Count steps as done; the first ones tell nothing about how long the next ones take."""
        if not self.has_begun and not self.disable:
            self.has_begun = True
            self.initial = self.last_print_n = self.n + (n or 0)
            self.last_print_t = self._time()
        shown: bool | None = super().update(n)
        return shown


@contextmanager
def progress_bar(
    total: int, description: str, *, unit: str, done: int = 0, quiet: bool = False
) -> Iterator[Progress]:
    """Show a bar with rate and time left on standard error.

    Bars may be nested: an inner one is below the outer and goes when it is done, so that what stays
    is the last state of the outermost.

    Parameters
    ----------
    total : int
        Steps of the whole work.
    description : str
        Shown before the bar.
    unit : str
        What a step is, such as "epoch".
    done : int, optional
        Steps that an earlier run did; they do not count for the rate.
    quiet : bool, optional
        Show nothing. Nothing is shown either without a terminal or a notebook.

    Yields
    ------
    Progress
        Call ``update`` after each step.
    """
    with _Bar(
        total=total,
        desc=shortened(description),
        unit=unit,
        initial=done,
        leave=None,
        disable=True if quiet else _hide_unless_terminal(),
        dynamic_ncols=True,
    ) as bar:
        yield bar


def write_line(line: str) -> None:
    """Write a line to standard error, above the bars that are shown."""
    tqdm.write(visible(line), file=sys.stderr)


def _hide_unless_terminal() -> bool | None:
    """Return what makes tqdm show a bar in a terminal and in a notebook, and nowhere else."""
    return False if type(sys.stderr).__module__.startswith("ipykernel") else None
