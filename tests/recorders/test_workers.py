"""Worker processes that are killed, and those whose parent is."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psutil
import pytest
import xarray as xr

from ibtools.errors import RecordingError
from ibtools.recorders import engines
from ibtools.tasks import workers as workers_module
from tests.analysis.slow_estimator import SECONDS
from tests.remote.engines import FOLDER, PAUSE, SLEEPY, met, plan_accident
from tests.remote.stores import contents, record_small

TRACKER = "resource_tracker"
"""Python's own process that cleans up after killed ones; it ends when all others have."""


@dataclass(frozen=True)
class Recording:
    """A recording of two repeats by one engine; a block is half of what is written."""

    engine: str
    program: list[str]
    expected: dict[str, bytes]

    def command(self, path: Path, *further: str) -> list[str]:
        epochs = 10 if self.engine == "sleepy" else 128
        options = f"--epochs {epochs} --schedule every:{2 if epochs == 10 else 1} --repeats 2"
        named = ["record", "SYN-Tanh", "--engine", self.engine, *options.split()]
        return [sys.executable, *self.program, *named, "--output", str(path), *further]


def run(arguments: list[str]) -> subprocess.CompletedProcess:
    """Run a command that nothing is to kill."""
    return subprocess.run(
        arguments,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env=environment() | {PAUSE: "0"},
    )


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": os.getcwd(), "DASK_NUM_WORKERS": "2", SECONDS: "1"}


@contextmanager
def started(arguments: list[str]) -> Iterator[subprocess.Popen]:
    """Start a command; whatever is left of it at the end is killed."""
    with subprocess.Popen(
        arguments, stderr=subprocess.PIPE, text=True, env=environment()
    ) as process:
        family: list[psutil.Process] = []
        try:
            yield process
        finally:
            family = workers_of(process)
            process.kill()
            for one in family:
                one.kill()


def workers_of(process: subprocess.Popen) -> list[psutil.Process]:
    """Return the processes that a process has started, but for Python's own tracker."""
    if process.poll() is not None:
        return []
    children = psutil.Process(process.pid).children(recursive=True)
    return [child for child in children if TRACKER not in " ".join(child.cmdline())]


def wait_until(what, seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def wait_for_training(path: Path) -> None:
    """Wait until a repeat has a checkpoint, and another has begun."""
    wait_until(lambda: len(list(path.glob("checkpoint/*/zarr.json"))) >= 3)


def assert_gone(processes: list[psutil.Process]) -> None:
    assert processes
    _, alive = psutil.wait_procs(processes, timeout=30)
    for process in alive:
        process.kill()
    assert not alive


TRAINED = [pytest.param(name, marks=pytest.mark.slow) for name in ("native", "compiled", "fit")]


@pytest.fixture(scope="module", params=["sleepy", *TRAINED])
def recording(request, tmp_path_factory) -> Recording:
    """What is recorded in one process, without any accident."""
    folder = tmp_path_factory.mktemp("whole")
    program = ["-m", "ibtools"]
    if request.param == "sleepy":
        program = [str(folder / "program.py")]
        (folder / "program.py").write_text(SLEEPY)
    whole = Recording(request.param, program, {})
    assert run(whole.command(folder / "s.zarr")).returncode == 0
    return replace(whole, expected=contents(folder / "s.zarr"))


def test_record__workers_end_with_their_parent(recording: Recording, tmp_path: Path):
    """Killed in the middle of training; resumed, the store has the bytes of the whole."""
    path = tmp_path / "s.zarr"
    with started(recording.command(path, "--jobs", "2")) as process:
        wait_for_training(path)
        workers = workers_of(process)
        process.kill()
        process.wait()
        assert_gone(workers)
    done = run(recording.command(path, "--resume"))
    assert done.returncode == 0, done.stderr
    assert contents(path) == recording.expected


def test_record__a_worker_is_killed(recording: Recording, tmp_path: Path):
    """The recording goes on by itself, to the same bytes, and says so on one line."""
    path = tmp_path / "s.zarr"
    with started(recording.command(path, "--jobs", "2")) as process:
        wait_for_training(path)
        workers_of(process)[-1].kill()
        _, said = process.communicate(timeout=300)
    assert process.returncode == 0, said
    assert said.count("a worker process died while repeat") == 1
    assert "Traceback" not in said
    assert contents(path) == recording.expected


@pytest.fixture
def accidents(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv(FOLDER, str(tmp_path))
    monkeypatch.setattr("ibtools.store.layout.MAX_BLOCK_EPOCHS", 2)
    monkeypatch.setitem(engines.ENGINES.builtin, "mortal", "tests.remote.engines:MortalEngine")
    monkeypatch.setattr(workers_module, "MAX_LOSSES", 1)


def test_record__a_repeat_that_kills_every_worker(accidents, tmp_path: Path, capsys):
    plan_accident(repeat=0, epoch=5, signal_name="SIGKILL", times=2)
    wanted = r"a worker process died 2 times while it recorded repeats? 0.*--resume.*fewer --jobs"
    with pytest.raises(RecordingError, match=wanted):
        record_small(tmp_path / "s.zarr", jobs=2)
    assert capsys.readouterr().err.count("goes on from the last checkpoint") == 1
    assert len(met()) == 2
    record_small(tmp_path / "s.zarr", jobs=1, resume=True)
    record_small(tmp_path / "whole.zarr")
    assert contents(tmp_path / "s.zarr") == contents(tmp_path / "whole.zarr")


ANALYZE = """
import sys
from ibtools.analysis.passes import cost, plan
from tests.analysis.slow_estimator import SlowExact
plan.WINDOW_BYTES = cost.BLOCK_BYTES = 1
if __name__ == "__main__":
    from ibtools.cli import analyze
    analyze._create_estimators = lambda *_, **__: (SlowExact(),)
    sys.argv = ["ibtools", "analyze", sys.argv[1], "--scheduler", "processes"]
    from ibtools.cli.main import main
    main()
"""


@pytest.mark.parametrize("killed", ["parent", "worker"])
def test_analyze__with_a_process_that_is_killed(example_store: Path, tmp_path: Path, killed: str):
    program = tmp_path / "program.py"
    program.write_text(ANALYZE)

    def analysed() -> int:
        try:
            return int(xr.open_zarr(example_store, group="information/exact")["analysed"].sum())
        except (FileNotFoundError, KeyError):
            return 0

    with started([sys.executable, str(program), str(example_store)]) as process:
        wait_until(analysed)
        workers = workers_of(process)
        if killed == "parent":
            process.send_signal(signal.SIGKILL)
            process.wait()
            assert_gone(workers)
            return
        workers[0].kill()
        _, said = process.communicate(timeout=300)
    assert process.returncode == 0, said
    assert "new ones do again what it was doing" in said
    assert analysed() == 8
