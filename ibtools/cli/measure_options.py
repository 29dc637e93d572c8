"""Options of measures on the command line, as the measures declare them."""

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
