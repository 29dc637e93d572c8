"""The grid of a quantiser, as it is read from a live model."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ibtools.store.snapshots import LayerValues


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

    def encode(self, values: NDArray[Any], *, layer: str, first_sample: int) -> LayerValues:
        """Make codes of values, and certify each; see `ibtools.LayerValues.from_values`."""
        return LayerValues.from_values(
            values,
            scale=self.scale,
            zero_point=self.zero_point,
            bits=self.bits,
            lowest_code=self.lowest_code,
            layer=layer,
            first_sample=first_sample,
        )
