"""The two formats of CIFAR-10's batches [1]_.

*Binary*: a record per image, its label in one byte and its 3072 values: 32 x 32 of red, then of
green, then of blue, each row by row.

*Python*: a pickled dictionary with ``data``, an array (image, 3072) in the same order, and
``labels``, a list.

Unpickling can call any function that the file names. Here it can't: `_Unpickler` resolves none.
What a pickle calls becomes a record of the call, and the one call that makes an array is then read
from its record, so that the file reaches neither numpy's constructors nor anything else.

References
----------
.. [1] A. Krizhevsky, "Learning multiple layers of features from tiny images", 2009;
   https://www.cs.toronto.edu/~kriz/cifar.html.
"""

import io
import pickle
import pickletools
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ibtools.errors import InputError
from ibtools.recorders.data.compression import read_bytes

N_VALUES = 3 * 32 * 32
"""Values of an image."""

_MOST_OPERATIONS = 2**18

_MOST = {"PUT": 2**20, "GET": 32, "TUPLE": 16, "DUP": 0, "FRAME": 2**16}
"""Operations of a pickle: how many of each there may be, and the largest number of a PUT."""

_ALLOWED = {
    "numpy.core.multiarray._reconstruct",
    "numpy._core.multiarray._reconstruct",
    "numpy.ndarray",
    "numpy.dtype",
}


def read_cifar_binary(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Read a binary batch: values (sample, 3072), colour by colour, and labels, both uint8."""
    content = read_bytes(path)
    if len(content) % (1 + N_VALUES):
        raise InputError(
            f"{path}: must be records of {1 + N_VALUES} bytes, but has {len(content)} bytes, "
            f"{len(content) % (1 + N_VALUES)} too many; copy it again"
        )
    records = np.frombuffer(content, np.uint8).reshape(-1, 1 + N_VALUES)
    return records[:, 1:], records[:, 0]


def read_cifar_python(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Read a pickled batch without executing what it says: values (sample, 3072) and labels."""
    batch = _unpickle(path)
    labels = _get(batch, "labels")
    if not isinstance(labels, list) or not all(type(label) is int for label in labels):
        raise InputError(f"{path}: must be a dictionary with a list of integers named 'labels'")
    if labels and not 0 <= min(labels) <= max(labels) < 256:
        raise InputError(f"{path}: labels must be 0 to 9, but are {min(labels)} to {max(labels)}")
    return _read_array(_get(batch, "data"), path), np.array(labels, np.int64)


class _Recorded:
    """Stands for whatever a pickle names, calls, or builds; does nothing but remember."""

    def __init__(self, name: str, arguments: tuple[Any, ...] = ()) -> None:
        self.name = name
        self.arguments = arguments
        self.state: Any = None

    def __call__(self, *arguments: Any) -> "_Recorded":
        return _Recorded(self.name, arguments)

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _Unpickler(pickle.Unpickler):
    """Records the calls of a pickle instead of making them, and refuses those it doesn't expect."""

    def find_class(self, module: str, name: str) -> Any:
        if f"{module}.{name}" not in _ALLOWED:
            raise InputError(f"it names {module}.{name}, and a batch of CIFAR-10 has no use for it")
        return _Recorded(name)


def _unpickle(path: Path) -> Any:
    content = read_bytes(path)
    try:
        _validate_operations(content)
        return _Unpickler(io.BytesIO(content), encoding="bytes").load()
    except InputError as err:
        raise InputError(f"{path}: the pickle was refused: {err}") from err
    except (
        pickle.UnpicklingError,
        EOFError,
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        AttributeError,
        OverflowError,
        MemoryError,
    ) as err:  # what a damaged pickle raises
        raise InputError(f"{path}: not a pickle, or a damaged one ({err})") from err


def _validate_operations(content: bytes) -> None:
    """Refuse what costs the unpickler memory or time without end, though it calls nothing.

    It makes room for as many objects as the largest number that one is remembered by, and hashes a
    tuple that is made of itself again and again.
    """
    counts: Counter[str] = Counter()
    for operation, argument, _ in pickletools.genops(content):
        kind = next((one for one in _MOST if one in operation.name), "")
        counts[kind] += 1
        largest = argument if kind == "PUT" and isinstance(argument, int) else 0
        if counts.total() > _MOST_OPERATIONS:
            raise InputError(f"it has more than the {_MOST_OPERATIONS} operations of a batch")
        if kind and max(counts[kind], largest) > _MOST[kind]:
            raise InputError(f"it has more {operation.name} than a batch of CIFAR-10 has use for")


def _get(batch: Any, key: str) -> Any:
    """Look a key up that Python 2 wrote as bytes, and Python 3 as text."""
    if not isinstance(batch, dict):
        return None
    return batch.get(key.encode(), batch.get(key))


def _read_array(recorded: Any, path: Path) -> NDArray[np.uint8]:
    """Read the array (sample, value) from the record of how a pickle makes it."""
    match recorded:
        case _Recorded(
            name="_reconstruct",
            state=(
                1,
                (int() as n, int() as n_values),
                _Recorded(name="dtype", arguments=("u1" | b"u1", *_)),
                in_fortran_order,
                bytes() as content,
            ),
        ) if n_values == N_VALUES and not in_fortran_order and len(content) == n * n_values:
            return np.frombuffer(content, np.uint8).reshape(n, n_values)
    raise InputError(
        f"{path}: must hold 'data', an array of bytes, (image, {N_VALUES}), in C order"
    )
