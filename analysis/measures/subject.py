"""What all snapshots of a store have in common, as measures are given it."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ibtools.store.header import Header
from ibtools.store.snapshots import LayerSpec


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
    def of(cls, header: Header) -> Self:
        """Take it from the header of a store."""
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
        from ibtools.analysis.kernels.inputs import input_entropy

        return input_entropy(self.input)

    @property
    def n_units(self) -> int:
        """Units of the widest layer."""
        return max(layer.n_units for layer in self.layers)
