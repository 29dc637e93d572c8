"""Random streams of a training: independent, reproducible, and without a state to save.

Every stream is a child of one `numpy.random.SeedSequence`, addressed by what it is for. A repeat is
therefore the same whatever else runs, in whichever process or order, and a resumed training finds
the streams of its remaining epochs without having drawn those of the finished ones.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from ibtools.errors import InputError

_WORD = 2**32


class _Purpose(IntEnum):
    """First word of a stream's address below (repeat, attempt). These numbers stay as they are."""

    MODEL = 0
    BATCH_ORDER = 1
    LABELS = 2
    SAMPLES = 3


@dataclass(frozen=True)
class SeedStreams:
    """The random streams of one attempt at one repeat.

    Parameters
    ----------
    base : int
        Seed of the whole recording, 0 to 2**128 - 1.
    repeat, attempt : int
        Number of the repeat, and how often it was restarted, each 0 to 2**32 - 1.

    Raises
    ------
    InputError
        If a number is out of its range, in which two streams might coincide.

    Notes
    -----
    The children are ``SeedSequence(entropy=base, spawn_key=(repeat, attempt, purpose, ...))`` [1]_.
    Only `SeedSequence` and the raw output of `PCG64` are used for what decides a training, because
    NumPy keeps these fixed across versions, which it does not promise for `Generator.permutation`
    [2]_.

    References
    ----------
    .. [1] NumPy reference, "Parallel random number generation".
    .. [2] NEP 19, "Random number generator policy".

    Examples
    --------
    >>> seeds = SeedStreams(base=0, repeat=3, attempt=0)
    >>> seeds.batch_order(epoch=1, n=5)
    array([3, 0, 2, 1, 4])
    """

    base: int
    repeat: int
    attempt: int = 0

    def __post_init__(self) -> None:
        _validate_range("base", self.base, 0, 2**128)
        _validate_range("repeat", self.repeat, 0, _WORD)
        _validate_range("attempt", self.attempt, 0, _WORD)

    @property
    def model(self) -> int:
        """Seed of the initial weights, 0 to 2**31 - 1, to be set before the model is built."""
        return int(self._sequence(_Purpose.MODEL).generate_state(1)[0] >> 1)

    def batch_order(self, epoch: int, n: int) -> NDArray[np.int64]:
        """Draw the order in which the training samples are visited in one epoch.

        Parameters
        ----------
        epoch : int
            The epoch being trained; those of a random-label prefit are 0 and below.
        n : int
            How many training samples there are.

        Returns
        -------
        ndarray, (n,), int64
            A permutation of ``range(n)``: the ranks of n random 64-bit words.

        Raises
        ------
        InputError
            If the epoch is not a signed 32-bit number or n is negative.
        """
        _validate_range("epoch", epoch, -_WORD // 2, _WORD // 2)
        return _permutation(self._sequence(_Purpose.BATCH_ORDER, epoch % _WORD), n)

    def label_order(self, n: int) -> NDArray[np.int64]:
        """Draw the order of the labels in a random-label prefit.

        Parameters
        ----------
        n : int
            How many samples there are.

        Returns
        -------
        ndarray, (n,), int64
            A permutation of ``range(n)``: the ranks of n random 64-bit words.

        Raises
        ------
        InputError
            If n is negative.
        """
        return _permutation(self._sequence(_Purpose.LABELS), n)

    def sample_order(self, n: int) -> NDArray[np.int64]:
        """Draw the order in which samples are chosen to be recorded, as `label_order` does."""
        return _permutation(self._sequence(_Purpose.SAMPLES), n)

    def _sequence(self, *address: int) -> np.random.SeedSequence:
        key = (self.repeat, self.attempt, *(int(word) for word in address))
        return np.random.SeedSequence(entropy=self.base, spawn_key=key)


def _permutation(sequence: np.random.SeedSequence, n: int) -> NDArray[np.int64]:
    _validate_range("n", n, 0, _WORD)
    words = np.random.PCG64(sequence).random_raw(n)
    # Sorted by their first 16 bits, which is fast, words are so near their order that it is fast to
    # sort them again: a fifth of the time of sorting once.
    order = np.argsort((words >> np.uint64(48)).astype(np.uint16), kind="stable")
    return order[np.argsort(words[order], kind="stable")].astype(np.int64)


def _validate_range(name: str, value: int, low: int, high: int) -> None:
    if not low <= value < high:
        raise InputError(f"{name} must be at least {low} and below {high}, but is {value}")
