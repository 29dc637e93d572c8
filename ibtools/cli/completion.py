"""`ibtools completion`."""

import click
from click.shell_completion import (
    BashComplete,
    FishComplete,
    PowerShellComplete,
    ShellComplete,
    ZshComplete,
)

from ibtools.cli.completing import names
from ibtools.errors import unknown_name

_SHELLS: dict[str, tuple[type[ShellComplete], str]] = {
    "bash": (BashComplete, "echo 'eval \"$(ibtools completion bash)\"' >> ~/.bashrc"),
    "zsh": (ZshComplete, "echo 'eval \"$(ibtools completion zsh)\"' >> ~/.zshrc"),
    "fish": (FishComplete, "ibtools completion fish > ~/.config/fish/completions/ibtools.fish"),
    "powershell": (
        PowerShellComplete,
        "ibtools completion powershell | Out-String | Add-Content $PROFILE",
    ),
}
"""What writes the script for every shell, and the line that installs it."""


@click.command()
@click.argument("shell", shell_complete=names(_SHELLS))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script that completes ibtools in SHELL: bash (4.4 or newer), zsh, fish, powershell.

    Commands, options and names are completed: experiments, networks, data sets, estimators,
    figures, details. The last line of the script says how to install it.

    \b
    Examples:
      ibtools completion bash
      ibtools completion fish > ~/.config/fish/completions/ibtools.fish
    """
    if shell not in _SHELLS:
        raise unknown_name("shell", shell, _SHELLS)
    complete, install = _SHELLS[shell]
    script = complete(context.find_root().command, {}, "ibtools", "_IBTOOLS_COMPLETE").source()
    click.echo(f"{script.rstrip()}\n# to install it: {install}")  # noqa: TID251  # of click
