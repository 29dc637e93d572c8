"""`ibtools check`."""

import click

import ibtools
from ibtools.cli.completing import paths
from ibtools.cli.json_output import json_option, print_json
from ibtools.cli.printing import tell_lines
from ibtools.cli.working import working_options


@click.command()
@click.argument("store", shell_complete=paths)
@json_option
@click.option(
    "--chain/--no-chain",
    default=None,
    help="Whether each layer is computed from the one before it alone.  "
    "[default: known for networks that ibtools builds by name]",
)
@click.option(
    "--repair",
    is_flag=True,
    help="Mark the snapshots of damaged files as not recorded, delete these files, and check no "
    "more.",
)
@working_options
@click.option("--quiet", is_flag=True, help="Show no progress.")
@click.pass_context
def check(
    context: click.Context,
    store: str,
    as_json: bool,
    chain: bool | None,
    repair: bool,
    memory: str,
    scheduler: str | None,
    quiet: bool,
) -> None:
    """Audit STORE and its results; exit with 1 if anything is violated.

    Checked are the checksums of all files, completeness, failed trainings, determinism, the grid of
    the codes, data processing along the layers, and of every estimator's results the bounds and
    data processing. A line for each, where the worst case is, and what it means.

    \b
    Examples:
      ibtools check syn.zarr
      ibtools check syn.zarr --json
      ibtools check mine.zarr --chain
      ibtools check damaged.zarr --repair
    """
    if repair:
        repaired = ibtools.repair_store(store, quiet=quiet)
        if as_json:
            print_json(repaired.to_dict())
        else:
            tell_lines(str(repaired))
        return
    report = ibtools.check(store, chain=chain, memory=memory, scheduler=scheduler, quiet=quiet)
    if as_json:
        print_json(report.to_dict())
    else:
        tell_lines(report.format())
    context.exit(0 if report.ok else 1)
