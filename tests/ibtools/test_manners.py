"""What a terminal, a log, a script and a shell get from the commands."""

import io
import json
import os
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner, Result

from ibtools.analysis.details import DETAILS
from ibtools.analysis.estimators import ESTIMATORS
from ibtools.cli import completing
from ibtools.cli.analyze import analyze
from ibtools.cli.json_output import to_json
from ibtools.cli.main import cli
from ibtools.progress import progress_bar, write_line
from ibtools.provenance import version_report


def run(command: str) -> Result:
    return CliRunner().invoke(cli, shlex.split(command))


@dataclass
class Row:
    epoch: int
    mi_xt: float


def test_to_json__values():
    found = to_json(
        {
            "row": Row(3, float("nan")),
            "array": np.array([[1.0, np.inf], [np.nan, 2.5]]),
            "date": date(2026, 1, 2),
            "path": Path("syn.zarr"),
            "scalars": (np.int64(1), np.bool_(True), None, "x"),
        }
    )
    assert found == {
        "row": {"epoch": 3, "mi_xt": None},
        "array": [[1.0, None], [None, 2.5]],
        "date": "2026-01-02",
        "path": "syn.zarr",
        "scalars": [1, True, None, "x"],
    }


def test_to_json__refuses_what_it_does_not_know():
    with pytest.raises(TypeError, match="no JSON for a set"):
        to_json({"a": {1}})


def test_json__is_alone_on_standard_output(example_store: Path, tmp_path: Path):
    commands = {
        f"analyze {example_store}": ["store", "results"],
        f"details {example_store} classes": ["store", "details"],
        f"info {example_store}": ["store", "experiment"],
        f"check {example_store}": ["store", "ok", "checks"],
        f"export {example_store} --output {tmp_path}/t": ["stores", "files"],
        f"reproduce prefit --dry-run --output {tmp_path}/r": ["steps", "figures"],
    }
    for command, keys in commands.items():
        result = run(f"{command} --json")
        assert result.exit_code == 0, result.output
        assert list(json.loads(result.stdout))[: len(keys)] == keys
        assert result.stderr == ""


def test_json__not_a_number_is_null(example_store: Path):
    assert json.loads(run(f"info {example_store} --json").stdout)["train_accuracy"] is None


@pytest.mark.parametrize(
    ("command", "function"),
    [
        ("record SYN-Tanh --output {new}", "ibtools.recorders.record.record"),
        ("analyze {store}", "ibtools.analysis.passes.results.analyze_store"),
        ("details {store} classes", "ibtools.analysis.details.details_store"),
        ("check {store}", "ibtools.analysis.check.check"),
        ("compare {store} --output {new}.png", "ibtools.analysis.plots.compare.compare"),
        ("plot {store} accuracy --output {new}.png", "ibtools.analysis.plots.plot_store"),
        ("reproduce prefit --output {new}", "ibtools.reproduction.reproduce"),
    ],
)
def test_interrupt__one_line_with_the_whole_command(
    command: str, function: str, example_store: Path, tmp_path: Path, monkeypatch
):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(function, interrupt)
    command = command.format(store=example_store, new=tmp_path / "new")
    monkeypatch.setattr("sys.argv", ["ibtools", *shlex.split(command)])
    result = run(command)
    assert result.exit_code == 130
    assert result.stdout == ""
    (line,) = result.stderr.strip().splitlines()
    assert line == f"Interrupted; nothing was written. Begin again with: ibtools {command}"


@pytest.mark.parametrize(
    ("command", "function", "on_disk"),
    [
        (
            "analyze {store}",
            "ibtools.analysis.passes.results.analyze_store",
            "in {store} are exact (8 snapshots)",
        ),
        (
            "details {store} classes layers",
            "ibtools.analysis.details.details_store",
            "in {store} are exact/classes (8 snapshots)",
        ),
        (
            "record custom --output {store}",
            "ibtools.recorders.record.record",
            "8 of 8 snapshots are in {store}",
        ),
    ],
)
def test_interrupt__says_what_is_on_disk(
    command: str, function: str, on_disk: str, example_store: Path, monkeypatch
):
    run(f"analyze {example_store}")
    run(f"details {example_store} classes")

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(function, interrupt)
    command = command.format(store=example_store)
    monkeypatch.setattr("sys.argv", ["ibtools", *shlex.split(command)])
    result = run(command)
    resume = " --resume" if command.startswith("record") else ""
    assert result.exit_code == 130
    assert result.stderr.strip() == (
        f"Interrupted; {on_disk.format(store=example_store)}. Go on with: ibtools {command}{resume}"
    )


def test_completing__names_are_those_of_the_tables():
    assert list(completing.estimator_names()) == ESTIMATORS.names()
    assert list(completing.detail_names()) == DETAILS.names()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("ibtools rec", "plain,record"),
        ("ibtools record SYN-T", "plain,SYN-Tanh"),
        ("ibtools record custom --network mnist-b", "plain,mnist-bottleneck-2"),
        ("ibtools record custom --data dig", "plain,digits"),
        ("ibtools analyze x.zarr --estimator ex", "plain,exact"),
        ("ibtools plot x.zarr information-p", "plain,information-plane"),
        ("ibtools details x.zarr cl", "plain,classes"),
        ("ibtools reproduce quan", "plain,quantize"),
        ("ibtools info sy", "dir,sy"),
    ],
)
def test_completion__answers_without_heavy_libraries(line: str, expected: str):
    answers = answers_of_completion(line)
    assert expected in answers
    assert "heavy: []" in answers


def test_completion__of_layers_answers_without_heavy_libraries(example_store: Path):
    answers = answers_of_completion(f"ibtools analyze {example_store} --layers free,h")
    assert answers == ["plain,free,hidden_1", "heavy: []"]


def answers_of_completion(line: str) -> list[str]:
    """Return what a shell is told, and then which heavy libraries that took."""
    program = (
        "import atexit, sys\n"
        "heavy = {'numba', 'matplotlib', 'tensorflow', 'scipy'}\n"
        "from ibtools.cli.main import main\n"
        "try:\n    main()\n"
        "finally:\n    print('heavy:', sorted(heavy & set(sys.modules)))\n"
    )
    words = line.split()
    environment = {
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
        "_IBTOOLS_COMPLETE": "bash_complete",
    }
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    ("begun", "expected"),
    [
        ("", ["hidden_1", "free", "output"]),
        ("o", ["output"]),
        ("free,h", ["free,hidden_1"]),
        ("x", []),
    ],
)
def test_completion__of_the_layers_of_a_store(example_store: Path, begun: str, expected):
    def complete(store: str) -> list[str]:
        context = click.Context(analyze)
        context.params["store"] = store
        return [item.value for item in completing.layer_names(context, analyze.params[0], begun)]

    assert complete(str(example_store)) == expected
    assert complete(str(example_store / "code")) == complete("s3://bucket/s.zarr") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_completion__prints_script_and_how_to_install_it(shell: str):
    result = run(f"completion {shell}")
    assert result.exit_code == 0
    assert re.search(f"_IBTOOLS_COMPLETE ?= ?[\"']?{shell}_complete", result.stdout)
    assert f"ibtools completion {shell}" in result.stdout.splitlines()[-1]


def test_completion__unknown_shell():
    result = run("completion fihs")
    assert result.exit_code == 1
    assert "unknown shell 'fihs'; did you mean 'fish'?" in result.output


def test_version__names_what_a_bug_report_needs():
    report = version_report()
    assert list(report)[:3] == ["ibtools", "python", "platform"]
    assert {"numpy", "zarr", "matplotlib", "click"} <= set(report)
    assert run("--version").output.splitlines() == [f"{k} {v}" for k, v in report.items()]


def test_progress__silent_without_a_terminal(capfd):
    with progress_bar(3, "outer", unit="step") as outer:
        with progress_bar(2, "inner", unit="epoch") as inner:
            inner.update()
            write_line("a line")
        outer.update()
    out, err = capfd.readouterr()
    assert out == ""
    assert err == "a line\n"


NESTED = """
from ibtools.progress import progress_bar, write_line
with progress_bar(2, "outer", unit="step") as outer:
    for step in range(2):
        write_line(f"line {step}")
        with progress_bar(2, "inner", unit="epoch") as inner:
            inner.update(2)
        outer.update()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are of Unix")
def test_progress__nested_bars_leave_the_outer_one():
    """On a terminal, the inner bar goes when it is done, and lines stay whole."""
    import fcntl
    import pty
    import struct
    import termios

    reader, writer = pty.openpty()
    fcntl.ioctl(writer, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 80, 0, 0))
    subprocess.run([sys.executable, "-c", NESTED], stderr=writer, check=True)
    os.close(writer)
    shown = b""
    while True:
        try:
            portion = os.read(reader, 65536)
        except OSError:
            break
        if not portion:
            break
        shown += portion
    os.close(reader)
    lines = [line.split(b"\r")[-1] for line in shown.replace(b"\r\n", b"\n").split(b"\n")]
    assert b"line 0" in shown
    assert b"line 1" in shown
    assert lines[-2].startswith(b"outer: 100%")


@pytest.mark.parametrize(("module", "shown"), [("ipykernel.iostream", True), ("io", False)])
def test_progress_bar__shows_in_notebooks_but_not_in_logs(monkeypatch, module: str, shown: bool):
    stream = type("Stream", (io.StringIO,), {"__module__": module})()
    monkeypatch.setattr(sys, "stderr", stream)
    with progress_bar(2, "work", unit="step") as bar:
        bar.update()
    assert ("work" in stream.getvalue()) == shown


def test_progress_bar__first_step_says_nothing_of_the_time_left(monkeypatch):
    """It may compile machine code for minutes."""
    now = 0.0
    monkeypatch.setattr("tqdm.std.time", lambda: now)
    monkeypatch.setattr("ibtools.progress._hide_unless_terminal", lambda: False)
    with progress_bar(50, "record", unit="epoch") as bar:
        now = 100.0
        bar.update()
        assert bar.format_dict["rate"] is None
        for _ in range(3):
            now += 1.0
            bar.update()
        assert bar.format_dict["rate"] == pytest.approx(1.0)
        assert bar.format_dict["elapsed"] == 103.0
