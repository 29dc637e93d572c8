import threading

import pytest

from ibtools.errors import StoreError
from ibtools.recorders.training.background import Background


def fail() -> None:
    raise StoreError("the disk is full")


def test_background__does_jobs_in_order_in_one_other_thread():
    seen = []
    with Background(limit=3) as background:
        for number in range(20):
            background.run(lambda number=number: seen.append((number, threading.get_ident())))
        background.wait()
    assert [number for number, _ in seen] == list(range(20))
    assert len({thread for _, thread in seen} | {threading.get_ident()}) == 2


def test_background__as_many_jobs_as_the_limit_wait_and_no_more():
    gate, added = threading.Event(), []

    def add() -> None:
        for number in range(4):
            background.run(gate.wait)
            added.append(number)
            if number == 2:
                full.set()

    with Background(limit=3) as background:
        full = threading.Event()
        adding = threading.Thread(target=add)
        adding.start()
        assert full.wait(10)
        adding.join(0.05)
        assert added == [0, 1, 2]
        gate.set()
        adding.join(10)
        assert added == [0, 1, 2, 3]


def test_background__an_error_ends_it_and_is_raised_at_every_later_call():
    done = []
    with Background(limit=10) as background:
        gate = threading.Event()
        for job in (gate.wait, fail, lambda: done.append("after")):
            background.run(job)
        gate.set()
        for _ in range(2):
            with pytest.raises(StoreError, match="the disk is full"):
                background.wait()
            with pytest.raises(StoreError, match="the disk is full"):
                background.run(lambda: done.append("later"))
    assert done == []


def stop_while_jobs_wait(background: Background, started: threading.Event, done: list) -> None:
    gate = threading.Event()

    def slow() -> None:
        started.set()
        gate.wait(10)
        done.append("slow")

    with background:
        background.run(slow)
        background.run(lambda: done.append("waiting"))
        assert started.wait(10)
        threading.Timer(0.05, gate.set).start()
        raise KeyboardInterrupt


def test_background__leaving_waits_for_the_job_under_way_and_drops_the_rest():
    done: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        stop_while_jobs_wait(Background(limit=10), threading.Event(), done)
    assert done == ["slow"]
