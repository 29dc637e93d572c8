"""The grid of TensorFlow's fake quantisation: which values it can return, and their codes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ibtools.errors import GridError
from ibtools.store.encode import Codes, encode


@dataclass(frozen=True)
class Grid:
    """The values that a quantiser can return: ``scale * (code - zero_point)``.

    Parameters
    ----------
    scale : numpy.float32
        Distance between neighbours.
    zero_point : int
        The code of the value 0.
    bits : int
        Codes are 0 to 2**bits - 1.

    Examples
    --------
    >>> grid = Grid.from_range(-6, 6, bits=2)
    >>> grid
    Grid(scale=np.float32(4.0), zero_point=2, bits=2)
    >>> grid.encode(np.float32([[-8, 0, 4]]), layer="hidden_1")
    array([[0, 2, 3]], dtype=uint8)
    """

    scale: np.float32
    zero_point: int
    bits: int

    @classmethod
    def from_range(cls, low: float, high: float, bits: int) -> "Grid":
        """Compute the grid of a range as TensorFlow does, in float32.

        Parameters
        ----------
        low, high : float
            Ends of the range, low <= 0 <= high.
        bits : int
            Bits of a code.

        Returns
        -------
        Grid
            The range moved so that 0 is one of its values. For low = high = 0, where TensorFlow
            returns zeros, the scale is 1.

        Raises
        ------
        GridError
            If the range does not include 0 or is not finite.

        Notes
        -----
        ``scale = (high - low) / (2**bits - 1)`` and ``zero_point = -low / scale``, rounded with
        halves away from 0 (`Nudge` in TensorFlow's fake_quant_ops_functor.h).
        """
        lowest, highest = np.float32(low), np.float32(high)
        if not -np.inf < lowest <= 0 <= highest < np.inf:
            raise GridError(
                f"the range of a quantiser must be finite and include 0, but is [{low}, {high}]; "
                "the training may have diverged"
            )
        if lowest == highest:
            return cls(np.float32(1), 0, bits)
        scale = (highest - lowest) / np.float32(2**bits - 1)
        zero_point = int(np.floor(np.float64(-lowest / scale) + 0.5))
        return cls(scale, min(zero_point, 2**bits - 1), bits)

    def encode(self, values: NDArray[np.float32], *, layer: str, first_sample: int = 0) -> Codes:
        """Find the codes of values, and certify that they stand for exactly these values.

        Parameters and errors are those of `ibtools.LayerValues.from_values`.

        Returns
        -------
        ndarray, (sample, unit), uint8, or uint16 above 8 bits
            Codes; ``scale * (code - zero_point)`` equals every value (0 for -0).
        """
        codes, _, _ = encode(
            values,
            self.scale,
            self.zero_point,
            bits=self.bits,
            layer=layer,
            first_sample=first_sample,
        )
        return codes
