"""Threads of BLAS: one for what asks for it, as before afterwards."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
from threadpoolctl import threadpool_info

from ibtools.analysis.kernels.blas import one_thread


def threads() -> set[int]:
    np.eye(2) @ np.eye(2)
    return {one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"}


@one_thread()
def inside() -> set[int]:
    return threads()


def test_one_thread__in_this_thread_and_in_any():
    before = threads()
    assert inside() == {1}
    assert threads() == before
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(inside).result() == {1}
    assert threads() == before


def test_one_thread__of_several_tasks_at_once():
    before, together = threads(), Barrier(3)

    def task(_: int) -> set[int]:
        with one_thread():
            together.wait()
            found = threads()
            together.wait()
        return found

    with ThreadPoolExecutor(3) as pool:
        assert set().union(*pool.map(task, range(3))) == {1}
    assert threads() == before
