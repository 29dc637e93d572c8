"""The estimator `exact`: the layer's own symbols are counted."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from ibtools.analysis.estimators.counting import CountingEstimator, Symbols
from ibtools.analysis.measures.block import LayerBlock
from ibtools.analysis.measures.protocol import BlockShape, Needs
from ibtools.errors import InputError
from ibtools.store.symbols import exact_symbols


@dataclass(frozen=True)
class Exact(CountingEstimator):
    """Count the layer's own symbols: exact for a deterministic network and the recorded inputs.

    Layers that are too large for memory are counted by digests of their rows, which are not
    verified: exact but for a tiny probability (`ibtools.analysis.kernels.digests.RowDigests`).

    Parameters
    ----------
    per_unit : bool, optional
        Also compute the mean over units of the information of single units.

    Notes
    -----
    A unit of a softmax layer depends on the logits of all units. With the codes k_j of the logits
    on a grid of step s, unit i is ``1 / sum_j exp(s (k_j - k_i))``. By the theorem of Lindemann and
    Weierstrass the exponentials of different rational numbers are linearly independent over the
    rationals, so two samples have the same value of unit i if and only if the differences
    ``k_j - k_i`` are the same numbers in any order. Their sorted row is the exact symbol of the
    single unit.

    Examples
    --------
    >>> import numpy as np
    >>> from ibtools.store.snapshots import LayerSpec
    >>> layer = LayerSpec("hidden_1", n_units=1, activation_function="tanh", bits=8)
    >>> code = np.array([[[0], [1], [2], [2]]], dtype=np.uint8)
    >>> block = LayerBlock(code, layer, y=np.array([0, 0, 1, 1]), n_classes=2)
    >>> Exact().compute(block)["mi_ty"]
    array([1.])
    """

    name: ClassVar[str] = "exact"
    meaning: ClassVar[str] = (
        "Exact: the states that the network itself has were counted, nothing was binned. "
        "I(X;T) = H(T) and I(T;Y) hold for the recorded inputs, each equally likely."
    )

    @property
    def options(self) -> str:
        """There are none."""
        return ""

    @classmethod
    def from_options(cls, options: str, *, per_unit: bool = False) -> Self:
        """Build the estimator; there are no options but `per_unit`."""
        if options:
            raise InputError(
                f"the estimator exact has no option {options!r}; write exact or exact-per-unit"
            )
        return cls(per_unit)

    @property
    def needs(self) -> Needs:
        """What it looks at: the partition, unless single units are asked for."""
        return "units" if self.per_unit else "partition"

    def symbol_memory(self, shape: BlockShape) -> int:
        """Return the bytes of bit patterns and masks, or of codes below the largest of a row."""
        sorted_units = 12 * shape.snapshot if self.per_unit and shape.softmax else 0
        return (2 * shape.itemsize + 2 * (not shape.quantised)) * shape.values + sorted_units

    def discretise(self, block: LayerBlock) -> Symbols:
        """Return the exact symbols: of a kept partition, each sample's label."""
        if block.keeps_partition:
            symbols: Symbols = block.recorded
            return symbols
        if block.first is not None:
            from ibtools.analysis.kernels.digests import part_symbols

            return part_symbols(block.recorded, block.layer, block.first)
        return exact_symbols(block.recorded, block.layer)

    def unit_symbols(self, block: LayerBlock, symbols: Symbols, index: int) -> Iterator[Symbols]:
        """Yield the symbols (unit, sample, ...) of single units of one snapshot, in portions."""
        if not block.is_softmax_of_codes:
            yield from super().unit_symbols(block, symbols, index)
            return
        code = block.recorded[index].astype(np.int32)
        ordered = np.sort(code, axis=1)
        for unit in range(code.shape[1]):
            yield (ordered - code[:, unit : unit + 1]).view(np.uint32)[np.newaxis]
