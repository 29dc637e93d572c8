"""What a measure is given: some snapshots of one layer, as recorded."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ibtools.errors import InputError
from ibtools.store.decode import decode_values
from ibtools.store.snapshots import LayerSpec

if TYPE_CHECKING:
    from ibtools.store.header import Header

PORTION = 2**20
"""Values that are decoded at a time by what looks at one after the other."""

Result = TypeVar("Result")

UnitGrids = tuple[NDArray[np.float32], NDArray[np.int32]]
"""Scale and zero point of each unit, (block, unit); NaN and 0 where a layer has one of each."""

Statistics = dict[str, NDArray[np.float64] | NDArray[np.int64]]
"""Per variable of the results one number per snapshot, (block,)."""

ROWS = ("scale", "zero_point", "activation_min", "activation_max")
"""The variables of a store that say what the codes of a layer of a snapshot stand for."""


@dataclass(frozen=True, eq=False)
class LayerBlock:
    """Some snapshots of one layer, as recorded.

    Parameters
    ----------
    recorded : ndarray, (block, sample, unit), uint8, uint16 or float32
        Codes of a quantised layer, values of a float layer; without padding. From a store that
        keeps the partition: (block, sample, 1), uint32.
    layer : LayerSpec
        The layer.
    y : ndarray, (sample,), integer
        Class of each sample, 0 to n_classes - 1.
    n_classes : int
        Number of classes.
    rows : mapping of str to ndarray, (block,), float64, optional
        The `ROWS`. Only estimators that look at values need them.
    global_range : tuple of float and float, optional
        The range of the values of all layers and snapshots, as from
        `ibtools.analysis.passes.ranges.global_range`. Only estimators with global bounds need it.
    keeps_partition : bool, optional
        Whether `recorded` is a partition.
    entropy_x : float, optional
        H(X) of the samples in bits; where it is left out, all inputs differ.
    first : ndarray, (block, sample, 1), optional
        The first unit of the layer, where `recorded` is a part of its units.
    continues : bool, optional
        Whether `recorded` is a part that others of the same layer came before.
    padding : ndarray, (block, sample, unit), optional
        What is in the chunks of the layer beyond its units, for measures that look at it.
    is_last : bool, optional
        Whether it is the last layer of the network.
    read_unit_grids : callable, optional
        Reads the grids of the units that are here, where the store has some.
    most_bits : int, optional
        Width of the widest codes of all layers that are analysed.
    """

    recorded: NDArray[Any]
    layer: LayerSpec
    y: NDArray[np.integer]
    n_classes: int
    rows: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    global_range: tuple[float, float] = (np.nan, np.nan)
    keeps_partition: bool = False
    entropy_x: float = np.nan
    first: NDArray[Any] | None = None
    continues: bool = False
    padding: NDArray[Any] | None = None
    is_last: bool = False
    read_unit_grids: Callable[[], UnitGrids] | None = None
    most_bits: int = 0
    _known: dict[str, Any] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if np.isnan(self.entropy_x):
            from ibtools.analysis.kernels.information import largest_entropy

            object.__setattr__(self, "entropy_x", largest_entropy(self.y.size))

    def __len__(self) -> int:
        return len(self.recorded)

    @property
    def is_softmax_of_codes(self) -> bool:
        """Whether codes of logits were recorded, and the values are their softmax."""
        return self.layer.is_softmax_of_codes

    def once(self, what: str, compute: Callable[[], Result]) -> Result:
        """Return what several measures ask of this block, computed when it is first asked for."""
        if what not in self._known:
            self._known[what] = compute()
        found: Result = self._known[what]
        return found

    def values(self, index: int, samples: slice = slice(None)) -> NDArray[np.float32]:
        """Return the values of one snapshot, (sample, unit), as the network computed them."""
        recorded = self.recorded[index, samples]
        if not self.layer.quantised:
            return np.asarray(recorded, np.float32)
        scale, zero_point = self._grid(index)
        return decode_values(recorded, self.layer, scale=scale, zero_point=zero_point)

    @property
    def unit_grids(self) -> UnitGrids | None:
        """The grids of single units; None where each layer of the store has one grid."""
        if self.read_unit_grids is None or not self.layer.quantised:
            return None
        return self.once("grids of units", self.read_unit_grids)

    @property
    def zero_points(self) -> NDArray[np.int64]:
        """The codes that stand for zero, (block, unit)."""
        of_layer = np.asarray(self.rows["zero_point"]).astype(np.int64)
        zero_points = np.repeat(of_layer[:, np.newaxis], self.recorded.shape[2], axis=1)
        if self.unit_grids is not None:
            own = np.isnan(self.rows["scale"])
            zero_points[own] = self.unit_grids[1][own]
        return zero_points

    def _grid(self, index: int) -> UnitGrids:
        """Return scale and zero point of one snapshot, () or (unit,)."""
        scale = np.asarray(self.rows["scale"][index], np.float32)
        if np.isnan(scale) and self.unit_grids is not None:
            scales, zero_points = self.unit_grids
            return scales[index], zero_points[index]
        return scale, np.asarray(self.rows["zero_point"][index], np.int32)

    def portions(self) -> Iterator[slice]:
        """Yield samples whose values are few enough to be decoded at once, one after the other."""
        step = max(1, PORTION // self.recorded.shape[2])
        for start in range(0, self.recorded.shape[1], step):
            yield slice(start, start + step)

    def finite_values(self, index: int) -> NDArray[np.float32]:
        """Return the values of one snapshot, between which there are distances.

        Raises
        ------
        InputError
            If a value is infinite or NaN.
        """
        values = self.values(index)
        if not np.isfinite(values).all():
            raise InputError(
                f"layer {self.layer.name!r} has values that are not finite, between which there is "
                "no distance; the training diverged, or analyse it with exact"
            )
        return values

    def value_range(
        self, index: int, values: NDArray[np.float32] | None = None
    ) -> tuple[float, float]:
        """Return the range of the values of one snapshot over samples and units.

        It is what was recorded, over all recorded samples. Only where codes of logits were
        recorded, whose range that is, the softmax is looked at, over the samples that are here.
        """
        if self.is_softmax_of_codes:
            values = self.values(index) if values is None else values
            return float(values.min()), float(values.max())
        return (
            float(self.rows["activation_min"][index]),
            float(self.rows["activation_max"][index]),
        )

    def widest_range(self) -> tuple[float, float]:
        """Return bounds on the values of all these snapshots, without looking at them."""
        if self.is_softmax_of_codes:
            return 0.0, 1.0
        return float(self.rows["activation_min"].min()), float(self.rows["activation_max"].max())


@dataclass(frozen=True, eq=False)
class SnapshotBlock:
    """Some snapshots of a whole network, each layer reduced to what a measure needs of it.

    Parameters
    ----------
    states : tuple
        What `SnapshotMeasure.reduce` returned of every layer.
    repeat, epoch : ndarray, (block,), integer
        Labels of the snapshots, not positions.
    header : Header
        What the store says of itself.
    """

    states: tuple[Any, ...]
    repeat: NDArray[np.integer]
    epoch: NDArray[np.integer]
    header: "Header"
