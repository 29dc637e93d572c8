"""The estimator `requantised`: what the published implementation computes."""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from ibtools.analysis.estimators.counting import CountingEstimator, Symbols
from ibtools.analysis.measures.block import LayerBlock
from ibtools.analysis.measures.protocol import BlockShape
from ibtools.errors import InputError


@dataclass(frozen=True)
class Requantised(CountingEstimator):
    """Round the values of each layer and snapshot to 2^b + 1 levels, and count those.

    For published curves, which were computed so. Where it differs from `exact`, `exact` is right:
    a softmax that is nearly 0 or 1 for most samples loses most of its states.

    Parameters
    ----------
    per_unit : bool, optional
        Also compute the mean over units of the information of single units.
    bits : int, optional
        b, 1 to 32; by default the bits of each layer. A float layer has 32, unless it is said what
        its values stand for: those of a network that was trained with 8 bits, say.

    Raises
    ------
    InputError
        If `bits` is out of range.

    Notes
    -----
    With lo and hi the smallest and largest value of the layer in this snapshot over samples and
    units, the level of a value v is

        (v - lo) * 2^b / (hi - lo),

    each operation in float32, rounded to the nearest whole number, to the even one of two: 0 to
    2^b, 257 levels for 8 bits. lo and hi are `activation_min` and `activation_max`, which are
    values of the layer (`ibtools check` compares them); of a softmax layer that was recorded as
    codes of logits, they are taken from the float32 softmax, and so are the values v. A layer with
    lo = hi has one level, and 0 bits. See `ibtools.analysis.kernels.levels.nearest_levels`.

    *Fewer states than* `exact`: a level is 1/2^b of the range wide, and a softmax that is sure of
    itself has most of its states in the first and last. With 32 bits, values closer than 2^-32 of
    the range merge, and others by the rounding of v - lo: small ones beside a large lo. Codes on a
    grid that holds 0 are up to 2^b - 1 steps apart, so that a step is wider than a level: up to 10
    bits each code has a level of its own, and every layer but the softmax has the information of
    `exact`. With more bits float32 rounds two neighbours to one half, and both to the same level.

    *More states than* `exact`: two samples of one state of a softmax layer, whose logits differ by
    a shift, may have float32 probabilities that differ in the last bits. Where an edge between two
    levels falls between them, the state is split. The edges are halfway between levels, so that
    p = 0.5 of two classes, between p and 1 - p, is in the middle of a level for b > 0.

    References
    ----------
    Lorenzen, Igel & Nielsen (2022), arXiv 2106.12912.

    Examples
    --------
    >>> Requantised().specification, Requantised(bits=8, per_unit=True).specification
    ('requantised', 'requantised-8-per-unit')
    """

    bits: int | None = None

    name: ClassVar[str] = "requantised"
    representation: ClassVar[str] = "requantised T"
    meaning: ClassVar[str] = (
        "Not the information of the network: each layer was quantised once more, to the "
        "nearest of 2^bits + 1 levels from its smallest to its largest value, as in the "
        "published tool of the paper, and these levels counted. H(requantised T) is the "
        "entropy of that."
    )

    def __post_init__(self) -> None:
        from ibtools.analysis.kernels.levels import MAX_BITS

        if self.bits is None:
            return
        if self.bits != int(self.bits) or not 1 <= self.bits <= MAX_BITS:
            raise _wrong_bits(self.bits)
        object.__setattr__(self, "bits", int(self.bits))

    @property
    def options(self) -> str:
        """The bits, if they are not those of each layer."""
        return "" if self.bits is None else str(self.bits)

    @classmethod
    def from_options(cls, options: str, *, per_unit: bool = False) -> Self:
        """Build the estimator from what `options` returns."""
        try:
            bits = int(options) if options else None
        except ValueError as err:
            raise _wrong_bits(options) from err
        return cls(per_unit, bits)

    @property
    def attributes(self) -> dict[str, Any]:
        """The bits, if they are not those of each layer, as an attribute of the results."""
        return {} if self.bits is None else {"level_bits": self.bits}

    @property
    def revision(self) -> int:
        """Counts what was computed under this specification; see `Estimator`."""
        return 2

    @property
    def revision_note(self) -> str:
        """What was different before the last revision, as a clause."""
        return (
            "levels were cut off in float64, not rounded to the nearest in float32 as in the "
            "published tool"
        )

    def symbol_memory(self, shape: BlockShape) -> int:
        """Return the bytes of the levels, and of the scaled values of a snapshot."""
        bits = self.bits or (8 * shape.itemsize)
        width = 1 if bits < 8 else 2 if bits < 16 else 4 if bits < 32 else 8
        return width * shape.values + max(shape.decoding, 4 * shape.snapshot) + 8 * shape.snapshot

    def discretise(self, block: LayerBlock) -> Symbols:
        """Return the levels of the values."""
        from ibtools.analysis.kernels.levels import level_dtype, nearest_levels

        bits = self.bits or block.layer.bits
        levels = np.empty(block.recorded.shape, level_dtype(bits))
        for index in range(len(block)):
            values = block.values(index)
            low, high = _range(block, index, values)
            nearest_levels(values, low, high, bits=bits, out=levels[index])
        return levels


def _range(block: LayerBlock, index: int, values: NDArray[np.float32]) -> tuple[float, float]:
    low, high = block.value_range(index, values)
    if not high - low <= float(np.finfo(np.float32).max):
        raise InputError(
            f"layer {block.layer.name!r} spans {low:g} to {high:g}, which float32 cannot divide "
            "into levels; the training diverged, or analyse it with exact"
        )
    return low, high


def _wrong_bits(found: Any) -> InputError:
    from ibtools.analysis.kernels.levels import MAX_BITS

    return InputError(
        f"the bits of requantised must be a whole number from 1 to {MAX_BITS}, found {found!r}; "
        "write requantised for those of each layer, or for example requantised-8"
    )
