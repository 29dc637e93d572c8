"""An overview as text, and as HTML for notebooks.

The HTML takes font and colours from the page, so that it is right on light and on dark ground, and
has its styles in the elements, since notebooks that are not trusted drop style sheets.
"""

from html import escape

from ibtools.shown import short_names, shortened, visible
from ibtools.store.overview import Overview
from ibtools.table import format_table

LONGEST_CELL = 60
"""Columns of a cell in text, at most."""

_QUIET = "opacity:.65"
_CELL = (
    "text-align:left;padding:1px 14px 1px 0;background:none;color:inherit;border:none;"
    "overflow-wrap:anywhere"
)
_RULE = "border-bottom:1px solid rgba(128,128,128,.5)"


def format_text(overview: Overview) -> str:
    """Return the lines of a terminal: the title, what is said, and the table."""
    width = max((len(name) for name, _ in overview.rows), default=0)
    said = (f"  {name:<{width}}  {visible(text)}" for name, text in overview.rows)
    lines = [f"<{overview.title}>", *said]
    if overview.table:
        names = short_names((row[0] for row in overview.table), LONGEST_CELL)
        rows = [
            [name, *(shortened(cell, LONGEST_CELL) for cell in cells)]
            for name, (_, *cells) in zip(names, overview.table, strict=True)
        ]
        lines += ["", *format_table(overview.columns, rows, indent="  ")]
    return "\n".join(lines)


def format_html(overview: Overview) -> str:
    """Return one element, self-contained, without scripts; all text is escaped."""
    title = f'<div style="font-weight:600;padding-bottom:3px">{escape(overview.title)}</div>'
    said = "".join(
        f'<tr style="background:none">{_cell(name, _QUIET)}{_cell(text)}</tr>'
        for name, text in overview.rows
    )
    return (
        '<div style="font-size:13px;line-height:1.4;max-width:60em;color:inherit">'
        f"{title}{_table(said)}{_html_table(overview)}</div>"
    )


def _html_table(overview: Overview) -> str:
    if not overview.table:
        return ""
    head = "".join(_cell(name, f"{_QUIET};{_RULE}") for name in overview.columns)
    rows = [
        "".join(_cell(text, "font-variant-numeric:tabular-nums") for text in row)
        for row in overview.table
    ]
    body = "".join(f'<tr style="background:none">{cells}</tr>' for cells in [head, *rows])
    return _table(body, "margin-top:6px")


def _table(rows: str, style: str = "") -> str:
    look = f"border-collapse:collapse;border:none;margin:0;font:inherit;color:inherit;{style}"
    return f'<table style="{look}"><tbody>{rows}</tbody></table>'


def _cell(text: str, style: str = "") -> str:
    return f'<td style="{_CELL};{style}">{escape(visible(text))}</td>'
