"""The detail `units`: entropy and information about the label of every single unit."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ibtools.analysis.details.protocol import Coordinates, Found, PlainDetail
from ibtools.analysis.details.snapshots import Snapshots
from ibtools.store.header import Header
from ibtools.store.schema import CUBE, Variable

VARIABLES = (
    Variable(
        "entropy_unit", (*CUBE[:3], "unit"), ("float64",), "bit", math.nan,
        "NaN: not analysed, or no such unit",
        "entropy of the single unit, H(T_u)",
        label="H(T_u)",
    ),
    Variable(
        "mi_unit_y", (*CUBE[:3], "unit"), ("float64",), "bit", math.nan,
        "NaN: not analysed, or no such unit",
        "information of the single unit about the label, I(T_u;Y)",
        label="I(T_u;Y)",
    ),
    Variable(
        "mi_unit_y_null", (*CUBE[:3], "unit"), ("float64",), "bit", math.nan,
        "NaN: not analysed, or no such unit",
        "chance level of mi_unit_y: its mean over all permutations of the labels",
        label="chance level of I(T_u;Y)",
    ),
    Variable(
        "unit", ("unit",), ("int64",), "1", 0, "never missing",
        "position of the unit in its layer", coordinate=True,
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Units(PlainDetail):
    """Entropy and information about the label of every single unit."""

    kind: ClassVar[str] = "units"
    variables: ClassVar[tuple[Variable, ...]] = VARIABLES
    shows: ClassVar[str] = "H and I(;Y) of every single unit"
    first_look: ClassVar[str] = (
        'mi_unit_y.mean("repeat").isel(epoch=-1).plot(x="unit", hue="layer")'
    )
    needs_units: ClassVar[bool] = True

    def coordinates(self, header: Header) -> Coordinates:
        """Return the positions of the units."""
        return {"unit": np.arange(header.n_units)}

    def memory(self, snapshots: int, header: Header) -> int:
        """Return the bytes of the numbers of all units."""
        return 48 * snapshots * len(header.layers) * header.n_units

    def compute(self, snapshots: Snapshots, header: Header) -> Found:
        """Return (block, layer, unit), computed with the partitions."""
        names = ("entropy_unit", "mi_unit_y", "mi_unit_y_null")
        return dict(zip(names, np.asarray(snapshots.units), strict=True))
