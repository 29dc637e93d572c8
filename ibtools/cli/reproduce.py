"""`ibtools reproduce`."""

from typing import Any

import click

import ibtools
from ibtools.cli.completing import names, paths, reproductions
from ibtools.cli.json_output import json_option, print_json
from ibtools.cli.printing import tell_line
from ibtools.progress import write_line
from ibtools.tasks.interruption import exit_interrupted


@click.command()
@click.argument("experiment", shell_complete=names(reproductions))
@click.option("--output", required=True, shell_complete=paths, help="Folder of stores and figures.")
@click.option(
    "--scale",
    default="quick",
    show_default=True,
    shell_complete=names(("quick", "paper")),
    help="quick, or paper for its numbers.",
)
@click.option("--jobs", type=int, default=1, show_default=True, help="Processes that record.")
@click.option(
    "--data-folder", shell_complete=paths, help="Where MNIST is.  [default: $IBTOOLS_DATA]"
)
@click.option(
    "--disk",
    metavar="SIZE",
    help="What the folder may take, such as 40GB: recordings are made in parts, and thinned.",
)
@click.option(
    "--dry-run",
    is_flag=True,
    help="Try each recording for some seconds; print steps, time and disk; do nothing.",
)
@json_option
@click.option("--quiet", is_flag=True, help="Show no progress and no steps.")
def reproduce(
    experiment: str, output: str, dry_run: bool, as_json: bool, quiet: bool, **options: Any
) -> None:
    """Record, analyse and draw EXPERIMENT of the paper into a folder.

    EXPERIMENT is quantize, binning, bit-width, prefit, archs or accuracy; or all: these in turn,
    with frozen controls, the published estimator, all resolutions, and tables. The same command
    goes on where an interrupted one stopped. steps.csv of the folder says what each step took.

    \b
    Examples:
      ibtools reproduce quantize --output results/
      ibtools reproduce archs --scale paper --output results/ --dry-run
      ibtools reproduce all --scale paper --jobs 2 --disk 40GB --output paper/
    """
    steps: list[str] = []

    def tell(step: str) -> None:
        steps.append(step)
        if not (dry_run or quiet):
            write_line(step)

    try:
        figures = ibtools.reproduce(
            experiment, output, dry_run=dry_run, quiet=quiet, tell=tell, **options
        )
    except KeyboardInterrupt:
        done = f"{len(steps) - 1} of the steps are done; what is on disk is in {output}"
        exit_interrupted(done if steps else None)
    if as_json:
        print_json({"steps": steps, "figures": figures})
        return
    if dry_run:
        for step in steps:
            tell_line(step)
    tell_line(f"figures: {', '.join(str(figure) for figure in figures)}")
