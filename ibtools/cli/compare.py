"""`ibtools compare`."""

from typing import Any, Literal

import click

import ibtools
from ibtools.cli.completing import estimator_names, files, names, paths
from ibtools.cli.names import split_names
from ibtools.cli.printing import tell_line
from ibtools.cli.working import working_options
from ibtools.tasks.interruption import computed, exit_interrupted


@click.command()
@click.argument("store", shell_complete=paths)
@click.option(
    "--estimator",
    "estimators",
    multiple=True,
    shell_complete=names(estimator_names),
    help="A column: exact, binned-uniform-30-layer, kde-0.001, knn-3, ...; may be given several "
    "times.  [default: one of each kind]",
)
@click.option(
    "--output",
    required=True,
    shell_complete=files,
    help="File to write: .png, .svg, .pdf or .pgf.",
)
@click.option("--layers", help="Layers to draw, such as hidden_5,output.  [default: all]")
@click.option("--format", help="latex: Computer Modern at 8 points, for a LaTeX document.")
@click.option("--width", type=float, help="Width in inches; fonts keep their size.")
@working_options
@click.option("--quiet", is_flag=True, help="Show no progress.")
def compare(
    store: str,
    estimators: tuple[str, ...],
    output: str,
    layers: str | None,
    format: Literal["latex"] | None,
    width: float | None,
    memory: str,
    scheduler: str | None,
    quiet: bool,
) -> None:
    """Draw the network in STORE under several estimators side by side.

    A column for each estimator: the information plane, and I(X;T) and I(T;Y) against epoch below.
    What is not analysed yet is analysed first, and written into STORE as `analyze` does; that can
    be interrupted and goes on with the same command.

    \b
    Examples:
      ibtools compare syn.zarr --output compare.png
      ibtools compare syn.zarr --estimator exact --estimator kde-0.1 --output noise.png
    """
    chosen: dict[str, Any] = {"format": format, "width": width}
    chosen |= {"memory": memory, "scheduler": scheduler}
    if estimators:
        chosen["estimator"] = estimators
    drawn = split_names(layers) if layers else None
    try:
        ibtools.compare(store, output=output, layers=drawn, quiet=quiet, **chosen)
    except KeyboardInterrupt:
        exit_interrupted(computed(store, "information"))
    tell_line(f"{output}: comparison of estimators of {store}")
