"""Files of ``torch.save``, read without PyTorch and without executing what they say.

Such a file is a zip archive whose members are stored as they are: ``data.pkl`` is a pickle, in
which a tensor is the call of a function with a storage, an offset, a size and strides; the values
of storage 7 are the bytes of ``data/7``.
"""

import math
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ibtools.errors import InputError
from ibtools.recorders.data.compression import validate_unpacked
from ibtools.recorders.data.pickles import Recorded, read_pickle

_MOST_MEMBERS = 2**16

_DEEPEST = 8
"""Dictionaries in dictionaries."""

_STORAGES = {
    **{"FloatStorage": "f4", "DoubleStorage": "f8", "HalfStorage": "f2", "BFloat16Storage": "bf"},
    **{"LongStorage": "i8", "IntStorage": "i4", "ShortStorage": "i2", "CharStorage": "i1"},
    **{"ByteStorage": "u1", "BoolStorage": "b1"},
}

_DTYPES = {
    **{"float32": "f4", "float64": "f8", "float16": "f2", "bfloat16": "bf", "int64": "i8"},
    **{"int32": "i4", "int16": "i2", "int8": "i1", "uint8": "u1", "bool": "b1"},
    **{"uint16": "u2", "uint32": "u4", "uint64": "u8"},
}

_REBUILD = ("torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor_v3")

_PLAIN = "save a dictionary of plain tensors, as torch.save({'hidden': hidden.cpu()}, file)"


def read_torch(path: Path) -> dict[str, NDArray[Any]]:
    """Read the tensors of a dictionary, and its numbers as arrays without axes.

    Parameters
    ----------
    path : path
        Of a file of PyTorch 1.6 or later.

    Returns
    -------
    dict of str to ndarray
        By their names, with dots where dictionaries are in dictionaries. bfloat16 is float32 of the
        same values. Texts and what else is no tensor are left out.

    Raises
    ------
    InputError
        If it is no such file, or is damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            storages = _Storages(archive, path)
            found = read_pickle(storages.pickled(), path)
            if not isinstance(_items(found), dict):
                raise InputError(f"{path}: must hold a dictionary of tensors; {_PLAIN}")
            return dict(_tensors(found, storages, ""))
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as err:
        raise InputError(
            f"{path}: must be a file of torch.save, of PyTorch 1.6 or later ({err}); load and save "
            "older ones anew"
        ) from err


class _Storages:
    """The members of an archive, each as it is stored."""

    def __init__(self, archive: zipfile.ZipFile, path: Path) -> None:
        self.archive, self.path = archive, path
        members = archive.infolist()
        packed = [one for one in members if one.compress_type != zipfile.ZIP_STORED]
        names = {one.filename for one in members}
        if packed or len(members) > _MOST_MEMBERS or len(names) < len(members):
            raise InputError(f"{path}: must be an archive as torch.save writes it; {_PLAIN}")
        if sum(one.file_size for one in members) > path.stat().st_size:
            raise InputError(f"{path}: announces more than it holds; copy it again")
        roots = [name[: -len("data.pkl")] for name in names if name.endswith("/data.pkl")]
        if len(roots) != 1:
            raise InputError(f"{path}: must hold one data.pkl, found {len(roots)}; {_PLAIN}")
        self.root, self.names = roots[0], names
        self.order: Literal[">", "<"] = ">" if self._read("byteorder", b"little") == b"big" else "<"

    def pickled(self) -> bytes:
        return self._read("data.pkl")

    def values(self, recorded: Any, dtype: str | None) -> NDArray[Any]:
        """Return the values of a storage, (value,)."""
        arguments = recorded.arguments if isinstance(recorded, Recorded) else ()
        if len(arguments) != 5 or not isinstance(arguments[1], Recorded):
            raise InputError(f"{self.path}: a tensor has no storage; {_PLAIN}")
        code = dtype or _STORAGES.get(arguments[1].name.rsplit(".", 1)[-1])
        if code is None:
            raise InputError(
                f"{self.path}: holds values of {arguments[1].name}, which can't be read; {_PLAIN}"
            )
        content = self._read(f"data/{_text(arguments[2])}")
        plain = np.dtype("u2" if code == "bf" else code).newbyteorder(self.order)
        if len(content) % plain.itemsize:
            raise InputError(f"{self.path}: a storage has no whole number of values; copy it again")
        values = np.frombuffer(content, plain)
        if code == "bf":
            return (values.astype(np.uint32) << 16).view(np.float32)
        return values.astype(plain.newbyteorder("="), copy=False)

    def _read(self, name: str, missing: bytes | None = None) -> bytes:
        full = f"{self.root}{name}"
        if full not in self.names:
            if missing is not None:
                return missing
            raise InputError(f"{self.path}: {full} is missing; copy it again")
        return self.archive.read(full)


def _items(value: Any) -> Any:
    return value.items if isinstance(value, Recorded) and not _is_tensor(value) else value


def _is_tensor(value: Any) -> bool:
    return isinstance(value, Recorded) and value.name.startswith("torch._utils._rebuild")


def _tensors(found: Any, storages: _Storages, prefix: str) -> Iterator[tuple[str, NDArray[Any]]]:
    """Yield what is a tensor or a number in a dictionary, and in those in it."""
    if prefix.count(".") >= _DEEPEST:
        raise InputError(f"{storages.path}: dictionaries are in too many others; {_PLAIN}")
    items: Mapping[Any, Any] = _items(found)
    for key, value in items.items():
        name = f"{prefix}{_text(key)}"
        if _is_tensor(value):
            yield name, _read_tensor(value, storages)
        elif isinstance(value, bool | int | float):
            yield name, np.asarray(float(value))
        elif isinstance(_items(value), dict):
            yield from _tensors(value, storages, f"{name}.")


def _read_tensor(recorded: Recorded, storages: _Storages) -> NDArray[Any]:
    if recorded.name == "torch._utils._rebuild_parameter" and recorded.arguments:
        inner = recorded.arguments[0]
        if isinstance(inner, Recorded) and inner.name in _REBUILD:
            return _read_tensor(inner, storages)
    if recorded.name not in _REBUILD or len(recorded.arguments) < 6:
        raise InputError(
            f"{storages.path}: {recorded.name} makes no plain tensor; {_PLAIN}, of quantised ones "
            "their int_repr()"
        )
    storage, offset, size, strides = recorded.arguments[:4]
    values = storages.values(storage, _own_dtype(recorded, storages))
    _validate_place(values.size, offset, size, strides, storages.path)
    n_bytes = math.prod(size) * values.itemsize
    validate_unpacked(n_bytes, values.nbytes, f"{storages.path}: a tensor", _PLAIN)
    steps = [stride * values.itemsize for stride in strides]
    view = np.lib.stride_tricks.as_strided(values[offset:], size, steps, writeable=False)
    return np.array(view)


def _own_dtype(recorded: Recorded, storages: _Storages) -> str | None:
    """Return the dtype of a tensor whose storage has none."""
    if recorded.name != _REBUILD[1]:
        return None
    dtype = recorded.arguments[6] if len(recorded.arguments) > 6 else None
    name = dtype.name.removeprefix("torch.") if isinstance(dtype, Recorded) else "?"
    if name not in _DTYPES:
        raise InputError(
            f"{storages.path}: holds a tensor of {name}, which can't be read; {_PLAIN}"
        )
    return _DTYPES[name]


def _validate_place(n_values: int, offset: Any, size: Any, strides: Any, path: Path) -> None:
    """Check that a tensor lies within its storage."""
    numbers = (
        (offset, *size, *strides)
        if isinstance(size, tuple) and isinstance(strides, tuple)
        else ("?",)
    )
    if not all(type(one) is int and one >= 0 for one in numbers) or len(size) != len(strides):
        raise InputError(f"{path}: a tensor has no size or strides; copy it again")
    last = offset + sum((n - 1) * step for n, step in zip(size, strides, strict=True))
    if offset > n_values or (math.prod(size) and last >= n_values):
        raise InputError(f"{path}: a tensor lies outside its storage; copy it again")


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
