"""What a worker process does first: it leaves Ctrl-C to its parent, and ends with it.

Python ends worker processes when the process that started them ends by itself. Where that is
killed, nobody does.
"""

import multiprocessing
import os
import signal
import threading
from multiprocessing.connection import wait

_LOOK_SECONDS = 1.0


def follow_parent() -> None:
    """Do nothing on Ctrl-C from now on, and end when the parent is gone.

    Ctrl-C reaches every process of a terminal; it is for the one that started the workers. The
    end is that of a process that is killed, whatever is computed or written: what is marked
    complete is on disk.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, name="ibtools-parent", daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    first = os.getppid()
    # the pipe of the sentinel stays open where another process has inherited it
    while not wait([parent.sentinel], timeout=_LOOK_SECONDS):
        if os.getppid() != first:
            break
    os._exit(1)
