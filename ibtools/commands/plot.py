"""`ibtools plot`."""

from typing import Any

import click

import ibtools
from ibtools.commands.completing import FIGURES, estimator_names, files, names, paths_and
from ibtools.commands.names import split_names
from ibtools.commands.printing import tell_line

ANIMATION = "animation"


@click.command()
@click.argument(
    "stores",
    nargs=-1,
    required=True,
    metavar="STORE...",
    shell_complete=paths_and((*FIGURES, ANIMATION)),  # click takes the figure for one more store
)
@click.argument("figure")
@click.option(
    "--output",
    required=True,
    shell_complete=files,
    help="File to write: .png, .svg, .pdf or .pgf; .gif or .mp4 of an animation.",
)
@click.option(
    "--estimator",
    shell_complete=names(estimator_names),
    help="Which results to draw: the name that analyze printed.  [default: exact]",
)
@click.option(
    "--format",
    help="latex: Computer Modern at 8 points, for a LaTeX document (.pdf; .pgf needs LaTeX).",
)
@click.option("--width", type=float, help="Width in inches, such as 3.4 for one column of two.")
@click.option("--layers", help="Layers to draw, such as hidden_1,output.  [default: all]")
@click.option("--layer", help="scatter: a layer of two units.  [default: the last]")
@click.option("--epoch", type=int, help="scatter: a recorded epoch.  [default: the last]")
@click.option("--repeat", type=int, help="scatter: number of the repeat.  [default: the first]")
@click.option("--frames", "n_frames", type=int, help="animation: most frames.  [default: 120]")
@click.option("--fps", type=int, help="animation: frames per second.  [default: 15]")
@click.option("--quiet", is_flag=True, help="animation: show no progress.")
def plot(
    stores: tuple[str, ...],
    figure: str,
    output: str,
    layers: str | None,
    quiet: bool,
    **options: Any,
) -> None:
    """Draw FIGURE from STORE, or from several with shared axes.

    \b
    Figures of results (ibtools analyze):
      information-plane   I(X;T) and I(T;Y) of every layer and epoch, with a zoom
      information-epochs  the same against epoch: mean, deviation, median-rank repeat
      repeats             planes of the best, middle, second-worst and worst repeat
      animation           the plane over epochs, the accuracy beneath (.gif or .mp4)
    Figures of the recording:
      accuracy            mean and 95 % confidence: training, test and all samples
      activation-ranges   smallest and largest value of every layer against epoch
      scatter             values of a layer of two units, coloured by label

    Of several stores, information-plane, information-epochs and accuracy are drawn in facets that
    are titled by what differs: experiment, bits, activation, architecture.

    \b
    Examples:
      ibtools plot syn.zarr information-plane --output plane.png
      ibtools plot tanh.zarr relu.zarr information-plane --output planes.png
      ibtools plot syn.zarr information-plane --format latex --width 3.4 --output plane.pdf
      ibtools plot syn.zarr animation --output plane.gif
      ibtools plot syn.zarr scatter --layer output --epoch 100 --repeat 0 --output scatter.png
    """
    options["layers"] = split_names(layers) if layers else None
    given = {name: value for name, value in options.items() if value is not None}
    if figure == ANIMATION:
        if len(stores) > 1:
            raise click.UsageError(f"an animation is of one store, got {', '.join(stores)}")
        ibtools.animate_store(stores[0], output=output, quiet=quiet, **given)
    elif len(stores) == 1:
        ibtools.plot_store(stores[0], figure, output=output, **given)
    else:
        ibtools.plot_stores(stores, figure, output=output, **given)
    tell_line(f"{output}: {figure} of {', '.join(stores)}")
