"""Options of commands that compute on stores: memory, where tasks run, and of which layers."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from ibtools.cli.completing import layer_names, names
from ibtools.cli.names import split_names

Command = TypeVar("Command", bound=Callable[..., Any])


def layers_option(command: Command) -> Command:
    """Give a command ``--layers``."""
    layers = click.option(
        "--layers",
        callback=lambda _, __, given: None if given is None else split_names(given),
        shell_complete=layer_names,
        help="Layers to analyse, such as hidden_1,output; their results are a group of their own.  "
        "[default: all]",
    )
    return layers(command)


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
