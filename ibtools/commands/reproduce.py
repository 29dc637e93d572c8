"""`ibtools reproduce`."""

from typing import Any

import click

import ibtools
from ibtools.commands.interrupted import exit_interrupted


@click.command()
@click.argument("experiment")
@click.option("--output", required=True, help="Folder for stores and figures.")
@click.option(
    "--scale", default="quick", show_default=True, help="quick, or paper for its numbers."
)
@click.option("--jobs", type=int, default=1, show_default=True, help="Processes that record.")
@click.option("--data-folder", help="Where MNIST is.  [default: $IBTOOLS_DATA]")
@click.option("--dry-run", is_flag=True, help="Print the steps; do nothing.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
def reproduce(experiment: str, output: str, **options: Any) -> None:
    """Record, analyse and draw EXPERIMENT of the paper into a folder.

    EXPERIMENT is quantize, binning, bit-width, prefit, archs or accuracy. The same command goes on
    where an interrupted one stopped.

    \b
    Examples:
      ibtools reproduce quantize --output results/
      ibtools reproduce archs --scale paper --output results/ --dry-run
    """
    try:
        figures = ibtools.reproduce(experiment, output, tell=click.echo, **options)
    except KeyboardInterrupt:
        exit_interrupted(True)
    click.echo(f"figures: {', '.join(str(figure) for figure in figures)}")
