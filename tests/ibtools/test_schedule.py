import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibtools.errors import InputError
from ibtools.schedule import open_schedule, parse_schedule


def test_parse_schedule__paper_syn_has_1600_snapshots():
    epochs = parse_schedule("paper", epochs=8000, paper_step=5)
    assert (len(epochs), epochs[0], epochs[1], epochs[-1]) == (1600, 1, 6, 7996)


def test_parse_schedule__paper_mnist_has_1500_snapshots():
    epochs = parse_schedule("paper", epochs=3000, paper_step=2)
    assert (len(epochs), epochs[0], epochs[-1]) == (1500, 1, 2999)


def test_parse_schedule__every_has_the_untrained_and_the_last_epoch():
    assert parse_schedule("every:4", epochs=10) == (0, 4, 8, 10)
    assert parse_schedule("every:5", epochs=10) == (0, 5, 10)
    assert parse_schedule("every:5", epochs=0) == (0,)


def test_parse_schedule__list_is_sorted_and_unique():
    assert parse_schedule("10,0,1,10", epochs=10) == (0, 1, 10)


def test_parse_schedule__numbers_are_a_list_too():
    assert parse_schedule(np.array([10, 0, 1, 10]), epochs=10) == (0, 1, 10)
    assert parse_schedule(range(-2, 2), epochs=10, prefit=2) == (-2, -1, 0, 1)
    assert [epoch for epoch in range(9) if open_schedule([3, 1])(epoch)] == [1, 3]


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        ([0, 11], "between 0 and the 10 that are trained; found 11"),
        ([], "at least one epoch, found an empty list"),
        ([0.5], "list of whole numbers, found"),
        (None, "list of whole numbers, found None"),
    ],
)
def test_parse_schedule__refuses_lists(schedule, message: str):
    with pytest.raises(InputError, match=message):
        parse_schedule(schedule, epochs=10)


@given(st.integers(1, 300), st.integers(0, 10_000))
def test_parse_schedule__log_law(count: int, epochs: int):
    """At most N epochs (but always the first and last), ascending, within the training."""
    found = parse_schedule(f"log:{count}", epochs=epochs)
    assert len(found) <= max(count, 2) + 1
    assert list(found) == sorted(set(found))
    assert (found[0], found[-1]) == (0, epochs)


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        ("every:0", "positive integer, found '0'"),
        ("every:", "positive integer, found ''"),
        ("log:x", "positive integer, found 'x'"),
        ("sometimes", "unknown schedule 'sometimes'; write one of every:N"),
        ("0,11", "between 0 and the 10 that are trained; found 11"),
        ("-1,3", "found -1"),
        ("paper", "for the paper's experiments"),
    ],
)
def test_parse_schedule__refuses(schedule: str, message: str):
    with pytest.raises(InputError, match=message):
        parse_schedule(schedule, epochs=10)


def test_parse_schedule__huge_numbers_cost_nothing():
    """More epochs than a store has numbers for are refused before they are listed."""
    for name in ("epochs", "prefit"):
        with pytest.raises(
            InputError, match=f"{name} must be at most 2147483647, found 4294967296"
        ):
            parse_schedule("every:1", **{"epochs": 10, name: 2**32})
    assert parse_schedule("log:1000000000000", epochs=2000) == tuple(range(2001))
    assert parse_schedule("log:150000", epochs=2000) == tuple(range(2001))
