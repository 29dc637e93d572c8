"""`ibtools summary`."""

from typing import Any

import click

import ibtools
from ibtools.cli.completing import estimator_names, names, paths
from ibtools.cli.json_output import json_option, print_json
from ibtools.cli.printing import tell_lines


@click.command()
@click.argument("store", shell_complete=paths)
@click.option(
    "--estimator",
    default="exact",
    show_default=True,
    shell_complete=names(estimator_names),
    help="Which results.",
)
@click.option(
    "--interval",
    "method",
    default="t",
    show_default=True,
    shell_complete=names(("t", "bca", "percentile")),
    help="Over repeats: t (Student), bca or percentile (bootstrap).",
)
@click.option("--level", type=float, default=0.95, show_default=True, help="Of the intervals.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of bootstrap and p values.")
@click.option(
    "--correlate",
    metavar="SCALAR",
    help="Rank repeats by its last value, such as test_loss.  [default: test_accuracy]",
)
@click.option(
    "--control",
    shell_complete=paths,
    help="The same recording with --control frozen or --labels random, also analysed: what is "
    "above it, over pairs of repeats.",
)
@json_option
def summary(store: str, as_json: bool, **options: Any) -> None:
    """Print the dynamics of every layer of STORE as numbers, over its repeats.

    The peak of I(X;T), the fall from there to the end and the epoch of the turn, the rise of I(T;Y)
    above its chance level (fitting) and that of I(T;Y) itself, and the epochs by which they are
    made: mean, interval, and rank correlation with test accuracy or another scalar. Then the layers
    in which the range of the quantiser moves, so that what rises may be a finer grid.

    \b
    Examples:
      ibtools summary syn.zarr
      ibtools summary syn.zarr --estimator exact --interval bca --json
      ibtools summary syn.zarr --correlate train_loss
      ibtools summary syn.zarr --control frozen.zarr
    """
    from ibtools.analysis.repeats.summary import format_summary, summary_dict

    found = ibtools.summary(store, **options)
    if as_json:
        print_json(summary_dict(found))
    else:
        tell_lines(format_summary(found, store))
