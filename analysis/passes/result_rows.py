"""Reading results repeat by repeat, whatever has become of single chunks."""

from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from ibtools.store.groups import get_array


def read_row(array: "zarr.Array[Any]", row: int) -> NDArray[Any]:
    """Read one repeat of results; what no codec can have made counts as never written."""
    try:
        return np.array(array[row])
    except (ValueError, RuntimeError):  # a checksum of zarr's that differs, a chunk cut short
        return np.full(array.shape[1:], array.fill_value, array.dtype)


def read_rows(array: "zarr.Array[Any]", rows: slice) -> NDArray[Any]:
    """Read some repeats of results, at once where no chunk of them is damaged."""
    try:
        return np.array(array[rows])
    except (ValueError, RuntimeError):
        return np.stack([read_row(array, row) for row in range(rows.start, rows.stop)])


def read_marks(group: zarr.Group) -> NDArray[np.bool_]:
    """Read which snapshots are marked as analysed, (repeat, epoch), bool."""
    array = get_array(group, "analysed")
    return read_rows(array, slice(0, array.shape[0]))
