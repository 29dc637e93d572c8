"""`ibtools report`."""

from typing import Any

import click

import ibtools
from ibtools.cli.completing import estimator_names, files, names, paths
from ibtools.cli.printing import tell_line
from ibtools.cli.working import working_options


@click.command()
@click.argument("store", shell_complete=paths)
@click.option("--output", required=True, shell_complete=files, help="File to write: .html.")
@click.option(
    "--estimator",
    "estimators",
    multiple=True,
    shell_complete=names(estimator_names),
    help="Which results; may be given several times.  [default: all]",
)
@click.option(
    "--control",
    shell_complete=paths,
    help="The same recording with --control frozen or --labels random, also analysed: beside it in "
    "all figures, and what is above it as numbers.",
)
@working_options
@click.option("--quiet", is_flag=True, help="Show no progress.")
def report(store: str, output: str, estimators: tuple[str, ...], **options: Any) -> None:
    """Write a report of STORE: one HTML file that needs no network and no other file.

    It holds where the recording comes from, its repeats, accuracy, information planes and
    information against epoch, a plane to play over the epochs, the dynamics as numbers, and the
    audit, for which the whole recording is read once.

    \b
    Examples:
      ibtools report syn.zarr --output report.html
      ibtools report syn.zarr --estimator exact --output exact.html
      ibtools report syn.zarr --control frozen.zarr --output report.html
    """
    ibtools.report(store, output=output, estimator=estimators or None, **options)
    tell_line(f"{output}: report of {store}")
