"""Options of measures on the command line, as the measures declare them."""

import inspect
from copy import copy
from typing import Any, cast

import click

from ibtools.cli.completing import estimator_names, names


class EstimatorCommand(click.Command):
    """A command that takes the options of all estimators, those of other packages too.

    They are asked for only when this command is parsed or explained: others need not load them.
    """

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return the options of the command, those of estimators after ``--estimator``."""
        own = list(super().get_params(ctx))
        first = 1 + next(i for i, one in enumerate(own) if one.name == "estimators")
        own[first - 1] = estimators = copy(cast(click.Option, own[first - 1]))
        estimators.help = str(estimators.help).format(estimators=", ".join(estimator_names()))
        known = {one.name for one in own}
        more = [one for one in _options() if one.name not in known]
        return [*own[:first], *more, *own[first:]]


class DetailsCommand(click.Command):
    """A command whose help lists the details there are, those of other packages too.

    They are asked for only when it is explained: others need not load them.
    """

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the help, with the details in it."""
        explained = copy(self)
        explained.help = self.complete_help()
        click.Command.format_help_text(explained, ctx, formatter)

    def complete_help(self) -> str:
        """Return the help, with the details in place of `LIST`."""
        from ibtools.analysis.measures.registry import DETAILS

        kinds = DETAILS.load_all()
        width = max(map(len, kinds)) + 1
        rows = [f"  {name:{width}} {kind.shows}" for name, kind in kinds.items()]
        return inspect.cleandoc(str(self.help)).replace(LIST, "\n".join(rows))


LIST = "  LIST OF DETAILS"
"""What stands in the help for the details."""


def _options() -> list[click.Parameter]:
    from ibtools.analysis.estimators import command_options

    return [
        click.Option(
            [one.flag, one.parameter],
            type=one.type,
            help=one.help,
            shell_complete=names(one.choices) if one.choices else None,
        )
        for one in command_options()
    ]


def parse_options(given: dict[str, Any]) -> dict[str, Any]:
    """Turn what was given for the options of estimators into what their classes take."""
    from ibtools.analysis.estimators import command_options

    parsers = {one.parameter: one.parse for one in command_options()}
    return {
        name: parsers[name](value) if name in parsers and value is not None else value
        for name, value in given.items()
    }
