"""What all estimators share that count states: they differ in what is one symbol."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from ibtools.analysis.measures.block import LayerBlock, Statistics
from ibtools.analysis.measures.labels import relabelled
from ibtools.analysis.measures.protocol import BlockShape, Needs, Option, Scope
from ibtools.store.schema import CUBE, RESULT_VARIABLES, WHOLE_LAYER, Variable

if TYPE_CHECKING:
    from ibtools.analysis.kernels.counts import Spectrum

Symbols = NDArray[np.unsignedinteger]

COUNTED = tuple(one for one in RESULT_VARIABLES if one.name in WHOLE_LAYER)
"""What counting the states of a whole layer gives."""

PER_UNIT = (
    Variable(
        "mi_xt_per_unit", CUBE[:3], ("float64",), "bit", math.nan, "NaN: not analysed",
        "information of a single unit about the input, mean over the units; with --per-unit",
        label="mean I(X;T_i)",
    ),
    Variable(
        "mi_ty_per_unit", CUBE[:3], ("float64",), "bit", math.nan, "NaN: not analysed",
        "information of a single unit about the label, mean over the units; with --per-unit",
        label="mean I(T_i;Y)",
    ),
)  # fmt: skip

PER_UNIT_SUFFIX = "-per-unit"


@dataclass(frozen=True)
class CountingEstimator(ABC):
    """Count the states of a layer, after turning each snapshot into rows of integer symbols.

    Parameters
    ----------
    per_unit : bool, optional
        Also compute the mean over units of the information of single units.

    Notes
    -----
    Every sample is equally likely. As T is a function of X, I(X;T) = H(T). The results of an
    estimator with `per_unit` have another name, and hold those of the whole layer too.
    """

    per_unit: bool = False

    name: ClassVar[str]
    meaning: ClassVar[str]
    representation: ClassVar[str] = "T"
    """What is counted, as a figure writes it."""
    scope: ClassVar[Scope] = "layer"
    options_of_command: ClassVar[tuple[Option, ...]] = ()
    min_class_size: ClassVar[int] = 1

    @property
    @abstractmethod
    def options(self) -> str:
        """The specification without the name."""

    @classmethod
    @abstractmethod
    def from_options(cls, options: str, *, per_unit: bool = False) -> Self:
        """Build the estimator from what `options` returns."""

    @abstractmethod
    def discretise(self, block: LayerBlock) -> Symbols:
        """Turn snapshots into symbols (block, sample, unit)."""

    @property
    def specification(self) -> str:
        """The name with all options: what the results are called."""
        words = f"{self.name}-{self.options}" if self.options else self.name
        return words + PER_UNIT_SUFFIX * self.per_unit

    @property
    def variables(self) -> tuple[Variable, ...]:
        """The variables of the results."""
        return relabelled(COUNTED + PER_UNIT * self.per_unit, self.representation)

    @property
    def attributes(self) -> dict[str, Any]:
        """The options, as attributes of the results."""
        return {}

    @property
    def revision(self) -> int:
        """Counts what was computed under this specification; see `Estimator`."""
        return 1

    @property
    def revision_note(self) -> str:
        """What was different before the last revision, as a clause."""
        return ""

    @property
    def needs(self) -> Needs:
        """What it looks at: the values of all units, unless it says otherwise."""
        return "values"

    @property
    def needs_global_range(self) -> bool:
        """Whether the result of a snapshot depends on the ranges of all others."""
        return False

    @abstractmethod
    def symbol_memory(self, shape: BlockShape) -> int:
        """Return the bytes at the peak of `discretise`, with the symbols that it returns."""

    def memory(self, shape: BlockShape) -> int:
        """Return the bytes that `compute` takes: symbols, labels, spectra; tables of a snapshot."""
        spectra = 32 * math.isqrt(2 * shape.samples)
        counting = shape.snapshots * (4 * shape.samples + spectra) + 100 * shape.samples
        single = (8 * shape.snapshot + spectra * shape.units) if self.per_unit else 0
        return self.symbol_memory(shape) + counting + single

    def compute(self, block: LayerBlock) -> Statistics:
        """Compute the variables of the results for a block of snapshots of one layer.

        Parameters
        ----------
        block : LayerBlock
            The snapshots; sample and unit are consumed.

        Returns
        -------
        dict of str to ndarray, (block,)
            Every one of `variables`: float64, bits; or counts, int64.

        Raises
        ------
        TypeError
            If the dtype does not fit the layer.
        ValueError
            If there is no sample or unit, a value is NaN, or y does not fit.
        """
        from ibtools.partition import partition_block

        symbols = self.discretise(block)
        labels, _ = partition_block(symbols)
        found = statistics_of_labels(labels, block.y, block.n_classes, block.entropy_x)
        return found | self._unit_statistics(block, symbols) if self.per_unit else found

    def _unit_statistics(self, block: LayerBlock, symbols: Symbols) -> Statistics:
        """Compute the means over units of the information of single units."""
        means = np.empty((2, len(block)))
        for index in range(len(block)):
            parts = [_information(part, block) for part in self.unit_symbols(block, symbols, index)]
            means[:, index] = np.mean(np.concatenate(parts, axis=1), axis=1)
        return {one.name: mean for one, mean in zip(PER_UNIT, means, strict=True)}

    def unit_symbols(self, block: LayerBlock, symbols: Symbols, index: int) -> Iterator[Symbols]:
        """Yield the symbols (unit, sample, 1) of single units of one snapshot, in any portions."""
        yield symbols[index].T[..., np.newaxis]


def statistics_of_labels(
    labels: NDArray[np.uint32],
    y: NDArray[np.integer],
    n_classes: int,
    entropy_x: float,
) -> Statistics:
    """Compute all that the results say of whole layers, from their partitions.

    Parameters
    ----------
    labels : ndarray, (block, sample), uint32
        As from `ibtools.partition.partition_block`; sample is consumed.
    y : ndarray, (sample,), integer
        Class of each sample, 0 to n_classes - 1.
    n_classes : int
        Number of classes.
    entropy_x : float
        H(X) of the samples in bits, for the saturation.

    Returns
    -------
    dict of str to ndarray, (block,)
        As of `statistics_of_spectra`.

    Examples
    --------
    >>> labels, y = np.array([[0, 1, 2, 3]], np.uint32), np.array([0, 0, 1, 1])
    >>> found = statistics_of_labels(labels, y, 2, entropy_x=2.0)
    >>> [float(found[name][0]) for name in ("mi_ty", "mi_ty_null", "saturation")]
    [1.0, 1.0, 1.0]
    """
    from ibtools.analysis.kernels.counts import label_spectra

    spectra = label_spectra(labels, y, n_classes)
    return statistics_of_spectra(*spectra, n_samples=y.size, entropy_x=entropy_x)


def statistics_of_spectra(
    states: "Spectrum", classes: "Spectrum", cells: "Spectrum", *, n_samples: int, entropy_x: float
) -> Statistics:
    """Compute all that the results say of whole layers, from their counts.

    Parameters
    ----------
    states, classes, cells : Spectrum, (block, entry), (entry,), (block, entry)
        As `ibtools.analysis.kernels.counts.label_spectra` returns them.
    n_samples : int
        Samples that were counted.
    entropy_x : float
        H(X) of the samples in bits, for the saturation.

    Returns
    -------
    dict of str to ndarray, (block,)
        Every one of `WHOLE_LAYER`: float64, bits (saturation: a fraction); or counts, int64.
    """
    from ibtools.analysis.kernels.chance import chance_levels, count_singletons, saturation
    from ibtools.analysis.kernels.information import information_of_spectra

    entropy_t, mi_ty = information_of_spectra(states, classes, cells, n_samples=n_samples)
    mi_ty_null = chance_levels(states, classes)
    return {
        "mi_xt": entropy_t.copy(),
        "mi_ty": mi_ty,
        "entropy_t": entropy_t,
        "n_states": states.cells.sum(axis=-1),
        "n_singletons": count_singletons(states),
        "saturation": saturation(entropy_t, entropy_x),
        "mi_ty_null": mi_ty_null,
        "mi_ty_above_null": mi_ty - mi_ty_null,
    }


def _information(
    symbols: Symbols, block: LayerBlock
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return H and I(;Y) of every partition of a block."""
    from ibtools.analysis.kernels.information import information_of_labels
    from ibtools.partition import partition_block

    labels, _ = partition_block(symbols)
    return information_of_labels(labels, block.y, block.n_classes)
