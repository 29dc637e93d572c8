"""What recorders that nobody has closed do when the interpreter ends."""

import atexit
import concurrent.futures.thread  # noqa: F401  its pools, which zarr writes with, end after us
import threading
from collections.abc import Callable

_UNCLOSED: dict[int, Callable[[], None]] = {}


def remember(recorder: object, leave: Callable[[], None]) -> None:
    """Have `leave` called when the interpreter ends, and the recorder stay until then."""
    _UNCLOSED[id(recorder)] = leave


def forget(recorder: object) -> None:
    """Call nothing for a recorder that is closed."""
    _UNCLOSED.pop(id(recorder), None)


def _leave_all() -> None:
    for leave in list(_UNCLOSED.values()):
        leave()


# before threads can't be started any more, which is when plain atexit functions are called
getattr(threading, "_register_atexit", atexit.register)(_leave_all)
