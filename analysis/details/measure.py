"""A kind of detail of an estimator as a measure: what the one walk computes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ibtools.analysis.details.protocol import (
    Detail,
    Found,
    data_variables,
    looks_into_layers,
)
from ibtools.analysis.details.snapshots import UNIT_STATISTICS, Snapshots, unit_label_dtype
from ibtools.analysis.estimators import CountingEstimator
from ibtools.analysis.estimators.counting import statistics_of_labels
from ibtools.analysis.measures.block import LayerBlock, SnapshotBlock
from ibtools.analysis.measures.protocol import BlockShape, Needs, Scope
from ibtools.partition import partition_block
from ibtools.store.header import Header
from ibtools.store.schema import Variable


@dataclass(frozen=True, eq=False)
class LayerStates:
    """Which samples share a state of a layer, and what else a kind of detail asks for.

    Parameters
    ----------
    labels : ndarray, (block, sample), uint32
        As from `ibtools.partition.partition_block`.
    units : ndarray, (statistic, block, unit), float64, optional
        The `UNIT_STATISTICS`.
    prediction : ndarray, (block, sample), int64, optional
        Of the last layer only: the largest unit.
    unit_labels : ndarray, (block, unit, sample), optional
        The states of single units, of dtype `unit_label_dtype`.
    """

    labels: NDArray[np.uint32]
    units: NDArray[np.float64] | None = None
    prediction: NDArray[np.int64] | None = None
    unit_labels: NDArray[np.unsignedinteger] | None = None


@dataclass(frozen=True, eq=False)
class DetailMeasure:
    """A kind of detail, computed from the states that an estimator counts.

    Parameters
    ----------
    kind : Detail
        What is computed.
    estimator : CountingEstimator
        What a state is.
    n_units : int
        Of the widest layer.
    """

    kind: Detail
    estimator: CountingEstimator
    n_units: int

    scope: ClassVar[Scope] = "snapshot"
    padding: ClassVar[bool] = False

    @property
    def specification(self) -> str:
        """The estimator, and the kind with its options."""
        return f"{self.estimator.specification}/{self.kind.name}"

    @property
    def variables(self) -> tuple[Variable, ...]:
        """What the kind computes, without its coordinates."""
        return data_variables(self.kind)

    @property
    def attributes(self) -> dict[str, Any]:
        """The options of both."""
        return {**self.estimator.attributes, **self.kind.attributes}

    @property
    def needs(self) -> Needs:
        """What the estimator looks at, and single units if the kind asks for them."""
        if self.estimator.needs == "partition" and looks_into_layers(self.kind):
            return "units"
        return self.estimator.needs

    def sizes(self, header: Header) -> Mapping[str, int]:
        """Return the lengths of the coordinates that only this kind has."""
        return {name: len(values) for name, values in self.kind.coordinates(header).items()}

    def memory(self, shape: BlockShape) -> int:
        """Return the bytes that partitioning a layer takes, and single units if asked for."""
        single = (16 * shape.snapshot + 8 * shape.values) if self.kind.needs_units else 0
        if self.kind.needs_unit_labels:
            of_softmax = 12 * shape.snapshot if shape.softmax else 0
            single += 8 * shape.snapshot + 4 * shape.values + of_softmax
        return self.estimator.memory(shape) + single

    def memory_of_snapshots(self, snapshots: int, header: Header) -> int:
        """Return the bytes of all partitions, stacked once more, and what the kind takes."""
        labels = 8 * snapshots * header.label.size * (len(header.layers) + 1)
        return labels + self.kind.memory(snapshots, header)

    def reduce(self, block: LayerBlock) -> LayerStates:
        """Partition a layer, once for all details of the same estimator."""
        name, estimator = self.estimator.specification, self.estimator
        labels = block.once(name, lambda: partition_block(estimator.discretise(block))[0])
        units = prediction = unit_labels = None
        if self.kind.needs_units:
            units = block.once(
                f"{name} units", lambda: unit_statistics(block, estimator, self.n_units)
            )
        if self.kind.needs_prediction and block.is_last:
            prediction = block.recorded.argmax(axis=2)
        if self.kind.needs_unit_labels:
            unit_labels = block.once(
                f"{name} states of units", lambda: label_units(block, estimator)
            )
        return LayerStates(labels, units, prediction, unit_labels)

    def merge(self, first: LayerStates, second: LayerStates) -> LayerStates:
        """Put the partitions of two portions of units together: pairs of labels are rows again."""
        pairs = np.stack([first.labels, second.labels], axis=-1)
        return LayerStates(partition_block(pairs)[0])

    def compute(self, block: SnapshotBlock) -> Found:
        """Compute the variables of the kind."""
        states: tuple[LayerStates, ...] = block.states
        units = [one.units for one in states if one.units is not None]
        snapshots = Snapshots(
            np.stack([one.labels for one in states]),
            block.repeat,
            block.epoch,
            states[-1].prediction,
            np.stack(units, axis=2) if units else None,
            tuple(one.unit_labels for one in states if one.unit_labels is not None),
        )
        return self.kind.compute(snapshots, block.header)


def unit_statistics(
    block: LayerBlock, estimator: CountingEstimator, n_units: int
) -> NDArray[np.float64]:
    """Compute the `UNIT_STATISTICS` of a layer, (statistic, block, unit); NaN beyond its units."""
    found = np.full((len(UNIT_STATISTICS), len(block), n_units), np.nan)
    symbols = estimator.discretise(block)
    for index in range(len(block)):
        start = 0
        for part in estimator.unit_symbols(block, symbols, index):
            labels, _ = partition_block(part)
            of_units = statistics_of_labels(labels, block.y, block.n_classes, block.entropy_x)
            stop = start + len(part)
            found[:, index, start:stop] = [of_units[name] for name in UNIT_STATISTICS]
            start = stop
    return found


def label_units(block: LayerBlock, estimator: CountingEstimator) -> NDArray[np.unsignedinteger]:
    """Label the states of single units of a layer, (block, unit, sample)."""
    n_snapshots, n_samples, n_units = block.recorded.shape
    labels = np.empty((n_snapshots, n_units, n_samples), unit_label_dtype(n_samples))
    symbols = estimator.discretise(block)
    for index in range(n_snapshots):
        start = 0
        for part in estimator.unit_symbols(block, symbols, index):
            labels[index, start : start + len(part)] = partition_block(part)[0]
            start += len(part)
    return labels
