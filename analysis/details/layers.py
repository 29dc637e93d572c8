"""The detail `layers`: information that every two layers share."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ibtools.analysis.details.protocol import MISSING, Coordinates, Found, PlainDetail
from ibtools.analysis.details.snapshots import Snapshots
from ibtools.store.header import Header
from ibtools.store.schema import CUBE, Variable

VARIABLES = (
    Variable(
        "mi_tt", (*CUBE[:3], "other_layer"), ("float64",), "bit", math.nan, MISSING,
        "information that two layers share, I(T_i;T_j); of a layer with itself, H(T_i)",
        label="I(T_i;T_j)",
    ),
    Variable(
        "other_layer", ("other_layer",), ("str",), "", "", "never missing",
        "name of the other layer", coordinate=True,
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Layers(PlainDetail):
    """Information that every two layers share, I(T_i;T_j).

    Notes
    -----
    Symmetric to the last bit; of a layer with itself it is H(T_i), and so it is with any layer
    before it that the layer is a function of.
    """

    kind: ClassVar[str] = "layers"
    variables: ClassVar[tuple[Variable, ...]] = VARIABLES
    shows: ClassVar[str] = "I(T_i;T_j) between every two layers"
    first_look: ClassVar[str] = (
        'mi_tt.mean("repeat").plot(x="epoch", hue="other_layer", col="layer")'
    )

    def coordinates(self, header: Header) -> Coordinates:
        """Return the names of the layers."""
        return {"other_layer": np.array([layer.name for layer in header.layers])}

    def compute(self, snapshots: Snapshots, header: Header) -> Found:
        """Compute (block, layer, other_layer)."""
        from ibtools.analysis.kernels.information import information_of_labels

        n_layers = len(snapshots.labels)
        shared = np.empty((len(snapshots), n_layers, n_layers))
        for b in range(len(snapshots)):
            for j, other in enumerate(snapshots.labels[:, b]):
                same = snapshots.labels[: j + 1, b]
                _, shared[b, : j + 1, j] = information_of_labels(same, other, int(other.max()) + 1)
                shared[b, j, : j + 1] = shared[b, : j + 1, j]
        return {"mi_tt": shared}
