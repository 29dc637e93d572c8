"""The detail `splits`: the ordinary results over all, the training and the test samples."""

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ibtools.analysis.details.protocol import Coordinates, Found, PlainDetail
from ibtools.analysis.details.snapshots import Snapshots
from ibtools.errors import InputError
from ibtools.store.header import Header
from ibtools.store.schema import CUBE, RESULT_VARIABLES, WHOLE_LAYER, Variable

VARIABLES = (
    *(
        replace(variable, dims=(*CUBE[:3], "split"))
        for variable in RESULT_VARIABLES
        if variable.name in WHOLE_LAYER
    ),
    Variable(
        "split", ("split",), ("str",), "", "", "never missing",
        "the samples that are counted: all, train or test", coordinate=True,
    ),
    Variable(
        "split_samples", ("split",), ("int64",), "1", 0, "never missing",
        "N of these samples", coordinate=True, label="samples",
    ),
    Variable(
        "split_entropy_x", ("split",), ("float64",), "bit", math.nan, "never missing",
        "H(X) of these samples", coordinate=True, label="H(X)",
    ),
    Variable(
        "split_entropy_y", ("split",), ("float64",), "bit", math.nan, "never missing",
        "H(Y) of these samples", coordinate=True, label="H(Y)",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Splits(PlainDetail):
    """The ordinary results over all, the training and the test samples, each as if alone.

    Notes
    -----
    N, H(X), H(Y), saturation and chance level are those of the samples counted, so that values of
    different splits are to be compared with their own ceilings, not with each other.
    """

    kind: ClassVar[str] = "splits"
    variables: ClassVar[tuple[Variable, ...]] = VARIABLES
    shows: ClassVar[str] = (
        "the ordinary results over all, training and test samples, each by itself"
    )
    first_look: ClassVar[str] = (
        'mi_ty_above_null.mean("repeat").plot(x="epoch", hue="layer", col="split")'
    )

    def validate(self, header: Header) -> None:
        """Check that it is known which samples are in which split."""
        if not header.split.size:
            raise InputError(
                "splits need the coordinate split of the samples, which the Dataset lacks; open it "
                "with ibtools.open_store(path)"
            )

    def coordinates(self, header: Header) -> Coordinates:
        """Return the splits that have samples, and their ceilings."""
        from ibtools.analysis.kernels.information import entropy
        from ibtools.analysis.kernels.inputs import input_entropy

        splits = _splits(header)
        labels = [header.label[chosen] for chosen in splits.values()]
        inputs = [header.input[chosen] for chosen in splits.values()]
        return {
            "split": np.array(list(splits)),
            "split_samples": np.array([y.size for y in labels]),
            "split_entropy_x": np.array([input_entropy(numbers) for numbers in inputs]),
            "split_entropy_y": np.array([entropy(np.bincount(y)) for y in labels]),
        }

    def compute(self, snapshots: Snapshots, header: Header) -> Found:
        """Compute (block, layer, split)."""
        parts = [
            _statistics_of_samples(snapshots.labels, header, chosen)
            for chosen in _splits(header).values()
        ]
        names = parts[0][0].keys()
        return {
            name: np.stack([np.stack([one[name] for one in part], axis=1) for part in parts], 2)
            for name in names
        }


def _statistics_of_samples(
    layers: NDArray[np.uint32], header: Header, chosen: NDArray[np.bool_]
) -> list[Found]:
    """Compute the ordinary results of every layer over some of the samples."""
    from ibtools.analysis.estimators.counting import statistics_of_labels
    from ibtools.analysis.kernels.inputs import input_entropy
    from ibtools.partition import partition_block

    entropy_x = input_entropy(header.input[chosen])
    y, n_classes = header.label[chosen], header.n_classes
    found: list[Found] = []
    for labels in layers:
        again, _ = partition_block(np.ascontiguousarray(labels[:, chosen])[..., np.newaxis])
        found.append(dict(statistics_of_labels(again, y, n_classes, entropy_x)))
    return found


def _splits(header: Header) -> dict[str, NDArray[np.bool_]]:
    """Return which samples are in each split, (sample,), bool; those without samples left out."""
    splits = {"all": np.ones(header.label.size, np.bool_)}
    for name in ("train", "test"):
        splits[name] = header.split == name
    return {name: chosen for name, chosen in splits.items() if chosen.any()}
