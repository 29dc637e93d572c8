"""The command line: parse, one library call, print."""

import shlex
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import click

import ibtools
from ibtools.errors import IbtoolsError
from ibtools.info import format_info, store_info
from ibtools.provenance import library_versions, version
from ibtools.store import find_group

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

_INTERRUPTED = 130
"""Exit code of a process that Ctrl-C ended, by convention."""


class _Group(click.Group):
    """Prints known errors as one line and exits with 1; an unknown one keeps its traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (IbtoolsError, OSError) as err:
            raise click.ClickException(str(err)) from err


def _print_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        click.echo(f"ibtools {version()}")
        for name, number in library_versions().items():
            click.echo(f"{name} {number}")
        ctx.exit()


_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@click.group(cls=_Group, context_settings=_CONTEXT)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Print the versions of ibtools and of the libraries that decide about numbers.",
)
def cli() -> None:
    """Measure how much the layers of a neural network know about input and label.

    \b
    Record, analyse, look:
      ibtools record SYN-Tanh --repeats 2 --epochs 300 --output syn.zarr
      ibtools analyze syn.zarr --estimator exact
      ibtools plot syn.zarr information-plane --output plane.png
    """


@cli.command()
@click.argument("experiment")
@click.option("--output", help="The store to write: a path, or a URL such as s3://...")
@click.option("--network", help="Table name, dense:784-64-10, or package.module:function.")
@click.option("--data", help="MNIST, digits, ... or an .npz file with x and y.  [the paper's]")
@click.option("--data-folder", help="Where the data set's files are.  [default: $IBTOOLS_DATA]")
@click.option("--activation", help="tanh, relu or relu6, of the hidden layers.  [the paper's]")
@click.option("--bits", type=int, help="2 to 8 or 16, or 32 for a float network.  [the paper's: 8]")
@click.option(
    "--scheme", default="paper", show_default=True, help="What is quantised: paper, full."
)
@click.option("--initializer", default="paper", show_default=True, help="Or a Keras initialiser.")
@click.option("--epochs", type=int, help="Epochs of training.  [the paper's]")
@click.option(
    "--prefit", type=int, default=0, show_default=True, help="Epochs on random labels first."
)
@click.option("--repeats", type=int, help="Networks to train.  [the paper's]")
@click.option("--first-repeat", type=int, default=0, show_default=True, help="Number of the first.")
@click.option(
    "--schedule",
    default="every:5",
    show_default=True,
    help="Epochs to record: every:N, log:N, a list such as 0,1,10, or paper; 0 is untrained.",
)
@click.option("--keep", default="codes", show_default=True, help="codes, or only the partition.")
@click.option("--samples", type=int, help="Record a fixed subset of so many samples.  [all]")
@click.option("--seed", type=int, default=0, show_default=True, help="Base of all random streams.")
@click.option("--learning-rate", type=float, default=1e-4, show_default=True, help="Of Adam.")
@click.option("--batch-size", type=int, default=256, show_default=True, help="Samples per step.")
@click.option(
    "--patience",
    type=int,
    default=1000,
    show_default=True,
    help="From this epoch on a training must be better than guessing, or it is begun anew.",
)
@click.option(
    "--required-gain",
    type=float,
    default=0.07,
    show_default=True,
    help="How much better: part of the way from the majority class to 1.",
)
@click.option(
    "--max-attempts", type=int, default=5, show_default=True, help="Trainings per repeat."
)
@click.option("--jobs", type=int, default=1, show_default=True, help="Processes, one repeat each.")
@click.option("--engine", default="fit", show_default=True, help="What trains.")
@click.option("--dry-run", is_flag=True, help="Print sizes and a time forecast; record nothing.")
@click.option("--overwrite", is_flag=True, help="Replace the ibtools store that is at --output.")
@click.option("--resume", is_flag=True, help="Finish the interrupted recording at --output.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
def record(
    experiment: str,
    output: str | None,
    dry_run: bool,
    jobs: int,
    overwrite: bool,
    resume: bool,
    quiet: bool,
    **settings: Any,
) -> None:
    """Train the networks of EXPERIMENT and write their activations to a store.

    EXPERIMENT is one of the paper's, such as SYN-Tanh, SYN-ReLU, MNIST-Bottleneck-2 or MNIST-Conv,
    or custom, with a network and data of your own.

    \b
    Examples:
      ibtools record SYN-Tanh --bits 8 --repeats 2 --epochs 300 --output syn.zarr
      ibtools record SYN-ReLU --schedule log:200 --jobs 2 --output relu.zarr
      ibtools record SYN-ReLU --schedule log:200 --jobs 2 --output relu.zarr --resume
      ibtools record MNIST-Conv --keep partition --dry-run
      ibtools record custom --data digits --network dense:64-32-10 --output digits.zarr
    """
    if dry_run:
        click.echo(ibtools.forecast_recording(experiment, **settings).format())
        return
    if output is None:
        raise click.UsageError("Missing option '--output'.")
    try:
        report = ibtools.record(
            experiment,
            output,
            jobs=jobs,
            overwrite=overwrite,
            resume=resume,
            quiet=quiet,
            **settings,
        )
    except KeyboardInterrupt:
        _exit_interrupted(find_group(output, "r") is not None, "--resume")
    failed = f", {report.failed} failed" if report.failed else ""
    retried = f" ({report.failed_attempts} attempts given up)" if report.failed_attempts else ""
    click.echo(
        f"{output}: {report.trained} repeats recorded{failed}{retried}; "
        f"next: ibtools analyze {output}"
    )


@cli.command()
@click.argument("store")
@click.option(
    "--estimator",
    "estimators",
    multiple=True,
    default=("exact",),
    show_default=True,
    help="exact, binned, requantised, or a full name such as binned-uniform-30-global; "
    "may be given several times, for one pass over the store.",
)
@click.option("--strategy", help="Bins: uniform, quantile or width.  [default: uniform]")
@click.option("--bins", type=int, help="Bins: how many, for uniform and quantile.  [default: 30]")
@click.option("--bin-width", type=float, help="Bins: how wide, for width.  [default: 0.07]")
@click.option(
    "--bounds",
    help="Bins: between the range of each unit, layer, or global (all), or given as LOW,HIGH.  "
    "[default: layer; for width zero]",
)
@click.option("--per-unit", is_flag=True, help="Means over single units too.")
@click.option("--output", help="Write the results here.  [default: into the store]")
@click.option("--quiet", is_flag=True, help="Show no progress.")
def analyze(
    store: str, estimators: tuple[str, ...], output: str | None, quiet: bool, **options: Any
) -> None:
    """Compute I(X;T) and I(T;Y) of every layer of STORE, and write them.

    What was analysed before is skipped; an interrupted analysis goes on where it stopped. The
    results are called as the estimator with all its options, which `plot --estimator` takes.

    \b
    Examples:
      ibtools analyze syn.zarr --estimator exact
      ibtools analyze syn.zarr --estimator binned --bins 30 --bounds global
      ibtools analyze syn.zarr --estimator exact --estimator binned-width-0.07-zero --per-unit
      ibtools analyze s3://bucket/syn.zarr --output results.zarr
    """
    chosen = _create_estimators(estimators, **options)
    try:
        reports = ibtools.analyze_store(store, estimator=chosen, output=output, quiet=quiet)
    except KeyboardInterrupt:
        _exit_interrupted(True)
    for report in reports:
        click.echo(f"{output or store}: {report}")


def _create_estimators(
    names: tuple[str, ...], *, bins: int | None, bounds: str | None, **options: Any
) -> Sequence[Any]:
    """Build the estimators that the options of `analyze` describe."""
    from ibtools.analysis.estimators import create_estimators, parse_bounds

    parsed = None if bounds is None else parse_bounds(bounds)
    return create_estimators(names, n_bins=bins, bounds=parsed, **options)


@cli.command()
@click.argument("store")
@click.argument("figure")
@click.option("--output", required=True, help="File to write: .png, .svg or .pdf.")
@click.option(
    "--estimator", help="Which results to draw: the name that analyze printed.  [default: exact]"
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


@cli.command()
@click.argument("store")
def info(store: str) -> None:
    """Print what STORE holds: experiment, sizes, completeness, accuracy, results.

    \b
    Example:
      ibtools info syn.zarr
    """
    click.echo(format_info(store_info(store), store))


@cli.command()
@click.argument("store")
@click.option("--output", required=True, help="Folder for information.csv and accuracy.csv.")
@click.option("--estimator", "estimators", multiple=True, help="Results to write.  [default: all]")
def export(store: str, output: str, estimators: tuple[str, ...]) -> None:
    """Write the results and accuracies of STORE as tidy CSV.

    \b
    Example:
      ibtools export syn.zarr --output tables/
    """
    for file in ibtools.export_results(store, output, estimators=estimators or None):
        click.echo(file)


@cli.command()
@click.argument("experiment")
@click.option("--output", required=True, help="Folder for stores and figures.")
@click.option(
    "--scale", default="quick", show_default=True, help="quick, or paper for its numbers."
)
@click.option("--jobs", type=int, default=1, show_default=True, help="Processes that record.")
@click.option("--data-folder", help="Where MNIST is.  [default: $IBTOOLS_DATA]")
@click.option("--dry-run", is_flag=True, help="Print the steps; do nothing.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
def reproduce(experiment: str, output: str, **options: Any) -> None:
    """Record, analyse and draw EXPERIMENT of the paper into a folder.

    EXPERIMENT is quantize, binning, bit-width, prefit, archs or accuracy. The same command goes on
    where an interrupted one stopped.

    \b
    Examples:
      ibtools reproduce quantize --output results/
      ibtools reproduce archs --scale paper --output results/ --dry-run
    """
    try:
        figures = ibtools.reproduce(experiment, output, tell=click.echo, **options)
    except KeyboardInterrupt:
        _exit_interrupted(True)
    click.echo(f"figures: {', '.join(str(figure) for figure in figures)}")


def _exit_interrupted(begun: bool, *further: str) -> NoReturn:
    """Say how to go on after Ctrl-C, and exit."""
    given = [argument for argument in sys.argv[1:] if argument not in ("--overwrite", *further)]
    if not begun:
        click.echo("\nInterrupted before anything was written.", err=True)
    else:
        command = shlex.join(["ibtools", *given, *further])
        click.echo(f"\nInterrupted. What is complete is on disk; go on with: {command}", err=True)
    sys.exit(_INTERRUPTED)


def main() -> None:
    """Run the command line."""
    cli(prog_name="ibtools")
