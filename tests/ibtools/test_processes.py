"""Processes that are forked, and scripts that start workers without asking who they are."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

FORKED = """
import faulthandler, os, sys
import dask, xarray as xr
import ibtools
from ibtools.tasks import memory
path, folder = sys.argv[1:]
ibtools.analyze_store(path, quiet=True)
memory._GATE.reserved = 2**40  # by a thread that the child has not
ibtools.open_results(path).load()
child = os.fork()
if not child:
    faulthandler.dump_traceback_later(100, exit=True)
    ibtools.plot_store(path, "information-plane", output=f"{folder}/plane.png")
    xr.open_zarr(path).code.mean().load()
    ibtools.analyze_store(path, estimator="binned", quiet=True)
    os._exit(0)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def run(arguments: list[str], **options) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env=environment,
        **options,
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_fork__of_a_process_that_computed(example_store: Path, tmp_path: Path):
    """The child has none of the parent's threads, and waits for none: for dask's, for memory."""
    done = run(["-W", "ignore", "-c", FORKED, str(example_store), str(tmp_path)])
    assert done.stdout == "0\n", done.stderr
    assert (tmp_path / "plane.png").exists()


ANALYZE = """
import sys, ibtools
print(ibtools.analyze_store(sys.argv[1], scheduler="processes", quiet=True))
"""
RECORD = """
import sys, ibtools
ibtools.record("SYN-Tanh", output=sys.argv[1], repeats=2, epochs=1, jobs=2, quiet=True)
"""


def last_line(done: subprocess.CompletedProcess) -> str:
    return done.stderr.strip().splitlines()[-1]


def test_analyze_store__a_script_without_a_main_guard(example_store: Path, tmp_path: Path):
    script = tmp_path / "script.py"
    script.write_text(ANALYZE)
    done = run([str(script), str(example_store)])
    assert done.returncode == 1
    assert 'below `if __name__ == "__main__":`' in last_line(done)
    assert 'scheduler="threads"' in last_line(done)
    assert "memory" not in last_line(done)
    assert not (example_store / "information").exists()


def test_analyze_store__a_script_from_standard_input(example_store: Path):
    done = run(["-", str(example_store)], input=ANALYZE)
    assert done.returncode == 1
    assert "what was read from standard input" in last_line(done)


def test_record__a_script_without_a_main_guard(tmp_path: Path):
    """It is told before there is a store."""
    script = tmp_path / "script.py"
    script.write_text(RECORD)
    done = run([str(script), str(tmp_path / "run.zarr")])
    assert done.returncode == 1
    assert 'below `if __name__ == "__main__":`' in last_line(done)
    assert "jobs=1" in last_line(done)
    assert not (tmp_path / "run.zarr").exists()


OVERWRITES = """
import sys
import numpy as np, ibtools
code = np.arange(8, dtype="uint8").reshape(1, 1, 8, 1)
ibtools.record_arrays(sys.argv[1], {"x": code}, label=np.arange(8) % 2, overwrite=True)
print("recorded", flush=True)
ibtools.analyze_store(sys.argv[1], scheduler="processes", quiet=True)
"""


def test_create_store__a_worker_overwrites_nothing(tmp_path: Path):
    """The worker that runs the script again is stopped before it replaces the store."""
    script = tmp_path / "script.py"
    script.write_text(OVERWRITES)
    done = run([str(script), str(tmp_path / "run.zarr")])
    assert done.returncode == 1
    assert done.stdout == "recorded\n"
    assert "a worker ran the whole script" in done.stderr
    assert 'below `if __name__ == "__main__":`' in last_line(done)
