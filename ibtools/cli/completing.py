"""What a shell completes: names from tables; files it knows itself.

Completion must answer while the user waits: it may import neither TensorFlow nor numba nor
matplotlib. Names whose tables need these are repeated here; a test compares them.
"""

from collections.abc import Callable, Iterable

import click
from click.shell_completion import CompletionItem

Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def names(known: Callable[[], Iterable[str]] | Iterable[str]) -> Complete:
    """Return a completion with the names that are known.

    Parameters
    ----------
    known : iterable of str, or callable that returns one
        A callable is asked when something is completed, so that a table loads only then.
    """

    def complete(_: click.Context, __: click.Parameter, begun: str) -> list[CompletionItem]:
        there = known() if callable(known) else known
        return [CompletionItem(name) for name in there if name.startswith(begun)]

    return complete


def paths(_: click.Context, __: click.Parameter, begun: str) -> list[CompletionItem]:
    """Leave it to the shell: a store is a folder, or a URL that no shell knows."""
    return [CompletionItem(begun, type="dir")]


def paths_and(known: Callable[[], Iterable[str]] | Iterable[str]) -> Complete:
    """Return a completion with names, of what may also be a store."""

    def complete(
        context: click.Context, parameter: click.Parameter, begun: str
    ) -> list[CompletionItem]:
        found = names(known)(context, parameter, begun)
        return [*found, *paths(context, parameter, begun)]

    return complete


def files(_: click.Context, __: click.Parameter, begun: str) -> list[CompletionItem]:
    """Leave it to the shell, which knows files."""
    return [CompletionItem(begun, type="file")]


def figures() -> Iterable[str]:
    """Return the figures, those of other packages too."""
    from ibtools.analysis.figures import FIGURES

    return FIGURES.names()


def estimator_names() -> Iterable[str]:
    """Return the named estimators."""
    from ibtools.analysis.measures.registry import ESTIMATORS

    return ESTIMATORS.names()


def detail_names() -> Iterable[str]:
    """Return the named details."""
    from ibtools.analysis.measures.registry import DETAILS

    return DETAILS.names()


def experiments() -> Iterable[str]:
    """Return the named experiments."""
    from ibtools.recorders.experiments import EXPERIMENTS

    return EXPERIMENTS.names()


def networks() -> Iterable[str]:
    """Return the named networks."""
    from ibtools.recorders.networks import NETWORKS

    return NETWORKS.names()


def data_sets() -> Iterable[str]:
    """Return the named data sets."""
    from ibtools.recorders.data import DATA_SETS

    return DATA_SETS.names()


def engines() -> Iterable[str]:
    """Return the named engines."""
    from ibtools.recorders.engines import ENGINES

    return ENGINES.names()


def reproductions() -> Iterable[str]:
    """Return the experiments of the paper."""
    from ibtools.reproduction import REPRODUCTIONS

    return REPRODUCTIONS
