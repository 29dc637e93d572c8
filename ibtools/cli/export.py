"""`ibtools export`."""

import click

import ibtools
from ibtools.cli.completing import estimator_names, names, paths
from ibtools.cli.json_output import json_option, print_json
from ibtools.cli.printing import tell_line


@click.command()
@click.argument("store", shell_complete=paths)
@click.option(
    "--output",
    required=True,
    shell_complete=paths,
    help="Folder for information.csv and accuracy.csv.",
)
@click.option(
    "--estimator",
    "estimators",
    multiple=True,
    shell_complete=names(estimator_names),
    help="Results to write.  [default: all]",
)
@json_option
def export(store: str, output: str, estimators: tuple[str, ...], as_json: bool) -> None:
    """Write results, accuracies and other scalars of STORE as tidy CSV.

    \b
    Example:
      ibtools export syn.zarr --output tables/
    """
    files = ibtools.export_results(store, output, estimator=estimators or None)
    if as_json:
        print_json({"store": store, "files": files})
        return
    for file in files:
        tell_line(file)
