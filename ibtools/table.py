"""Tables of text in a terminal: in columns, or stacked where the terminal is too narrow."""

import shutil
from collections.abc import Sequence

from ibtools.shown import display_width, padded, visible

NARROW = 60
"""Columns of a terminal below which tables that do not fit are stacked; wider ones wrap them."""

UNLIMITED = 10_000
"""Columns of what is no terminal."""


def terminal_columns() -> int:
    """Return how wide the terminal is, or what the variable COLUMNS says; files are unlimited."""
    return shutil.get_terminal_size((UNLIMITED, 24)).columns


def format_table(
    head: Sequence[str], rows: Sequence[Sequence[str]], *, indent: str = ""
) -> list[str]:
    r"""Write a table as the lines of a terminal.

    Parameters
    ----------
    head : sequence of str
        The titles of the columns.
    rows : sequence of sequence of str
        The cells. What cannot be seen in them is written as `ibtools.shown.visible` does.
    indent : str, optional
        Before every line.

    Returns
    -------
    list of str
        A line for each row; in a narrow terminal, a line for each cell that is not empty.

    Examples
    --------
    >>> print(*format_table(("layer", "units"), [("hidden_1", "10"), ("output", "2")]), sep="\n")
    layer     units
    hidden_1  10
    output    2
    """
    cells = [[visible(cell) for cell in row] for row in (head, *rows)]
    widths = [max(map(display_width, column)) for column in zip(*cells, strict=True)]
    if not fits(len(indent) + sum(widths) + 2 * len(widths) - 2):
        return [indent + line for line in stack(*cells)]
    return [(indent + "  ".join(map(padded, row, widths))).rstrip() for row in cells]


def fits(width: int) -> bool:
    """Whether a table so wide is written in columns."""
    columns = terminal_columns()
    return columns >= min(width, NARROW)


def stack(head: Sequence[str], *rows: Sequence[str]) -> list[str]:
    """Write the first cell of every row on a line, and what follows below it, with its title."""
    lines = []
    for first, *cells in rows:
        lines.append(first)
        titled = zip(head[1:], cells, strict=True)
        lines += [f"  {title} {cell}" for title, cell in titled if cell]
    return lines
