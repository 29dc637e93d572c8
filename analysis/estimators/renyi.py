"""The estimator `renyi`: matrix-based Rényi entropy of a layer, and its information."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from ibtools.analysis.estimators.binned import format_number
from ibtools.analysis.estimators.kde import PLANE
from ibtools.analysis.estimators.whole_layer import (
    NO_CHANCE_REVISION,
    OTHER_QUANTITY,
    WholeLayer,
)
from ibtools.analysis.measures.protocol import BlockShape
from ibtools.errors import InputError
from ibtools.store.schema import CUBE, Variable

RENYI = (
    replace(
        PLANE[0],
        description="matrix-based Rényi entropy of the layer, at the scale of a Gaussian kernel; "
        "of renyi",
        label="S(T)",
    ),
    replace(
        PLANE[1],
        description="matrix-based Rényi information about the label, S(T) + S(Y) - S(T, Y); of "
        "renyi",
        label="matrix-based I(T;Y)",
    ),
    Variable(
        "kernel_width", CUBE[:3], ("float64",), "1", math.nan, "NaN: not analysed",
        "width of the kernel, in the unit of the values; 0 where all are equal; of renyi",
        label="width of the kernel",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Renyi(WholeLayer):
    """Compute matrix-based Rényi entropy and information of some samples of a layer.

    Parameters
    ----------
    alpha : float, optional
        The order; near 1 it is near Shannon's.
    n_samples : int, optional
        How many samples are looked at, at the most: time grows with the cube of them.
    seed : int, optional
        Decides which; they are the same in all snapshots and layers.
    n_permutations : int, optional
        As of `WholeLayer`. The labels of the samples that are looked at are permuted, and the
        kernel is the one of the true labels.

    Raises
    ------
    InputError
        If the order is not positive or 1, there are fewer than two samples, or a number is
        negative.

    Notes
    -----
    The formula and the choice of the kernel's width are those of
    `ibtools.analysis.kernels.gram.gram_information`. The width is chosen for each snapshot of a
    layer by itself; Wickstrøm et al. take a moving average of it along the training.

    The kernel of the label tells classes apart and nothing else, which is the limit of a Gaussian
    kernel of one-hot labels when it is narrow. That of the input tells different inputs apart,
    because a store has not their values. As the network is deterministic, S(X, T) = S(X) then, and
    I(X;T) = S(T), which is what `mi_xt` is. Published planes have a Gaussian kernel of the input
    instead, and smaller numbers.

    It is an entropy of Gram matrices, in bits and with many properties of an entropy, but not that
    of a distribution: of n samples it is at most log2 n, and at the scale of the kernel.

    References
    ----------
    Sanchez Giraldo, Rao & Principe (2015), IEEE Trans. Inf. Theory 61, 535, arXiv 1211.2459.
    Wickstrøm et al. (2019), arXiv 1909.11396. Yu, Wickstrøm, Jenssen & Principe (2021), IEEE Trans.
    Neural Netw. Learn. Syst. 32, 435, arXiv 1804.06537.

    Examples
    --------
    >>> Renyi().specification, Renyi(2, n_samples=500, seed=1).specification
    ('renyi-1.01-1000-0', 'renyi-2-500-1')
    """

    alpha: float = 1.01
    n_samples: int = 1000
    seed: int = 0

    name: ClassVar[str] = "renyi"
    revision: ClassVar[int] = 2
    revision_note: ClassVar[str] = NO_CHANCE_REVISION
    exempt: ClassVar[Mapping[str, str]] = OTHER_QUANTITY
    representation: ClassVar[str] = "T at a kernel's scale"
    measured: ClassVar[tuple[Variable, ...]] = RENYI
    meaning: ClassVar[str] = (
        "Not the information of the network: Rényi entropies of the eigenvalues of Gram matrices, "
        "of some of the samples, at the scale of a Gaussian kernel whose width was chosen by the "
        "label. Both depend on the kernel."
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.alpha < math.inf or self.alpha == 1:
            raise InputError(f"alpha must be a positive number and not 1, found {self.alpha!r}")
        if self.n_samples < 2:
            raise InputError(f"at least 2 samples are needed, found {self.n_samples}")
        if self.seed < 0:
            raise InputError(f"a seed must not be negative, found {self.seed}")

    @property
    def options(self) -> str:
        """The order, how many samples and the seed, as in the specification."""
        return f"{format_number(self.alpha)}-{self.n_samples}-{self.seed}"

    @classmethod
    def parse(cls, options: str) -> Self:
        """Build the estimator from its specification without the name."""
        words = options.split("-") if options else []
        try:
            order, *numbers = words or [format_number(cls.alpha)]
            alpha, (n_samples, seed) = float(order), _filled(numbers)
        except ValueError as err:
            raise InputError(
                "renyi must be written as in renyi-1.01-1000-0, the order, how many samples and "
                f"the seed, found {options!r} for these"
            ) from err
        return cls(alpha, n_samples, seed)

    @property
    def attributes(self) -> dict[str, Any]:
        """The options, and what the numbers are, as attributes of the results."""
        return {
            **super().attributes,
            "alpha": self.alpha,
            "most_samples": self.n_samples,
            "seed_of_samples": self.seed,
            "representation": self.representation,
            "note_mi_xt": "S(T), which is I(X;T) for a kernel that tells different inputs apart",
        }

    def memory_of_values(self, shape: BlockShape) -> int:
        """Return the bytes of a snapshot's values, and of matrices of the samples chosen."""
        n = min(self.n_samples, shape.samples)
        values = max(shape.decoding, 4 * shape.snapshot)
        return values + 20 * n * shape.units + 40 * n * n + 50 * shape.samples

    def measure(
        self, values: NDArray[np.float32], y: NDArray[np.integer], orders: NDArray[np.intp]
    ) -> tuple[Mapping[str, float], NDArray[np.float64]]:
        """Compute entropy and information of some samples of a snapshot; see `WholeLayer`.

        `kernel_width` is in the unit of the values.
        """
        from ibtools.analysis.kernels.gram import chosen_samples, gram_information

        chosen = chosen_samples(y.size, self.n_samples, seed=self.seed)
        permuted = y[chosen][np.argsort(orders[:, chosen], axis=1)]
        found = gram_information(values[chosen], y[chosen], alpha=self.alpha, permuted=permuted)
        return {
            "mi_xt": found.entropy_t,
            "mi_ty": found.mi_ty,
            "kernel_width": found.width,
        }, found.by_chance


def _filled(numbers: list[str]) -> tuple[int, int]:
    """Return how many samples and the seed, as far as they are given; ValueError if more are."""
    n_samples, seed = [*map(int, numbers), *(Renyi.n_samples, Renyi.seed)[len(numbers) :]]
    return n_samples, seed
