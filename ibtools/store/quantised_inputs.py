"""What the input quantiser of a network leaves of the inputs, in numbers and in words."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

_ATTRIBUTES = {
    "distinct": "inputs_distinct",
    "distinct_quantised": "inputs_distinct_quantised",
    "features": "features",
    "features_merged": "features_constant_quantised",
}


@dataclass(frozen=True)
class QuantisedInputs:
    """How many inputs and features there are, and how many are left after quantisation.

    Parameters
    ----------
    distinct, distinct_quantised : int
        Different inputs among the recorded samples, before and after.
    features, features_merged : int
        Features of an input, and those that vary over the recorded samples before, but not after.

    Examples
    --------
    >>> str(QuantisedInputs(4, 4, features=2, features_merged=0))
    '4 different inputs, all of which the 8-bit input quantiser leaves'
    """

    distinct: int
    distinct_quantised: int
    features: int
    features_merged: int

    @classmethod
    def from_attributes(cls, attributes: Mapping[str, Any]) -> Self | None:
        """Read it from the root attributes of a store; None if the recorder did not write it."""
        if not all(name in attributes for name in _ATTRIBUTES.values()):
            return None
        return cls(**{field: int(attributes[name]) for field, name in _ATTRIBUTES.items()})

    def attributes(self) -> dict[str, int]:
        """Return it as the root attributes of a store."""
        return {name: int(getattr(self, field)) for field, name in _ATTRIBUTES.items()}

    @property
    def loses(self) -> bool:
        """Whether anything is lost."""
        return self.distinct_quantised < self.distinct or self.features_merged > 0

    def __str__(self) -> str:
        if not self.loses:
            return (
                f"{self.distinct} different inputs, all of which the 8-bit input quantiser leaves"
            )
        return (
            f"{self.distinct} different inputs, of which the 8-bit input quantiser leaves "
            f"{self.distinct_quantised}; it makes {self.features_merged} of {self.features} "
            "features constant"
        )
