"""Which epochs are recorded.

A schedule is written as one word: ``every:5``, ``log:200``, ``0,1,10,100`` or ``paper``. In Python,
a list of epochs is one too.
"""

import math
import operator
from collections.abc import Callable, Iterable
from functools import partial

import numpy as np

from ibtools.errors import InputError

MOST_EPOCHS = int(np.iinfo(np.int32).max)
"""What a store has numbers for, before and after epoch 0."""

_OPEN_EPOCHS = 10_000
"""What `log:N` is of where the end is not known."""

_FORMS = "every:N, log:N, a list such as 0,1,10,100, or paper"


def parse_schedule(
    schedule: str | Iterable[int], *, epochs: int, prefit: int = 0, paper_step: int | None = None
) -> tuple[int, ...]:
    """Return the epochs that a schedule records.

    Parameters
    ----------
    schedule : str or iterable of int
        ``every:N``: 0, N, 2N, ... and the last epoch. ``log:N``: at most N epochs, from 0 and 1 to
        the last, evenly spaced in the logarithm; the first of them round to the same epochs, and
        equal ones count once: ``log:20`` of 100 epochs are 18. A list, comma-separated or of
        numbers: these. ``paper``: 1, 1 + step, 1 + 2 step, ..., as the paper recorded, without the
        untrained network.
    epochs : int
        Epochs of training.
    prefit : int, optional
        Epochs on random labels before them, which end at epoch 0. A schedule that is no list
        records them as it does the training, from -prefit on.
    paper_step : int, optional
        The step of the schedule ``paper`` for this experiment.

    Returns
    -------
    tuple of int
        Ascending, without duplicates, between -`prefit` and `epochs`.

    Raises
    ------
    InputError
        If it is no schedule, or names an epoch that is never trained.

    Examples
    --------
    >>> parse_schedule("every:5", epochs=12)
    (0, 5, 10, 12)
    >>> parse_schedule([10, 0, 1], epochs=12)
    (0, 1, 10)
    >>> len(parse_schedule("log:20", epochs=100))
    18
    >>> parse_schedule("log:5", epochs=1000)
    (0, 1, 10, 100, 1000)
    >>> parse_schedule("paper", epochs=20, paper_step=5)
    (1, 6, 11, 16)
    >>> parse_schedule("every:5", epochs=10, prefit=6)
    (-6, -1, 0, 5, 10)
    """
    for name, number in (("epochs", epochs), ("prefit", prefit)):
        if number < 0:
            raise InputError(f"{name} must not be negative, found {number}")
        if number > MOST_EPOCHS:
            raise InputError(f"{name} must be at most {MOST_EPOCHS}, found {number}")
    if not isinstance(schedule, str):
        return _within(_numbers(schedule), schedule, -prefit, epochs)
    kind, _, argument = schedule.partition(":")
    if prefit and (kind in ("every", "log") or schedule == "paper"):
        before = parse_schedule(schedule, epochs=prefit, paper_step=paper_step)
        after = parse_schedule(schedule, epochs=epochs, paper_step=paper_step)
        return tuple(sorted({*(epoch - prefit for epoch in before), *after}))
    if kind == "every":
        return (*range(0, epochs, _positive(argument, schedule)), epochs)
    if kind == "log":
        return _logarithmic(_positive(argument, schedule), epochs)
    if schedule == "paper":
        return _paper(epochs, paper_step)
    return _within(_words(schedule), schedule, -prefit, epochs)


def open_schedule(schedule: str | Iterable[int]) -> Callable[[int], bool]:
    """Return what tells whether a schedule records an epoch, of a training without a known end.

    Parameters
    ----------
    schedule : str or iterable of int
        As for `parse_schedule`, but for ``paper``. ``every:N`` goes on for ever; ``log:N`` records
        at most N of the first 10 000 epochs, and goes on with the same spacing.

    Raises
    ------
    InputError
        If it is no schedule.

    Examples
    --------
    >>> is_scheduled = open_schedule("log:5")
    >>> [epoch for epoch in range(200_000) if is_scheduled(epoch)]
    [0, 1, 22, 464, 10000]
    """
    if not isinstance(schedule, str):
        return frozenset(_within(_numbers(schedule), schedule)).__contains__
    kind, _, argument = schedule.partition(":")
    if kind == "every":
        step = _positive(argument, schedule)
        return lambda epoch: epoch % step == 0
    if kind == "log":
        intervals = max(_positive(argument, schedule) - 2, 1)
        return partial(_is_logarithmic, _OPEN_EPOCHS ** (1 / intervals))
    if schedule == "paper":
        raise InputError(f"the schedule 'paper' is of a training of known length; write {_FORMS}")
    return frozenset(_within(_words(schedule), schedule)).__contains__


def _is_logarithmic(ratio: float, epoch: int) -> bool:
    """Whether an epoch is 0, or a power of the ratio, rounded."""
    if epoch <= 1:
        return epoch >= 0
    nearest = round(math.log(epoch) / math.log(ratio))
    return any(round(ratio**power) == epoch for power in (nearest - 1, nearest, nearest + 1))


def _positive(argument: str, schedule: str) -> int:
    if not argument.isdecimal() or int(argument) < 1:
        raise InputError(
            f"schedule {schedule!r}: N must be a positive integer, found {argument!r}; "
            f"write one of {_FORMS}"
        )
    return int(argument)


def _logarithmic(count: int, epochs: int) -> tuple[int, ...]:
    count = min(count, 64 * (epochs + 1))  # so many name every epoch
    spaced = np.geomspace(1, max(epochs, 1), max(count - 1, 1)).round().astype(int)
    return tuple(sorted({0, epochs, *(int(epoch) for epoch in spaced if epoch <= epochs)}))


def _paper(epochs: int, step: int | None) -> tuple[int, ...]:
    if step is None:
        raise InputError(
            f"the schedule 'paper' is for the paper's experiments; write one of {_FORMS}"
        )
    if epochs < 1:
        raise InputError(
            f"the schedule 'paper' starts after epoch 1; epochs must be 1 or more, found {epochs}"
        )
    return tuple(range(1, epochs + 1, step))


def _words(schedule: str) -> list[int]:
    """Return the epochs of a list that is written as a word."""
    try:
        return [int(word) for word in schedule.split(",")]
    except ValueError as err:
        raise InputError(f"unknown schedule {schedule!r}; write one of {_FORMS}") from err


def _numbers(schedule: Iterable[int]) -> list[int]:
    """Return the epochs of a list."""
    try:
        return [operator.index(epoch) for epoch in schedule]
    except TypeError as err:
        raise InputError(
            f"a schedule that is no word must be a list of whole numbers, found {schedule!r:.60}; "
            f"give one, or write {_FORMS}"
        ) from err


def _within(
    numbers: list[int], schedule: object, first: int = -MOST_EPOCHS, last: int = MOST_EPOCHS
) -> tuple[int, ...]:
    """Return epochs in their order, each once, after checking that all of them are trained."""
    listed = tuple(sorted(set(numbers)))
    if not listed:
        raise InputError("a schedule must name at least one epoch, found an empty list")
    if listed[0] < first or listed[-1] > last:
        raise InputError(
            f"schedule {schedule!r:.60}: epochs must lie between {first} and the {last} that are "
            f"trained; found {listed[0] if listed[0] < first else listed[-1]}"
        )
    return listed
