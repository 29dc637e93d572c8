"""Names, paths and messages as they are shown: visible, as text, and no longer than there is room.

Whatever a store or a path holds is text: layers may be called "$x$", "=1+1", or hold characters
that a terminal obeys. What this module returns is on one line and can be seen as a whole; what else
is special to a medium, the medium escapes: `ibtools.analysis.plots.names` for figures,
`ibtools.analysis.report.plotly_text` for Plotly, `ibtools.export` for tables.
"""

import json
import shlex
import unicodedata
from collections import Counter
from collections.abc import Iterable

ELLIPSIS = "…"

LONGEST_NAME = 40
"""Columns of a name in figures and tables: longer ones are whole in `ibtools info` and in CSV."""


def visible(text: object) -> str:
    r"""Write what cannot be seen as Python does: controls, marks of direction, unusual spaces.

    Parameters
    ----------
    text : object
        Of any characters; what is no str is made one.

    Returns
    -------
    str
        On one line. Nothing in it is obeyed by a terminal.

    Examples
    --------
    >>> print(visible("layer\n\x1b[31m1"))
    layer\n\x1b[31m1
    """
    return "".join(one if one.isprintable() else _escape(one) for one in str(text))


def shortened(name: object, longest: int = LONGEST_NAME) -> str:
    r"""Write a name as it is shown where there is little room.

    Parameters
    ----------
    name : object
        Of any characters; what is no str is made one.
    longest : int, optional
        Columns that it may take. What is longer loses its middle.

    Returns
    -------
    str
        `visible`, spaces at the ends too.

    Examples
    --------
    >>> shortened("hidden_1")
    'hidden_1'
    >>> shortened("block_1_convolution_of_the_left_branch", 20)
    'block_1_co…ft_branch'
    """
    text = visible(name)
    inner = text.strip(" ")
    before = len(text) - len(text.lstrip(" ")) if inner else len(text)
    after = len(text) - before - len(inner)
    text = _escape(" ") * before + inner + _escape(" ") * after
    if display_width(text) <= longest:
        return text
    head = _first_columns(text, longest // 2)
    tail = _first_columns(text[::-1], (longest - 1) // 2)[::-1]
    while tail and not _columns(tail[0]):
        tail = tail[1:]  # a mark that would be put on the ellipsis
    return f"{head}{ELLIPSIS}{tail}"


def short_names(names: Iterable[object], longest: int = LONGEST_NAME) -> list[str]:
    """Shorten names such that they stay different.

    Parameters
    ----------
    names : iterable
        Different ones, in an order that has a meaning.
    longest : int, optional
        As of `shortened`.

    Returns
    -------
    list of str
        In the order given. Those that differ only where they are cut end in their number.

    Examples
    --------
    >>> short_names(["output", "layer_1_of_many", "layer_2_of_many"], 11)
    ['output', 'laye…any #2', 'laye…any #3']
    """
    every = list(names)
    short = [shortened(name, longest) for name in every]
    times = Counter(short)
    for position, name in enumerate(every):
        if times[short[position]] > 1:
            number = f" #{position + 1}"
            short[position] = shortened(name, longest - len(number)) + number
    return short


def display_width(text: str) -> int:
    """Return how many columns of a terminal a text takes.

    Examples
    --------
    >>> [display_width(one) for one in ("layer", "é", "e\u0301", "層")]
    [5, 1, 1, 2]
    """
    return sum(_columns(one) for one in text)


def padded(text: str, width: int) -> str:
    """Fill a text with spaces up to a number of columns."""
    return text + " " * (width - display_width(text))


def counted(n: int, what: str) -> str:
    """Say how many there are of what is named in the singular.

    Examples
    --------
    >>> counted(1, "snapshot"), counted(0, "more snapshot")
    ('1 snapshot', '0 more snapshots')
    >>> counted(2, "class")
    '2 classes'
    """
    return f"{n} {what}" if n == 1 else f"{n} {what}{'es' if what.endswith('s') else 's'}"


def shell_command(*words: object) -> str:
    r"""Write a command of ibtools such that a shell takes every word as it is.

    Parameters
    ----------
    *words
        The command and its arguments, without ``ibtools``.

    Examples
    --------
    >>> print(shell_command("analyze", "my store.zarr"))
    ibtools analyze 'my store.zarr'
    """
    return " ".join(["ibtools", *(_quote(str(word)) for word in words)])


def analyze_command(store: object, *estimators: str, output: object = None) -> str:
    """Write the command that analyses a store, by the default estimator or by those named.

    Examples
    --------
    >>> print(analyze_command("syn.zarr", "exact", "kde-0.001"))
    ibtools analyze syn.zarr --estimator exact --estimator kde-0.001
    """
    options = [] if output is None else ["--output", output]
    options += [word for name in estimators for word in ("--estimator", name)]
    return shell_command("analyze", store, *options)


def python_string(text: object) -> str:
    r"""Write a text as a string of Python, on one line.

    Examples
    --------
    >>> print(python_string('a "quoted" path'))
    "a \"quoted\" path"
    """
    return visible(json.dumps(str(text), ensure_ascii=False))


def _escape(character: str) -> str:
    if character == " ":
        return r"\x20"
    return character.encode("unicode_escape").decode("ascii")


def _quote(word: str) -> str:
    """Quote a word as all shells do; as bash and zsh do, where it has what can't be seen."""
    if word.isprintable():
        return shlex.quote(word)
    plain = word.replace("\\", r"\\").replace("'", r"\'")
    # surrogates are the bytes of a path that are no text
    coded = (
        one if one.isprintable() else "".join(f"\\x{byte:02x}" for byte in _bytes(one))
        for one in plain
    )
    return f"$'{''.join(coded)}'"


def _bytes(character: str) -> bytes:
    return character.encode("utf-8", "surrogateescape")


def _columns(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _first_columns(text: str, n: int) -> str:
    """Return as much of the beginning of a text as fits into a number of columns."""
    taken = 0
    for position, character in enumerate(text):
        taken += _columns(character)
        if taken > n:
            return text[:position]
    return text


def duration(seconds: float) -> str:
    """Write a duration in the unit that suits it.

    Examples
    --------
    >>> [duration(one) for one in (7, 400, 30_000)]
    ['7 s', '7 min', '8.3 h']
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def size(n_bytes: float) -> str:
    """Write a size in the unit that suits it.

    Examples
    --------
    >>> [size(one) for one in (2e6, 3.4e10)]
    ['2 MB', '34.0 GB']
    """
    return f"{n_bytes / 1e6:.0f} MB" if n_bytes < 1e9 else f"{n_bytes / 1e9:.1f} GB"
