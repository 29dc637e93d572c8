"""Ctrl-C reaches every process of a terminal; workers leave it to the one that started them."""

import signal


def ignore_interrupt() -> None:
    """Do nothing on Ctrl-C from now on: what a worker process calls first."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
