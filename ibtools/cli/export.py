"""`ibtools export`."""

from typing import TYPE_CHECKING

import click

import ibtools
from ibtools.cli.completing import estimator_names, names, paths
from ibtools.cli.json_output import json_option, print_json
from ibtools.cli.printing import tell_line

if TYPE_CHECKING:
    from ibtools.export import TableFormat


@click.command()
@click.argument("stores", metavar="STORE...", nargs=-1, required=True, shell_complete=paths)
@click.option(
    "--output",
    required=True,
    shell_complete=paths,
    help="Folder for all tables; or a file, .csv, .parquet or .tex, for that of information.",
)
@click.option(
    "--estimator",
    "estimators",
    multiple=True,
    shell_complete=names(estimator_names),
    help="Results to write.  [default: all]",
)
@click.option(
    "--format",
    shell_complete=names(("csv", "parquet", "latex")),
    help="csv, parquet or latex.  [default: by the suffix of the output, else csv]",
)
@click.option(
    "--epoch", type=int, help="Epoch, or step, of the LaTeX table.  [default: the last analysed]"
)
@json_option
def export(
    stores: tuple[str, ...],
    output: str,
    estimators: tuple[str, ...],
    format: "TableFormat | None",
    epoch: int | None,
    as_json: bool,
) -> None:
    """Write results, accuracies and other scalars of every STORE as tables.

    CSV and Parquet have a row for each experiment, estimator, repeat, epoch and layer. LaTeX has,
    for each estimator, I(X;T) and I(T;Y) of every layer at one epoch: mean over repeats with 95 %
    interval, and chance.

    \b
    Examples:
      ibtools export syn.zarr --output tables/
      ibtools export tanh.zarr relu.zarr --output information.csv
      ibtools export syn.zarr --estimator exact --output table.tex
    """
    files = ibtools.export_results(
        stores, output, estimator=estimators or None, format=format, epoch=epoch
    )
    if as_json:
        print_json({"stores": stores, "files": files})
        return
    for file in files:
        tell_line(file)
