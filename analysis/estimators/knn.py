"""The estimator `knn`: information about the label from nearest neighbours."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from ibtools.analysis.estimators.kde import PLANE
from ibtools.analysis.estimators.whole_layer import NO_CHANCE_REVISION, WholeLayer
from ibtools.analysis.measures.protocol import BlockShape
from ibtools.errors import InputError
from ibtools.store.schema import Variable

WHY_NO_MI_XT = (
    "I(X;T) is infinite where T is a deterministic and continuous function of a continuous input, "
    "and log2 N for N inputs that T tells apart; neighbours estimate neither"
)


ESTIMATE = (
    "Estimates from distances between samples have errors of their own, by which they may be "
    "negative, or more than there is to know."
)
"""Why the bounds of information need not hold."""


@dataclass(frozen=True)
class Knn(WholeLayer):
    """Estimate I(T;Y) of a float layer from the nearest neighbours of every sample.

    There is no I(X;T): a deterministic float layer has no noise that would make it finite, and its
    results have no variable of that name.

    Parameters
    ----------
    n_neighbours : int, optional
        How many neighbours of its own class a sample looks at; 3 by default. More of them lower the
        variance and blur the classes.
    n_permutations : int, optional
        As of `WholeLayer`.

    Raises
    ------
    InputError
        If `n_neighbours` is not a positive whole number, or the number of permutations is negative.

    Notes
    -----
    The formula is that of `ibtools.analysis.kernels.neighbours.neighbour_information`. Samples are
    taken as drawn from a continuous distribution that is smooth at the distance of the k-th
    neighbour: unlike the estimators that count, this is an estimate for inputs that were *not*
    recorded too, with a bias where the classes' border is finer than the samples. Values are those
    that the network computed: codes are decoded, and softmax layers are softmax probabilities.
    Samples with equal values, as saturated or quantised units make them, are counted; a constant
    layer has 0 bits. Otherwise nothing is cut off: the estimate of a layer that knows nothing is
    negative as often as not, and that of one that knows all may exceed H(Y).

    References
    ----------
    Ross (2014), PLOS ONE 9(2) e87357. Amjad & Geiger (2020), arXiv 1802.09766 (I(X;T) is infinite).

    Examples
    --------
    >>> Knn().specification, Knn(5, n_permutations=0).specification
    ('knn-3', 'knn-5-null-0')
    """

    n_neighbours: int = 3

    name: ClassVar[str] = "knn"
    exempt: ClassVar[Mapping[str, str]] = MappingProxyType({"bounds": ESTIMATE})
    representation: ClassVar[str] = "T"
    revision: ClassVar[int] = 3
    revision_note: ClassVar[str] = NO_CHANCE_REVISION
    measured: ClassVar[tuple[Variable, ...]] = PLANE[1:]
    meaning: ClassVar[str] = (
        "An estimate from the nearest neighbours of every sample, for inputs that were not "
        "recorded too; its error grows with the number of units, so that layers can't be "
        "compared by it, and may take it below 0."
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.n_neighbours != int(self.n_neighbours) or self.n_neighbours < 1:
            raise InputError(
                f"n_neighbours must be a positive whole number, found {self.n_neighbours!r}"
            )
        object.__setattr__(self, "n_neighbours", int(self.n_neighbours))

    @property
    def options(self) -> str:
        """The number of neighbours, as in the specification."""
        return str(self.n_neighbours)

    @classmethod
    def parse(cls, options: str) -> Self:
        """Build the estimator from its specification without the name."""
        try:
            n_neighbours = int(options) if options else cls.n_neighbours
        except ValueError as err:
            raise InputError(
                f"n_neighbours must be a positive whole number, found {options!r}; write for "
                "example knn-3"
            ) from err
        return cls(n_neighbours)

    @property
    def attributes(self) -> dict[str, Any]:
        """The options, and why there is no I(X;T), as attributes of the results."""
        return {
            **super().attributes,
            "n_neighbours": self.n_neighbours,
            "representation": self.representation,
            "note_mi_xt": WHY_NO_MI_XT,
        }

    @property
    def min_class_size(self) -> int:
        """How many samples every class must have: one, and its neighbours."""
        return self.n_neighbours + 1

    def memory_of_values(self, shape: BlockShape) -> int:
        """Return the bytes of a snapshot's values, and as points of all and of one or two classes.

        Trees take points as they are; that of one class is there until the next is made.
        """
        return max(shape.decoding, 20 * shape.snapshot) + 200 * shape.samples

    def measure(
        self, values: NDArray[np.float32], y: NDArray[np.integer], orders: NDArray[np.intp]
    ) -> tuple[Mapping[str, float], NDArray[np.float64]]:
        """Estimate I(T;Y) of one snapshot, and of permuted labels; see `WholeLayer`."""
        from ibtools.analysis.kernels.neighbours import neighbour_informations

        labels = np.concatenate([y[np.newaxis], y[orders]])
        found = neighbour_informations(values, labels, n_neighbours=self.n_neighbours)
        return {"mi_ty": float(found[0])}, found[1:]
