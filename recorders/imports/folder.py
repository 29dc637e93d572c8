"""Plain folders of activations: one ``.npz``, ``.h5`` or ``.pt`` file for each epoch.

The last number in the name of a file is its epoch, as in ``epoch_10.npz``. Arrays are layers,
(sample, unit, ...), by their names; single numbers are scalars. What is in groups or dictionaries
has a name with dots.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ibtools.errors import InputError
from ibtools.recorders.data.npz import read_arrays
from ibtools.recorders.imports.hdf5 import SUFFIXES, arrays_below, opened
from ibtools.recorders.imports.protocol import ActivationFormat, Imported
from ibtools.recorders.imports.torch_files import read_torch

_TOLD_BY_NAME = ("epoch", "step")
"""Numbers in a file that its name tells."""

Arrays = dict[str, NDArray[Any]]


def _read_hdf5(path: Path) -> Arrays:
    with opened(path) as file:
        return dict(arrays_below(file, path))


_READERS: dict[str, Callable[[Path], Arrays]] = {
    ".npz": read_arrays,
    **dict.fromkeys(SUFFIXES, _read_hdf5),
    ".pt": read_torch,
    ".pth": read_torch,
}


def read_folder(path: Path, network: tuple[int, int]) -> Iterator[Imported]:
    """Read the snapshots of a folder."""
    if not path.is_dir():
        raise InputError(f"{path}: must be a folder of files {', '.join(_READERS)}")
    by_epoch: dict[int, Path] = {}
    for file in _files(path):
        numbers = re.findall(r"\d+", file.stem)
        if not numbers:
            raise InputError(f"{file}: its name must end in the number of its epoch")
        other = by_epoch.setdefault(int(numbers[-1]), file)
        if other != file:
            raise InputError(f"{file}: is of the same epoch as {other.name}; leave one")
    for epoch, file in sorted(by_epoch.items()):
        arrays = _READERS[file.suffix.lower()](file)
        scalars = {
            name: float(array.item())
            for name, array in arrays.items()
            if array.ndim == 0 and name not in _TOLD_BY_NAME
        }
        layers = {name: array for name, array in arrays.items() if array.ndim}
        yield Imported(0, epoch, layers, scalars)


def _files(path: Path) -> list[Path]:
    return sorted(one for one in path.iterdir() if one.suffix.lower() in _READERS)


FOLDER = ActivationFormat(
    f"a folder of files {', '.join(_READERS)}",
    lambda path: path.is_dir() and bool(_files(path)),
    read_folder,
)
