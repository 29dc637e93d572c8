"""`ibtools analyze`."""

from collections.abc import Sequence
from typing import Any

import click

import ibtools
from ibtools.cli.completing import estimator_names, names, paths
from ibtools.cli.computing import compute_and_tell, computing_options
from ibtools.cli.measure_options import EstimatorCommand, parse_options
from ibtools.cli.working import layers_option


@click.command(cls=EstimatorCommand)
@click.argument("store", shell_complete=paths)
@click.option(
    "--estimator",
    "estimators",
    multiple=True,
    default=("exact",),
    show_default=True,
    shell_complete=names(estimator_names),
    help="{estimators}, or a full name such as binned-uniform-30-global, requantised-8 or "
    "kde-0.001; may be given several times, for one pass over the store.",
)
@click.option("--per-unit", is_flag=True, help="Means over single units too.")
@click.option(
    "--target",
    shell_complete=names(("recorded", "population")),
    help="What the information is about: the recorded inputs, or the population they are a sample "
    "of.  [default: recorded]",
)
@click.option(
    "--correction",
    shell_complete=names(("miller-madow", "grassberger", "chao-shen")),
    help="For a population: miller-madow, grassberger or chao-shen.",
)
@layers_option
@computing_options("results")
def analyze(
    store: str,
    estimators: tuple[str, ...],
    layers: list[str] | None,
    output: str | None,
    memory: str,
    scheduler: str | None,
    as_json: bool,
    quiet: bool,
    **options: Any,
) -> None:
    """Compute I(X;T) and I(T;Y) of every layer of STORE, and write them.

    What was analysed before is skipped; an interrupted analysis goes on where it stopped. The
    results are called as the estimator with all its options, and the layers if not all are
    analysed, which `plot --estimator` takes.

    \b
    Examples:
      ibtools analyze syn.zarr --estimator exact
      ibtools analyze syn.zarr --estimator binned --bins 30 --bounds global
      ibtools analyze syn.zarr --estimator exact --estimator binned-width-0.07-zero --per-unit
      ibtools analyze mnist.zarr --target population --correction chao-shen
      ibtools analyze syn.zarr --layers hidden_5,output
      ibtools analyze s3://bucket/syn.zarr --output results.zarr
      ibtools analyze large.zarr --memory 512MiB --scheduler tcp://10.0.0.1:8786
    """
    chosen = _create_estimators(estimators, **options)
    compute_and_tell(
        output or store,
        lambda: ibtools.analyze_store(
            store,
            estimator=chosen,
            layers=layers,
            output=output,
            memory=memory,
            scheduler=scheduler,
            quiet=quiet,
        ),
        _describe_next,
        group="information",
        key="results",
        as_json=as_json,
    )


def _describe_next(path: str, reports: Sequence[Any]) -> str:
    from ibtools.analysis.passes.analysis_report import describe_next

    return describe_next(path, reports)


def _create_estimators(names: tuple[str, ...], **options: Any) -> Sequence[Any]:
    """Build the estimators that the options of `analyze` describe."""
    from ibtools.analysis.estimators import create_estimators

    return create_estimators(names, **parse_options(options))
