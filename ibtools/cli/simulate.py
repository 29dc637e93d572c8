"""`ibtools simulate`."""

from typing import Any

import click

import ibtools
from ibtools.cli.completing import paths
from ibtools.cli.printing import tell_line
from ibtools.shown import shell_command


@click.command()
@click.option("--output", required=True, shell_complete=paths, help="The store to write.")
@click.option("--samples", default=1024, show_default=True, help="Different inputs.")
@click.option("--classes", default=2, show_default=True, help="Classes, of equal size.")
@click.option("--repeats", default=3, show_default=True, help="Networks.")
@click.option("--epochs", default=1000, show_default=True, help="Epochs of each.")
@click.option(
    "--schedule",
    default="log:30",
    show_default=True,
    help="Epochs to record: every:N, log:N, or a list such as 0,1,10,100.",
)
@click.option("--seed", default=0, show_default=True, help="Of what is drawn.")
@click.option("--overwrite", is_flag=True, help="Replace the ibtools store that is at `--output`.")
def simulate(output: str, **options: Any) -> None:
    """Write a store of known information, without any network: to try, to teach, to test.

    Its layers are random functions of the input that fit first and compress then. The store keeps
    what H(T) and I(T;Y) they were made with, as known_entropy_t and known_mi_ty.

    \b
    Example:
      ibtools simulate --output known.zarr
    """
    ibtools.simulate_store(output, **options)
    tell_line(f"{output}: simulated; next: {shell_command('analyze', output)}")
