"""Names and other text of a store in figures: set as it is, in characters that the font has.

Whatever comes from a store becomes a text of a figure through this module; what ibtools says itself
may hold mathematics.
"""

import re
from collections.abc import Callable, Iterable
from functools import cache

from matplotlib import rcParams
from matplotlib.font_manager import FontProperties, findfont, get_font

from ibtools.shown import ELLIPSIS, LONGEST_NAME, short_names, shortened, visible

LONGEST_WORD = 60
"""Characters of a text between two spaces, at most: longer words lose their middle."""

DOLLAR = re.compile(r"(?<!\\)\$")
"""What begins or ends mathematics in matplotlib."""

LATEX_SIGNS = {
    "\\": r"\textbackslash{}",
    "$": r"\textdollar{}",
    "{": r"\{",
    "}": r"\}",
    "#": r"\#",
    "&": r"\&",
    "~": r"\textasciitilde{}",
    ELLIPSIS: r"\ldots{}",
}
"""How LaTeX is told of what it would obey, but for % ^ and _, which matplotlib tells it of."""

LATEX_LETTERS = frozenset(map(chr, (*range(0x20, 0x7F), *range(0xA1, 0x180)))) - set(
    "\xadĦħĸĿŀŉŦŧſ"
)
"""The characters that LaTeX knows in the font encoding T1."""


def figure_text(text: str) -> str:
    r"""Write a text of a store such that a figure, in the style that is set, shows it as it is.

    Nothing in it is mathematics, characters that the font has not are written as Python does, and
    words are at most 60 characters long. Lines stay lines.

    Examples
    --------
    >>> print(figure_text("$x$ of 5 %"))
    \$x\$ of 5 %
    """
    lines = [_in_font(visible(line)) for line in text.split("\n")]
    short = re.sub(rf"\S{{{LONGEST_WORD + 1},}}", _shorten_word, "\n".join(lines))
    return _as_words(short)


def figure_names(names: Iterable[object], longest: int = LONGEST_NAME) -> list[str]:
    r"""Write names as `figure_text` does, no longer than there is room, and such that they differ.

    Examples
    --------
    >>> print(*figure_names(["hidden_1", "$output$"]))
    hidden_1 \$output\$
    """
    drawn = [_in_font(visible(name)) for name in names]
    return [_as_words(name) for name in short_names(drawn, longest)]


def rewrite_words(text: str, rewrite: Callable[[str], str]) -> str:
    r"""Rewrite what of a text of a figure is no mathematics.

    Examples
    --------
    >>> rewrite_words("a of $a$", str.upper)
    'A OF $a$'
    """
    parts = DOLLAR.split(text)
    if len(parts) % 2 == 0:  # a single dollar is a dollar
        return rewrite(text)
    parts[::2] = [rewrite(part) for part in parts[::2]]
    return "".join(f"${part}$" if position % 2 else part for position, part in enumerate(parts))


def escape_latex(words: str) -> str:
    r"""Write words of a text of matplotlib such that LaTeX sets them as they are.

    The document has the font encoding T1 and the package underscore. Characters that LaTeX does not
    know there are written as Python does.

    Examples
    --------
    >>> print(escape_latex(r"R&D of \$5 {a_b}"))
    R\&D of \textdollar{}5 \{a_b\}
    """
    plain = words.replace(r"\$", "$")
    coded = "".join(one if _is_known_to_latex(one) else _code(one) for one in plain)
    escaped = "".join(LATEX_SIGNS.get(one, one) for one in coded)
    # two signs that LaTeX would make one of
    return re.sub(r"([-`'<>,])(?=\1)|([?!])(?=`)", r"\g<0>{}", escaped)


def _as_words(text: str) -> str:
    return escape_latex(text) if rcParams["text.usetex"] else text.replace("$", r"\$")


def _shorten_word(found: re.Match[str]) -> str:
    return shortened(found[0], LONGEST_WORD)


def _is_known_to_latex(character: str) -> bool:
    return character in LATEX_LETTERS or character in LATEX_SIGNS or character == "\n"


def _in_font(text: str) -> str:
    """Write as Python does what no font that is set has."""
    if text.isascii():
        return text
    families = FontProperties().get_family()
    paths = tuple(str(findfont(FontProperties(family=[family]))) for family in families)
    there = _characters(paths)
    return "".join(one if ord(one) in there else _code(one) for one in text)


def _code(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


@cache
def _characters(paths: tuple[str, ...]) -> frozenset[int]:
    return frozenset(code for path in paths for code in get_font(path).get_charmap())
