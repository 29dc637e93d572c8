"""The detail `permutations`: a test of I(T;Y) against permutations of the labels."""

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from ibtools.analysis.details.protocol import MISSING, Found, PlainDetail
from ibtools.analysis.details.snapshots import Snapshots
from ibtools.errors import InputError
from ibtools.store.header import Header
from ibtools.store.schema import CUBE, Variable

VARIABLES = (
    Variable(
        "permuted_mean", CUBE[:3], ("float64",), "bit", math.nan, MISSING,
        "mean of I(T;Y) over the drawn permutations of the labels",
        label="mean of permuted I(T;Y)",
    ),
    Variable(
        "permuted_sd", CUBE[:3], ("float64",), "bit", math.nan, MISSING,
        "standard deviation of I(T;Y) over the drawn permutations (n - 1)",
        label="standard deviation of permuted I(T;Y)",
    ),
    Variable(
        "permuted_z", CUBE[:3], ("float64",), "1", math.nan,
        "NaN: not analysed, or all permutations give the same",
        "standard deviations that I(T;Y) is above the mean of the permutations",
        label="z",
    ),
    Variable(
        "permuted_p", CUBE[:3], ("float64",), "1", math.nan, MISSING,
        "(1 + permutations with at least the observed I(T;Y)) / (1 + permutations)",
        label="p",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Permutations(PlainDetail):
    """A permutation test of I(T;Y): mean and deviation under permuted labels, z and p.

    Parameters
    ----------
    n_permutations : int, optional
        How many to draw for every snapshot and layer.
    seed : int, optional
        Decides, with repeat, epoch and layer, what is drawn; nothing else does.

    Raises
    ------
    InputError
        If there are fewer than two permutations, or the seed is negative.

    Notes
    -----
    The mean estimates `mi_ty_null`, which is exact and costs next to nothing; permutations are for
    z and p. See `ibtools.analysis.kernels.permutations.PermutationTest` for their definition.
    Permutations treat the labels as exchangeable and the states as given: p is about these samples,
    and says nothing of other samples or another training.

    Examples
    --------
    >>> Permutations(100).name
    'permutations-100-0'
    """

    n_permutations: int = 1000
    seed: int = 0

    kind: ClassVar[str] = "permutations"
    variables: ClassVar[tuple[Variable, ...]] = VARIABLES
    shows: ClassVar[str] = "z and p of I(T;Y) under drawn permutations of the labels"
    first_look: ClassVar[str] = 'permuted_p.median("repeat").plot(x="epoch", hue="layer")'

    def __post_init__(self) -> None:
        from ibtools.analysis.kernels.permutations import FEWEST

        if self.n_permutations < FEWEST:
            raise InputError(
                f"at least {FEWEST} permutations are needed, found {self.n_permutations}"
            )
        if self.seed < 0:
            raise InputError(f"a seed must not be negative, found {self.seed}")

    @classmethod
    def from_options(cls, options: str) -> Self:
        """Build it from its name without the kind: how many, and the seed."""
        return cls(*parse_drawn(options, example="permutations-1000-0"))

    @property
    def name(self) -> str:
        """The kind, the number of permutations and the seed."""
        return f"permutations-{self.n_permutations}-{self.seed}"

    @property
    def attributes(self) -> dict[str, Any]:
        """The options."""
        return {"n_permutations": self.n_permutations, "seed_of_permutations": self.seed}

    def memory(self, snapshots: int, header: Header) -> int:
        """Return the bytes of what is drawn for a snapshot too."""
        return super().memory(snapshots, header) + 32 * self.n_permutations

    def compute(self, snapshots: Snapshots, header: Header) -> Found:
        """Compute (block, layer)."""
        from ibtools.analysis.kernels.counts import label_spectra
        from ibtools.analysis.kernels.information import information_of_spectra
        from ibtools.analysis.kernels.permutations import (
            PermutationTest,
            permuted_information,
            snapshot_seed,
        )

        names = ("permuted_mean", "permuted_sd", "permuted_z", "permuted_p")
        found = np.empty((len(names), len(snapshots), len(header.layers)))
        classes = np.bincount(header.label)
        for index, (layer, labels) in enumerate(zip(header.layers, snapshots.labels, strict=True)):
            spectra = label_spectra(labels, header.label, header.n_classes)
            _, observed = information_of_spectra(*spectra, n_samples=header.label.size)
            for b, (repeat, epoch) in enumerate(
                zip(snapshots.repeat, snapshots.epoch, strict=True)
            ):
                seed = snapshot_seed(
                    self.seed, repeat=int(repeat), epoch=int(epoch), layer=layer.name
                )
                permuted = permuted_information(
                    spectra[0].select(b), classes, n_permutations=self.n_permutations, seed=seed
                )
                test = PermutationTest.of(float(observed[b]), permuted, header.label.size)
                found[:, b, index] = test.mean, test.sd, test.z, test.p
        return dict(zip(names, found, strict=True))


def parse_drawn(options: str, *, example: str) -> list[int]:
    """Return how many permutations are drawn and their seed, as far as a name says so.

    Raises
    ------
    InputError
        If it does not say it as the example does.
    """
    numbers = options.split("-") if options else []
    if len(numbers) > 2 or not all(one.isdecimal() for one in numbers):
        raise InputError(
            f"permutations must be written as in {example}, how many and the seed, "
            f"found {options!r} for these"
        )
    return [int(one) for one in numbers]
