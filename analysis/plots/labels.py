"""Axis labels as mathematics, from the attributes of variables."""

import re

import xarray as xr
from matplotlib.axes import Axes
from matplotlib.mathtext import MathTextParser

from ibtools.analysis.plots.names import figure_text
from ibtools.shown import visible

CHARACTER_WIDTH = 0.62
"""Mean width of a character, in font sizes, with some to spare."""

INFORMATION = re.compile(r"\b[HI]\([^()]*\)|\blog[2₂] N\b|\b[A-Z]\b|≥")
"""What of a plain text is mathematics in this field."""

COMMANDS = {"log2 N": r"\log_2 N", "log₂ N": r"\log_2 N", "≥": r"\geq"}


def variable_label(variable: xr.DataArray) -> str:
    r"""Write an axis label from the `long_name` and `units` of a variable.

    Examples
    --------
    >>> print(variable_label(xr.DataArray(0.0, attrs={"long_name": "I(X;T)", "units": "bit"})))
    $I(X;T)$ [bit]
    """
    name = str(variable.attrs.get("long_name", variable.name))
    units = variable.attrs.get("units")
    named = units not in (None, "", "1")
    return mathematical(visible(name)) + (figure_text(f" [{visible(units)}]") if named else "")


def mathematical(text: str) -> str:
    r"""Set information, entropies and single capitals as mathematics, unless a text has some.

    Examples
    --------
    >>> print(mathematical("H(binned T), at most log2 N"))
    $H(\mathrm{binned}\ T)$, at most $\log_2 N$
    """
    if "$" in text:
        return text if _can_be_set(text) else figure_text(text)
    return INFORMATION.sub(lambda found: f"${typeset(found[0])}$", text)


def _can_be_set(text: str) -> bool:
    """Whether what a text has between dollars is mathematics."""
    try:
        MathTextParser("path").parse(text)
    except ValueError:
        return False
    return True


def typeset(symbols: str) -> str:
    r"""Write symbols of this field as mathematics, without the dollars.

    Examples
    --------
    >>> print(typeset("H(binned T_10)"))
    H(\mathrm{binned}\ T_{10})
    """
    if symbols in COMMANDS:
        return COMMANDS[symbols]
    spaced = re.sub(r"_(\w{2,})", r"_{\1}", symbols.replace(" ", r"\ "))
    return re.sub(r"(?<!\\)\b[^\W\d_]{2,}", lambda word: rf"\mathrm{{{word[0]}}}", spaced)


def set_y_label(ax: Axes, label: str) -> None:
    """Label the y axis on as many lines as its height needs, so that labels never meet."""
    text = ax.set_ylabel(label)
    height = ax.get_window_extent().height * 72 / ax.figure.dpi
    characters = int(height / (CHARACTER_WIDTH * float(text.get_fontsize())))
    text.set_text("\n".join(wrap_label(label, characters)))


def wrap_label(label: str, n_characters: int) -> list[str]:
    r"""Break a label between words, but not within mathematics, into lines of some length.

    Examples
    --------
    >>> wrap_label(r"entropy $H(\mathrm{binned}\ T)$ [bit]", 12)
    ['entropy', '$H(\\mathrm{binned}\\ T)$', '[bit]']
    """
    words = re.findall(r"(?:\\\$|\$(?:\\.|[^$])*\$|\S)+", label)
    lines = words[:1]
    for word in words[1:]:
        longer = f"{lines[-1]} {word}"
        if _seen_length(longer) <= n_characters:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _seen_length(label: str) -> int:
    return len(re.sub(r"\\[a-z]+|[\\${}]", "", label))
