"""The estimator `kde`: bounds on the information of a layer to which noise is added."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self, cast

import numpy as np
from numpy.typing import NDArray

from ibtools.analysis.estimators.binned import format_number
from ibtools.analysis.estimators.whole_layer import NO_CHANCE_REVISION, WholeLayer
from ibtools.analysis.measures.labels import relabelled
from ibtools.analysis.measures.protocol import BlockShape
from ibtools.errors import InputError, unknown_name
from ibtools.store.schema import CUBE, RESULT_VARIABLES, Variable

Scale = Literal["given", "relative", "maximum"]

DEFAULT_NOISE: dict[Scale, float] = {"given": 0.001, "relative": 0.01, "maximum": 0.001}
"""0.001 as Saxe et al. (2018)."""

BOUNDS = (
    Variable(
        "mi_xt_lower", CUBE[:3], ("float64",), "bit", math.nan, "NaN: not analysed",
        "lower bound on the information about the input; of kde, whose mi_xt is the upper bound",
        label="I(X;T), lower bound",
    ),
    Variable(
        "mi_ty_lower", CUBE[:3], ("float64",), "bit", math.nan, "NaN: not analysed",
        "lower bound on the information about the label; of kde, whose mi_ty is no bound",
        label="I(T;Y), lower bound",
    ),
    Variable(
        "mi_ty_upper", CUBE[:3], ("float64",), "bit", math.nan, "NaN: not analysed",
        "upper bound on the information about the label; of kde, whose mi_ty is no bound",
        label="I(T;Y), upper bound",
    ),
)  # fmt: skip

NOISE_VARIANCE = Variable(
    "noise_variance", CUBE[:3], ("float64",), "1", math.nan, "NaN: not analysed",
    "variance of the noise that was added to each unit; of kde with noise relative to values",
    label="variance of the noise",
)  # fmt: skip

PLANE = tuple(one for one in RESULT_VARIABLES if one.name in ("mi_xt", "mi_ty"))


@dataclass(frozen=True)
class Kde(WholeLayer):
    """Bound the information of a layer plus Gaussian noise, which the network itself does not have.

    Of T itself, where float values tell all inputs apart, I(X;T) is log2 N whatever the network has
    learned. With noise, inputs whose values are close together are confused: the bounds say how
    many inputs the layer tells apart *at the scale of the noise*, and change with it.

    Parameters
    ----------
    noise : float, optional
        The variance of the noise; by default 0.001, and for "relative" 0.01.
    scale : {"given", "relative", "maximum"}, optional
        In what unit: "given" as it is, "relative" in the variance of the layer's values, "maximum"
        in the square of its largest absolute value; the last two of each layer and snapshot.
    n_permutations : int, optional
        As of `WholeLayer`.

    Raises
    ------
    UnknownNameError
        If there is no such scale.
    InputError
        If the noise is not a positive number, or the number of permutations is negative.

    Notes
    -----
    The formulas are those of `ibtools.analysis.kernels.distances.noisy_information`. `mi_xt` is the
    *upper* bound on I(X;T + noise), `mi_xt_lower` the lower. `mi_ty` is the difference of upper
    bounds that Saxe et al. publish, between the bounds `mi_ty_lower` and `mi_ty_upper`.

    The variance for "relative" is the mean over units of the variance over samples, which neither
    shifting nor rotating the layer changes. "maximum" follows Chelombiev et al., whose noise grows
    with the largest activation; here in its square, so that scaling the layer changes nothing, and
    `kde-maximum-0.001` is `kde-0.001` in a layer that reaches 1. A layer that is all zero has no
    such scale, and 0 bits. `noise_variance` says which variance was taken.

    Values are those that the network computed: codes are decoded, and softmax layers are softmax
    probabilities. Time grows with the square of the different values, memory with their number.

    References
    ----------
    Kolchinsky & Tracey (2017), Entropy 19(7) 361. Saxe et al. (2018), ICLR. Chelombiev et al.
    (2019), arXiv 1902.09037. Goldfeld et al. (2019), arXiv 1810.05728 (noise that is not the
    network's measures geometry).

    Examples
    --------
    >>> Kde().specification, Kde(scale="relative").specification
    ('kde-0.001', 'kde-relative-0.01')
    """

    noise: float | None = None
    scale: Scale = "given"

    name: ClassVar[str] = "kde"
    revision: ClassVar[int] = 2
    revision_note: ClassVar[str] = NO_CHANCE_REVISION
    representation: ClassVar[str] = "T + noise"
    meaning: ClassVar[str] = (
        "Not the information of the network: Gaussian noise that the network does not have "
        "was added to each layer. I(X;T + noise) is an upper bound; I(T + noise;Y) is a "
        "difference of upper bounds and no bound itself. Both depend on the noise."
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.scale not in DEFAULT_NOISE:
            raise unknown_name("scale of noise", self.scale, DEFAULT_NOISE)
        if self.noise is None:
            object.__setattr__(self, "noise", DEFAULT_NOISE[self.scale])
        if not 0 < cast(float, self.noise) < np.inf:
            raise InputError(f"noise must be a positive number, a variance; found {self.noise!r}")

    @property
    def options(self) -> str:
        """Scale and variance of the noise, as in the specification."""
        scale = "" if self.scale == "given" else f"{self.scale}-"
        return f"{scale}{format_number(cast(float, self.noise))}"

    @classmethod
    def parse(cls, options: str) -> Self:
        """Build the estimator from its specification without the name."""
        named = options[:1].isalpha()
        scale, _, noise = options.partition("-") if named else ("", "", options)
        settings: dict[str, Any] = {"scale": scale} if scale else {}
        return cls(noise=_parse_noise(noise) if noise else None, **settings)

    @property
    def measured(self) -> tuple[Variable, ...]:
        """The variables of the results but for those of chance."""
        own = BOUNDS if self.scale == "given" else (*BOUNDS, NOISE_VARIANCE)
        return relabelled(PLANE + own, self.representation, is_informative=True)

    @property
    def attributes(self) -> dict[str, Any]:
        """The options, and what the numbers are, as attributes of the results."""
        return {
            **super().attributes,
            "noise": self.noise,
            "noise_scale": self.scale,
            "representation": self.representation,
            "note_mi_xt": "an upper bound; mi_xt_lower is the lower",
            "note_mi_ty": "a difference of upper bounds; mi_ty_lower and mi_ty_upper are bounds",
        }

    def memory_of_values(self, shape: BlockShape) -> int:
        """Return the bytes of the values of a snapshot, of their states, and of the sums."""
        states = 12 * shape.snapshot + 200 * shape.samples
        return max(shape.decoding, 4 * shape.snapshot) + states + 2**21

    def measure(
        self, values: NDArray[np.float32], y: NDArray[np.integer], orders: NDArray[np.intp]
    ) -> tuple[Mapping[str, float], NDArray[np.float64]]:
        """Bound the information of one snapshot, and take it of permuted labels; see `WholeLayer`.

        `noise_variance` is in the square of the values' unit.
        """
        from ibtools.analysis.kernels.distances import (
            noisy_information,
            noisy_information_by_chance,
        )

        variance = self._variance(values)
        found = noisy_information(values, y, variance)
        by_chance = [
            noisy_information_by_chance(values, y[order], variance, mi_xt_upper=found.mi_xt_upper)
            for order in orders
        ]
        return {
            "mi_xt": found.mi_xt_upper,
            "mi_ty": found.mi_ty,
            "mi_xt_lower": found.mi_xt_lower,
            "mi_ty_lower": found.mi_ty_lower,
            "mi_ty_upper": found.mi_ty_upper,
            "noise_variance": variance,
        }, np.array(by_chance)

    def _variance(self, values: NDArray[np.float32]) -> float:
        """Return the variance of the noise for one snapshot."""
        noise = cast(float, self.noise)
        if self.scale == "relative":
            return noise * float(values.var(axis=0, dtype=np.float64).mean())
        if self.scale == "maximum":
            return noise * float(np.abs(values).max()) ** 2
        return noise


def _parse_noise(text: str) -> float:
    try:
        return float(text)
    except ValueError as err:
        raise InputError(
            f"noise must be a number, found {text!r}; write for example kde-0.001, "
            "kde-relative-0.01 or kde-maximum-0.001"
        ) from err
