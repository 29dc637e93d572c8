"""`ibtools info`."""

import click

from ibtools.info import format_info, store_info


@click.command()
@click.argument("store")
def info(store: str) -> None:
    """Print what STORE holds: experiment, sizes, completeness, accuracy, results.

    \b
    Example:
      ibtools info syn.zarr
    """
    click.echo(format_info(store_info(store), store))
