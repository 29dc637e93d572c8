"""The estimator `sliced`: what one-dimensional projections of a layer know of the label."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from ibtools.analysis.estimators.kde import PLANE
from ibtools.analysis.estimators.whole_layer import (
    NO_CHANCE_REVISION,
    OTHER_QUANTITY,
    WholeLayer,
)
from ibtools.analysis.measures.protocol import BlockShape
from ibtools.errors import InputError
from ibtools.store.schema import CUBE, Variable

N_NEIGHBOURS = 3
"""Which neighbour on the line the distance is measured to."""

WHY_NO_MI_XT = (
    "a store says which inputs are equal, but has not their values, and without these there are no "
    "projections of the input"
)

SLICED = (
    replace(
        PLANE[1],
        description="sliced mutual information: what a projection of the layer on a random "
        "direction knows of the label, mean over directions; of sliced",
        label="SI(T;Y)",
    ),
    Variable(
        "mi_ty_se", CUBE[:3], ("float64",), "bit", math.nan, "NaN: not analysed",
        "standard error of mi_ty, from the directions that were drawn; of sliced",
        label="standard error of SI(T;Y)",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Sliced(WholeLayer):
    """Estimate what projections of a layer on random directions know of the label.

    Sliced mutual information is not I(T;Y): it is that of one number at a time, and so needs no
    density in as many dimensions as the layer has units. It is 0 if and only if I(T;Y) is.

    Parameters
    ----------
    n_projections : int, optional
        How many directions are drawn.
    seed : int, optional
        Decides, with the number of units, which; they are the same in all snapshots.
    n_permutations : int, optional
        How many permutations of the labels the chance level is the mean of, 0 for no chance level;
        each is looked at along one direction, the next one for the next permutation.

    Raises
    ------
    InputError
        If there are fewer than two directions, or a number is negative.

    Notes
    -----
    The formula is that of `ibtools.analysis.kernels.slices.sliced_information`. Values are those
    that the network computed: codes are decoded, softmax layers are softmax probabilities.

    `mi_ty_se` is how far the mean may be off because other directions could have been drawn; that
    of samples is not in it. Directions are of unit length in the layer's own units: a unit with
    values ten times larger counts ten times more in all projections. The more units a layer has,
    the more a random direction mixes what one of them knows with noise of the others, and the
    smaller the number: layers of different widths can't be compared by it. And it may rise from a
    layer to the next, which makes projections more telling: data processing is no law for it.

    There is no SI(X;T), for which a store would have to keep the inputs. Where you have them,
    `ibtools.sliced_input_information` takes them.

    References
    ----------
    Goldfeld & Greenewald (2021), NeurIPS, arXiv 2110.05279. Goldfeld, Greenewald, Nuradha & Reeves
    (2022), NeurIPS, arXiv 2206.08526 (how it falls with dimension).

    Examples
    --------
    >>> Sliced().specification, Sliced(20, seed=3).specification
    ('sliced-128-0', 'sliced-20-3')
    """

    n_projections: int = 128
    seed: int = 0
    n_permutations: int = field(default=32, kw_only=True)

    name: ClassVar[str] = "sliced"
    revision: ClassVar[int] = 2
    revision_note: ClassVar[str] = NO_CHANCE_REVISION
    exempt: ClassVar[Mapping[str, str]] = OTHER_QUANTITY
    representation: ClassVar[str] = "projected T"
    measured: ClassVar[tuple[Variable, ...]] = SLICED
    meaning: ClassVar[str] = (
        "Not the information of the layer: what one-dimensional projections of it on random "
        "directions know of the label, estimated from neighbours on the line. It falls with the "
        "number of units, so that layers can't be compared by it, and may rise from layer to layer."
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        from ibtools.analysis.kernels.slices import FEWEST

        if self.n_projections < FEWEST:
            raise InputError(
                f"at least {FEWEST} projections are needed, found {self.n_projections}"
            )
        if self.seed < 0:
            raise InputError(f"a seed must not be negative, found {self.seed}")

    @property
    def min_class_size(self) -> int:
        """How many samples every class must have."""
        return N_NEIGHBOURS + 1

    @property
    def options(self) -> str:
        """How many directions and the seed, as in the specification."""
        return f"{self.n_projections}-{self.seed}"

    @classmethod
    def parse(cls, options: str) -> Self:
        """Build the estimator from its specification without the name."""
        numbers = options.split("-") if options else []
        if len(numbers) > 2 or not all(one.isdecimal() for one in numbers):
            raise InputError(
                "sliced must be written as in sliced-128-0, how many projections and the seed, "
                f"found {options!r} for these"
            )
        return cls(*map(int, numbers))

    @property
    def attributes(self) -> dict[str, Any]:
        """The options, and why there is no I(X;T), as attributes of the results."""
        return {
            **super().attributes,
            "n_projections": self.n_projections,
            "seed_of_projections": self.seed,
            "n_neighbours": N_NEIGHBOURS,
            "representation": self.representation,
            "note_mi_xt": WHY_NO_MI_XT,
        }

    def memory_of_values(self, shape: BlockShape) -> int:
        """Return the bytes of a snapshot's values, their states and directions, and projections."""
        from ibtools.analysis.kernels.slices import PORTION

        states = 12 * shape.snapshot + 200 * shape.samples
        projections = 8 * self.n_projections * (2 * shape.units + 2 * shape.samples)
        portion = 12 * min(PORTION, shape.snapshot)
        return max(shape.decoding, states) + projections + portion

    def measure(
        self, values: NDArray[np.float32], y: NDArray[np.integer], orders: NDArray[np.intp]
    ) -> tuple[Mapping[str, float], NDArray[np.float64]]:
        """Estimate SI(T;Y) of one snapshot, and of permuted labels; see `WholeLayer`."""
        from ibtools.analysis.kernels.slices import random_directions, sliced_information

        directions = random_directions(values.shape[1], self.n_projections, seed=self.seed)
        found = sliced_information(
            values, y, directions, n_neighbours=N_NEIGHBOURS, permuted=y[orders]
        )
        return {"mi_ty": found.mean, "mi_ty_se": found.standard_error}, found.by_chance
