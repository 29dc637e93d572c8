"""What a shell completes: names from registries and tables; files it knows itself.

Completion must answer while the user waits: it may import neither TensorFlow nor numba nor
matplotlib. A registry is imported when something is completed, and nothing that it names.
"""

from collections.abc import Callable, Iterable

import click
from click.shell_completion import CompletionItem

from ibtools.registry import Registry, load_attribute

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


def layer_names(context: click.Context, _: click.Parameter, begun: str) -> list[CompletionItem]:
    """Return the layers of the local store on the line, after those that are named already."""
    from ibtools.cli.names import quote_name
    from ibtools.errors import IbtoolsError
    from ibtools.store.groups import read_array
    from ibtools.store.opened import open_group
    from ibtools.store.storage import is_local

    # click gives up on a line that ends in an option, with arguments where they were
    store = context.params.get("store") or next(iter(context.args), None)
    if not store or not is_local(store):
        return []
    try:
        known = [str(name) for name in read_array(open_group(store), "layer")]
    except (IbtoolsError, OSError):
        return []
    named, comma, last = begun.rpartition(",")
    words = (quote_name(name) for name in known)
    return [CompletionItem(f"{named}{comma}{one}") for one in words if one.startswith(last)]


def files(_: click.Context, __: click.Parameter, begun: str) -> list[CompletionItem]:
    """Leave it to the shell, which knows files."""
    return [CompletionItem(begun, type="file")]


def registered(registry: str) -> Callable[[], Iterable[str]]:
    """Return what asks a registry, "module:attribute", for its names, others' too."""

    def ask() -> Iterable[str]:
        found: Registry[object] = load_attribute(registry)
        return found.names()

    return ask


figures = registered("ibtools.analysis.figures:FIGURES")
estimator_names = registered("ibtools.analysis.measures.registry:ESTIMATORS")
detail_names = registered("ibtools.analysis.measures.registry:DETAILS")
experiments = registered("ibtools.recorders.experiments:EXPERIMENTS")
networks = registered("ibtools.recorders.networks:NETWORKS")
data_sets = registered("ibtools.recorders.data:DATA_SETS")
engines = registered("ibtools.recorders.engines:ENGINES")


def reproductions() -> Iterable[str]:
    """Return the experiments of the paper."""
    from ibtools.reproduction.experiments import ALL, REPRODUCTIONS

    return [*REPRODUCTIONS, ALL]
