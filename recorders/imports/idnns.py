"""Files of IDNNs, the program of Shwartz-Ziv & Tishby [1]_: one pickle of many trainings.

It is a dictionary. ``ws[repeat][architecture][share]`` is a list over the recorded epochs, of lists
over layers, of arrays (sample, unit); ``params["epochsInds"]`` are the numbers of the epochs, which
had been trained when a snapshot was taken. ``loss_train`` and ``loss_test`` are arrays (repeat,
architecture, share, epoch), of zeros where they were not filled.

References
----------
.. [1] R. Shwartz-Ziv and N. Tishby, "Opening the black box of deep neural networks via
   information", 2017.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ibtools.errors import InputError
from ibtools.recorders.data.compression import read_bytes
from ibtools.recorders.data.pickles import get, read_array, read_pickle
from ibtools.recorders.imports.protocol import ActivationFormat, Imported, numbered

_LOSSES = {"train_loss": "loss_train", "test_loss": "loss_test"}


def read_idnns(path: Path, network: tuple[int, int]) -> Iterator[Imported]:
    """Read the snapshots of one network in all repeats."""
    data = read_pickle(read_bytes(path), path)
    repeats = get(data, "ws")
    epochs = read_array(get(get(data, "params"), "epochsInds"))
    if not isinstance(repeats, list) or epochs is None or epochs.ndim != 1:
        raise InputError(
            f"{path}: must be a dictionary with 'ws', the activations, and 'params' with "
            "'epochsInds', as IDNNs saves it"
        )
    losses = {name: read_array(get(data, key)) for name, key in _LOSSES.items()}
    for repeat, networks in enumerate(repeats):
        snapshots = _select(networks, network, path)
        for column, (epoch, layers) in enumerate(zip(epochs.tolist(), snapshots, strict=False)):
            if layers is not None:
                at = (repeat, *network, column)
                arrays = _arrays(layers, path, repeat, epoch)
                yield Imported(repeat, epoch, numbered(arrays), _losses(losses, at))


def _select(networks: Any, network: tuple[int, int], path: Path) -> list[Any]:
    """Select one network of a repeat."""
    found = networks
    for which, position in zip(("architectures", "shares"), network, strict=True):
        if not isinstance(found, list) or not 0 <= position < len(found):
            n = len(found) if isinstance(found, list) else 0
            raise InputError(
                f"{path}: network must be (architecture, share) by position, but there are {n} "
                f"{which}, found {network}"
            )
        found = found[position]
    if not isinstance(found, list):
        raise InputError(f"{path}: 'ws' must hold a list of snapshots, found other things")
    return found


def _arrays(layers: Any, path: Path, repeat: int, epoch: int) -> list[NDArray[Any]]:
    arrays = [read_array(one) for one in layers] if isinstance(layers, list) else []
    there = [one for one in arrays if one is not None and one.ndim == 2]
    if not arrays or len(there) < len(arrays):
        raise InputError(
            f"{path}: 'ws' of repeat {repeat}, epoch {epoch} must be a list of arrays (sample, "
            "unit); it may have been saved without activations"
        )
    return there


def _losses(
    losses: dict[str, NDArray[Any] | None], at: tuple[int, int, int, int]
) -> dict[str, float]:
    """Look losses up that were filled."""
    return {
        name: float(values[at])
        for name, values in losses.items()
        if values is not None and values.ndim == 4 and np.all(np.less(at, values.shape))
        if values.any()
    }


IDNNS = ActivationFormat(
    "a pickle of IDNNs (data.pickle)",
    lambda path: path.is_file() and path.suffix.lower() in (".pickle", ".pkl"),
    read_idnns,
)
