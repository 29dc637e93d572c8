"""One change of a store's results at a time, where the file system can see to it.

Results are changed by reading, changing and writing whole chunks, which takes milliseconds. For
that long a process locks the folder of the store itself, so that no file is left behind; the
operating system takes the lock back from a process that dies, however it dies.

Windows, object storage and some network file systems know no such lock. There, every process goes
ahead, and checksums tell what another has overwritten: see `ibtools.analysis.passes.kept_results`.
"""

import os
import random
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager

from ibtools.errors import StoreError
from ibtools.store.storage import StorePath, is_local, place_of

if sys.platform != "win32":
    import fcntl

PATIENCE = 300.0
"""Seconds to wait for others: each of them needs milliseconds."""

_PAUSE = 0.005
"""Seconds from one attempt to the next, about; sleeping in between lets Ctrl-C through."""


class _Place:
    """What the threads of this process share of one folder or URL."""

    def __init__(self) -> None:
        self.threads = threading.RLock()
        self.depth = 0
        self.descriptor: int | None = None


_places: "weakref.WeakValueDictionary[str, _Place]" = weakref.WeakValueDictionary()
_guard = threading.Lock()


@contextmanager
def changing(path: StorePath) -> Iterator[None]:
    """Keep all others from changing the results at a place meanwhile.

    Within one thread it may be nested. Threads of one process exclude each other everywhere;
    processes do on file systems that lock folders.

    Parameters
    ----------
    path : path or URL
        The store, or where else results are kept. A folder that is not there is not locked.

    Raises
    ------
    StoreError
        If another has kept the place locked for `PATIENCE` seconds.
    """
    place = _shared(path)
    if not place.threads.acquire(timeout=PATIENCE):
        raise _kept_locked(path)
    try:
        if not place.depth:
            place.descriptor = _lock_folder(path)
        place.depth += 1
        try:
            yield
        finally:
            place.depth -= 1
            if not place.depth and place.descriptor is not None:
                _unlock(place.descriptor)
                place.descriptor = None
    finally:
        place.threads.release()


def _shared(path: StorePath) -> _Place:
    name = os.path.realpath(place_of(path)) if is_local(path) else os.fspath(path).rstrip("/")
    with _guard:
        return _places.setdefault(name, _Place())


def _lock_folder(path: StorePath) -> int | None:
    """Lock a folder and return its descriptor; None where that can't be done."""
    if sys.platform == "win32":
        return None
    if not is_local(path):
        return None
    until = time.monotonic() + PATIENCE
    while True:
        try:
            descriptor = os.open(place_of(path), os.O_RDONLY)
        except OSError:  # nothing is there, or it can't be read: who writes to it will say so
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(descriptor, path):
                return descriptor
            _unlock(descriptor)
        except BlockingIOError:
            os.close(descriptor)
        except OSError:  # a file system without locks
            os.close(descriptor)
            return None
        if time.monotonic() > until:
            raise _kept_locked(path)
        time.sleep(_PAUSE * random.uniform(0.5, 1.5))


def _is_at(descriptor: int, path: StorePath) -> bool:
    """Whether the locked folder is still the one at `path`: it may have been replaced."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(place_of(path)))
    except FileNotFoundError:
        return False


def _unlock(descriptor: int) -> None:
    """Unlock and close: a process that was forked meanwhile may have the descriptor too."""
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    os.close(descriptor)


def _kept_locked(path: StorePath) -> StoreError:
    return StoreError(
        f"{path}: another process has kept the results locked for {PATIENCE:.0f} s, which takes "
        "milliseconds where nothing is wrong; look for one that is stopped or waits for its disk, "
        "let it go on or end it, and run this again: nothing is lost"
    )


def _forget_places() -> None:
    """Leave to the parent process what it has locked."""
    global _guard
    _guard = threading.Lock()
    for place in list(_places.values()):
        if place.descriptor is not None:
            os.close(place.descriptor)
    _places.clear()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_forget_places)
