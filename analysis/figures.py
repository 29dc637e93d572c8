"""The figures that can be drawn by name: what each is drawn from, shows, and can be told.

A figure is declared in its own file, as a `FigureKind`. `ibtools.plot`, the command `ibtools plot`
with its help and completion, and the table of the documentation are made of these declarations.
"""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ibtools.registry import Registry

AXES = ("ax", "axes", "zoom_ax")
"""What figures call the axes that a caller brings."""


@dataclass(frozen=True)
class Option:
    """An option of figures on the command line; figures with one of the same name share its type.

    Parameters
    ----------
    name : str
        The keyword argument of the function that draws.
    help : str
        One sentence, and the default in brackets.
    type : {int, float, str, list, bool}, optional
        Of its value; a list is of names, and a bool is given by naming it.
    flag : str, optional
        What it is called on the command line, without dashes, where that is not its name.
    opens : {"store"}, optional
        Of an option that takes a Dataset of `ibtools.open_store`, where the path of a store is
        given for it.
    """

    name: str
    help: str
    type: type = str
    flag: str | None = None
    opens: Literal["store"] | None = None


PLANE_AXES = (
    Option("x", "What is across: mi_xt, or mi_xt_given_y.  [default: mi_xt]"),
    Option("y", "What is upwards: mi_ty, mi_ty_above_null, mi_ty_adjusted.  [default: mi_ty]"),
)

LAYERS = Option("layers", "Layers to draw, such as hidden_1,output.  [default: all]", list)


@dataclass(frozen=True)
class FigureKind:
    """A figure that can be drawn by name.

    Parameters
    ----------
    draw : callable
        Takes a Dataset, and options by keyword. One of them is ``ax``, or ``axes`` where there are
        several: where to draw, a new figure by default. Returns these axes.
    source : {"results", "store", "both"}
        What the Dataset is: of `ibtools.open_results`, or of `ibtools.open_store`; or it takes two,
        one of each.
    shows : str
        What can be seen, in half a line.
    read_against : str, optional
        What the values are read against, in half a line.
    command_options : tuple of Option, optional
        Those that the command line offers, too.
    facets : callable, optional
        Draws several, given as a mapping of titles to Datasets, side by side.
    film : bool, optional
        Whether it moves: `draw` takes ``fps`` and returns a matplotlib ``FuncAnimation``, and files
        are GIF or MP4.
    estimator : str, optional
        Whose results are drawn where none are named.
    dims : tuple of str, optional
        Dimensions of its Dataset beyond repeat, epoch and layer.
    control : tuple of {"beside", "subtract"}, optional
        What it can do with a control: draw Datasets of `ibtools.beside_control`, and of
        `ibtools.above_control`. See `ibtools.analysis.plots.controlled`.
    no_control : str, optional
        Why it can't do more, in a line.

    Examples
    --------
    >>> kind = get_figure("scatter")
    >>> kind.source, kind.options
    ('store', ('layer', 'epoch', 'repeat'))
    """

    draw: Callable[..., Any]
    source: Literal["results", "store", "both"]
    shows: str
    read_against: str = ""
    command_options: tuple[Option, ...] = ()
    facets: Callable[..., Any] | None = None
    film: bool = False
    estimator: str = "exact"
    dims: tuple[str, ...] = ()
    control: tuple[Literal["beside", "subtract"], ...] = ()
    no_control: str = "it was not made for any"

    @property
    def options(self) -> tuple[str, ...]:
        """The names of its options, without the axes that a caller may bring."""
        return option_names(self.draw)


FIGURES: Registry[FigureKind] = Registry(
    "figure",
    "ibtools.figures",
    {
        "information-plane": "ibtools.analysis.plots.plane:FIGURE",
        "information-epochs": "ibtools.analysis.plots.epochs:FIGURE",
        "repeats": "ibtools.analysis.plots.planes:FIGURE",
        "resolution-profile": "ibtools.analysis.plots.profile:PROFILE",
        "label-resolution": "ibtools.analysis.plots.profile:LABEL_RESOLUTION",
        "animation": "ibtools.analysis.plots.animation:FIGURE",
        "accuracy": "ibtools.analysis.plots.accuracy:FIGURE",
        "scalars": "ibtools.analysis.plots.scalars:FIGURE",
        "activation-ranges": "ibtools.analysis.plots.ranges:FIGURE",
        "scatter": "ibtools.analysis.plots.scatter:FIGURE",
        "across": "ibtools.analysis.plots.across:FIGURE",
    },
    FigureKind,
)
"""The figures by their names on the command line."""


def option_names(draw: Callable[..., Any]) -> tuple[str, ...]:
    """List the options of a function that draws, but for the axes that a caller may bring."""
    parameters = inspect.signature(draw).parameters.values()
    keywords = (one.name for one in parameters if one.kind == inspect.Parameter.KEYWORD_ONLY)
    return tuple(name for name in keywords if name not in AXES)


def get_figure(name: str) -> FigureKind:
    """Look up a figure.

    Raises
    ------
    UnknownNameError
        If there is none of that name.
    InputError
        If another package announces it, but it can't be imported or is no figure.
    """
    return FIGURES.load(name)


def figure_kinds() -> dict[str, FigureKind]:
    """Return all figures by name, but for those of other packages that are broken."""
    return FIGURES.load_all()


def markdown_table() -> str:
    """Write the figures as the table of the documentation."""
    sources = {"store": "recording"}
    rows = [("figure", "drawn from", "shows", "read against"), ("---",) * 4]
    rows += [
        (f"`{name}`", sources.get(kind.source, kind.source), kind.shows, kind.read_against)
        for name, kind in figure_kinds().items()
    ]
    return _markdown(rows)


def controls_table() -> str:
    """Write what figures do with a control as the table of the documentation."""
    rows = [("figure", "beside", "subtracted", "why not"), ("---",) * 4]
    for name, kind in figure_kinds().items():
        can = ["yes" if one in kind.control else "no" for one in ("beside", "subtract")]
        rows.append((f"`{name}`", can[0], can[1], kind.no_control if "no" in can else ""))
    return _markdown(rows)


def _markdown(rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |".replace("|  |", "| |") for row in rows)
