"""How much memory an analysis may use, and who may use it when."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from dask.utils import format_bytes, parse_bytes

from ibtools.errors import InputError

DEFAULT_MEMORY = "1GiB"
"""What a process may use at its peak: enough for all experiments of the paper."""

LIBRARIES = 2**28
"""What Python, numpy, xarray, zarr, dask and numba take of it before any data are read."""


def parse_memory(memory: str | int) -> int:
    """Read an amount of memory.

    Parameters
    ----------
    memory : str or int
        Bytes, or a number with a unit, such as "512MiB" or "2GB".

    Returns
    -------
    int
        Bytes.

    Raises
    ------
    InputError
        If it is none, or less than the libraries take.

    Examples
    --------
    >>> parse_memory("512MiB")
    536870912
    """
    try:
        found = parse_bytes(memory)
    except ValueError as err:
        raise InputError(
            f"memory must be a number with a unit, such as 512MiB or 2GB, found {memory!r}"
        ) from err
    if found <= LIBRARIES:
        raise InputError(
            f"memory must be more than {format_bytes(LIBRARIES)}, which Python and the libraries "
            f"take, found {format_bytes(found)}; give at least 512MiB"
        )
    return int(found)


class _Gate:
    """Counts what the tasks of this process have reserved."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.changed = threading.Condition()
        self.reserved = 0


_GATE = _Gate()

if hasattr(os, "register_at_fork"):  # what other threads reserve, a forked process never frees
    os.register_at_fork(after_in_child=_GATE.reset)


@contextmanager
def reserve(need: int, *, budget: int) -> Iterator[None]:
    """Wait until this process has memory to spare, and hold it.

    Parameters
    ----------
    need : int
        Bytes that the task will use.
    budget : int
        Bytes that all tasks of the process may use at once. A task that needs more runs alone.
    """
    with _GATE.changed:
        _GATE.changed.wait_for(lambda: not _GATE.reserved or _GATE.reserved + need <= budget)
        _GATE.reserved += need
    try:
        yield
    finally:
        with _GATE.changed:
            _GATE.reserved -= need
            _GATE.changed.notify_all()
