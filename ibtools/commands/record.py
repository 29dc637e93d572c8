"""`ibtools record`."""

from typing import Any

import click

import ibtools
from ibtools.commands import completing
from ibtools.commands.completing import names
from ibtools.commands.interrupted import exit_interrupted, recorded
from ibtools.commands.json_output import json_option, print_json, to_json
from ibtools.commands.printing import tell_line, tell_lines
from ibtools.shown import shell_command


@click.command()
@click.argument("experiment", shell_complete=names(completing.experiments))
@click.option(
    "--output",
    shell_complete=completing.paths,
    help="The store to write: a path, or a URL such as s3://...",
)
@click.option(
    "--network",
    shell_complete=names(completing.networks),
    help="Table name, dense:784-64-10, or package.module:function.",
)
@click.option(
    "--data",
    shell_complete=names(completing.data_sets),
    help="MNIST, digits, ..., an .npz file with x and y, or a folder of images.  [the paper's]",
)
@click.option(
    "--data-folder",
    shell_complete=completing.paths,
    help="Where the data set's files are.  [default: $IBTOOLS_DATA]",
)
@click.option(
    "--activation",
    shell_complete=names(("tanh", "relu", "relu6")),
    help="tanh, relu or relu6, of the hidden layers.  [the paper's]",
)
@click.option("--bits", type=int, help="2 to 8 or 16, or 32 for a float network.  [the paper's: 8]")
@click.option(
    "--scheme",
    default="paper",
    show_default=True,
    shell_complete=names(("paper", "full")),
    help="What is quantised: paper, full.",
)
@click.option(
    "--initializer",
    default="paper",
    show_default=True,
    shell_complete=names(completing.initializers),
    help="Or a Keras initialiser.",
)
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
    shell_complete=names(("every:", "log:", "paper")),
    help="Epochs to record: every:N, log:N, a list such as 0,1,10, or paper; 0 is untrained.",
)
@click.option(
    "--keep",
    default="codes",
    show_default=True,
    shell_complete=names(("codes", "partition")),
    help="codes, or only the partition.",
)
@click.option(
    "--samples",
    type=int,
    help="Record a fixed subset of so many samples; ranges of Tanh layers are of these.  [all]",
)
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
@click.option(
    "--jobs",
    type=int,
    help="Repeats side by side: processes, or workers of a cluster.  [1; all of the cluster]",
)
@click.option(
    "--scheduler", help="Record on the workers of a Dask cluster: tcp://host:port of its scheduler."
)
@click.option(
    "--engine",
    shell_complete=names(("compiled", "dense", "fit")),
    help="What trains: dense (fastest; dense layers only), compiled, or fit (slowest).  [chosen]",
)
@click.option("--dry-run", is_flag=True, help="Print sizes and a time forecast; record nothing.")
@click.option("--overwrite", is_flag=True, help="Replace the ibtools store that is at `--output`.")
@click.option("--resume", is_flag=True, help="Finish the interrupted recording at `--output`.")
@json_option
@click.option("--quiet", is_flag=True, help="Show no progress.")
def record(
    experiment: str,
    output: str | None,
    dry_run: bool,
    jobs: int | None,
    scheduler: str | None,
    overwrite: bool,
    resume: bool,
    as_json: bool,
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
      ibtools record SYN-Tanh --scheduler tcp://10.0.0.1:8786 --output s3://bucket/syn.zarr
      ibtools record MNIST-Conv --keep partition --dry-run
      ibtools record custom --data digits --network dense:64-32-10 --output digits.zarr
    """
    if dry_run:
        forecast = ibtools.forecast_recording(experiment, **settings)
        if as_json:
            print_json(forecast)
        else:
            tell_lines(forecast.format())
        return
    if output is None:
        raise click.UsageError("Missing option '--output'.")
    try:
        report = ibtools.record(
            experiment,
            output,
            jobs=jobs,
            scheduler=scheduler,
            overwrite=overwrite,
            resume=resume,
            quiet=quiet,
            **settings,
        )
    except KeyboardInterrupt:
        exit_interrupted(recorded(output), "--resume")
    if as_json:
        print_json({"store": output, **to_json(report)})
        return
    failed = f", {report.failed} failed" if report.failed else ""
    retried = f" ({report.failed_attempts} attempts given up)" if report.failed_attempts else ""
    tell_line(
        f"{output}: {report.trained} repeats recorded{failed}{retried}; "
        f"next: {shell_command('analyze', output)}"
    )
