import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import BrokenExecutor
from pathlib import Path

import dask
import pytest
import xarray as xr

import ibtools
from ibtools.analysis.passes import writing
from ibtools.analysis.passes.results import analyze_store, open_results
from ibtools.errors import IbtoolsError, InputError, UnknownNameError
from ibtools.tasks.workers import IN_FLIGHT, Job, open_workers


def double(number: int) -> int:
    return 2 * number


def fail() -> None:
    raise ZeroDivisionError("in a task")


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def pid() -> int:
    return os.getpid()


@pytest.mark.parametrize("scheduler", ["threads", "synchronous"])
def test_workers__run_every_job_with_few_in_flight(scheduler: str):
    taken, done, most = 0, 0, 0

    def jobs():
        nonlocal taken
        for number in range(200):
            taken += 1
            yield Job(f"job {number}", double, (number,))

    found = {}
    with dask.config.set(num_workers=2), open_workers(scheduler) as workers:
        for owner, result in workers.run(jobs()):
            most = max(most, taken - done)
            done += 1
            found[owner] = result
    assert found == {f"job {number}": 2 * number for number in range(200)}
    assert most <= 2 * IN_FLIGHT


@pytest.mark.parametrize("scheduler", ["threads", "synchronous"])
def test_workers__an_error_of_a_task_ends_the_run(scheduler: str):
    jobs = [Job(None, double, (1,)), Job(None, fail, ()), Job(None, double, (2,))]
    with (
        open_workers(scheduler) as workers,
        pytest.raises(ZeroDivisionError, match="in a task"),
    ):
        list(workers.run(jobs))


def test_workers__processes_and_one_that_dies():
    """A task that kills its process is an error that says so; others ran elsewhere."""
    with dask.config.set(num_workers=1), open_workers("processes") as workers:
        ((_, found),) = workers.run([Job(None, pid, ())])
        assert found != os.getpid()
        with pytest.raises(IbtoolsError, match=r"worker process died.*--memory") as caught:
            list(workers.run([Job(None, die, ())]))
        assert isinstance(caught.value.__cause__, BrokenExecutor)


def test_open_workers__what_dask_is_set_to():
    with dask.config.set(scheduler="single-threaded"), open_workers() as workers:
        ((_, ran_in),) = workers.run([Job(None, threading.get_ident, ())])
        assert ran_in == threading.get_ident()
    with dask.config.set(num_workers=3), open_workers() as workers:
        assert (workers.processes, workers.threads) == (1, 3)


def test_open_workers__refuses():
    with (
        pytest.raises(UnknownNameError, match=r"unknown scheduler 'thraeds'; did you mean"),
        open_workers("thraeds"),
    ):
        pass


def test_open_workers__without_distributed(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(InputError, match=r"pip install .*\[cluster\]"),
        open_workers("tcp://127.0.0.1:1"),
    ):
        pass


@pytest.mark.parametrize("scheduler", ["threads", "processes", "synchronous"])
def test_analyze_store__any_scheduler_gives_the_same_bits(example_store: Path, scheduler: str):
    expected = ibtools.analyze(ibtools.open_store(example_store)).compute()
    with dask.config.set(num_workers=2):
        analyze_store(example_store, scheduler=scheduler, quiet=True)
    xr.testing.assert_identical(
        open_results(example_store).load().drop_attrs(), expected.drop_attrs()
    )


def test_analyze_store__ctrl_c_leaves_what_is_written(example_store: Path, monkeypatch):
    monkeypatch.setattr("ibtools.analysis.passes.plan.WINDOW_BYTES", 1)
    original = writing.write_window

    def interrupt(*arguments):
        original(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(writing, "write_window", interrupt)
        with pytest.raises(KeyboardInterrupt):
            analyze_store(example_store, quiet=True)
    report = analyze_store(example_store, quiet=True)
    assert (report.computed, report.skipped) == (4, 4)


INTERRUPTED = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # jobs in a shell's background ignore it
from ibtools.analysis.passes import writing
from ibtools.analysis.passes import cost, plan
from tests.analysis.slow_estimator import SlowExact
original = writing.write_window
def tell(*arguments):
    original(*arguments)
    print("wrote", flush=True)
writing.write_window = tell
plan.WINDOW_BYTES = 1
if __name__ == "__main__":
    from ibtools.cli import analyze
    analyze._create_estimators = lambda *_, **__: (SlowExact(),)
    sys.argv = ["ibtools", "analyze", sys.argv[1], "--scheduler", sys.argv[2]]
    from ibtools.cli.main import main
    main()
"""


@pytest.mark.parametrize("scheduler", ["threads", "processes"])
def test_analyze_command__ctrl_c_in_the_middle(example_store: Path, tmp_path: Path, scheduler: str):
    """SIGINT reaches all processes, as from a terminal; one line says how to go on."""
    program = tmp_path / "program.py"
    program.write_text(INTERRUPTED)
    with subprocess.Popen(
        [sys.executable, str(program), str(example_store), scheduler],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": os.getcwd(), "DASK_NUM_WORKERS": "1"},
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "wrote\n"
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "Go on with: ibtools analyze" in errors
    assert "Traceback" not in errors
    assert analyze_store(example_store, quiet=True).skipped >= 4
