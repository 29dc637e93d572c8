"""What details are computed from: some snapshots of a whole network, as partitions."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ibtools.analysis.estimators import CountingEstimator, LayerBlock
from ibtools.analysis.estimators.counting import statistics_of_labels
from ibtools.analysis.inputs import input_entropy
from ibtools.analysis.partition import partition_block
from ibtools.header import Header
from ibtools.snapshots import LayerSpec

UNIT_STATISTICS = ("entropy_t", "mi_ty", "mi_ty_null")
"""What is computed of single units."""


@dataclass(frozen=True, eq=False)
class Subject:
    """What all snapshots of a store have in common.

    Parameters
    ----------
    layers : tuple of LayerSpec
        In the order of the network.
    label : ndarray, (sample,), int64
        Class of each sample, 0 to n_classes - 1.
    classes : ndarray, (class,), int64 or str
        What the classes are called.
    input : ndarray, (sample,), int64
        Number of each sample's input.
    split : ndarray, (sample,), str
        "train" or "test" of each sample; empty if the Dataset does not say.
    keeps_partition : bool
        Whether the store keeps the partition of whole layers only.
    """

    layers: tuple[LayerSpec, ...]
    label: NDArray[np.int64]
    classes: NDArray[Any]
    input: NDArray[np.int64]
    split: NDArray[np.str_]
    keeps_partition: bool

    @classmethod
    def of(cls, dataset: xr.Dataset) -> Self:
        """Read it from the Dataset of a store."""
        header = Header.of(dataset)
        return cls(
            header.layers,
            header.label,
            header.classes,
            header.input,
            header.split,
            header.keeps_partition,
        )

    @property
    def n_classes(self) -> int:
        """How many classes there are."""
        return len(self.classes)

    @cached_property
    def entropy_x(self) -> float:
        """H(X) of the samples in bits."""
        return input_entropy(self.input)

    @property
    def n_units(self) -> int:
        """Units of the widest layer."""
        return max(layer.n_units for layer in self.layers)


@dataclass(frozen=True, eq=False)
class Snapshots:
    """Some snapshots of a network.

    Parameters
    ----------
    labels : ndarray, (layer, block, sample), uint32
        The states of the samples, as from `ibtools.analysis.partition.partition_block`.
    repeat, epoch : ndarray, (block,), integer
        Labels of the snapshots, not positions.
    prediction : ndarray, (block, sample), int64, optional
        The predicted class of every sample, for the details that need it.
    units : ndarray, (statistic, block, layer, unit), float64, optional
        The `UNIT_STATISTICS`, for the details that need them; NaN where there is no such unit.
    """

    labels: NDArray[np.uint32]
    repeat: NDArray[np.integer]
    epoch: NDArray[np.integer]
    prediction: NDArray[np.int64] | None = None
    units: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.repeat)


def partition_layer(
    block: LayerBlock, estimator: CountingEstimator, *, units: NDArray[np.float64] | None
) -> NDArray[np.uint32]:
    """Label the samples of a layer by their states.

    Parameters
    ----------
    block : LayerBlock
        Snapshots of the layer.
    estimator : CountingEstimator
        Decides what a state is.
    units : ndarray, (statistic, block, unit), float64, or None
        Filled with the `UNIT_STATISTICS` of the layer's units, if it is given.

    Returns
    -------
    ndarray, (block, sample), uint32
    """
    symbols = estimator.discretise(block)
    if units is not None:
        for index in range(len(block)):
            start = 0
            for part in estimator.unit_symbols(block, symbols, index):
                found = statistics_of_labels(
                    *partition_block(part), block.y, block.n_classes, block.entropy_x
                )
                stop = start + len(part)
                units[:, index, start:stop] = [found[name] for name in UNIT_STATISTICS]
                start = stop
    return partition_block(symbols)[0]
