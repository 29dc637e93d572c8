"""Figures as files, whose suffix is their format; the same figure gives the same bytes."""

import io
import logging
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import numpy as np
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.collections import Collection
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter

from ibtools.analysis.plots.names import DOLLAR, escape_latex, rewrite_words
from ibtools.analysis.plots.sheets import Format, figure_format, sheets_applied
from ibtools.errors import InputError
from ibtools.shown import ELLIPSIS
from ibtools.store.storage import local_file

SUFFIX_METADATA: Mapping[str, Mapping[str, None]] = MappingProxyType(
    {".png": {}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}, ".pgf": {}}
)
"""The suffixes of figures, each with the metadata that would differ from run to run."""

ABSENT: Mapping[str, str] = MappingProxyType(
    {
        "_": r"\_",
        "<": "<",
        ">": ">",
        "|": "|",
        "{": r"\{",
        "}": r"\}",
        "\\": r"\backslash",
        "±": r"\pm",
        ELLIPSIS: r"\ldots",
    }
)
"""What Computer Modern's text font has another sign for, or none, and how it is written instead."""

SIGN = re.compile(rf"\\\$|[{re.escape(''.join(ABSENT))}]")
"""A dollar that is a dollar, or what is written instead."""

CROWD = 300
"""Points that PGF holds one by one, at most."""

TEX_SYSTEM = "pdflatex"
TEX_SETTINGS: dict[str, Any] = {"pgf.texsystem": TEX_SYSTEM, "path.simplify_threshold": 0.3}
"""A line may be off by 0.3 points: TeX is slow with the thousands of points of a long training."""

TEX_PACKAGES = ("pgf.sty", "hyperref.sty", "underscore.sty")
"""What PGF needs: matplotlib lets LaTeX measure every text."""


def validate_output(path: str | Path) -> Path:
    """Check that a figure can be saved under a name, before anything is computed for it."""
    path = local_file(path, "a figure", tuple(SUFFIX_METADATA))
    if path.suffix.lower() == ".pgf":
        _validate_latex(path)
    return path


def format_of(output: str | Path | None) -> Format | None:
    """Return the format that a file asks for by itself: PGF is for LaTeX."""
    return "latex" if output is not None and Path(output).suffix.lower() == ".pgf" else None


def save_figure(figure: Figure, path: str | Path) -> None:
    r"""Write a figure as PNG, SVG, PDF or PGF, by suffix; the same figure gives the same bytes.

    Parameters
    ----------
    figure : Figure
    path : str or Path
        Ends in .png, .svg, .pdf or .pgf. A file that is there is replaced. PGF is for ``\input`` in
        a LaTeX document, needs LaTeX, and may put images beside the file.

    Raises
    ------
    UnknownNameError
        If the suffix is another one.
    InputError
        If the suffix is .pgf and there is no LaTeX.
    OSError
        If the file cannot be written.
    """
    path = validate_output(path)
    suffix = path.suffix.lower()
    options: dict[str, Any] = {"metadata": dict(SUFFIX_METADATA[suffix])}
    with sheets_applied(), style.context(TEX_SETTINGS if suffix == ".pgf" else {}):
        if suffix == ".pgf":
            texts = figure.findobj(Text)
            with _light(figure), _rewritten(figure, texts, escape_latex):
                figure.savefig(path, format="pgf")
        else:
            with _legible(figure), _quiet_fonts():
                figure.savefig(path, format=suffix[1:], **options)


def figure_png(drawn: Axes | Figure) -> bytes:
    """Return a figure, or that of some axes, as a PNG; the same figure gives the same bytes."""
    file = io.BytesIO()
    figure = cast(Figure, drawn.figure)
    with sheets_applied(), _legible(figure):
        figure.savefig(file, format="png")
    return file.getvalue()


class NotebookFigure(Figure):
    """A figure that a notebook shows, whatever pyplot's backend is."""

    def _repr_png_(self) -> bytes:
        return figure_png(self)


def make_figure(
    draw: Callable[[], Sequence[Any] | Axes],
    *,
    output: str | Path | None,
    format: Format | None = None,
    width: float | None = None,
    height: float | None = None,
    title: str | None = None,
    facets: bool = False,
) -> Figure:
    """Draw a figure for a document, and write it if a file is given, whose format it then has."""
    with figure_format(format or format_of(output), width=width, height=height):
        drawn = draw()
        while not isinstance(drawn, Axes):
            drawn = drawn[0]
        figure = cast(Figure, drawn.figure)  # its own, so not a part of another
        if title is not None:
            _set_own_title(figure, drawn, title, facets=facets)
        if output is not None:
            save_figure(figure, output)
    return figure


def _set_own_title(figure: Figure, ax: Axes, title: str, *, facets: bool) -> None:
    """Put the user's title in the place of that of a figure; above facets, which keep theirs."""
    if facets or figure.get_suptitle():
        with sheets_applied():
            figure.suptitle(title, fontsize=ax.title.get_fontsize())
    else:
        ax.title.set_text(title)


@contextmanager
def _light(figure: Figure) -> Iterator[None]:
    """Hold crowds of points as images, while a figure is saved: TeX runs out of memory on them."""
    crowds = [one for one in figure.findobj(Collection) if _n_points(one) > CROWD]
    before = [one.get_rasterized() for one in crowds]
    for one in crowds:
        one.set_rasterized(True)
    try:
        yield
    finally:
        for one, rasterized in zip(crowds, before, strict=True):
            one.set_rasterized(rasterized)


def _n_points(collection: Collection) -> int:
    n_offsets = int(np.shape(collection.get_offsets())[0])
    return n_offsets + sum(len(path) for path in collection.get_paths())


@contextmanager
def _legible(figure: Figure) -> Iterator[None]:
    """Write as mathematics, while a figure is saved, what Computer Modern has other signs for.

    Of other characters beyond ASCII it has some in the places of others (a ligature in that of the
    degree sign), and beside mathematics matplotlib takes none from a second font. So a text that
    has any is set in the second font as a whole.
    """
    for axis in _named_axes(figure):
        axis.get_ticklabels()  # sets them, for they may never have been drawn
    texts = [text for text in figure.findobj(Text) if text.get_fontfamily()[0] == "cmr10"]
    if not texts:
        yield
        return
    foreign = [text for text in texts if _is_foreign(text.get_text()) and text.get_fontfamily()[1:]]
    families = [text.get_fontfamily() for text in foreign]
    for text, family in zip(foreign, families, strict=True):
        text.set_fontfamily(family[1:])
    try:
        plain = [text for text in texts if text not in foreign]
        with _rewritten(figure, plain, escape_computer_modern):
            yield
    finally:
        for text, family in zip(foreign, families, strict=True):
            text.set_fontfamily(family)


def _is_foreign(text: str) -> bool:
    """Whether words, but not mathematics, have characters that Computer Modern can't be given."""
    parts = DOLLAR.split(text)
    words = "".join(parts[::2]) if len(parts) % 2 else text
    return not all(character.isascii() or character in ABSENT for character in words)


@contextmanager
def _rewritten(
    figure: Figure, texts: Sequence[Text], rewrite: Callable[[str], str]
) -> Iterator[None]:
    """Write words, but not mathematics, in another way while they are saved: texts and ticks."""
    before = [text.get_text() for text in texts]
    functions = [(one, one.func) for one in set(_named_axes(figure).values())]
    for text, plain in zip(texts, before, strict=True):
        text.set_text(rewrite_words(plain, rewrite))
    for one, name in functions:
        one.func = partial(_rewritten_name, name, rewrite)
    try:
        yield
    finally:
        for text, plain in zip(texts, before, strict=True):
            text.set_text(plain)
        for one, name in functions:
            one.func = name


def _named_axes(figure: Figure) -> dict[Axis, FuncFormatter]:
    """Return the axes whose ticks have names, with what sets these whenever they are drawn."""
    every = [(one, one.get_major_formatter()) for ax in figure.axes for one in (ax.xaxis, ax.yaxis)]
    return {axis: one for axis, one in every if isinstance(one, FuncFormatter)}


def _rewritten_name(
    name: Callable[..., str], rewrite: Callable[[str], str], value: float, position: int | None
) -> str:
    return rewrite_words(name(value, position), rewrite)


def escape_computer_modern(words: str) -> str:
    r"""Write as mathematics the characters that the font has other signs for, or none.

    Examples
    --------
    >>> print(escape_computer_modern("hidden_1"))
    hidden$\_$1
    """
    signs = words.replace("$", r"\$").replace(r"\\$", r"\$")
    return SIGN.sub(_as_mathematics, signs)


def _as_mathematics(sign: re.Match[str]) -> str:
    return sign[0] if sign[0] == r"\$" else f"${ABSENT[sign[0]]}$"


@contextmanager
def _quiet_fonts() -> Iterator[None]:
    """Keep fontTools from telling that Computer Modern's file has an impossible date."""
    logger = logging.getLogger("fontTools")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _validate_latex(path: Path) -> None:
    """Look for what matplotlib would need, which fails late and says little."""
    found = shutil.which(TEX_SYSTEM) is not None and shutil.which("kpsewhich") is not None
    missing = [name for name in TEX_PACKAGES if not _is_installed(name)] if found else [TEX_SYSTEM]
    if missing:
        raise InputError(
            "PGF needs a LaTeX installation, since LaTeX measures the text; missing: "
            f"{', '.join(missing)}; install TeX Live with the package pgf, or write "
            f"{path.with_suffix('.pdf').name!r} with format latex, which needs none"
        )


def _is_installed(package: str) -> bool:
    done = subprocess.run(["kpsewhich", package], capture_output=True, check=False)
    return done.returncode == 0
