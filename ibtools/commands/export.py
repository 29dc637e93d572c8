"""`ibtools export`."""

import click

import ibtools


@click.command()
@click.argument("store")
@click.option("--output", required=True, help="Folder for information.csv and accuracy.csv.")
@click.option("--estimator", "estimators", multiple=True, help="Results to write.  [default: all]")
def export(store: str, output: str, estimators: tuple[str, ...]) -> None:
    """Write the results and accuracies of STORE as tidy CSV.

    \b
    Example:
      ibtools export syn.zarr --output tables/
    """
    for file in ibtools.export_results(store, output, estimators=estimators or None):
        click.echo(file)
