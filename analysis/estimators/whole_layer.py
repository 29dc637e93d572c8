"""What estimators share that look at the values of a whole layer and have no options to share."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar, Self

from ibtools.analysis.measures.protocol import Needs, Option, Scope
from ibtools.errors import InputError

_OTHER_QUANTITY = (
    "What is estimated is another quantity than the information of the layer, for which these laws "
    "do not hold: it may rise from a layer to the next."
)

OTHER_QUANTITY: Mapping[str, str] = MappingProxyType(
    {"bounds": _OTHER_QUANTITY, "data processing": _OTHER_QUANTITY}
)
"""The exemptions of what is another quantity than the information of the layer."""


class WholeLayer(ABC):
    """An estimator of the values of whole layers, which has no means over single units."""

    name: ClassVar[str]
    revision: ClassVar[int] = 1
    revision_note: ClassVar[str] = ""
    needs: ClassVar[Needs] = "values"
    scope: ClassVar[Scope] = "layer"
    needs_global_range: ClassVar[bool] = False
    options_of_command: ClassVar[tuple[Option, ...]] = ()

    @property
    def min_class_size(self) -> int:
        """How many samples every class must have."""
        return 1

    @classmethod
    def from_options(cls, options: str, *, per_unit: bool = False) -> Self:
        """Build the estimator from its specification without the name."""
        if per_unit:
            raise InputError(
                f"the estimator {cls.name} measures whole layers and has no means over single "
                "units; leave out --per-unit"
            )
        return cls.parse(options)

    @classmethod
    @abstractmethod
    def parse(cls, options: str) -> Self:
        """Build the estimator from its options."""
