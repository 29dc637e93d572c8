"""The grid of a quantiser: which values it can return, and the integer codes of them.

TensorFlow's fake quantisation returns float32 values ``scale * k`` with integer k, so that the code
``k + zero_point`` gives each value back bit for bit. This is not assumed but checked for every
value of every snapshot.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ibtools.errors import GridError
from ibtools.kernel import kernel

Codes = NDArray[np.unsignedinteger[Any]]
"""Integer codes, (sample, unit), uint8 or uint16."""


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

        Parameters
        ----------
        values : ndarray, (sample, unit), float32
            Output of the quantiser.
        layer : str
            Its name, for the error.
        first_sample : int
            Number of the first sample, for the error.

        Returns
        -------
        ndarray, (sample, unit), uint8, or uint16 above 8 bits
            Codes; ``scale * (code - zero_point)`` equals every value (0 for -0).

        Raises
        ------
        GridError
            If a value is not on the grid.
        """
        values = np.ascontiguousarray(values)
        codes: Codes = np.empty(values.shape, np.uint8 if self.bits <= 8 else np.uint16)
        largest = np.float32(2**self.bits - 1)
        wrong = _encode(
            values.ravel(), self.scale, np.float32(self.zero_point), largest, codes.ravel()
        )
        if wrong < values.size:
            sample, unit = (int(i) for i in np.unravel_index(wrong, values.shape))
            raise GridError(
                f"every value of layer {layer!r} must be on the grid {self._describe()}, but "
                f"sample {first_sample + sample}, unit {unit} is {values[sample, unit]}; this "
                "recorder and the quantiser disagree, or the training has diverged"
            )
        return codes

    def _describe(self) -> str:
        return f"{self.scale} * (code - {self.zero_point}), code 0 to {2**self.bits - 1}"


@kernel
def _encode(
    values: NDArray[np.float32],
    scale: np.float32,
    zero_point: np.float32,
    largest: np.float32,
    codes: Codes,
) -> int:
    """Compute codes, and return the place of the first value that is not on the grid, or the size.

    Everything is rounded to float32 after each operation, as TensorFlow does.
    """
    n_wrong = 0
    for i in range(values.size):
        code = min(max(np.rint(values[i] / scale) + zero_point, np.float32(0)), largest)
        codes[i] = np.int32(code)
        n_wrong += (code - zero_point) * scale != values[i]
    if n_wrong:
        for i in range(values.size):
            if (np.float32(codes[i]) - zero_point) * scale != values[i]:
                return i
    return values.size
