"""What `analyze` and `details` share: they compute of a store, and write what they find."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click
import zarr
from dask.system import CPU_COUNT

from ibtools.cli.completing import paths
from ibtools.cli.json_output import json_option, print_json
from ibtools.cli.printing import tell_line, tell_lines
from ibtools.cli.working import working_options
from ibtools.store.info import StoreResults
from ibtools.tasks.interruption import computed, exit_interrupted

Command = TypeVar("Command", bound=Callable[..., Any])


def computing_options(what: str) -> Callable[[Command], Command]:
    """Give a command ``--output``, ``--memory``, ``--scheduler``, ``--json`` and ``--quiet``."""

    def give(command: Command) -> Command:
        output = click.option(
            "--output",
            shell_complete=paths,
            help=f"Write the {what} here.  [default: into the store]",
        )
        quiet = click.option("--quiet", is_flag=True, help="Show no progress.")
        return output(working_options(json_option(quiet(command))))

    return give


def compute_and_tell(
    place: str,
    compute: Callable[[], Sequence[Any]],
    describe_next: Callable[[str, Sequence[Any]], str],
    *,
    group: StoreResults,
    key: str,
    as_json: bool,
) -> None:
    """Compute, and print the reports of what was written, and what to do with it.

    Parameters
    ----------
    place : str
        Where it is written.
    compute : callable
        Returns the reports.
    describe_next : callable
        Says of these, for people, what is next.
    group : {"information", "details"}
        Where in the store it is, for who interrupts it.
    key : str
        What JSON calls the reports.
    as_json : bool
        Whether they are printed as that.
    """
    try:
        # Every thread in which zarr decodes keeps freed memory; as many as cores are enough.
        with zarr.config.set({"threading.max_workers": CPU_COUNT}):
            reports = compute()
    except KeyboardInterrupt:
        exit_interrupted(computed(place, group))
    if as_json:
        print_json({"store": place, key: reports})
        return
    for report in reports:
        tell_line(f"{place}: {report}")
    tell_lines(describe_next(place, reports))
