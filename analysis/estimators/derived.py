"""Estimators that are made of another one: what they do not change is the other's."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ibtools.analysis.measures.block import LayerBlock, Statistics
from ibtools.analysis.measures.protocol import (
    BlockShape,
    Needs,
    Scope,
    own_coordinates,
    own_sizes,
)
from ibtools.store.header import Header
from ibtools.store.schema import Variable


@dataclass(frozen=True)
class DerivedEstimator:
    """An estimator that is another one but for what a class that derives from this says.

    Parameters
    ----------
    base : Estimator
        The other one.
    """

    base: Any

    @property
    def name(self) -> str:
        """The name of the other."""
        return str(self.base.name)

    @property
    def variables(self) -> tuple[Variable, ...]:
        """The variables of the results."""
        found: tuple[Variable, ...] = self.base.variables
        return found

    @property
    def attributes(self) -> dict[str, Any]:
        """The options, as attributes of the results."""
        return dict(self.base.attributes)

    @property
    def representation(self) -> str:
        """What is measured, as a figure writes it."""
        return str(self.base.representation)

    @property
    def meaning(self) -> str:
        """What the numbers are, in sentences."""
        return str(self.base.meaning)

    @property
    def revision(self) -> int:
        """Counts what was computed under this specification."""
        return int(self.base.revision)

    @property
    def revision_note(self) -> str:
        """What was different before the last revision, as a clause."""
        return str(self.base.revision_note)

    @property
    def scope(self) -> Scope:
        """One layer at a time."""
        found: Scope = self.base.scope
        return found

    @property
    def needs(self) -> Needs:
        """What it looks at."""
        found: Needs = self.base.needs
        return found

    @property
    def needs_global_range(self) -> bool:
        """Whether the result of a snapshot depends on the ranges of all others."""
        return bool(self.base.needs_global_range)

    @property
    def min_class_size(self) -> int:
        """How many samples every class must have."""
        return int(self.base.min_class_size)

    @property
    def coordinates(self) -> tuple[Variable, ...]:
        """The coordinates of dims of its own."""
        return own_coordinates(self.base)

    def sizes(self, header: Header) -> Mapping[str, int]:
        """Return the sizes of dims of its own."""
        return own_sizes(self.base, header)

    def memory(self, shape: BlockShape) -> int:
        """Return the bytes that `compute` takes."""
        return int(self.base.memory(shape))

    def compute(self, block: LayerBlock) -> Statistics:
        """Compute the variables of the results for a block of snapshots of one layer."""
        found: Statistics = self.base.compute(block)
        return found
