"""What commands print: text of any origin, which a terminal shows and does not obey."""

import sys

import click

from ibtools.shown import visible


def tell_line(text: object, *, err: bool = False) -> None:
    """Print one line.

    Parameters
    ----------
    text : object
        Names and paths in it may hold any characters: what a terminal would obey, or its encoding
        lacks, is printed as Python writes it.
    err : bool, optional
        On standard error.
    """
    encoding = (sys.stderr if err else sys.stdout).encoding or "utf-8"
    line = visible(text).encode(encoding, "backslashreplace").decode(encoding)
    click.echo(line, err=err)  # noqa: TID251  # here all of it is made safe


def tell_lines(text: str) -> None:
    """Print the lines of a text, in which names are visible already and so break no line."""
    for line in text.split("\n"):
        tell_line(line)
