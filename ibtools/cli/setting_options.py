"""Options of a command, made of the declarations of settings."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from ibtools.cli import completing
from ibtools.settings import SETTINGS, Setting

Command = TypeVar("Command", bound=Callable[..., Any])

_TABLES = {
    "network": completing.networks,
    "data_set": completing.data_sets,
    "engine": completing.engines,
}


def setting_options(*settings: str) -> Callable[[Command], Command]:
    """Return a decorator that gives a command the options of these settings, in their order."""

    def decorate(command: Command) -> Command:
        for name in reversed(settings):
            command = _option(SETTINGS[name])(command)
        return command

    return decorate


def _option(setting: Setting) -> Callable[[Command], Command]:
    about, default = setting.about, setting.option_default
    known = _TABLES.get(setting.name, about.choices)
    return click.option(
        f"--{setting.option.replace('_', '-')}",
        type=setting.option_type,
        default=default,
        show_default=default is not None,
        shell_complete=completing.names(known) if known else None,
        help=about.help + f"  [{about.otherwise}]" * bool(about.otherwise),
    )
