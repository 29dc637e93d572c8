"""The command line: `ibtools` and its commands, each from its own file in `ibtools.cli`."""

from typing import Any

import click

from ibtools.cli.analyze import analyze
from ibtools.cli.check import check
from ibtools.cli.compare import compare
from ibtools.cli.completion import completion
from ibtools.cli.details import details
from ibtools.cli.export import export
from ibtools.cli.info import info
from ibtools.cli.plot import plot
from ibtools.cli.printing import tell_line
from ibtools.cli.record import record
from ibtools.cli.report import report
from ibtools.cli.reproduce import reproduce
from ibtools.cli.simulate import simulate
from ibtools.cli.summary import summary
from ibtools.cli.thin import thin
from ibtools.cli.watch import watch
from ibtools.errors import IbtoolsError
from ibtools.provenance import version_report
from ibtools.shown import visible
from ibtools.store.storage import storage_errors
from ibtools.tasks.interruption import exit_interrupted


class _Group(click.Group):
    """Prints known errors as one line and exits with 1; an unknown one keeps its traceback.

    Ctrl-C exits with 130 and says how to go on: commands that write by steps do it themselves.
    """

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # whoever reads has had enough: click ends quietly
            raise
        except _foreseen() as err:
            raise click.ClickException(visible(err)) from err
        except KeyboardInterrupt:
            exit_interrupted(None)


def _foreseen() -> tuple[type[Exception], ...]:
    """Return what is no bug; asked when something was raised, when all libraries are loaded."""
    return IbtoolsError, *storage_errors()


def _print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        for name, number in version_report().items():
            tell_line(f"{name} {number}")
        ctx.exit()


_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@click.group(cls=_Group, context_settings=_CONTEXT)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Print the versions of ibtools, Python, platform and libraries: for reports of bugs.",
)
def cli() -> None:
    """Measure how much the layers of a neural network know about input and label.

    \b
    Record, analyse, look:
      ibtools record SYN-Tanh --repeats 2 --epochs 2000 --schedule log:60 --output syn.zarr
      ibtools analyze syn.zarr --estimator exact
      ibtools check syn.zarr
      ibtools plot syn.zarr information-plane --output plane.png
    """


for command in (
    record,
    analyze,
    details,
    check,
    summary,
    plot,
    compare,
    report,
    info,
    export,
    thin,
    reproduce,
    simulate,
    watch,
    completion,
):
    cli.add_command(command)


def main() -> None:
    """Run the command line."""
    cli(prog_name="ibtools")
