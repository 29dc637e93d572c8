"""Folders of ibsgd, the program of Saxe et al. [1]_: a pickle for each recorded epoch.

Each, ``epoch00000042``, is a dictionary of ``epoch``, counted from 0 and saved when it was over;
``loss`` with ``trn`` and ``tst``; and ``data`` with ``activity_tst``, a list over layers of arrays
(sample, unit), and ``weights_norm``, ``gradmean`` and ``gradstd``, a number for each layer.

References
----------
.. [1] A. M. Saxe et al., "On the information bottleneck theory of deep learning", ICLR 2018.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ibtools.errors import InputError
from ibtools.recorders.data.compression import read_bytes
from ibtools.recorders.data.pickles import get, read_array, read_pickle
from ibtools.recorders.imports.protocol import ActivationFormat, Imported, numbered

_NAME = re.compile(r"epoch(\d{8,})")

_OF_LAYERS = ("weights_norm", "gradmean", "gradstd")


def read_ibsgd(path: Path, network: tuple[int, int]) -> Iterator[Imported]:
    """Read the snapshots of a folder."""
    if not path.is_dir():
        raise InputError(f"{path}: must be the folder of ibsgd's files epoch00000000 and so on")
    for file in sorted(_files(path), key=_number):
        saved = read_pickle(read_bytes(file), file)
        data, loss = get(saved, "data"), get(saved, "loss")
        activity = get(data, "activity_tst")
        arrays = [read_array(one) for one in activity] if isinstance(activity, list) else []
        there = [one for one in arrays if one is not None and one.ndim >= 2]
        if not arrays or len(there) < len(arrays):
            raise InputError(
                f"{file}: must be a dictionary with 'data', which has 'activity_tst', a list of "
                "arrays (sample, unit), as ibsgd saves it"
            )
        numbers = {"train_loss": get(loss, "trn"), "test_loss": get(loss, "tst")}
        for name in _OF_LAYERS:
            of_layers = get(data, name)
            for layer, one in enumerate(of_layers if isinstance(of_layers, list) else [], 1):
                numbers[f"{name}_{layer}"] = one
        yield Imported(0, _number(file) + 1, numbered(there), _scalars(numbers))


def _scalars(numbers: dict[str, Any]) -> dict[str, float]:
    """Return what is a number, of Python or of numpy."""
    found = {}
    for name, one in numbers.items():
        array = read_array(one)
        if isinstance(one, int | float) or (array is not None and array.size == 1):
            found[name] = float(one if array is None else array.item())
    return found


def _files(path: Path) -> list[Path]:
    return [one for one in path.iterdir() if _NAME.fullmatch(one.name)]


def _number(file: Path) -> int:
    return int(file.name.removeprefix("epoch"))


IBSGD = ActivationFormat(
    "a folder of ibsgd (epoch00000000, ...)",
    lambda path: path.is_dir() and bool(_files(path)),
    read_ibsgd,
)
