"""The kinds of details that have options: about another label, and permutations of the labels."""

import hashlib
import re
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ibtools.analysis.details.kinds import Found, PlainDetail, label_information
from ibtools.analysis.details.snapshots import Snapshots
from ibtools.analysis.kernels.counts import label_spectra
from ibtools.analysis.kernels.information import entropy, information_of_spectra
from ibtools.analysis.kernels.permutations import (
    FEWEST,
    PermutationTest,
    permuted_information,
    snapshot_seed,
)
from ibtools.errors import InputError, StoreError
from ibtools.store.header import Header
from ibtools.store.labels import number_classes


@dataclass(frozen=True, eq=False)
class About(PlainDetail):
    """Information about another discrete label S of the samples, I(T;S).

    Parameters
    ----------
    label_name : str
        What S is called: letters, digits, dots, hyphens and underscores.
    values : array_like, (sample,), integer, bool or str
        S of every sample, in the order of the store.

    Raises
    ------
    InputError
        If the name has other characters, or the values are not one discrete value per sample.

    Examples
    --------
    >>> About("parity", [0, 1, 1, 0]).name
    'by-parity'
    """

    label_name: str
    values: ArrayLike
    codes: NDArray[np.int64] = field(init=False, repr=False)

    kind: ClassVar[str] = "by"

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[\w.-]+", self.label_name, re.ASCII):
            raise InputError(
                "the name of a label must be of letters, digits, dots, hyphens and underscores, "
                f"found {self.label_name!r}"
            )
        try:
            codes, _ = number_classes(self.values, name=f"the label {self.label_name}")
        except StoreError as err:
            raise InputError(str(err)) from err
        object.__setattr__(self, "codes", codes)

    @property
    def name(self) -> str:
        """The kind and the name of the label."""
        return f"by-{self.label_name}"

    @property
    def attributes(self) -> dict[str, Any]:
        """What S is, and how much there is to know of it."""
        counts = np.bincount(self.codes)
        return {
            "label_name": self.label_name,
            "label_values": counts.size,
            "label_checksum": f"sha256:{hashlib.sha256(self.codes.tobytes()).hexdigest()}",
            "entropy_s": entropy(counts),
        }

    def validate(self, header: Header) -> None:
        """Check that there is a value for every sample."""
        if self.codes.size != header.label.size:
            raise InputError(
                f"the label {self.label_name} must have one value for each of the "
                f"{header.label.size} samples of the store, found {self.codes.size}"
            )

    def compute(self, snapshots: Snapshots, header: Header) -> Found:
        """Compute (block, layer)."""
        n_values = int(self.codes.max()) + 1
        found = [label_information(labels, self.codes, n_values) for labels in snapshots.labels]
        return dict(zip(("mi_ts", "mi_ts_null"), np.stack(found, axis=2), strict=True))


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

    def __post_init__(self) -> None:
        if self.n_permutations < FEWEST:
            raise InputError(
                f"at least {FEWEST} permutations are needed, found {self.n_permutations}"
            )
        if self.seed < 0:
            raise InputError(f"a seed must not be negative, found {self.seed}")

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
