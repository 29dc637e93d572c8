"""The grid of a quantiser, as it is read from a live model."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class QuantiserGrid:
    """The values that a quantiser can return: ``scale * (code - zero_point)``.

    Parameters
    ----------
    scale, zero_point : ndarray
        One of each, or shaped so that they broadcast against the output.
    bits : int
        Of a code.
    lowest_code : int
        The smallest code.
    """

    scale: NDArray[Any]
    zero_point: NDArray[Any]
    bits: int
    lowest_code: int

    def equals(self, other: "QuantiserGrid | None") -> bool:
        """Whether it is the same grid."""
        return (
            other is not None
            and np.array_equal(self.scale, other.scale)
            and np.array_equal(self.zero_point, other.zero_point)
            and (self.bits, self.lowest_code) == (other.bits, other.lowest_code)
        )
