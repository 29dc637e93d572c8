"""`ibtools info`."""

import click

from ibtools.cli.completing import paths
from ibtools.cli.json_output import json_option, print_json, to_json
from ibtools.cli.printing import tell_lines
from ibtools.store.info import format_info, store_info


@click.command()
@click.argument("store", shell_complete=paths)
@json_option
def info(store: str, as_json: bool) -> None:
    """Print what STORE holds: experiment, sizes, completeness, accuracy, results.

    \b
    Examples:
      ibtools info syn.zarr
      ibtools info syn.zarr --json
    """
    found = store_info(store)
    if as_json:
        print_json({"store": store, **to_json(found)})
    else:
        tell_lines(format_info(found, store))
