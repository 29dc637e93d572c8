"""The detail `classes`: entropies within each class, and information about being of it."""

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
        "entropy_t_given_class", (*CUBE[:3], "class"), ("float64",), "bit", math.nan,
        "NaN: not analysed, or no sample of the class",
        "entropy of the layer over the samples of one class, H(T|Y=c)",
        label="H(T|Y=c)",
    ),
    Variable(
        "mi_t_class", (*CUBE[:3], "class"), ("float64",), "bit", math.nan, MISSING,
        "information about being of the class or not, I(T;[Y=c])",
        label="I(T;[Y=c])",
    ),
    Variable(
        "mi_t_class_null", (*CUBE[:3], "class"), ("float64",), "bit", math.nan, MISSING,
        "chance level of mi_t_class: its mean over all permutations of the labels",
        label="chance level of I(T;[Y=c])",
    ),
    Variable(
        "class", ("class",), ("int64", "str"), "1", 0, "never missing",
        "the class, by its label before it was numbered", coordinate=True,
    ),
    Variable(
        "class_samples", ("class",), ("int64",), "1", 0, "never missing",
        "samples of the class", coordinate=True, label="samples",
    ),
    Variable(
        "class_entropy", ("class",), ("float64",), "bit", math.nan, "never missing",
        "H([Y=c]), the most that mi_t_class can be", coordinate=True, label="H([Y=c])",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Classes(PlainDetail):
    """Entropies within each class, and information about being of it: one against the rest.

    Notes
    -----
    H(T|Y=c) is the entropy of the layer over the samples of the class; weighted by the shares of
    the classes, they sum to H(T|Y). I(T;[Y=c]) takes [Y=c], 1 for the class and 0 for all others,
    for the label. See `ibtools.analysis.kernels.class_information`.
    """

    kind: ClassVar[str] = "classes"
    variables: ClassVar[tuple[Variable, ...]] = VARIABLES
    shows: ClassVar[str] = "H(T|Y=c) within each class, and I(T;[Y=c]) about being of it"
    first_look: ClassVar[str] = (
        'mi_t_class.mean("repeat").plot(x="epoch", hue="layer", col="class")'
    )

    def coordinates(self, header: Header) -> Coordinates:
        """Return classes, their samples, and the entropy of being of them."""
        from ibtools.analysis.kernels.information import entropy

        samples = np.bincount(header.label, minlength=header.n_classes)
        rest = header.label.size - samples
        return {
            "class": header.classes,
            "class_samples": samples,
            "class_entropy": np.array([entropy(table) for table in np.stack([samples, rest], 1)]),
        }

    def memory(self, snapshots: int, header: Header) -> int:
        """Return the bytes of a spectrum for each class, and of what becomes of it."""
        entries = math.isqrt(2 * header.label.size) + 2
        of_layer = 64 * snapshots * header.n_classes * entries
        numbers = 48 * snapshots * header.n_classes * len(header.layers)
        return super().memory(snapshots, header) + of_layer + numbers

    def compute(self, snapshots: Snapshots, header: Header) -> Found:
        """Compute (block, layer, class)."""
        from ibtools.analysis.kernels.class_information import class_entropies, class_information

        y, n_classes = header.label, header.n_classes
        found = [
            [class_entropies(labels, y, n_classes), *class_information(labels, y, n_classes)]
            for labels in snapshots.labels
        ]
        names = ("entropy_t_given_class", "mi_t_class", "mi_t_class_null")
        return dict(zip(names, np.stack(found, axis=2), strict=True))
