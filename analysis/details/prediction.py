"""The detail `prediction`: information about the class that the network predicts."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ibtools.analysis.details.protocol import MISSING, Found, PlainDetail
from ibtools.analysis.details.snapshots import Snapshots
from ibtools.errors import InputError
from ibtools.store.header import Header
from ibtools.store.schema import CUBE, Variable

VARIABLES = (
    Variable(
        "mi_t_prediction", CUBE[:3], ("float64",), "bit", math.nan, MISSING,
        "information about the predicted class, the first largest unit of the last layer",
        label="I(T;prediction)",
    ),
    Variable(
        "mi_t_prediction_null", CUBE[:3], ("float64",), "bit", math.nan, MISSING,
        "chance level of that: its mean over all permutations of the predictions",
        label="chance level of I(T;prediction)",
    ),
    Variable(
        "entropy_prediction", CUBE[:2], ("float64",), "bit", math.nan, MISSING,
        "entropy of the predicted class, the most that mi_t_prediction can be",
        label="H(prediction)",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Prediction(PlainDetail):
    """Information about the class that the network predicts.

    Notes
    -----
    The prediction is the unit of the last layer with the largest recorded value, of equal ones the
    first. It is a function of that layer, which therefore has all of H(prediction), up to rounding.
    """

    kind: ClassVar[str] = "prediction"
    variables: ClassVar[tuple[Variable, ...]] = VARIABLES
    shows: ClassVar[str] = "I(T;prediction) about the class that the network predicts"
    first_look: ClassVar[str] = 'mi_t_prediction.mean("repeat").plot(x="epoch", hue="layer")'
    needs_prediction: ClassVar[bool] = True

    def validate(self, header: Header) -> None:
        """Check that the last layer has a unit for every class."""
        last = header.layers[-1]
        if last.n_units < header.n_classes:
            raise InputError(
                f"the prediction is the largest unit of the last layer, which needs one for each "
                f"of the {header.n_classes} classes; found {last.n_units} in {last.name!r}; "
                "select layers up to the output, or leave the prediction out"
            )

    def compute(self, snapshots: Snapshots, header: Header) -> Found:
        """Compute (block, layer), and the entropy (block,)."""
        from ibtools.analysis.kernels.chance import label_information
        from ibtools.analysis.kernels.information import entropy

        n_classes = header.layers[-1].n_units
        values = np.empty((2, len(snapshots), len(snapshots.labels)))
        entropies = np.empty(len(snapshots))
        for b, prediction in enumerate(np.asarray(snapshots.prediction)):
            values[:, b] = label_information(snapshots.labels[:, b], prediction, n_classes)
            entropies[b] = entropy(np.bincount(prediction))
        names = ("mi_t_prediction", "mi_t_prediction_null")
        return {**dict(zip(names, values, strict=True)), "entropy_prediction": entropies}
