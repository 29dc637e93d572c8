"""HDF5 files of deep-bottleneck: a group for each recorded epoch.

A group is named by its number, counted from 0 and saved when it was over. In it are the layers,
``activations/0``, ``activations/1`` and so on, (sample, unit), and the numbers
``accuracy/training``, ``accuracy/test`` and ``loss/test``. (``loss/training`` holds the training
accuracy again, and is left out.) ``weights_norm``, ``gradmean`` and ``gradstd`` have a number for
each layer.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ibtools.errors import InputError
from ibtools.recorders.imports.hdf5 import (
    SUFFIXES,
    arrays_below,
    children,
    is_array,
    opened,
)
from ibtools.recorders.imports.protocol import ActivationFormat, Imported, numbered

_NUMBERS = {
    "train_accuracy": "accuracy.training",
    "test_accuracy": "accuracy.test",
    "test_loss": "loss.test",
}

_OF_LAYERS = ("weights_norm", "gradmean", "gradstd")

_LAYER = "activations."


def read_deep_bottleneck(path: Path, network: tuple[int, int]) -> Iterator[Imported]:
    """Read the snapshots of a file."""
    if not path.is_file():
        raise InputError(f"{path}: must be the HDF5 file of deep-bottleneck")
    with opened(path) as file:
        groups = {}
        for name, node in children(file, path):
            if not name.isdecimal() or is_array(node):
                raise InputError(
                    f"{path}: must have groups that are numbers of epochs, as deep-bottleneck "
                    f"saves it, found {name!r}"
                )
            groups[int(name)] = node
        for epoch, group in sorted(groups.items()):
            yield _read_group(epoch, dict(arrays_below(group, path)), path)


def _read_group(epoch: int, arrays: dict[str, NDArray[Any]], path: Path) -> Imported:
    names = [name for name in arrays if name.startswith(_LAYER)]
    if not all(name.removeprefix(_LAYER).isdecimal() for name in names):
        raise InputError(f"{path}: activations of epoch {epoch} must be numbered by layers")
    names.sort(key=lambda name: int(name.removeprefix(_LAYER)))
    scalars = {
        name: float(arrays[key].item())
        for name, key in _NUMBERS.items()
        if key in arrays and arrays[key].size == 1
    }
    for name in _OF_LAYERS:
        if name in arrays and arrays[name].ndim == 1:
            values = enumerate(arrays[name].tolist(), start=1)
            scalars |= {f"{name}_{layer}": float(value) for layer, value in values}
    return Imported(0, epoch + 1, numbered([arrays[name] for name in names]), scalars)


DEEP_BOTTLENECK = ActivationFormat(
    "an HDF5 file of deep-bottleneck (.h5)",
    lambda path: path.is_file() and path.suffix.lower() in SUFFIXES,
    read_deep_bottleneck,
)
