"""States of known entropy and information: a random function of the input, made to measure.

Some samples of every class are *told*: their states hold samples of that class only. The others
are *mixed*: their states hold as many samples of each class. So I(T;Y) is the share of the told
times H(Y). At first all that is told of a class is one state, and all that is mixed is another;
each unit that is set apart then, a sample that is told or one mixed sample of every class, is a
state of its own, and H(T) grows. Which samples are which is drawn.
"""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class KnownStates:
    """How many samples are told, and how many units are set apart.

    Parameters
    ----------
    per_class : int
        Samples of each class.
    n_classes : int
        Classes.
    told : int
        Samples of each class that are told.
    apart : int
        Units that are states of their own, of all `n_units`.
    """

    per_class: int
    n_classes: int
    told: int
    apart: int = 0

    @classmethod
    def nearest(cls, entropy_t: float, mi_ty: float, *, per_class: int, n_classes: int) -> Self:
        """Choose what comes nearest to H(T) and I(T;Y), in bits; I(T;Y) first."""
        told = round(mi_ty / math.log2(n_classes) * per_class)
        low, high = 0, cls(per_class, n_classes, told).n_units
        while high - low > 1:
            middle = (low + high) // 2
            is_below = cls(per_class, n_classes, told, middle).entropy_t <= entropy_t
            low, high = (middle, high) if is_below else (low, middle)
        below, above = (cls(per_class, n_classes, told, one) for one in (low, high))
        is_nearer = abs(above.entropy_t - entropy_t) < abs(below.entropy_t - entropy_t)
        return above if is_nearer else below

    @property
    def n_units(self) -> int:
        """Units that can be set apart."""
        return self.told * self.n_classes + self.per_class - self.told

    @property
    def told_apart(self) -> int:
        """How many of the units that are set apart are told: in proportion, so that both last."""
        return round(self.apart * self.told * self.n_classes / max(1, self.n_units))

    @property
    def entropy_t(self) -> float:
        """H(T) in bits: log2 n minus the mean of log2 of the size of a sample's state."""
        n, k = self.per_class * self.n_classes, self.n_classes
        mixed_apart = self.apart - self.told_apart
        together = [self.told - len(range(one, self.told_apart, k)) for one in range(k)]
        together.append((self.per_class - self.told - mixed_apart) * k)
        terms = [size * math.log2(size) for size in together if size]
        return math.log2(n) - math.fsum([*terms, mixed_apart * k * math.log2(k)]) / n

    @property
    def mi_ty(self) -> float:
        """I(T;Y) in bits: H(Y) of what is told, nothing of what is mixed."""
        return self.told * math.log2(self.n_classes) / self.per_class

    def draw(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """Draw the states of all samples, (sample,), int64; sample i is of class i modulo classes.

        Returns
        -------
        ndarray, (sample,), int64
            Numbers of states, equal where samples share one.
        """
        places = rng.permuted(np.tile(np.arange(self.per_class), (self.n_classes, 1)), axis=1)
        states = np.empty((self.n_classes, self.per_class), np.int64)
        told, mixed = self.told, self.per_class - self.told
        told_units = np.arange(told) * self.n_classes + np.arange(self.n_classes)[:, np.newaxis]
        first = self.n_classes  # these numbers are of what is told together
        states[:, :told] = np.where(
            told_units < self.told_apart,
            first + 1 + told_units,
            np.arange(self.n_classes)[:, np.newaxis],
        )
        mixed_units = np.arange(mixed)
        states[:, told:] = np.where(
            mixed_units < self.apart - self.told_apart,
            first + 1 + told * self.n_classes + mixed_units,
            first,
        )
        return np.take_along_axis(states, places, axis=1).T.ravel()
