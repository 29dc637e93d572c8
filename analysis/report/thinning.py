"""The choice of epochs and repeats that the page shows of many, so that it stays small."""

import numpy as np
from numpy.typing import NDArray

from ibtools.shown import counted

MOST_EPOCHS = 100
"""Steps of the slider."""

MOST_REPEATS = 20
"""Faint lines of each layer."""

MOST_REPEAT_EPOCHS = 200
"""Points of a faint line."""


def choose_repeats(n_repeats: int, most: int) -> NDArray[np.intp]:
    """Choose repeats evenly by their order, which says nothing about them.

    Examples
    --------
    >>> choose_repeats(7, 3).tolist()
    [0, 3, 6]
    """
    if n_repeats <= most:
        return np.arange(n_repeats)
    return np.linspace(0, n_repeats - 1, most).round().astype(np.intp)


def describe_thinning(
    n_epochs: tuple[int, int],
    n_repeats: tuple[int, int],
    n_repeat_epochs: int,
    counts: str = "epoch",
) -> str:
    """Say in words what was left out.

    Examples
    --------
    >>> describe_thinning((18, 18), (2, 2), 18)
    'All 18 epochs and 2 repeats are shown.'
    >>> describe_thinning((72, 1600), (2, 2), 150)[:71]
    'Shown are 72 of 1600 epochs, spread evenly on the epoch scale of the fi'
    """
    repeats = counted(n_repeats[1], "repeat")
    if n_epochs[0] == n_epochs[1] and n_repeats[0] == n_repeats[1]:
        return f"All {counted(n_epochs[1], counts)} and {repeats} are shown."
    return (
        f"Shown are {n_epochs[0]} of {n_epochs[1]} {counts}s, spread evenly on the {counts} scale "
        f"of the figures above, and {n_repeats[0]} of {repeats} as faint lines through "
        f"{counted(n_repeat_epochs, counts)}. Means are over all repeats that count."
    )
