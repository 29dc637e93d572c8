"""The detail `by`: information about another label of the samples."""

import hashlib
import math
import re
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ibtools.analysis.details.protocol import MISSING, Found, PlainDetail
from ibtools.analysis.details.snapshots import Snapshots
from ibtools.errors import InputError, StoreError
from ibtools.store.header import Header
from ibtools.store.labels import number_classes
from ibtools.store.schema import CUBE, Variable

VARIABLES = (
    Variable(
        "mi_ts", CUBE[:3], ("float64",), "bit", math.nan, MISSING,
        "information about another label S of the samples, I(T;S)",
        label="I(T;S)",
    ),
    Variable(
        "mi_ts_null", CUBE[:3], ("float64",), "bit", math.nan, MISSING,
        "chance level of mi_ts: its mean over all permutations of S",
        label="chance level of I(T;S)",
    ),
)  # fmt: skip


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
    variables: ClassVar[tuple[Variable, ...]] = VARIABLES
    shows: ClassVar[str] = "I(T;S) with another label S of the samples"
    first_look: ClassVar[str] = 'mi_ts.mean("repeat").plot(x="epoch", hue="layer")'

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

    @classmethod
    def from_options(cls, options: str) -> Self:
        """Refuse it: a name is not enough, the label has a value for every sample."""
        raise InputError(
            f"the detail by-{options or 'NAME'} needs the values of its label: --by, which takes a "
            "name or a file, or in Python About(name, values)"
        )

    @property
    def name(self) -> str:
        """The kind and the name of the label."""
        return f"by-{self.label_name}"

    @property
    def attributes(self) -> dict[str, Any]:
        """What S is, and how much there is to know of it."""
        from ibtools.analysis.kernels.information import entropy

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
        from ibtools.analysis.kernels.chance import label_information

        n_values = int(self.codes.max()) + 1
        found = [label_information(labels, self.codes, n_values) for labels in snapshots.labels]
        return dict(zip(("mi_ts", "mi_ts_null"), np.stack(found, axis=2), strict=True))
