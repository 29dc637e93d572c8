import threading
import time

import pytest

from ibtools.errors import InputError
from ibtools.tasks.memory import LIBRARIES, parse_memory, reserve


def test_parse_memory__units_and_bytes():
    assert parse_memory("2GB") == 2 * 10**9
    assert parse_memory("1 GiB") == parse_memory(2**30) == 2**30


@pytest.mark.parametrize(
    ("memory", "message"),
    [
        ("much", "number with a unit, such as 512MiB or 2GB, found 'much'"),
        ("1.5 apples", "found '1.5 apples'"),
        ("100MiB", "more than 256.00 MiB.*found 100.00 MiB; give at least"),
        (LIBRARIES, "more than 256.00 MiB"),
    ],
)
def test_parse_memory__refuses(memory, message: str):
    with pytest.raises(InputError, match=message):
        parse_memory(memory)


def test_reserve__never_more_than_the_budget_at_once():
    held, most = [], []

    def task(need: int) -> None:
        with reserve(need, budget=10):
            held.append(need)
            most.append(sum(held))
            time.sleep(0.002)
            held.remove(need)

    threads = [threading.Thread(target=task, args=(need,)) for need in [3, 4, 6, 9, 1, 2] * 5]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(most) == 30
    assert max(most) <= 10


def test_reserve__what_exceeds_the_budget_runs_alone():
    with reserve(100, budget=10):
        pass


def test_reserve__an_error_gives_memory_back():
    with pytest.raises(ZeroDivisionError), reserve(10, budget=10):
        raise ZeroDivisionError
    with reserve(10, budget=10):
        pass
