"""Run commands on a store that may be anything, and judge what they did, not what they say."""

import resource
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from click.testing import CliRunner

import ibtools
from ibtools.cli.main import cli
from ibtools.errors import IbtoolsError

MOST_SECONDS = 10
MOST_BYTES = 2**30


def open_and_show(path: Path) -> None:
    with suppress(IbtoolsError):
        repr(ibtools.open_store(path).ib)


def command(*words: str) -> Callable[[Path], None]:
    """Return what runs a command, `{}` being the store and `{out}` a place to write to."""

    def run(path: Path) -> None:
        filled = [one.format(path, out=path.parent / "out") for one in words]
        result = CliRunner().invoke(cli, filled)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code in (0, 1), result.output
        if result.exit_code == 1 and "check" not in words:
            said = [one for one in result.output.splitlines() if one.startswith("Error: ")]
            assert len(said) == 1, result.output

    return run


COMMANDS: dict[str, Callable[[Path], None]] = {
    "open_store": open_and_show,
    "info": command("info", "{}"),
    "info --json": command("info", "{}", "--json"),
    "summary": command("summary", "{}"),
    "export": command("export", "{}", "--output", "{out}"),
    "check": command("check", "{}", "--quiet"),
    "analyze": command("analyze", "{}", "--quiet"),
    "analyze binned": command("analyze", "{}", "--estimator", "binned", "--quiet"),
    "details": command("details", "{}", "classes", "--quiet"),
    "plot ranges": command("plot", "{}", "activation-ranges", "--output", "{out}.png"),
    "plot plane": command("plot", "{}", "information-plane", "--output", "{out}.png"),
    "plot accuracy": command("plot", "{}", "accuracy", "--output", "{out}.png"),
    "plot scatter": command("plot", "{}", "scatter", "--output", "{out}.png"),
}


class Costs:
    """What a piece of work takes of processor and memory."""

    def __enter__(self) -> "Costs":
        self.started = time.process_time()
        self.peak = _peak()
        return self

    def __exit__(self, *error: object) -> None:
        self.seconds = time.process_time() - self.started
        self.grown = _peak() - self.peak

    def validate(self) -> None:
        assert self.seconds < MOST_SECONDS, f"{self.seconds:.1f} s"
        assert self.grown < MOST_BYTES, f"{self.grown / 2**20:.0f} MiB"


def _peak() -> int:
    """Return the most memory that the process ever had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
