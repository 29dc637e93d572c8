"""Reading what a thin store keeps of one repeat of its source, block by block."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any, cast

import numpy as np
import zarr
from numpy.typing import NDArray

from ibtools.errors import StoreError
from ibtools.store.groups import get_array
from ibtools.store.layout import MAX_BLOCK_EPOCHS
from ibtools.store.schema import CUBE, STORE_VARIABLES, UNIT_GRIDS, scalars_of
from ibtools.store.snapshots import LayerSpec
from ibtools.store.storage import decoding
from ibtools.store.symbols import exact_symbols
from ibtools.store.thin_choice import ThinChoice
from ibtools.store.validation.declared import describe_place
from ibtools.store.writer import Kept

_OF_LAYERS = tuple(one for one in STORE_VARIABLES if one.dims == CUBE[:3])
"""The variables that are one number of each layer of a snapshot."""


@dataclass(frozen=True, eq=False)
class ThinnedRepeat:
    """One repeat of a store that is thinned, read block by block.

    Parameters
    ----------
    choice : ThinChoice
        What is kept.
    row : int
        Position of the repeat.
    """

    choice: ThinChoice
    row: int

    @property
    def _group(self) -> zarr.Group:
        return cast(zarr.Group, self.choice.source.store)

    def numbers(self) -> dict[str, NDArray[Any]]:
        """Return what there is one of for the repeat, or for each epoch trained, by name."""
        declared = (*STORE_VARIABLES, *scalars_of(self.choice.source.attributes))
        return {
            one.name: self._read(one.name)
            for one in declared
            if one.rhythm in ("repeat", "trained epoch")
            and not one.coordinate
            and "sample" not in one.dims
            and one.name in self._group
        }

    def random_label(self) -> NDArray[Any] | None:
        """Return the random labels of the repeat, (sample,); None if there are none."""
        if "random_label" not in self._group:
            return None
        label = self._read("random_label")
        return None if (label < 0).any() else label

    def snapshots(self) -> Iterator[tuple[int, dict[str, Kept]]]:
        """Yield the chosen snapshots that are complete, by their epochs, reading block by block."""
        source, chosen = self.choice.source, self.choice.epochs
        there = chosen[source.complete[self.row, chosen]]
        for _, of_block in groupby(there.tolist(), lambda position: position // self._block_size):
            positions = np.array(list(of_block))
            layers = {
                source.layers[index].name: self._kept(positions, index)
                for index in self.choice.layers.tolist()
            }
            for at, epoch in enumerate(source.coordinates["epoch"][positions].tolist()):
                yield epoch, {name: of[at] for name, of in layers.items()}

    def validate_unchanged(self) -> None:
        """Check that the repeat was not begun anew while it was read.

        Raises
        ------
        StoreError
            If it was.
        """
        source = self.choice.source
        if int(self._read("seed")) != int(source.coordinates["seed"][self.row]):
            raise StoreError(
                f"{describe_place(self._group)}: repeat {source.coordinates['repeat'][self.row]} "
                "was begun anew while it was read; thin the store again"
            )

    @cached_property
    def _block_size(self) -> int:
        """How many epochs are read at once: the fewest of a chunk."""
        recorded = (get_array(self._group, name) for name in self.choice.source.recorded)
        return min(MAX_BLOCK_EPOCHS, *(int(array.chunks[1]) for array in recorded))

    @cached_property
    def _rows(self) -> dict[str, NDArray[Any]]:
        """The numbers of each layer of each snapshot, (epoch, layer), by name."""
        of_codes = () if self.choice.keep == "partition" else ("quantised",)
        kept = [one.name for one in _OF_LAYERS if one.presence in ("always", "known", *of_codes)]
        return {name: self._read(name) for name in kept if name in self._group}

    def _kept(self, positions: NDArray[np.intp], index: int) -> list[Kept]:
        """Return what is kept of a layer in some snapshots."""
        arrays = self._arrays(positions, index)
        rows = {name: of[positions, index] for name, of in self._rows.items()}
        return [
            Kept(
                {name: of[at] for name, of in arrays.items()},
                {name: of[at] for name, of in rows.items()},
            )
            for at in range(len(positions))
        ]

    def _arrays(self, positions: NDArray[np.intp], index: int) -> dict[str, NDArray[Any]]:
        """Return what is kept of the samples and units of a layer, (snapshot, ...), by name."""
        source, layer = self.choice.source, self.choice.source.layers[index]
        if source.keeps_partition:
            return {"partition": self._read_block("partition", positions, index)}
        units = slice(0, layer.n_units)
        values = self._read_block(layer.variable, positions, index, slice(None), units)
        if self.choice.keep == "partition":
            return {"partition": _partition(values, layer)}
        grids = [name for name in UNIT_GRIDS if layer.quantised and name in self._group]
        return {
            layer.variable: values,
            **{name: self._read_block(name, positions, index, units) for name in grids},
        }

    def _read_block(
        self, name: str, positions: NDArray[np.intp], index: int, *where: slice
    ) -> NDArray[Any]:
        """Read some snapshots of a layer, which are in one block."""
        first, last = int(positions[0]), int(positions[-1])
        key = (slice(first, last + 1), index, *where)
        values = self._read(name, *key)
        return values if len(values) == len(positions) else values[positions - first]

    def _read(self, name: str, *where: Any) -> NDArray[Any]:
        with decoding(f"{describe_place(self._group)}: {name}"):
            return np.asarray(get_array(self._group, name)[(self.row, *where)])


def _partition(values: NDArray[Any], layer: LayerSpec) -> NDArray[np.uint32]:
    """Label the states of a layer in some snapshots, (snapshot, sample)."""
    from ibtools.partition import partition_block  # numba is loaded where it is needed only

    labels, _ = partition_block(exact_symbols(values, layer))
    return labels
