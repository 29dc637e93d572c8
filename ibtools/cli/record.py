"""`ibtools record`."""

from typing import Any

import click

import ibtools
from ibtools.cli import completing
from ibtools.cli.completing import names
from ibtools.cli.json_output import json_option, print_json, to_json
from ibtools.cli.printing import tell_line, tell_lines
from ibtools.cli.setting_options import setting_options
from ibtools.shown import counted, shell_command
from ibtools.tasks.interruption import exit_interrupted, recorded


@click.command()
@click.argument("experiment", shell_complete=names(completing.experiments))
@click.option(
    "--output",
    shell_complete=completing.paths,
    help="The store to write: a path, or a URL such as s3://...",
)
@setting_options("network", "data_set")
@click.option(
    "--data-folder",
    shell_complete=completing.paths,
    help="Where the data set's files are.  [default: $IBTOOLS_DATA]",
)
@setting_options(
    *("activation", "bits", "scheme", "ranges", "initializer", "epochs", "prefit", "labels"),
    *("control", "repeats", "first_repeat", "recorded_epochs", "keep", "samples", "seed"),
    *("learning_rate", "batch_size", "patience", "required_gain", "max_attempts"),
)
@click.option(
    "--jobs",
    type=int,
    help="Repeats side by side: processes, or workers of a cluster.  [1; all of the cluster]",
)
@click.option(
    "--scheduler", help="Record on the workers of a Dask cluster: tcp://host:port of its scheduler."
)
@setting_options("engine", "snapshots")
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
      ibtools record SYN-Tanh --repeats 2 --epochs 2000 --schedule log:60 --output syn.zarr
      ibtools record SYN-ReLU --schedule log:200 --jobs 2 --output relu.zarr
      ibtools record SYN-ReLU --schedule log:200 --jobs 2 --output relu.zarr --resume
      ibtools record SYN-Tanh --repeats 2 --epochs 2000 --control frozen --output frozen.zarr
      ibtools record SYN-Tanh --scheduler tcp://10.0.0.1:8786 --output s3://bucket/syn.zarr
      ibtools record MNIST-Conv --keep partition --dry-run
      ibtools record custom --data digits --network dense:64-32-10 --output digits.zarr
    """
    if dry_run:
        forecast = ibtools.forecast_recording(experiment, jobs=jobs, quiet=quiet, **settings)
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
    retried = (
        f" ({counted(report.failed_attempts, 'attempt')} given up)"
        if report.failed_attempts
        else ""
    )
    tell_line(
        f"{output}: {counted(report.trained, 'repeat')} recorded{failed}{retried}; "
        f"next: {shell_command('analyze', output)}"
    )
