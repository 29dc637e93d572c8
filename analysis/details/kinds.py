"""The kinds of details: what each computes from the partitions of a network's layers."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from ibtools.analysis.details.snapshots import Snapshots
from ibtools.analysis.estimators.counting import statistics_of_labels
from ibtools.analysis.kernels.chance import chance_levels
from ibtools.analysis.kernels.class_information import class_entropies, class_information
from ibtools.analysis.kernels.counts import label_spectra
from ibtools.analysis.kernels.information import (
    entropy,
    information_of_labels,
    information_of_spectra,
)
from ibtools.analysis.kernels.inputs import input_entropy
from ibtools.analysis.measures.registry import DETAILS
from ibtools.errors import InputError
from ibtools.partition import partition_block
from ibtools.store.header import Header

Coordinates = dict[str, NDArray[Any]]
Found = dict[str, NDArray[Any]]
"""Per variable the numbers of some snapshots: (block, layer, ...), or (block,)."""


class Detail(Protocol):
    """What the analysis asks of a kind of detail.

    Attributes
    ----------
    kind : str
        Its key in `ibtools.store.detail_schema.DETAIL_VARIABLES`.
    name : str
        The kind with all options: what the results are called.
    needs_prediction, needs_units : bool
        Whether it needs the predicted classes, or single units. A store that keeps the partition
        only has neither.
    attributes : dict
        The options, as attributes of the results. Results with other ones are out of date.
    """

    @property
    def kind(self) -> str: ...  # noqa: D102
    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def needs_prediction(self) -> bool: ...  # noqa: D102
    @property
    def needs_units(self) -> bool: ...  # noqa: D102
    @property
    def attributes(self) -> dict[str, Any]: ...  # noqa: D102

    def validate(self, header: Header) -> None:
        """Check that there is what the detail needs.

        Raises
        ------
        InputError
            If there is not.
        """
        ...

    def coordinates(self, header: Header) -> Coordinates:
        """Return the coordinates that only this kind has, one-dimensional."""
        ...

    def memory(self, snapshots: int, header: Header) -> int:
        """Return the bytes that `compute` takes at its peak, beside the partitions."""
        ...

    def compute(self, snapshots: Snapshots, header: Header) -> Found:
        """Compute the variables of some snapshots."""
        ...


@dataclass(frozen=True)
class PlainDetail:
    """A kind without options."""

    kind: ClassVar[str]
    needs_prediction: ClassVar[bool] = False
    needs_units: ClassVar[bool] = False

    @property
    def name(self) -> str:
        """The kind."""
        return self.kind

    @property
    def attributes(self) -> dict[str, Any]:
        """There are none."""
        return {}

    def validate(self, header: Header) -> None:
        """Take any store."""

    def coordinates(self, header: Header) -> Coordinates:
        """There are none."""
        return {}

    def memory(self, snapshots: int, header: Header) -> int:
        """Return the bytes of labels in part, of tables of a snapshot, and of spectra."""
        n_samples, n_layers = header.label.size, len(header.layers)
        spectra = 32 * math.isqrt(2 * n_samples)
        return snapshots * (4 * n_samples + n_layers * (n_layers * 8 + spectra)) + 200 * n_samples


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

    def coordinates(self, header: Header) -> Coordinates:
        """Return classes, their samples, and the entropy of being of them."""
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
        y, n_classes = header.label, header.n_classes
        found = [
            [class_entropies(labels, y, n_classes), *class_information(labels, y, n_classes)]
            for labels in snapshots.labels
        ]
        names = ("entropy_t_given_class", "mi_t_class", "mi_t_class_null")
        return dict(zip(names, np.stack(found, axis=2), strict=True))


@dataclass(frozen=True)
class Layers(PlainDetail):
    """Information that every two layers share, I(T_i;T_j).

    Notes
    -----
    Symmetric to the last bit; of a layer with itself it is H(T_i), and so it is with any layer
    before it that the layer is a function of.
    """

    kind: ClassVar[str] = "layers"

    def coordinates(self, header: Header) -> Coordinates:
        """Return the names of the layers."""
        return {"other_layer": np.array([layer.name for layer in header.layers])}

    def compute(self, snapshots: Snapshots, header: Header) -> Found:
        """Compute (block, layer, other_layer)."""
        n_layers = len(snapshots.labels)
        shared = np.empty((len(snapshots), n_layers, n_layers))
        for b in range(len(snapshots)):
            for j, other in enumerate(snapshots.labels[:, b]):
                same = snapshots.labels[: j + 1, b]
                _, shared[b, : j + 1, j] = information_of_labels(same, other, int(other.max()) + 1)
                shared[b, j, : j + 1] = shared[b, : j + 1, j]
        return {"mi_tt": shared}


@dataclass(frozen=True)
class Prediction(PlainDetail):
    """Information about the class that the network predicts.

    Notes
    -----
    The prediction is the unit of the last layer with the largest recorded value, of equal ones the
    first. It is a function of that layer, which therefore has all of H(prediction), up to rounding.
    """

    kind: ClassVar[str] = "prediction"
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
        n_classes = header.layers[-1].n_units
        values = np.empty((2, len(snapshots), len(snapshots.labels)))
        entropies = np.empty(len(snapshots))
        for b, prediction in enumerate(np.asarray(snapshots.prediction)):
            values[:, b] = label_information(snapshots.labels[:, b], prediction, n_classes)
            entropies[b] = entropy(np.bincount(prediction))
        names = ("mi_t_prediction", "mi_t_prediction_null")
        return {**dict(zip(names, values, strict=True)), "entropy_prediction": entropies}


@dataclass(frozen=True)
class Splits(PlainDetail):
    """The ordinary results over all, the training and the test samples, each as if alone.

    Notes
    -----
    N, H(X), H(Y), saturation and chance level are those of the samples counted, so that values of
    different splits are to be compared with their own ceilings, not with each other.
    """

    kind: ClassVar[str] = "splits"

    def validate(self, header: Header) -> None:
        """Check that it is known which samples are in which split."""
        if not header.split.size:
            raise InputError(
                "splits need the coordinate split of the samples, which the Dataset lacks; open it "
                "with ibtools.open_store(path)"
            )

    def coordinates(self, header: Header) -> Coordinates:
        """Return the splits that have samples, and their ceilings."""
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
    entropy_x = input_entropy(header.input[chosen])
    y, n_classes = header.label[chosen], header.n_classes
    found: list[Found] = []
    for labels in layers:
        again = partition_block(np.ascontiguousarray(labels[:, chosen])[..., np.newaxis])
        found.append(dict(statistics_of_labels(*again, y, n_classes, entropy_x)))
    return found


def _splits(header: Header) -> dict[str, NDArray[np.bool_]]:
    """Return which samples are in each split, (sample,), bool; those without samples left out."""
    splits = {"all": np.ones(header.label.size, np.bool_)}
    for name in ("train", "test"):
        splits[name] = header.split == name
    return {name: chosen for name, chosen in splits.items() if chosen.any()}


@dataclass(frozen=True)
class Units(PlainDetail):
    """Entropy and information about the label of every single unit."""

    kind: ClassVar[str] = "units"
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


def label_information(
    labels: NDArray[np.uint32], y: NDArray[np.int64], n_classes: int
) -> NDArray[np.float64]:
    """Compute I(T;Y) and its chance level of a block of partitions, (2, block), in bits."""
    spectra = label_spectra(labels, y, n_classes)
    _, information = information_of_spectra(*spectra, n_samples=y.size)
    return np.stack([information, chance_levels(*spectra[:2])])


DetailLike = str | Detail
"""A kind of detail, or its name if it has no options."""


def get_details(what: DetailLike | Sequence[DetailLike]) -> tuple[Detail, ...]:
    """Return the details that are asked for, each name once, in the order given.

    Raises
    ------
    UnknownNameError
        If a name is not in `DETAILS`.
    InputError
        If there is none.
    """
    asked = what if isinstance(what, Sequence) and not isinstance(what, str) else [what]
    chosen: list[Any] = [
        cast(type[PlainDetail], DETAILS.load(one))() if isinstance(one, str) else one
        for one in asked
    ]
    if not chosen:
        raise InputError(
            f"at least one detail is needed, found none; known: {', '.join(DETAILS.names())}, "
            "About(...), Permutations(...)"
        )
    return tuple({one.name: one for one in chosen}.values())
