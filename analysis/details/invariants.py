"""The detail `invariants`: how units share what they know, each alone or only together."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from ibtools.analysis.details.permutations import parse_drawn
from ibtools.analysis.details.protocol import MISSING, Found, PlainDetail
from ibtools.analysis.details.snapshots import Snapshots, unit_label_dtype
from ibtools.errors import InputError
from ibtools.store.header import Header
from ibtools.store.schema import CUBE, Variable

if TYPE_CHECKING:
    from ibtools.analysis.kernels.sharing import Correlations, Knowledge

NO_INFORMATION = "NaN: not analysed, or I(T;Y) is 0"
NOT_DRAWN = "NaN: not analysed, or no permutation was drawn"
TOO_FEW_DRAWN = "NaN: not analysed, or fewer than two permutations were drawn"

ABOUT_LABEL = (
    Variable(
        "sum_mi_unit_y", CUBE[:3], ("float64",), "bit", math.nan, MISSING,
        "sum over units of what each knows of the label by itself, I(T_u;Y)",
        label="sum of I(T_u;Y)",
    ),
    Variable(
        "sum_mi_unit_y_null", CUBE[:3], ("float64",), "bit", math.nan, MISSING,
        "chance level of that: its mean over all permutations of the labels",
        label="chance level of the sum of I(T_u;Y)",
    ),
    Variable(
        "sum_mi_unit_y_given_others", CUBE[:3], ("float64",), "bit", math.nan, MISSING,
        "sum over units of what would be lost with the unit, I(T_u;Y | all other units)",
        label="sum of I(T_u;Y|T_-u)",
    ),
    Variable(
        "sum_mi_unit_y_given_others_null", CUBE[:3], ("float64",), "bit", math.nan, MISSING,
        "chance level of that: its mean over all permutations of the labels",
        label="chance level of the sum of I(T_u;Y|T_-u)",
    ),
    Variable(
        "redundancy_degree", CUBE[:3], ("float64",), "1", math.nan, NO_INFORMATION,
        "average degree of redundancy: sum over units of I(T_u;Y), divided by I(T;Y)",
        label="degree of redundancy",
    ),
    Variable(
        "redundancy_degree_null", CUBE[:3], ("float64",), "1", math.nan, NO_INFORMATION,
        "chance level of that: the chance level of the sum, divided by that of I(T;Y)",
        label="chance level of degree of redundancy",
    ),
    Variable(
        "vulnerability_degree", CUBE[:3], ("float64",), "1", math.nan, NO_INFORMATION,
        "average degree of vulnerability: sum over units of I(T_u;Y | all other units), divided by "
        "I(T;Y)",
        label="degree of vulnerability",
    ),
    Variable(
        "vulnerability_degree_null", CUBE[:3], ("float64",), "1", math.nan, NO_INFORMATION,
        "chance level of that: the chance level of the sum, divided by that of I(T;Y)",
        label="chance level of degree of vulnerability",
    ),
)  # fmt: skip

WITHOUT_LABEL = {
    "total_correlation": (
        "total correlation of the units: sum of H(T_u), less H(T)",
        "total correlation",
    ),
    "dual_total_correlation": (
        "dual total correlation of the units: H(T), less the sum of H(T_u | all other units)",
        "dual total correlation",
    ),
    "o_information": (
        "total less dual total correlation: above 0 redundancy prevails, below 0 synergy",
        "O-information",
    ),
}
"""What units share with each other, whatever the label: description and label."""


def _with_chance(name: str, description: str, label: str) -> tuple[Variable, ...]:
    """Declare what units share, and what they share by chance."""
    what = (name, CUBE[:3], ("float64",), "bit", math.nan)
    return (
        Variable(*what, MISSING, description, label=label),
        Variable(
            f"{name}_null", *what[1:], NOT_DRAWN,
            "chance level of that: its mean over drawn permutations of each unit on its own",
            label=f"chance level of {label}",
        ),
        Variable(
            f"{name}_null_sd", *what[1:], TOO_FEW_DRAWN,
            "standard deviation of that over the drawn permutations (n - 1)",
            label=f"chance spread of {label}",
        ),
    )  # fmt: skip


VARIABLES = (
    *ABOUT_LABEL,
    *(one for name, words in WITHOUT_LABEL.items() for one in _with_chance(name, *words)),
)


@dataclass(frozen=True)
class Invariants(PlainDetail):
    """How the units of a layer share what they know: Shannon invariants, and total correlations.

    Parameters
    ----------
    n_permutations : int, optional
        How many times to permute each unit on its own, for the chance levels of total correlation
        and its kin; 0 for none of these.
    seed : int, optional
        Decides, with repeat, epoch and layer, what is drawn; nothing else does.

    Raises
    ------
    InputError
        If a number is negative.

    Notes
    -----
    With T the layer, T_u one of its n units, ``T_-u`` all others::

        average degree of redundancy     r = sum_u I(T_u;Y) / I(T;Y),
        average degree of vulnerability  v = sum_u I(T_u;Y|T_-u) / I(T;Y).

    r counts from how many single units a bit about the label can be had: n where all are copies,
    1 where each bit is in one unit, 0 where it is in no unit alone. v counts how many units each of
    which is needed for it: 0 where any one can be missed, n for an exclusive or of all. However
    information is decomposed into redundant, unique and synergistic atoms, these two are the same.

    What is permuted: for what is about the label, the labels. The mean over all permutations is
    exact there, because it is one of I(T;Y), I(T_u;Y) and ``I(T_-u;Y)`` each
    (`ibtools.analysis.kernels.chance`). Total correlation knows no label; there the samples of each
    unit are permuted on their own, which leaves H(T_u) as it is, and units are independent but for
    chance. No closed form is known, so some are drawn.

    A unit of a softmax layer is its probability, as in the detail `units`; of all but one the last
    one follows, because they sum to one. So nothing of a softmax layer is lost with a unit: v is 0,
    and the dual total correlation H(T).

    Which samples agree in all units but one is told by 128-bit digests, which are not verified
    (`ibtools.analysis.kernels.digests.UnitDigests`).

    References
    ----------
    Gutknecht, Rosas, Ehrlich, Makkeh, Mediano & Wibral (2025), arXiv 2504.15779. Rosas, Mediano,
    Gastpar & Jensen (2019), Phys. Rev. E 100, 032305. Watanabe (1960), IBM J. Res. Dev. 4, 66.

    Examples
    --------
    >>> Invariants().name, Invariants(20, seed=1).name
    ('invariants-2-0', 'invariants-20-1')
    """

    n_permutations: int = 2
    seed: int = 0

    kind: ClassVar[str] = "invariants"
    variables: ClassVar[tuple[Variable, ...]] = VARIABLES
    shows: ClassVar[str] = "degrees of redundancy and vulnerability, O-information of the units"
    first_look: ClassVar[str] = 'redundancy_degree.mean("repeat").plot(x="epoch", hue="layer")'
    needs_unit_labels: ClassVar[bool] = True

    def __post_init__(self) -> None:
        for what, number in (("n_permutations", self.n_permutations), ("seed", self.seed)):
            if number < 0:
                raise InputError(f"{what} must not be negative, found {number}")

    @classmethod
    def from_options(cls, options: str) -> Self:
        """Build it from its name without the kind: how many permutations, and the seed."""
        return cls(*parse_drawn(options, example="invariants-2-0"))

    @property
    def name(self) -> str:
        """The kind, the number of permutations and the seed."""
        return f"invariants-{self.n_permutations}-{self.seed}"

    @property
    def attributes(self) -> dict[str, Any]:
        """The options."""
        return {"n_permutations": self.n_permutations, "seed_of_permutations": self.seed}

    def memory(self, snapshots: int, header: Header) -> int:
        """Return the bytes of the states of units, one layer of them permuted; and of digests."""
        from ibtools.analysis.kernels.digests import PORTION_BYTES

        n_samples, itemsize = header.label.size, unit_label_dtype(header.label.size).itemsize
        n_units = sum(layer.n_units for layer in header.layers) + header.n_units
        spectra = 64 * (math.isqrt(2 * n_samples) + 2) * header.n_units
        portion = 2 * max(PORTION_BYTES, 24 * n_samples) + 100 * n_samples
        counted = 4 * n_samples * header.n_units
        of_snapshot = itemsize * n_samples * n_units + counted + 16 * n_samples + spectra
        return super().memory(snapshots, header) + snapshots * of_snapshot + portion

    def compute(self, snapshots: Snapshots, header: Header) -> Found:
        """Compute (block, layer)."""
        found = [
            self._of_layer(unit_labels, self._seeds(snapshots, layer.name), header)
            for layer, unit_labels in zip(header.layers, snapshots.unit_labels, strict=True)
        ]
        return {name: np.stack([of[name] for of in found], axis=1) for name in found[0]}

    def _seeds(self, snapshots: Snapshots, layer: str) -> list[int]:
        """Return the seed of each snapshot; none if nothing is drawn."""
        if not self.n_permutations:
            return []
        from ibtools.analysis.kernels.permutations import snapshot_seed

        labels = zip(snapshots.repeat.tolist(), snapshots.epoch.tolist(), strict=True)
        return [
            snapshot_seed(self.seed, repeat=repeat, epoch=epoch, layer=layer)
            for repeat, epoch in labels
        ]

    def _of_layer(
        self, unit_labels: NDArray[np.unsignedinteger], seeds: list[int], header: Header
    ) -> Found:
        """Compute the variables of one layer, (block,)."""
        from ibtools.analysis.kernels.permutations import shuffled_units
        from ibtools.analysis.kernels.sharing import (
            correlations,
            correlations_of_units,
            knowledge_of_units,
        )

        knowledge = layer, units, others = knowledge_of_units(
            unit_labels, header.label, header.n_classes
        )
        observed = correlations(layer.entropy, units.entropy, others.entropy)
        shuffled = shuffled_units(unit_labels, n_permutations=self.n_permutations, seeds=seeds)
        drawn = [correlations_of_units(labels, units.entropy) for labels in shuffled]
        return _about_label(*knowledge, n_samples=header.label.size) | _with_drawn(observed, drawn)


def _about_label(
    layer: "Knowledge", units: "Knowledge", others: "Knowledge", *, n_samples: int
) -> Found:
    """Compute what units know of the label, observed and by chance, (block,)."""
    from ibtools.analysis.kernels.sharing import degrees, information_given_others, sum_units

    found: Found = {}
    for null, what in (("", "information"), ("_null", "chance")):
        of_layer, of_units, of_others = (getattr(one, what) for one in (layer, units, others))
        alone = sum_units(of_units)
        given = sum_units(information_given_others(of_layer, of_others))
        found |= {
            f"sum_mi_unit_y{null}": alone,
            f"sum_mi_unit_y_given_others{null}": given,
            f"redundancy_degree{null}": degrees(alone, of_layer, n_samples),
            f"vulnerability_degree{null}": degrees(given, of_layer, n_samples),
        }
    return found


def _with_drawn(observed: "Correlations", drawn: list["Correlations"]) -> Found:
    """Return what units share, and mean and deviation of that over permutations, (block,)."""
    found: Found = {}
    for name in WITHOUT_LABEL:
        found[name] = values = getattr(observed, name)
        permuted = np.array([getattr(one, name) for one in drawn])
        nothing = np.full_like(values, np.nan)
        found[f"{name}_null"] = permuted.mean(axis=0) if len(drawn) else nothing
        found[f"{name}_null_sd"] = permuted.std(axis=0, ddof=1) if len(drawn) > 1 else nothing
    return found
