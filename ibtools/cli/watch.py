"""`ibtools watch`."""

import signal

import click

import ibtools
from ibtools.cli.completing import estimator_names, names, paths


@click.command()
@click.argument("store", shell_complete=paths)
@click.option(
    "--estimator",
    default="exact",
    show_default=True,
    shell_complete=names(estimator_names),
    help="One whose results have a plane.",
)
@click.option(
    "--port",
    default=0,
    type=click.IntRange(0, 65535),
    help="Of the page, on this machine only.  [default: any that is free]",
)
@click.option("--open/--no-open", "open_browser", default=True, help="Open the page in a browser.")
def watch(store: str, estimator: str, port: int, open_browser: bool) -> None:
    """Show plane and curves of STORE in the browser while it is recorded, until Ctrl-C.

    Any process or machine may write the store. Only what is new is analysed, and nothing is written
    to the store.

    \b
    Examples:
      ibtools watch syn.zarr
      ibtools watch s3://bucket/syn.zarr --estimator binned --no-open --port 8765
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # it ends as by Ctrl-C
    ibtools.watch(store, estimator=estimator, port=port, open_browser=open_browser)
