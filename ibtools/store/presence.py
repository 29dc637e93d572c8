"""Which files of a recording must be there, told without checksums: from what else a store says."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import zarr.api.asynchronous
from numpy.typing import NDArray
from zarr.abc.store import Store
from zarr.errors import ArrayNotFoundError

from ibtools.store.checksums import MISSING, Grid, Place, locate
from ibtools.store.schema import CUBE, RECORDED
from ibtools.store.snapshots import FLOAT_BITS


@dataclass(frozen=True)
class Presence:
    """The files of what was recorded, of a store without checksums.

    Parameters
    ----------
    grids : mapping of str to Grid
        Of `code`, `activation` and `partition`, as far as the store has them.
    """

    grids: Mapping[str, Grid]

    @classmethod
    async def of(cls, store: Store) -> Self:
        """Read it from the metadata of the arrays."""
        grids = {}
        for name in RECORDED:
            try:
                array = await _open(store, name)
            except ArrayNotFoundError:
                continue
            if array.ndim == len(CUBE) - (name == "partition"):
                grids[name] = Grid.of(name, array)
        return cls(grids)

    def locate(self, key: str) -> Place | None:
        """Return the file at a key, or None if it holds nothing that was recorded."""
        return locate(self.grids, key)

    async def why_lost(self, store: Store, place: Place) -> str:
        """Say that a file that is not there must be; empty if it may hold fill values only.

        Numbers of a partition begin at 1, and values are never NaN. Codes may all be 0, of a layer
        whose range is a single point; or of units that are padding.
        """
        where = tuple(place.covers(axis) for axis in range(3))
        complete = await _read(store, "complete", where[:2])
        if not complete.any():
            return ""
        if place.grid.name == "partition":
            return MISSING
        bits, n_units = [await _read(store, name, where[2:]) for name in ("bits", "n_units")]
        units = place.covers(4)
        holds = (bits != FLOAT_BITS) == (place.grid.name == "code")
        if place.grid.name == "activation":
            return MISSING if (holds & (n_units > units.start)).any() else ""
        whole = place.grid.files[3:] == (1, 1)
        low, high = [await _read(store, f"activation_{end}", where) for end in ("min", "max")]
        varies = ((low != high) & complete[..., np.newaxis]).any(axis=(0, 1))
        return MISSING if whole and (varies & holds).any() else ""


async def _read(store: Store, name: str, where: tuple[slice, ...]) -> NDArray[Any]:
    return np.asarray(await (await _open(store, name)).getitem(where))


async def _open(store: Store, name: str) -> Any:
    return await zarr.api.asynchronous.open_array(store=store, path=name, mode="r", zarr_format=3)
