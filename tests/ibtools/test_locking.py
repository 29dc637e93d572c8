"""One change at a time: of processes that die, stand still or fork, and of threads."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ibtools.errors import StoreError
from ibtools.store import locking
from ibtools.store.locking import changing

HOLD = """
import sys, time
from ibtools.store.locking import changing
with changing(sys.argv[1]):
    print("locked", flush=True)
    time.sleep(600)
"""


def hold(path: Path) -> subprocess.Popen:
    """Start a process that keeps a folder locked, and wait until it does."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "locked\n"
    return process


def test_changing__waits_for_another_process_a_bounded_time(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(locking, "PATIENCE", 0.1)
    with hold(tmp_path) as process:
        with pytest.raises(StoreError, match="another process has kept the results locked"):
            changing(tmp_path).__enter__()
        process.kill()
        process.wait()
        with changing(tmp_path):
            pass


def test_changing__of_a_process_that_died_is_free(tmp_path: Path):
    with hold(tmp_path) as process:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    with changing(tmp_path):
        pass
    assert not list(tmp_path.iterdir())


def test_changing__may_be_nested_in_one_thread(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(locking, "PATIENCE", 0.1)
    (tmp_path / "s").mkdir()
    with changing(tmp_path / "s"), changing(tmp_path / "s" / ".." / "s"):
        pass


@pytest.mark.parametrize("place", ["folder", "memory://place"])
def test_changing__threads_exclude_each_other(tmp_path: Path, place: str):
    path = place if "://" in place else tmp_path
    inside, most = 0, 0

    def enter():
        nonlocal inside, most
        for _ in range(200):
            with changing(path):
                inside += 1
                most = max(most, inside)
                inside -= 1

    threads = [threading.Thread(target=enter) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (inside, most) == (0, 1)


def test_changing__where_nothing_is_or_no_lock_is(tmp_path: Path, monkeypatch):
    with changing(tmp_path / "missing"):
        pass
    assert not (tmp_path / "missing").exists()

    def refuse(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("fcntl.flock", refuse)
    monkeypatch.setattr(locking, "_unlock", refuse)
    with changing(tmp_path):
        pass


def test_changing__of_a_folder_that_was_replaced(tmp_path: Path, monkeypatch):
    """What counts is the folder that is at the path, not the one that was."""
    monkeypatch.setattr(locking, "PATIENCE", 0.1)
    folder = tmp_path / "s"
    folder.mkdir()
    with hold(folder) as process:
        folder.rename(tmp_path / "old")
        folder.mkdir()
        with changing(folder):
            pass
        process.kill()


FORK = """
import os, sys
from ibtools.errors import StoreError
from ibtools.store import locking
locking.PATIENCE = 0.1
with locking.changing(sys.argv[1]):
    child = os.fork()
    if not child:
        try:
            locking.changing(sys.argv[1]).__enter__()
        except StoreError:
            os._exit(3)
        os._exit(4)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
with locking.changing(sys.argv[1]):
    pass
"""
"""In a process of its own: that of the tests may hold libraries that warn of forks."""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_changing__a_fork_leaves_the_lock_to_its_parent(tmp_path: Path):
    done = subprocess.run(
        [sys.executable, "-c", FORK, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "3\n"), done.stderr
