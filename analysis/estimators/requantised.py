"""The estimator `requantised`: what the reference implementation computes."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from ibtools.analysis.binning import bin_dtype, bin_uniform
from ibtools.analysis.estimators.block import LayerBlock
from ibtools.analysis.estimators.counting import CountingEstimator, Symbols
from ibtools.errors import InputError


@dataclass(frozen=True)
class Requantised(CountingEstimator):
    """Re-scale the values of each layer and snapshot to 2^b + 1 levels, and count those.

    For published curves, which were computed so. Where it differs from `exact`, `exact` is right:
    a softmax that is nearly 0 or 1 for most samples loses most of its states.

    Parameters
    ----------
    per_unit : bool, optional
        Also compute the mean over units of the information of single units.

    Notes
    -----
    With b the layer's bits, and lo and hi the smallest and largest value of the layer in this
    snapshot over samples and units,

        level = floor((v - lo) / (hi - lo) * 2^b),

    which is 0 to 2^b: the maximum alone has the last level, so there are 257 for 8 bits. A layer
    with lo = hi has one level. lo and hi are `activation_min` and `activation_max`; of a softmax
    layer that was recorded as codes of logits, they are taken from the softmax, and so are the
    values v. Arithmetic is float64 on the float32 values. Codes from lo to hi are never more than
    2^b - 1 steps apart, so that each has a level of its own: on every other quantised layer the
    result is that of `exact`. A float layer has 2^32 + 1 levels, which merge small values.

    References
    ----------
    Lorenzen, Igel & Nielsen (2022), arXiv 2106.12912.
    """

    name: ClassVar[str] = "requantised"
    representation: ClassVar[str] = "requantised T"

    @property
    def options(self) -> str:
        """There are none."""
        return ""

    @classmethod
    def from_options(cls, options: str, *, per_unit: bool = False) -> Self:
        """Build the estimator; there are no options but `per_unit`."""
        if options:
            raise InputError(
                f"the estimator requantised has no option {options!r}; write requantised or "
                "requantised-per-unit"
            )
        return cls(per_unit)

    def discretise(self, block: LayerBlock) -> Symbols:
        """Return the levels of the values."""
        n_levels = 2**block.layer.bits
        levels = np.empty(block.recorded.shape, bin_dtype(n_levels + 1))
        for index in range(len(block)):
            values = block.values(index)
            low, high = block.value_range(index, values)
            bin_uniform(values, low, high, n_bins=n_levels, maximum_apart=True, out=levels[index])
        return levels
