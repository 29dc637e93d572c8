"""HDF5 files of strangers: plain arrays of their own, no larger than the file can hold."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ibtools.errors import InputError
from ibtools.recorders.data.compression import validate_unpacked

SUFFIXES = (".h5", ".hdf5")

_MOST_NODES = 2**20


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """Open a file to read; what fails in it is said as one error."""
    try:
        import h5py
    except ImportError as err:
        raise InputError(
            f"{path}: HDF5 is read with h5py, which is not installed; install it with: "
            "pip install h5py"
        ) from err
    try:
        with h5py.File(path, "r") as file:
            yield file
    except (OSError, RuntimeError, KeyError) as err:
        raise InputError(f"{path}: not an HDF5 file, or a damaged one ({err})") from err


def children(group: Any, path: Path) -> Iterator[tuple[str, Any]]:
    """Yield what a group holds; links that lead elsewhere are refused."""
    import h5py

    for number, name in enumerate(group):
        if number >= _MOST_NODES:
            raise InputError(f"{path}: must have at most {_MOST_NODES} members in a group")
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise InputError(
                f"{path}: {group.name}/{name} is a link to elsewhere, which is not followed; copy "
                "what it leads to into the file"
            )
        yield name, group[name]


def is_array(node: Any) -> bool:
    """Tell arrays from groups."""
    import h5py

    return isinstance(node, h5py.Dataset)


def read_hdf5_array(node: Any, path: Path) -> NDArray[Any] | None:
    """Read an array of plain numbers, after checking its size; None if it is something else."""
    if node.shape is None or node.dtype.kind not in "biuf":
        return None
    if node.external or node.is_virtual:
        raise InputError(f"{path}: {node.name} is kept in other files, which are not opened")
    n_bytes = int(np.prod(node.shape, dtype=object)) * node.dtype.itemsize
    validate_unpacked(n_bytes, path.stat().st_size, f"{path}: {node.name}", "save it anew")
    return np.asarray(node[()])


def arrays_below(
    group: Any, path: Path, prefix: str = "", depth: int = 8
) -> Iterator[tuple[str, NDArray[Any]]]:
    """Yield all arrays of a group and of those in it, by their names with dots between."""
    if not depth:
        raise InputError(f"{path}: {group.name} is a group in too many others")
    for name, node in children(group, path):
        if not is_array(node):
            yield from arrays_below(node, path, f"{prefix}{name}.", depth - 1)
        elif (array := read_hdf5_array(node, path)) is not None:
            yield f"{prefix}{name}", array
