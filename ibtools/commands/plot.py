"""`ibtools plot`."""

from typing import Any

import click

import ibtools
from ibtools.commands.completing import ESTIMATORS, FIGURES, files, names, paths


@click.command()
@click.argument("store", shell_complete=paths)
@click.argument("figure", shell_complete=names(FIGURES))
@click.option(
    "--output", required=True, shell_complete=files, help="File to write: .png, .svg or .pdf."
)
@click.option(
    "--estimator",
    shell_complete=names(ESTIMATORS),
    help="Which results to draw: the name that analyze printed.  [default: exact]",
)
@click.option("--layers", help="Layers to draw, such as hidden_1,output.  [default: all]")
@click.option("--layer", help="scatter: a layer of two units.  [default: the last]")
@click.option("--epoch", type=int, help="scatter: a recorded epoch.  [default: the last]")
@click.option("--repeat", type=int, help="scatter: number of the repeat.  [default: the first]")
def plot(
    store: str, figure: str, output: str, estimator: str | None, layers: str | None, **options: Any
) -> None:
    """Draw FIGURE from STORE.

    \b
    Figures of results (ibtools analyze):
      information-plane   I(X;T) and I(T;Y) of every layer and epoch, with a zoom
      information-epochs  the same against epoch: mean, deviation, median-rank repeat
      repeats             planes of the best, middle, second-worst and worst repeat
    Figures of the recording:
      accuracy            mean and 95 % confidence: training, test and all samples
      activation-ranges   smallest and largest value of every layer against epoch
      scatter             values of a layer of two units, coloured by label

    \b
    Examples:
      ibtools plot syn.zarr information-plane --output plane.png
      ibtools plot syn.zarr information-epochs --layers hidden_5,output --output epochs.pdf
      ibtools plot syn.zarr scatter --layer output --epoch 100 --repeat 0 --output scatter.png
    """
    options["layers"] = layers.split(",") if layers else None
    given = {name: value for name, value in options.items() if value is not None}
    ibtools.plot_store(store, figure, output=output, estimator=estimator, **given)
    click.echo(f"{output}: {figure} of {store}")
