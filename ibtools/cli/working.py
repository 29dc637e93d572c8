"""Options of all commands that compute on stores: memory, and where tasks run."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from ibtools.cli.completing import names

Command = TypeVar("Command", bound=Callable[..., Any])


def working_options(command: Command) -> Command:
    """Give a command ``--memory`` and ``--scheduler``."""
    scheduler = click.option(
        "--scheduler",
        shell_complete=names(("threads", "processes", "synchronous", "tcp://")),
        help="threads, processes or synchronous on this machine, or tcp://HOST:PORT of a dask "
        "cluster.  [default: threads]",
    )
    memory = click.option(
        "--memory",
        default="1GiB",
        show_default=True,
        help="What each process may use at its peak, such as 512MiB.",
    )
    return memory(scheduler(command))
