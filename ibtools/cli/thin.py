"""`ibtools thin`."""

from typing import Literal

import click

import ibtools
from ibtools.cli.completing import layer_names, names, paths
from ibtools.cli.json_output import json_option, print_json, to_json
from ibtools.cli.names import split_names
from ibtools.cli.printing import tell_line
from ibtools.tasks.interruption import exit_interrupted, recorded


@click.command()
@click.argument("store", shell_complete=paths)
@click.option(
    "--output",
    required=True,
    shell_complete=paths,
    help="The thin store to write: a path, or a URL such as s3://...",
)
@click.option(
    "--keep",
    shell_complete=names(("partition",)),
    help="partition: keep which samples share a state of each layer, in place of codes and values.",
)
@click.option(
    "--layers",
    callback=lambda _, __, given: None if given is None else split_names(given),
    shell_complete=layer_names,
    help="Layers to keep, such as hidden_1,output.  [default: all]",
)
@click.option(
    "--epochs",
    help="Epochs to keep: every:N or log:N, of which the nearest recorded ones are taken, or a "
    "list of recorded ones.  [default: all]",
)
@json_option
@click.option("--quiet", is_flag=True, help="Show no progress.")
def thin(
    store: str,
    output: str,
    keep: Literal["partition"] | None,
    layers: list[str] | None,
    epochs: str | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Write a smaller store from STORE, of which nothing is changed.

    Results come along where no layer is left out. The same command goes on after an interruption.

    \b
    Examples:
      ibtools thin syn.zarr --keep partition --output thin.zarr
      ibtools thin syn.zarr --layers output --epochs log:60 --output output.zarr
    """
    try:
        report = ibtools.thin_store(
            store, output, keep=keep, layers=layers, epochs=epochs, quiet=quiet
        )
    except KeyboardInterrupt:
        exit_interrupted(recorded(output))
    if as_json:
        print_json({"store": output, **to_json(report)})
        return
    tell_line(f"{output}: {report}")
