"""`ibtools details`."""

from collections.abc import Sequence
from typing import Any

import click

import ibtools
from ibtools.cli.completing import detail_names, estimator_names, names, paths
from ibtools.cli.computing import compute_and_tell, computing_options
from ibtools.cli.measure_options import DetailsCommand
from ibtools.cli.working import layers_option


@click.command(cls=DetailsCommand)
@click.argument("store", shell_complete=paths)
@click.argument("what", nargs=-1, shell_complete=names(detail_names))
@click.option(
    "--by",
    multiple=True,
    shell_complete=names(("popcount", "orbit")),
    help="I(T;S) with another label S of the samples: popcount or orbit for SYN, or a .npy or .csv "
    "file with one value per sample; may be given several times.",
)
@click.option("--permutations", type=int, help="Draw so many permutations of the labels: z and p.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the permutations.")
@click.option(
    "--estimator",
    default="exact",
    shell_complete=names(estimator_names),
    show_default=True,
    help="What a state is: exact, binned, requantised, or a full name as of analyze.",
)
@layers_option
@computing_options("details")
def details(
    store: str,
    what: tuple[str, ...],
    by: tuple[str, ...],
    output: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Compute more than analyze does from the states of STORE, and write it.

    \b
    WHAT are any of:
      LIST OF DETAILS

    What was computed before is skipped; an interrupted run goes on where it stopped. In Python,
    ibtools.open_details("syn.zarr", "classes") opens what was computed; for each detail a line that
    opens and draws it is printed.

    \b
    Examples:
      ibtools details syn.zarr classes layers
      ibtools details syn.zarr --by popcount --by orbit
      ibtools details syn.zarr --permutations 1000 --seed 0
      ibtools details syn.zarr splits units --estimator binned-uniform-30-global
    """
    chosen = _create_details(store, what, by, options.pop("permutations"), options.pop("seed"))
    compute_and_tell(
        output or store,
        lambda: ibtools.details_store(store, chosen, output=output, **options),
        _describe_opening,
        group="details",
        key="details",
        as_json=as_json,
    )


def _describe_opening(path: str, reports: Sequence[Any]) -> str:
    from ibtools.analysis.details.opening import describe_opening

    return describe_opening(path, reports)


def _create_details(
    store: str, what: tuple[str, ...], by: tuple[str, ...], permutations: int | None, seed: int
) -> list[Any]:
    """Build the details that the arguments describe."""
    from ibtools.analysis.details import About, Permutations

    labels = []
    if by:
        dataset = ibtools.open_store(store)
        labels = [About(*ibtools.sample_labels(label, dataset)) for label in by]
    drawn = [] if permutations is None else [Permutations(permutations, seed)]
    return [*what, *labels, *drawn]
