"""`ibtools plot`."""

import inspect
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from ibtools.cli.completing import estimator_names, figures, files, names, paths, paths_and
from ibtools.cli.names import split_names
from ibtools.cli.printing import tell_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ibtools.analysis.figures import FigureKind, Option


class PlotCommand(click.Command):
    """Offers the options of all figures, and names them in its help.

    Figures are imported where that is needed only: not to complete their names, nor to list the
    commands.
    """

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return the parameters; while a line is completed, without those of the figures."""
        if not ctx.resilient_parsing:
            self.add_figures()
        return super().get_params(ctx)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete options, those of the figures too."""
        self.add_figures()
        return super().shell_complete(ctx, incomplete)

    def add_figures(self) -> None:
        """Take options and help from the figures there are, once."""
        from ibtools.analysis.figures import figure_kinds

        if self.help is None or LIST not in self.help:
            return
        kinds = figure_kinds()
        self.help = inspect.cleandoc(self.help).replace(LIST, _describe(kinds))
        place = next(at for at, one in enumerate(self.params) if one.name == "quiet")
        self.params[place:place] = _options(kinds)


LIST = "LIST OF FIGURES"
"""What stands in the help for the figures."""


def _options(kinds: "Mapping[str, FigureKind]") -> list[click.Option]:
    """Create the options of all figures; those that are not shared say whose they are."""
    users: dict[str, dict[str, Option]] = {}
    for figure, kind in kinds.items():
        for option in kind.command_options:
            users.setdefault(option.name, {})[figure] = option
    return [_create_option(by_figure) for by_figure in users.values()]


def _create_option(by_figure: "Mapping[str, Option]") -> click.Option:
    option = next(iter(by_figure.values()))
    shared = len(by_figure) > 1 and len(set(by_figure.values())) == 1
    words = [f"{figure}: {one.help}" for figure, one in by_figure.items()]
    return click.Option(
        [f"--{option.flag or option.name}", option.name],
        type=str if option.type is list else option.type,
        is_flag=option.type is bool,
        help=option.help if shared else " ".join(words),
        callback=_split if option.type is list else None,
    )


def _split(_: click.Context, __: click.Parameter, value: str | None) -> list[str] | None:
    return split_names(value) if value else None


def _describe(kinds: "Mapping[str, FigureKind]") -> str:
    """List the figures by what they are drawn from, and those of several stores."""
    width = max(map(len, kinds)) + 1
    lines: dict[bool, list[str]] = {True: [], False: []}
    for name, kind in kinds.items():
        lines[kind.source == "store"].append(f"  {name:{width}} {kind.shows}")
    *most, last = (name for name, kind in kinds.items() if kind.facets is not None)
    return "\n".join(
        [
            "\b",
            "Figures of results (ibtools analyze):",
            *lines[False],
            "Figures of the recording:",
            *lines[True],
            "",
            f"Of several stores, {', '.join(most)} and {last} are drawn in facets that are titled "
            "by what differs: attributes of your own, experiment, control, bits, activation, "
            "architecture.",
        ]
    )


@click.command(cls=PlotCommand)
@click.argument(
    "stores",
    nargs=-1,
    required=True,
    metavar="STORE...",
    shell_complete=paths_and(figures),  # click takes the figure for one more store
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
@click.option("--height", type=float, help="Height in inches.  [default: in proportion]")
@click.option("--title", help="What is above the figure, instead of what it says itself.")
@click.option("--no-zoom", is_flag=True, help="information-plane: draw no second panel.")
@click.option(
    "--control",
    multiple=True,
    shell_complete=paths,
    help="The same recording with --control frozen or --labels random, also analysed: drawn pale "
    "beside it. Of several stores give one for each, in their order.",
)
@click.option(
    "--subtract", is_flag=True, help="Draw what is above the control instead, repeat by repeat."
)
@click.option("--quiet", is_flag=True, help="animation: show no progress.")
def plot(
    stores: tuple[str, ...],
    figure: str,
    output: str,
    quiet: bool,
    no_zoom: bool,
    **options: Any,
) -> None:
    """Draw FIGURE from STORE, or from several with shared axes.

    LIST OF FIGURES

    \b
    Examples:
      ibtools plot syn.zarr information-plane --output plane.png
      ibtools plot tanh.zarr relu.zarr information-plane --output planes.png
      ibtools plot syn.zarr information-plane --format latex --width 3.4 --output plane.pdf
      ibtools plot syn.zarr information-epochs --control frozen.zarr --output epochs.png
      ibtools plot syn.zarr animation --output plane.gif
      ibtools plot syn.zarr scatter --layer output --epoch 100 --repeat 0 --output scatter.png
    """
    from ibtools.analysis.plots import write_figure
    from ibtools.analysis.plots.sources import describe_saturated

    given = {name: value for name, value in options.items() if value not in (None, False, ())}
    if no_zoom:
        given["zoom"] = None
    write_figure(stores, figure, output=output, quiet=quiet, **given)
    for line in describe_saturated(stores, figure, options["estimator"]):
        tell_line(line)
    tell_line(f"{output}: {figure} of {', '.join(stores)}")
