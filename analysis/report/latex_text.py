r"""Text and mathematics for LaTeX, of a document that loads no packages for them."""

import re
import unicodedata

from ibtools.analysis.plots.labels import INFORMATION, typeset
from ibtools.shown import ELLIPSIS, visible

SIGNS = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": "$<$",
    ">": "$>$",
    "|": "$|$",
    '"': "''",
    "[": "{[}",
    "*": "{*}",
    ELLIPSIS: r"\ldots{}",
}
r"""How LaTeX is told of what it would obey or set as something else; after the end of a row, ``[``
and ``*`` are arguments of ``\\``."""

LETTERS = frozenset("æœøßåÆŒØÅłŁ")
ACCENTS = frozenset("\u0300\u0301\u0302\u0303\u0304\u0306\u0307\u0308\u030a\u030b\u030c\u0327")
"""What the fonts of LaTeX have beside ASCII, and the accents that they put on its letters."""


PLAIN = re.compile(r"(?:[A-Za-z0-9 ()|;,+/=.≥₂-]|_(?=[A-Za-z0-9-]))*")
DOUBLE = re.compile("_[A-Za-z0-9]*_")
"""Symbols that are mathematics as they are, and indices of indices, which are not."""


def latex_text(text: object) -> str:
    r"""Write a text such that LaTeX sets it as it is, on one line.

    Characters that the fonts of LaTeX do not have are written as Python does.

    Examples
    --------
    >>> print(latex_text("layer_1 of 50 % & λ"))
    layer\_1 of 50 \% \& \textbackslash{}u03bb
    """
    coded = "".join(one if _is_known(one) else _code(one) for one in visible(text))
    # two signs that LaTeX would make one of are kept apart
    apart = {found.start() for found in re.finditer(r"([-`',])(?=\1)|[?!](?=`)", coded)}
    return "".join(SIGNS.get(one, one) + "{}" * (place in apart) for place, one in enumerate(coded))


def latex_label(label: object) -> str:
    r"""Write a label of a variable: information and entropies are mathematics.

    Examples
    --------
    >>> print(latex_label("I(binned T;Y) at 5 %"))
    $I(\mathrm{binned}\ T;Y)$ at 5 \%
    """
    text, done, parts = str(label), 0, []
    for found in INFORMATION.finditer(text):
        parts += [latex_text(text[done : found.start()]), _mathematics(found[0])]
        done = found.end()
    return "".join([*parts, latex_text(text[done:])])


def _mathematics(symbols: str) -> str:
    """Write symbols as mathematics, unless they hold what that would obey."""
    is_plain = PLAIN.fullmatch(symbols) and not DOUBLE.search(symbols)
    return f"${typeset(symbols)}$" if is_plain else latex_text(symbols)


def _is_known(character: str) -> bool:
    if character.isascii() or character in SIGNS or character in LETTERS:
        return True
    base, *accents = list(unicodedata.normalize("NFD", character))
    return base.isascii() and base.isalpha() and set(accents) <= ACCENTS and len(accents) == 1


def _code(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
