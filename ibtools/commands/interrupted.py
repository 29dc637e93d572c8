"""What Ctrl-C leaves: the command that goes on."""

import shlex
import sys
from typing import NoReturn

import click

_INTERRUPTED = 130
"""Exit code of a process that Ctrl-C ended, by convention."""


def exit_interrupted(begun: bool, *further: str) -> NoReturn:
    """Say how to go on after Ctrl-C, and exit."""
    given = [argument for argument in sys.argv[1:] if argument not in ("--overwrite", *further)]
    if not begun:
        click.echo("\nInterrupted before anything was written.", err=True)
    else:
        command = shlex.join(["ibtools", *given, *further])
        click.echo(f"\nInterrupted. What is complete is on disk; go on with: {command}", err=True)
    sys.exit(_INTERRUPTED)
