"""Checksums of results: one of each variable of each snapshot, bound to what it is of.

A checksum is CRC-32 of the bytes of the values, after that of everything that the values belong to:
the content of the store, the revision of the estimator, number and seed of the repeat, the epoch
and the name of the variable. So numbers that are torn, damaged, lost, of another place or of what
the store was before do not match.
"""

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self, cast

import numpy as np
import zarr
from numpy.typing import NDArray

from ibtools.analysis.passes.outdated import ASSUMED, DEPENDS_ON, DETAILS_DEPEND_ON
from ibtools.store.groups import get_array, read_arrays
from ibtools.store.schema import RESULT_VARIABLES, Variable
from ibtools.store.validation.declared import describe_place

CHECKSUM: Variable = next(one for one in RESULT_VARIABLES if one.name == "checksum")
"""The variable that holds them, (repeat, epoch, variable)."""

NAMES = "variables"
"""The attribute of the checksums that names the variables they are of, in their order. It is
written after them: without it there are none."""


@dataclass(frozen=True, eq=False)
class Binding:
    """What results belong to.

    Parameters
    ----------
    depends : str
        What all of them depend on, as JSON.
    repeat, seed : ndarray, (repeat,), int64
        Number and seed of each repeat.
    epoch : ndarray, (epoch,), int32
        The schedule.
    """

    depends: str
    repeat: NDArray[np.int64]
    seed: NDArray[np.int64]
    epoch: NDArray[np.int32]

    @classmethod
    def of(cls, group: zarr.Group) -> Self:
        """Read it from results."""
        arrays = {name: get_array(group, name) for name in ("repeat", "seed", "epoch")}
        return cls(_depends(group.attrs), **read_arrays(arrays, describe_place(group)))

    def checksums(
        self, row: int, epochs: NDArray[np.intp], name: str, values: NDArray[Any]
    ) -> NDArray[np.uint32]:
        """Compute the checksums of a variable in some snapshots of a repeat.

        Parameters
        ----------
        row : int
            Position of the repeat.
        epochs : ndarray, (epoch,), int
            Positions of the epochs.
        name : str
            The variable.
        values : ndarray, (epoch, ...)
            Its values there.

        Returns
        -------
        ndarray, (epoch,), uint32
            Never 0, which stands for none.
        """
        place = f"{self.depends} {self.repeat[row]} {self.seed[row]} {name} {values.dtype.name}"
        start = zlib.crc32(place.encode())
        n = len(epochs)
        if not n:
            return np.empty(0, np.uint32)
        plain = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
        parts = (np.ascontiguousarray(self.epoch[epochs], "<i8"), plain)
        table = np.concatenate([part.reshape(n, -1).view(np.uint8) for part in parts], axis=1)
        data, width = table.tobytes(), table.shape[1]
        found = [zlib.crc32(data[i * width : (i + 1) * width], start) or 1 for i in range(n)]
        return np.array(found, np.uint32)


def checked_names(group: zarr.Group) -> tuple[str, ...]:
    """Return the variables of results that have checksums; none in those of earlier versions."""
    if CHECKSUM.name not in group:
        return ()
    return names_of(get_array(group, CHECKSUM.name))


def names_of(sums: "zarr.Array[Any]") -> tuple[str, ...]:
    """Return the variables that checksums are of."""
    return tuple(cast("list[str]", sums.attrs.get(NAMES, [])))


def _depends(attributes: Mapping[str, Any]) -> str:
    known = {**ASSUMED, **attributes}
    names = dict.fromkeys((*DEPENDS_ON, *DETAILS_DEPEND_ON))
    return json.dumps({name: known[name] for name in names if name in known}, sort_keys=True)
