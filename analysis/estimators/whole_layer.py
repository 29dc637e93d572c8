"""What estimators share that look at the values of a whole layer: one number, and chance's."""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from ibtools.analysis.measures.block import LayerBlock, Statistics
from ibtools.analysis.measures.protocol import BlockShape, Needs, Option, Scope
from ibtools.errors import InputError
from ibtools.store.schema import RESULT_VARIABLES, Variable

_OTHER_QUANTITY = (
    "What is estimated is another quantity than the information of the layer, for which these laws "
    "do not hold: it may rise from a layer to the next."
)

OTHER_QUANTITY: Mapping[str, str] = MappingProxyType(
    {"bounds": _OTHER_QUANTITY, "data processing": _OTHER_QUANTITY}
)
"""The exemptions of what is another quantity than the information of the layer."""

CHANCE = tuple(one for one in RESULT_VARIABLES if one.name in ("mi_ty_null", "mi_ty_above_null"))
"""What chance alone would give, and what is above it."""

_SHARED = {one.name for one in RESULT_VARIABLES}
"""The variables that most estimators have, which come first in all results."""

NO_CHANCE_REVISION = "results had no chance level of I(T;Y)"
"""What was different in the revision before these estimators had one."""

SEED = 0
"""Decides, with the number of samples, which permutations of the labels are drawn."""

_DRAWN = re.compile("(?:(.*)-|)null-([0-9]+)")


@dataclass(frozen=True)
class WholeLayer(ABC):
    """An estimator of the values of whole layers, which has no means over single units.

    Parameters
    ----------
    n_permutations : int, optional
        How many permutations of the labels the chance level is the mean of, 0 for no chance level.

    Notes
    -----
    No closed form of the chance level is known, as there is of what is counted. Permutations are
    the same in all snapshots and layers; the first do not depend on how many there are.
    """

    n_permutations: int = field(default=2, kw_only=True)

    name: ClassVar[str]
    revision: ClassVar[int] = 1
    revision_note: ClassVar[str] = ""
    needs: ClassVar[Needs] = "values"
    scope: ClassVar[Scope] = "layer"
    needs_global_range: ClassVar[bool] = False
    options_of_command: ClassVar[tuple[Option, ...]] = ()

    def __post_init__(self) -> None:
        if self.n_permutations < 0:
            raise InputError(f"n_permutations must not be negative, found {self.n_permutations}")

    @property
    def min_class_size(self) -> int:
        """How many samples every class must have."""
        return 1

    @property
    @abstractmethod
    def options(self) -> str:
        """What is estimated, as in the specification."""

    @property
    def specification(self) -> str:
        """The name with all options: what the results are called."""
        is_usual = self.n_permutations == type(self).n_permutations
        drawn = "" if is_usual else f"-null-{self.n_permutations}"
        return f"{self.name}-{self.options}{drawn}"

    @classmethod
    def from_options(cls, options: str, *, per_unit: bool = False) -> Self:
        """Build the estimator from its specification without the name."""
        if per_unit:
            raise InputError(
                f"the estimator {cls.name} measures whole layers and has no means over single "
                "units; leave out --per-unit"
            )
        if drawn := _DRAWN.fullmatch(options):
            return replace(cls.parse(drawn[1] or ""), n_permutations=int(drawn[2]))
        return cls.parse(options)

    @classmethod
    @abstractmethod
    def parse(cls, options: str) -> Self:
        """Build the estimator from its `options`, those at the end left out or not."""

    @property
    @abstractmethod
    def measured(self) -> tuple[Variable, ...]:
        """The variables of the results but for those of chance."""

    @property
    def variables(self) -> tuple[Variable, ...]:
        """The variables of the results."""
        if self.n_permutations == 0:
            return self.measured
        (of,) = [one.label for one in self.measured if one.name == "mi_ty"]
        null, above = CHANCE
        chance = (
            replace(
                null,
                description="chance level: mean of mi_ty over drawn permutations of the labels",
                label=f"chance level of {of}",
            ),
            replace(above, label=f"{of} above chance"),
        )
        shared = [one for one in self.measured if one.name in _SHARED]
        own = [one for one in self.measured if one.name not in _SHARED]
        return (*shared, *chance, *own)

    @property
    def attributes(self) -> dict[str, Any]:
        """The options, and what the numbers are, as attributes of the results."""
        return {"n_permutations": self.n_permutations}

    def memory(self, shape: BlockShape) -> int:
        """Return the bytes that `compute` takes at its peak, with the permuted labels."""
        return self.memory_of_values(shape) + 32 * self.n_permutations * shape.samples

    @abstractmethod
    def memory_of_values(self, shape: BlockShape) -> int:
        """Return the bytes that `measure` takes at its peak, with a snapshot's values."""

    @abstractmethod
    def measure(
        self, values: NDArray[np.float32], y: NDArray[np.integer], orders: NDArray[np.intp]
    ) -> tuple[Mapping[str, float], NDArray[np.float64]]:
        """Measure one snapshot.

        Parameters
        ----------
        values : ndarray, (sample, unit), float32
            Finite; both dims are consumed.
        y : ndarray, (sample,), integer
            The class of each sample.
        orders : ndarray, (permutation, sample), intp
            Permutations: each sample is given the class of another one.

        Returns
        -------
        found : mapping of str to float
            `measured`.
        permuted : ndarray, (permutation,), float64
            `mi_ty` of permuted labels, in bits.
        """

    def compute(self, block: LayerBlock) -> Statistics:
        """Compute the variables of the results for a block of snapshots of one layer.

        Parameters
        ----------
        block : LayerBlock
            The snapshots; sample and unit are consumed.

        Returns
        -------
        dict of str to ndarray, (block,), float64
            `variables`, in their units.

        Raises
        ------
        InputError
            If a value is not finite.
        """
        from ibtools.analysis.kernels.permutations import sample_permutations

        orders = sample_permutations(block.y.size, self.n_permutations, seed=SEED)
        rows = [
            _with_chance(*self.measure(block.finite_values(index), block.y, orders))
            for index in range(len(block))
        ]
        return {one.name: np.array([row[one.name] for row in rows]) for one in self.variables}


def _with_chance(found: Mapping[str, float], permuted: NDArray[np.float64]) -> Mapping[str, float]:
    """Add what permuted labels say to what was measured."""
    if permuted.size == 0:
        return found
    chance = float(permuted.mean())
    return {**found, "mi_ty_null": chance, "mi_ty_above_null": found["mi_ty"] - chance}
